// The hub with many channels: how long it takes to come back after a crash, how much memory it holds, how fast it takes tips
// on all of them.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { toJson } from '#protocol/messages/wire.ts'
import type { World } from '../world/world.ts'
import { startWorld } from '../world/world.ts'
import { openBenchChannels } from './channels.ts'
import { hubServer, metric, socketUrl } from './hub.ts'
import type { Measured } from './measure.ts'
import { measure } from './measure.ts'
import type { SocketPlan } from './socket-load.ts'

/** Megabytes are of 1,000,000 bytes; `rssStartMb` is right after the start,
 * `rssLoadedMb` after the tips. */
export type Scaled = Pick<Measured, 'perSecond' | 'perServerCpuSecond' | 'p99ms'> & {
  channels: number
  startMs: number
  rssStartMb: number
  rssLoadedMb: number
}

export type ScaleTerms = { seconds: number; warmUpSeconds: number; signedPerSecond: number }

const connections = 8
const window = 128
const pollMs = 20

/**
 * A world of its own: so many channels, tips on all of them, then kill -9 and a start, which is timed until
 * the hub takes payments.
 */
export async function measureScale(
  count: number,
  { seconds, warmUpSeconds, signedPerSecond }: ScaleTerms,
  onStep: (text: string) => void,
): Promise<Scaled> {
  const folder = await mkdtemp(join(tmpdir(), 'jandon-scale-'))
  const world = await startWorld({ folder, walletNames: ['creator', 'funder'], withBank: false })
  try {
    onStep(`${count} channels are being opened`)
    const channels = await openBenchChannels(world, count)
    const path = join(folder, 'plan.json')
    const load: SocketPlan = {
      url: socketUrl(world),
      channels,
      tips: 1,
      connections,
      pace: { window },
      seconds,
      warmUpSeconds,
      signedPerSecond: Math.max(signedPerSecond, Math.ceil(count / (seconds + warmUpSeconds))),
    }
    await writeFile(path, toJson(load))
    onStep(`tips on ${count} channels are being signed and sent`)
    const script = new URL('socket-load.ts', import.meta.url)
    const measured = await measure(hubServer(world), { script, plan: path, perAnswer: 1 })
    const rssLoadedMb = await rssOf(world)
    await world.hub.kill()
    onStep(`the hub with ${count} channels starts again`)
    const began = performance.now()
    await world.restartHub()
    await takesPayments(world)
    const startMs = Math.round(performance.now() - began)
    const rssStartMb = await rssOf(world)
    const { perSecond, perServerCpuSecond, p99ms } = measured
    return {
      ...{ channels: count, startMs, rssStartMb, rssLoadedMb },
      ...{ perSecond, perServerCpuSecond, p99ms },
    }
  } finally {
    await world.stop()
    await rm(folder, { recursive: true })
  }
}

async function takesPayments({ hub }: World) {
  for (;;) {
    const answer = await fetch(new URL('/healthz', hub.url))
    const { ready } = (await answer.json()) as { ready?: boolean }
    if (ready) return
    await sleep(pollMs)
  }
}

async function rssOf(world: World): Promise<number> {
  return Math.round((await metric(world, 'process_resident_memory_bytes')) / 1_000_000)
}
