// `jandon backup`, `restore`, `reconcile` and `claim`: what an operator does to a hub. The hub's own program does it.

import { fileURLToPath } from 'node:url'
import { runScript } from './dev.ts'

const script = fileURLToPath(new URL('../../server/operator.ts', import.meta.url))

const commands = ['backup', 'restore', 'reconcile', 'claim']

/** Whether a command is the operator's. */
export function isOperators(command: string | undefined): boolean {
  return command !== undefined && commands.includes(command)
}

/** Carries an operator's command out; answers its exit code. */
export function runOperator(args: readonly string[]): Promise<number> {
  return runScript(script, args, { folder: process.cwd() })
}
