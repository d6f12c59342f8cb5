// `npm run bench`: what the hub reaches on this machine, against the real process over real HTTP, every tip on disk before its
// answer. Numbers of different machines or days do not compare; the ratios within one run do.

import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'
import { z } from 'zod'
import { toJson } from '#protocol/messages/wire.ts'
import type { LocalTower } from '../world/tower.ts'
import { startTower } from '../world/tower.ts'
import type { World } from '../world/world.ts'
import { startWorld } from '../world/world.ts'
import { auditsText, measureAudits } from './audits.ts'
import type { BenchChannel } from './channels.ts'
import { openBenchChannels } from './channels.ts'
import type { Followed } from './follow.ts'
import { measureFollowing } from './follow.ts'
import { hubServer, socketUrl } from './hub.ts'
import type { TipPlan } from './load.ts'
import type { Measured } from './measure.ts'
import { measure, medians } from './measure.ts'
import { compare, peerVersions } from './peer/compare.ts'
import type { Scaled } from './scale.ts'
import { measureScale } from './scale.ts'
import { measureSettlements } from './settlements.ts'
import type { SocketPlan } from './socket-load.ts'
import type { TicksPlan } from './ticks-load.ts'

const help = `usage: npm run bench -- [options]

  --only <name>     one of tips.http.single, tips.http.basket50, tips.ws.signed, tips.ws.basket50, ticks.ws.single,
                    ticks.ws.jump16, claims, audits, follow.blocksPerSecond
  --runs <n>        runs of each, of which the median is printed (default 3)
  --seconds <n>     length of a run (default 5)
  --blocks <n>      empty blocks that the hub catches up with in follow.blocksPerSecond (default 20000)
  --channels <n>    channels, each with a key of its own (default 200, over WebSockets 1000, with a
                    stream on each 10000; with --peer 16)
  --creators <n>    creators that are counted in audits (default 100000)
  --peer            instead, jandon (tips.http.single) beside the npm x402 server (@x402/express, memory store): the same
                    payments on as many channels, in turns; fails unless both charged the same on every channel
  --payments <n>    with --peer, measured payments of a run (default 4000), after a quarter of that unmeasured
  --scale           instead, the hub with 1000, 10000 and 100000 channels (or --channels): tips on all of them, memory, and the
                    start after kill -9
  --tower           the hub feeds a watchtower meanwhile
  --json            print JSON lines only
  --help            print this

Server CPU-seconds are user and system time of the server and all processes it started. "ofLimit" is perServerCpuSecond over
bareVerifyRate: what a thread that only verifies signatures, each of another key, reaches per CPU-second. "ratio" is jandon's
perServerCpuSecond over the peer's, "p99Ratio" the peer's p99 over jandon's. CPU time of the loads is not counted.
`

/** What is measured; the names stay. `tips` is how many one signature names or one preimage pays, `wire` how they are sent. */
const benchmarks = [
  { name: 'tips.http.single', tips: 1, wire: 'http' },
  { name: 'tips.http.basket50', tips: 50, wire: 'http' },
  { name: 'tips.ws.signed', tips: 1, wire: 'ws' },
  { name: 'tips.ws.basket50', tips: 50, wire: 'ws' },
  { name: 'ticks.ws.single', tips: 1, wire: 'ticks' },
  { name: 'ticks.ws.jump16', tips: 16, wire: 'ticks' },
] as const

/** Over HTTP each connection has one request under way; over a WebSocket `window` baskets. */
const loads = {
  http: { connections: 64, channels: 200 },
  ws: { connections: 8, channels: 1_000, window: { 1: 128, 50: 16 } },
  ticks: { connections: 8, channels: 10_000, window: 512 },
} as const

/** Channels of the worlds that are compared. */
const scales = [1_000, 10_000, 100_000]

/** Unmeasured, before each run over WebSockets. */
const warmUpSeconds = 4

