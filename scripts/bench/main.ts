// `npm run bench`: what the hub reaches on this machine, against the real process over real HTTP, every tip on disk before its
// answer. Numbers of different machines or days do not compare; the ratios within one run do.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { z } from 'zod'
import type { World } from '../world/world.ts'
import { startWorld } from '../world/world.ts'
import { openBenchChannels } from './channels.ts'

const help = `usage: npm run bench -- [options]

  --only <name>     one of tips.http.single, tips.http.basket50
  --runs <n>        runs of each, of which the median is printed (default 3)
  --seconds <n>     length of a run (default 5)
  --channels <n>    channels, each with a key of its own (default 200)
  --json            print JSON lines only
  --help            print this
`

/** What is measured; the names stay. `tips` is how many one signature names. */
const benchmarks = [
  { name: 'tips.http.single', tips: 1 },
  { name: 'tips.http.basket50', tips: 50 },
] as const

const connections = 64

/** What the load process reports of a run. */
const loadReport = z.object({
  tips: z.number(),
  seconds: z.number(),
  p50ms: z.number(),
  p99ms: z.number(),
})

type Measured = { perSecond: number; perServerCpuSecond: number; p50ms: number; p99ms: number }

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    runs: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '5' },
    channels: { type: 'string', default: '200' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
const chosen = benchmarks.filter(({ name }) => values.only === undefined || values.only === name)
if (values.help || chosen.length === 0) {
  process.stderr.write(help)
  process.exitCode = values.help ? 0 : 2
} else {
  await measureAll(chosen)
}

async function measureAll(these: readonly (typeof benchmarks)[number][]) {
  for (const { name, tips } of these) {
    const runs: Measured[] = []
    for (let run = 0; run < Number(values.runs); run += 1) runs.push(await measureOnce(tips))
    const result = {
      name,
      ...medians(runs),
      durable: true,
      runs: runs.length,
      connections,
      channels: Number(values.channels),
    }
    const { perSecond, perServerCpuSecond, p50ms, p99ms } = result
    process.stdout.write(
      values.json
        ? `${JSON.stringify(result)}\n`
        : `${name.padEnd(22)} ${perSecond} tips/s, ${perServerCpuSecond} per server CPU-second, p50 ${p50ms} ms, p99 ${p99ms} ms\n`,
    )
  }
}

/** One run on a world of its own, so that no run inherits another's data. */
async function measureOnce(tips: number): Promise<Measured> {
  const folder = await mkdtemp(join(tmpdir(), 'jandon-bench-'))
  const world = await startWorld({ folder, walletNames: ['creator', 'funder'], withBank: false })
  try {
    const channels = await openBenchChannels(world, Number(values.channels))
    const plan = join(folder, 'plan.json')
    await writeFile(
      plan,
      JSON.stringify({
        hubUrl: world.hub.url,
        channels,
        tips,
        connections,
        seconds: Number(values.seconds),
      }),
    )
    const { report, cpuSeconds } = await load(world, plan)
    const rounded = (value: number) => Math.round(value * 10) / 10
    return {
      perSecond: Math.round(report.tips / report.seconds),
      perServerCpuSecond: Math.round(report.tips / cpuSeconds),
      p50ms: rounded(report.p50ms),
      p99ms: rounded(report.p99ms),
    }
  } finally {
    await world.stop()
    await rm(folder, { recursive: true })
  }
}

/** Runs the load in a process of its own, and counts the server's CPU time between its start line and its end. */
async function load({ hub }: World, plan: string) {
  const script = fileURLToPath(new URL('load.ts', import.meta.url))
  const child = spawn(process.execPath, [script, plan], { stdio: ['ignore', 'pipe', 'inherit'] })
  let before: Promise<number> | undefined
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
    if (output.startsWith('ready\n')) before ??= readCpuSeconds(hub.url)
  })
  const [code] = await once(child, 'close')
  const after = await readCpuSeconds(hub.url)
  if (code !== 0 || !before) throw new Error(`the load ended with ${code}`)
  const report = loadReport.parse(JSON.parse(output.slice('ready\n'.length)))
  return { report, cpuSeconds: after - (await before) }
}

async function readCpuSeconds(hubUrl: string): Promise<number> {
  const text = await (await fetch(new URL('/metrics', hubUrl))).text()
  const match = /^process_cpu_seconds_total (\S+)$/m.exec(text)
  return Number(match?.[1])
}

function medians(runs: readonly Measured[]): Measured {
  const median = (pick: (run: Measured) => number) =>
    runs.map(pick).sort((a, b) => a - b)[Math.floor(runs.length / 2)] ?? 0
  return {
    perSecond: median((run) => run.perSecond),
    perServerCpuSecond: median((run) => run.perServerCpuSecond),
    p50ms: median((run) => run.p50ms),
    p99ms: median((run) => run.p99ms),
  }
}
