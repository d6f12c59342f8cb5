// `jandon backup`, `restore`, `reconcile`, `claim`, `audit`, `key` and `tower`: what an operator does to a hub and runs beside it. The hub's own
// programs do it.

import { fileURLToPath } from 'node:url'
import { runScript } from './dev.ts'

const script = fileURLToPath(new URL('../../server/operator.ts', import.meta.url))
const keyScript = fileURLToPath(new URL('../../server/keys/main.ts', import.meta.url))
const towerScript = fileURLToPath(new URL('../../server/tower/main.ts', import.meta.url))

const commands = ['backup', 'restore', 'reconcile', 'claim', 'audit', 'key', 'tower']

/** Whether a command is the operator's. */
export function isOperators(command: string | undefined): boolean {
  return command !== undefined && commands.includes(command)
}

/** Carries an operator's command out; answers its exit code. */
export function runOperator(args: readonly string[]): Promise<number> {
  const folder = process.cwd()
  if (args[0] === 'tower') return runScript(towerScript, args.slice(1), { folder })
  if (args[0] === 'key') return runScript(keyScript, args.slice(1), { folder })
  return runScript(script, args, { folder })
}