/** More baskets a second than any run so far has come to, so that none runs dry. */
const signedPerSecond = { 1: 24_000, 50: 2_400 }
const revealsPerSecond = 150_000

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    runs: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '5' },
    channels: { type: 'string' },
    blocks: { type: 'string', default: '20000' },
    creators: { type: 'string', default: '100000' },
    peer: { type: 'boolean', default: false },
    scale: { type: 'boolean', default: false },
    tower: { type: 'boolean', default: false },
    payments: { type: 'string', default: '4000' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
const chosen = benchmarks.filter(({ name }) => values.only === undefined || values.only === name)
const following = 'follow.blocksPerSecond'
const isAsked = (name: string) =>
  !values.peer && !values.scale && (values.only === undefined || values.only === name)
const others = ['claims', 'audits', following]
if (values.help || (chosen.length === 0 && !others.some(isAsked))) {
  process.stderr.write(help)
  process.exitCode = values.help ? 0 : 2
} else {
  if (values.scale) await measureScales()
  else if (values.peer) await measurePeer(await measureBareVerify())
  else if (chosen.length > 0) await measureAll(chosen, await measureBareVerify())
  if (isAsked('claims')) await measureClaims()
  if (isAsked('audits')) await measureAuditing()
  if (isAsked(following)) await measureFollow()
}

async function measureScales() {
  const counts = values.channels === undefined ? scales : [Number(values.channels)]
  const terms = {
    seconds: Number(values.seconds),
    warmUpSeconds,
    signedPerSecond: signedPerSecond[1],
  }
  let first: Scaled | undefined
  for (const count of counts) {
    const scaled = await measureScale(count, terms, (step) => process.stderr.write(`${step}\n`))
    first ??= scaled
    const ofFirst = Math.round((100 * scaled.perServerCpuSecond) / first.perServerCpuSecond) / 100
    const { channels, startMs, rssStartMb, rssLoadedMb, perSecond, perServerCpuSecond } = scaled
    printLine(
      { name: 'scale', ...scaled, ofFirst },
      `${channels} channels: start ${startMs} ms, ${rssStartMb} MB then and ${rssLoadedMb} MB loaded, ${perSecond} tips/s, ${perServerCpuSecond} per server CPU-second (${ofFirst} of the first)`,
    )
  }
}

/** Each run is a hub that was down while the chain went on. */
async function measureFollow() {
  const runs: Followed[] = []
  for (let run = 0; run < Number(values.runs); run += 1)
    runs.push(await measureFollowing(Number(values.blocks)))
  const middle = runs.sort((a, b) => a.blocksPerSecond - b.blocksPerSecond)[runs.length >> 1]
  if (!middle) throw new Error('there was no run')
  const { blocksPerSecond, blocksPerServerCpuSecond, blocks, eventBlocks } = middle
  printLine(
    { name: following, ...middle, runs: runs.length },
    `${blocksPerSecond} blocks/s, ${blocksPerServerCpuSecond} per server CPU-second, over ${blocks} of which ${eventBlocks} have events`,
  )
}

async function measureAuditing() {
  const measured = await measureAudits(Number(values.creators), Number(values.runs))
  printLine({ name: 'audits', ...measured, runs: Number(values.runs) }, auditsText(measured))
}

/** Gas of the hub's own settlements; it does not depend on the machine. */
async function measureClaims() {
  const rows = { channels: Number(values.channels ?? 500), creators: 100 }
  const { channelsPerTx, gasPerChannel, gasPerCreator, gasPerNewCreator } =
    await measureSettlements(rows)
  const figures = {
    'claim.channelsPerTx': channelsPerTx,
    'claim.gasPerChannel': gasPerChannel,
    'credit.gasPerCreator': gasPerCreator,
    'credit.gasPerNewCreator': gasPerNewCreator,
  }
  for (const [name, value] of Object.entries(figures))
    printLine({ name, value, ...rows }, `${value}`)
}

async function measureAll(these: readonly Benchmark[], bareVerifyRate: number) {
  for (const benchmark of these) {
    const { name, wire } = benchmark
    const channels = Number(values.channels ?? loads[wire].channels)
    const runs: Measured[] = []
    for (let run = 0; run < Number(values.runs); run += 1)
      runs.push(await measureOnce(benchmark, channels))
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

type Benchmark = (typeof benchmarks)[number]

type Plan = TipPlan | SocketPlan | TicksPlan

/** How a load script is run on its plan against the hub of the world. */
type Runner = (script: string, plan: Plan) => Promise<Measured>

/** One run on a world of its own, so that no run inherits another's data. */
async function measureOnce({ tips, wire }: Benchmark, count: number) {
  const folder = await mkdtemp(join(tmpdir(), 'jandon-bench-'))
  const world = await startWorld({ folder, walletNames: ['creator', 'funder'], withBank: false })
  const run: Runner = async (script, plan) => {
    const path = join(folder, 'plan.json')
    await writeFile(path, toJson(plan))
    return measure(hubServer(world), {
      script: new URL(script, import.meta.url),
      plan: path,
      perAnswer: tips,
    })
  }
  let tower: LocalTower | undefined
  try {
    if (values.tower) tower = await feedTower(world)
    const channels = await openBenchChannels(world, count * (wire === 'ws' ? 2 : 1))
    switch (wire) {
      case 'http':
        return await overHttp(world, run, { tips, channels })
      case 'ws':
        return await overSockets(world, run, { tips, channels })
      case 'ticks':
        return await byTicks(world, run, { jump: tips, channels })
    }
  } finally {
    await tower?.part.stop()
    await world.stop()
    await rm(folder, { recursive: true })
  }
}

function overHttp(
  { hub }: World,
  run: Runner,
  { tips, channels }: { tips: number; channels: BenchChannel[] },
): Promise<Measured> {
  const { connections } = loads.http
  const length = { seconds: Number(values.seconds) }
  return run('load.ts', { hubUrl: hub.url, channels, tips, connections, length })
}

/** A second run, at half the rate that the first came to, tells how long answers take then. */
async function overSockets(
  world: World,
  run: Runner,
  { tips, channels }: { tips: 1 | 50; channels: BenchChannel[] },
): Promise<Measured> {
  const { connections, window } = loads.ws
  const half = channels.length / 2
  const plan = {
    url: socketUrl(world),
    tips,
    connections,
    seconds: Number(values.seconds),
    warmUpSeconds,
    signedPerSecond: signedPerSecond[tips],
  }
  const pace = { window: window[tips] }
  const full = await run('socket-load.ts', { ...plan, channels: channels.slice(0, half), pace })
  const rate = full.perSecond / tips / 2
  const paced = { ...plan, channels: channels.slice(half), pace: { rate } }
  const { p99ms } = await run('socket-load.ts', paced)
  return { ...full, p99HalfMs: p99ms }
}

function byTicks(
  world: World,
  run: Runner,
  { jump, channels }: { jump: number; channels: BenchChannel[] },
): Promise<Measured> {
  const { connections, window } = loads.ticks
  const seconds = Number(values.seconds)
  const reveals = revealsPerSecond * (seconds + warmUpSeconds)
  return run('ticks-load.ts', {
    url: socketUrl(world),
    hubUrl: world.hub.url,
    chainId: world.deployment.chainId,
    channels,
    jump,
    connections,
    window: Math.min(window, Math.floor(channels.length / connections / 2)),
    revealsPerStream: Math.min(1_024 / jump, Math.ceil(reveals / channels.length)),
    seconds,
    warmUpSeconds,
  })
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
