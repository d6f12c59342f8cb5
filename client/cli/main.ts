// One run of the command line, from what was typed to the exit code.

import { createInterface } from 'node:readline/promises'
import { CommanderError } from 'commander'
import { runDev } from './dev.ts'
import type { ExitCode, Failure } from './failure.ts'
import { failureOf, inUnits, UsageError } from './failure.ts'
import { tokenText } from './money.ts'
import { isOperators, runOperator } from './operator.ts'
import type { Runner } from './program.ts'
import { createProgram } from './program.ts'
import type { Session } from './session.ts'
import { createSession } from './session.ts'
import { readSettings } from './settings.ts'
import type { Terminal } from './terminal.ts'
import { createTerminal } from './terminal.ts'

const { stdin, stdout, stderr } = process

/** Carries out what was typed and sets the exit code of the process. */
export async function run(args: readonly string[]): Promise<void> {
  const json = args.includes('--json')
  const terminal = createTerminal({ json, stdout, stderr })
  try {
    process.exitCode =
      args[0] === 'dev'
        ? await runDev(args.slice(1))
        : isOperators(args[0])
          ? await runOperator(args)
          : await runCommand(args, terminal, json)
  } catch (error) {
    process.exitCode = fail(terminal, error)
  }
}

async function runCommand(
  args: readonly string[],
  terminal: Terminal,
  json: boolean,
): Promise<ExitCode> {
  let exitCode: ExitCode = 0
  const runner: Runner = async (options, command) => {
    const settings = await readSettings(options, {
      environment: process.env,
      folder: process.cwd(),
    })
    stopOnInterrupt(terminal)
    const session = createSession(settings, terminal)
    try {
      const report = await command(session)
      terminal.report(report)
      exitCode = report.exitCode ?? 0
    } catch (error) {
      const failure = await failureInUnits(session, error)
      terminal.fail(failure)
      exitCode = failure.exitCode
    }
  }
  const program = createProgram(runner, (question) => confirm(question, json))
  for (const command of [program, ...program.commands]) {
    command.exitOverride().configureOutput({ writeErr: () => undefined })
  }
  if (args.length === 0) program.outputHelp()
  else await program.parseAsync(args, { from: 'user' })
  return exitCode
}

/** Errors of the hub count in base units; people do not. */
async function failureInUnits({ jandon }: Session, error: unknown): Promise<Failure> {
  const failure = failureOf(error)
  const [token] = await jandon.knownTokens()
  return token ? inUnits(failure, (amount) => tokenText(amount, token)) : failure
}

function fail(terminal: Terminal, error: unknown): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return 0
    const message = error.message.replace(/^error: /, '')
    return fail(terminal, new UsageError(message, { cause: error }))
  }
  let failure: Failure
  try {
    failure = failureOf(error)
  } catch (bug) {
    stderr.write(`jandon failed in a way that it should not. Please report this:\n`)
    stderr.write(`${bug instanceof Error ? bug.stack : String(bug)}\n`)
    return 3
  }
  terminal.fail(failure)
  return failure.exitCode
}

/** What is on disk is whole at any moment, so that stopping needs no more than a word. */
function stopOnInterrupt(terminal: Terminal) {
  process.once('SIGINT', () => {
    terminal.clear()
    stderr.write('Stopped. What was sent and not answered is kept: npx jandon status\n')
    process.exit(130)
  })
}

async function confirm(question: string, json: boolean): Promise<boolean> {
  if (json || !stdin.isTTY) return false
  const prompt = createInterface({ input: stdin, output: stderr })
  const answer = await prompt.question(question)
  prompt.close()
  return /^y(es)?$/i.test(answer.trim())
}
