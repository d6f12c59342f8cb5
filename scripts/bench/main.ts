// `npm run bench`: what the hub reaches on this machine, against the real process over real HTTP, every tip on disk before its
// answer. Numbers of different machines or days do not compare; the ratios within one run do.

import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'
import { z } from 'zod'
import type { LocalTower } from '../world/tower.ts'
import { startTower } from '../world/tower.ts'
import type { World } from '../world/world.ts'
import { startWorld } from '../world/world.ts'
import { openBenchChannels } from './channels.ts'
import { hubServer } from './hub.ts'
import type { TipPlan } from './load.ts'
import type { Measured } from './measure.ts'
import { measure, medians } from './measure.ts'
import { compare, peerVersions } from './peer/compare.ts'
import type { SocketPlan } from './socket-load.ts'

const help = `usage: npm run bench -- [options]

  --only <name>     one of tips.http.single, tips.http.basket50, tips.ws.signed, tips.ws.basket50
  --runs <n>        runs of each, of which the median is printed (default 3)
  --seconds <n>     length of a run (default 5)
  --channels <n>    channels, each with a key of its own (default 200, over WebSockets 1000; with --peer 16)
  --peer            instead, jandon (tips.http.single) beside the npm x402 server (@x402/express, memory store): the same
                    payments on as many channels, in turns; fails unless both charged the same on every channel
  --payments <n>    with --peer, measured payments of a run (default 4000), after a quarter of that unmeasured
  --tower           the hub feeds a watchtower meanwhile
  --json            print JSON lines only
  --help            print this

Server CPU-seconds are user and system time of the server and all processes it started. "ofLimit" is perServerCpuSecond over
bareVerifyRate: what a thread that only verifies signatures, each of another key, reaches per CPU-second. "ratio" is jandon's
perServerCpuSecond over the peer's, "p99Ratio" the peer's p99 over jandon's. CPU time of the loads is not counted.
`

/** What is measured; the names stay. `tips` is how many one signature names, `wire` how they are sent. */
const benchmarks = [
  { name: 'tips.http.single', tips: 1, wire: 'http' },
  { name: 'tips.http.basket50', tips: 50, wire: 'http' },
  { name: 'tips.ws.signed', tips: 1, wire: 'ws' },
  { name: 'tips.ws.basket50', tips: 50, wire: 'ws' },
] as const

/** Over HTTP each connection has one request under way; over a WebSocket `window` baskets. */
const loads = {
  http: { connections: 64, channels: 200 },
  ws: { connections: 8, channels: 1_000, window: { 1: 128, 50: 16 } },
} as const

