// `jandon dev`: the local chain, the hub and the bank, as `npm start` runs them.

import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { UsageError } from './failure.ts'

const script = fileURLToPath(new URL('../../scripts/dev/main.ts', import.meta.url))
const root = fileURLToPath(new URL('../..', import.meta.url))

/** Runs until the development stack stops; answers its exit code. A Ctrl-C is the stack's to handle. */
export function runDev(args: readonly string[]): Promise<number> {
  return runScript(script, args, { folder: root })
}

/** Runs a script of the repository in a folder and hands signals on to it. */
export function runScript(
  path: string,
  args: readonly string[],
  { folder }: { folder: string },
): Promise<number> {
  if (!existsSync(path)) {
    throw new UsageError('this works in the repository only: clone it, then run npm start')
  }
  const child = spawn(process.execPath, [path, ...args], { stdio: 'inherit', cwd: folder })
  const pass = (signal: NodeJS.Signals) => {
    child.kill(signal)
  }
  process.on('SIGINT', () => undefined)
  process.on('SIGTERM', pass)
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', (code, signal) => resolve(code ?? (signal === 'SIGINT' ? 130 : 1)))
  })
}
