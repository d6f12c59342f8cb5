// Runs the real command line as a program of its own.

import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

export type Run = { code: number | null; stdout: string; stderr: string }

const launcher = fileURLToPath(new URL('../cli/jandon.mjs', import.meta.url))

/**
 * Runs `jandon …args` in `folder`, with nothing of jandon in its environment but `environment`. When `interrupted` resolves,
 * somebody presses Ctrl-C.
 */
export async function jandon(
  args: readonly string[],
  {
    folder,
    environment = {},
    interrupted,
  }: { folder: string; environment?: NodeJS.ProcessEnv; interrupted?: Promise<void> },
): Promise<Run> {
  const { JANDON_HUB: _hub, JANDON_KEY: _key, JANDON_RPC: _rpc, ...rest } = process.env
  const child = spawn(process.execPath, [launcher, ...args], {
    cwd: folder,
    env: { ...rest, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', resolve)
  })
  const [code, stdout, stderr] = await Promise.all([
    ended,
    text(child.stdout),
    text(child.stderr),
    interrupted?.then(() => child.kill('SIGINT')),
  ])
  return { code, stdout, stderr }
}