/** More baskets a second than any run so far has come to, so that none runs dry. */
const signedPerSecond = { 1: 24_000, 50: 2_400 }

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    runs: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '5' },
    channels: { type: 'string' },
    peer: { type: 'boolean', default: false },
    tower: { type: 'boolean', default: false },
    payments: { type: 'string', default: '4000' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
const chosen = benchmarks.filter(({ name }) => values.only === undefined || values.only === name)
if (values.help || chosen.length === 0) {
  process.stderr.write(help)
  process.exitCode = values.help ? 0 : 2
} else {
  const bareVerifyRate = await measureBareVerify()
  if (values.peer) await measurePeer(bareVerifyRate)
  else await measureAll(chosen, bareVerifyRate)
}

async function measureAll(these: readonly (typeof benchmarks)[number][], bareVerifyRate: number) {
  for (const { name, tips, wire } of these) {
    const channels = Number(values.channels ?? loads[wire].channels)
    const runs: Measured[] = []
    for (let run = 0; run < Number(values.runs); run += 1)
      runs.push(await measureOnce({ tips, channels, wire }))
    const { connections } = loads[wire]
    const terms = { durable: true, runs: runs.length, connections, channels }
    print(name, medians(runs), { bareVerifyRate, terms })
  }
}

async function measurePeer(bareVerifyRate: number) {
  const channels = Number(values.channels ?? 16)
  const payments = Math.ceil(Number(values.payments) / channels)
  const runs = Number(values.runs)
  const compared = await compare({ channels, payments, warmUp: Math.ceil(payments / 4), runs })
  const { jandon, peer, ratio, p99Ratio, charged, asked } = compared
  const terms = { runs, connections: channels, channels, payments: payments * channels }
  print('tips.http.single', jandon, { bareVerifyRate, terms: { durable: true, ...terms } })
  print('x402.express', peer, { bareVerifyRate, terms: { durable: false, ...terms } })
  const versions = await peerVersions()
  printLine(
    { name: 'peer', ratio, p99Ratio, chargedPerChannel: String(charged), asked, versions },
    `${ratio} times the payments per server CPU-second, p99 ${p99Ratio} times shorter; both charged ${charged} on each channel`,
  )
}

type Run = Pick<(typeof benchmarks)[number], 'tips' | 'wire'> & { channels: number }

/**
 * One run on a world of its own, so that no run inherits another's data. Over WebSockets a second run at half the rate that the
 * first came to tells how long answers take then.
 */
async function measureOnce({ tips, channels: count, wire }: Run): Promise<Measured> {
  const folder = await mkdtemp(join(tmpdir(), 'jandon-bench-'))
  const world = await startWorld({ folder, walletNames: ['creator', 'funder'], withBank: false })
  const run = async (script: string, plan: TipPlan | SocketPlan) => {
    const path = join(folder, 'plan.json')
    await writeFile(path, JSON.stringify(plan))
    const server = hubServer(world)
    return measure(server, {
      script: new URL(script, import.meta.url),
      plan: path,
      perAnswer: tips,
    })
  }
  let tower: LocalTower | undefined
  try {
    if (values.tower) tower = await feedTower(world)
    const channels = await openBenchChannels(world, count * (wire === 'ws' ? 2 : 1))
    const { connections } = loads[wire]
    const seconds = Number(values.seconds)
    if (wire === 'http') {
      const plan = { hubUrl: world.hub.url, channels, tips, connections, length: { seconds } }
      return await run('load.ts', plan)
    }
    const url = new URL('/v1/socket', world.hub.url)
    url.protocol = 'ws:'
    const [first, second] = [channels.slice(0, count), channels.slice(count)]
    const plan = {
      url: url.href,
      tips,
      connections,
      seconds,
      signedPerSecond: signedPerSecond[tips],
    }
    const pace = { window: loads.ws.window[tips] }
    const full = await run('socket-load.ts', { ...plan, channels: first, pace })
    const rate = full.perSecond / tips / 2
    const half = await run('socket-load.ts', { ...plan, channels: second, pace: { rate } })
    return { ...full, p99HalfMs: half.p99ms }
  } finally {
    await tower?.part.stop()
    await world.stop()
    await rm(folder, { recursive: true })
  }
}

/** Starts the hub again with a watchtower, which it feeds every second as it does by default. */
async function feedTower(world: World): Promise<LocalTower> {
  const tower = await startTower(world, { JANDON_TOWER_POLL_MS: '4000' })
  await world.hub.stop()
  await world.restartHub({ ...tower.hubSettings, JANDON_TOWER_FEED_MS: '1000' })
  return tower
}

/** Verifications per CPU-second, measured once before everything else. */
async function measureBareVerify(): Promise<number> {
  const script = fileURLToPath(new URL('bare-verify.ts', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, [script])
  const { perCpuSecond } = z.object({ perCpuSecond: z.number() }).parse(JSON.parse(stdout))
  printLine(
    { name: 'bareVerifyRate', perCpuSecond },
    `${perCpuSecond} signatures per CPU-second of a thread that only verifies`,
  )
  return perCpuSecond
}

/** Where every payment has a signature of its own, the share of what verifying alone would allow is told as well. */
function print(
  name: string,
  measured: Measured,
  { bareVerifyRate, terms }: { bareVerifyRate: number; terms: { [name: string]: unknown } },
) {
  const { perSecond, perServerCpuSecond, p50ms, p99ms, p99HalfMs } = measured
  const ofLimit = /\.(signed|single)$/.test(name)
    ? { ofLimit: Math.round((perServerCpuSecond / bareVerifyRate) * 1_000) / 1_000 }
    : {}
  const share = ofLimit.ofLimit === undefined ? '' : `, ${ofLimit.ofLimit} of the limit`
  printLine(
    { name, ...measured, ...ofLimit, ...terms },
    `${perSecond}/s, ${perServerCpuSecond} per server CPU-second${share}, p50 ${p50ms} ms, p99 ${p99ms} ms` +
      (p99HalfMs === undefined ? '' : `, at half load ${p99HalfMs} ms`),
  )
}

function printLine(result: { name: string; [figure: string]: unknown }, text: string) {
  const line = values.json ? JSON.stringify(result) : `${result.name.padEnd(22)} ${text}`
  process.stdout.write(`${line}\n`)
}
