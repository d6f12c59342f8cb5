// A part of the local world as a process of its own: started, waited for, stopped in order or killed.

import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

/** What a part printed when it was ready, and how to end it. */
export type Part = {
  name: string
  url: string
  pid: number
  /** Ends it in order; resolves with its exit code. */
  stop(): Promise<number | null>
  /** Ends it at once, as a crash would. */
  kill(): Promise<void>
  /** Resolves with its exit code when it has ended, by itself too; null after a signal. */
  ended: Promise<number | null>
  /** What it last said on standard error. */
  complaints(): string
}

const stopMs = 15_000
const keptComplaints = 40

/** How a line that a part prints says where it listens; nothing when it does not. */
type UrlOf = (line: string) => string | undefined

/**
 * Starts a script under this Node and waits for its line `{"listening":"<url>"}`. `onLine` hears all that it prints.
 *
 * @throws Error with what the process said when it ends before that.
 */
export function startPart(
  name: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
  onLine: (line: string) => void = () => undefined,
): Promise<Part> {
  return startProgram(name, { file: process.execPath, args, urlOf: listeningUrl }, env, onLine)
}

/** Starts a program, and waits until it says where it listens, as {@link startPart} does with a script. */
export async function startProgram(
  name: string,
  { file, args, urlOf }: { file: string; args: readonly string[]; urlOf: UrlOf },
  env: NodeJS.ProcessEnv = {},
  onLine: (line: string) => void = () => undefined,
): Promise<Part> {
  const child = spawn(file, args, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const complaints: string[] = []
  const ended = new Promise<number | null>((resolve) => child.on('exit', resolve))
  createInterface({ input: child.stderr }).on('line', (line) => {
    onLine(line)
    complaints.push(line)
    if (complaints.length > keptComplaints) complaints.shift()
  })
  const url = await listening(child, { name, complaints, onLine, urlOf })
  return {
    name,
    url,
    pid: child.pid ?? 0,
    stop: () => end(child, 'SIGTERM'),
    async kill() {
      await end(child, 'SIGKILL')
    },
    ended,
    complaints: () => complaints.join('\n'),
  }
}

function listening(
  child: ChildProcess,
  {
    name,
    complaints,
    onLine,
    urlOf,
  }: { name: string; complaints: string[]; onLine: (line: string) => void; urlOf: UrlOf },
) {
  return new Promise<string>((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', (code) => {
      reject(new Error(`${name} ended with ${code} before it was ready:\n${complaints.join('\n')}`))
    })
    if (!child.stdout) return
    createInterface({ input: child.stdout }).on('line', (line) => {
      onLine(line)
      const url = urlOf(line)
      if (url) resolve(url)
    })
  })
}

function listeningUrl(line: string): string | undefined {
  if (!line.startsWith('{')) return undefined
  const { listening: url } = JSON.parse(line) as { listening?: unknown }
  return typeof url === 'string' ? url : undefined
}

async function end(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode
  const exited = once(child, 'exit')
  child.kill(signal)
  const deadline = setTimeout(() => child.kill('SIGKILL'), stopMs)
  const [code] = await exited
  clearTimeout(deadline)
  return code
}
