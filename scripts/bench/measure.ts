// One run of a load against a server, and what several runs come to.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import type { Server } from './cpu.ts'
import { treeCpuSeconds } from './cpu.ts'
import type { LoadReport } from './lanes.ts'

export type Measured = {
  perSecond: number
  perServerCpuSecond: number
  p50ms: number
  p99ms: number
  /** At half the rate. */
  p99HalfMs?: number
}

const loadReport = z.object({
  answers: z.number(),
  seconds: z.number(),
  p50ms: z.number(),
  p99ms: z.number(),
}) satisfies z.ZodType<LoadReport>

/**
 * Runs a load script on a plan in a process of its own, and counts the server's CPU time from its
 * "ready" to its "ended".
 *
 * @param perAnswer payments that one answer stands for
 */
export async function measure(
  server: Server,
  { script, plan, perAnswer }: { script: URL; plan: string; perAnswer: number },
): Promise<Measured> {
  const { report, cpuSeconds } = await load(server, script, plan)
  const payments = report.answers * perAnswer
  const rounded = (value: number) => Math.round(value * 10) / 10
  return {
    perSecond: Math.round(payments / report.seconds),
    perServerCpuSecond: Math.round(payments / cpuSeconds),
    p50ms: rounded(report.p50ms),
    p99ms: rounded(report.p99ms),
  }
}

async function load(server: Server, script: URL, plan: string) {
  const child = spawn(process.execPath, [fileURLToPath(script), plan], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const closed = once(child, 'close')
  let before: Promise<number> | undefined
  let after: Promise<number> | undefined
  let report: LoadReport | undefined
  for await (const line of createInterface({ input: child.stdout })) {
    if (line === 'ready') before = treeCpuSeconds(server)
    else if (line === 'ended') after = treeCpuSeconds(server)
    else report = loadReport.parse(JSON.parse(line))
  }
  const [code] = await closed
  if (code !== 0 || !before || !after || !report) throw new Error(`the load ended with ${code}`)
  return { report, cpuSeconds: (await after) - (await before) }
}

/** The median of each figure by itself. */
export function medians(runs: readonly Measured[]): Measured {
  const median = (pick: (run: Measured) => number) =>
    runs.map(pick).sort((a, b) => a - b)[Math.floor(runs.length / 2)] ?? 0
  return {
    perSecond: median((run) => run.perSecond),
    perServerCpuSecond: median((run) => run.perServerCpuSecond),
    p50ms: median((run) => run.p50ms),
    p99ms: median((run) => run.p99ms),
    ...(runs.every(({ p99HalfMs }) => p99HalfMs === undefined)
      ? {}
      : { p99HalfMs: median((run) => run.p99HalfMs ?? 0) }),
  }
}
