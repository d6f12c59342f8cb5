// A hub on a disk and a clock that fail: it dies between any two steps of a write and loses what was not synced, its syncs fail,
// its disk is full, writes are cut short, a sync takes two seconds, the clock jumps a day. No answer may come of what is not on
// disk, and what comes back must be a state that follows from the rules.

import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Random } from '../random.ts'
import { createRandom } from '../random.ts'
import { accountFor, burst, sendAll } from './burst.ts'
import { drawLadder, drawRequest } from './draw.ts'
import { catchUp, finishRefunds, openChannels } from './history.ts'
import { amountsOf } from './model.ts'
import type { Channel, Done, Scene } from './scene.ts'
import { eventually, Fault, openScene } from './scene.ts'
import type { Fault as DiskFault, Shim } from './shim.ts'
import { compileShim, crashPoints, createShim } from './shim.ts'
import type { Stage } from './stage.ts'
import { createHubProcess } from './stage.ts'

export type DiskEffort = { rounds: number; requests: number; channels: number }

type Order = { sources: string; seed: number; effort: DiskEffort; done: Done }

const daySeconds = 86_400
const slowSyncMs = 2_000
const mostWaiting = 20
/** How much more memory a hub may hold while its disk does not answer. */
const mostGrowthBytes = 150 * 1024 * 1024

/** Dies at each crash point in turn, under requests, with the clock a day off in between. @throws Fault */
export async function playCrashes(stage: Stage, order: Order) {
  await underShim(stage, { ...order, name: 'crashes' }, async (scene, shim) => {
    for (let round = 0; round < order.effort.rounds; round += 1) {
      const point = crashPoints[round % crashPoints.length]
      if (!point) continue
      shim.moveClock(scene.random.pick([-daySeconds, 0, daySeconds]))
      await crashAt(scene, shim, { point, requests: order.effort.requests })
    }
  })
}

/** Every way in which the disk can refuse, in turn. @throws Fault */
export async function playDiskFaults(stage: Stage, order: Order) {
  await underShim(stage, { ...order, name: 'disk' }, async (scene, shim) => {
    const { rounds, requests } = order.effort
    for (let round = 0; round < rounds; round += 1) {
      for (const fault of ['sync fails', 'no space', 'short write'] as const) {
        await failAt(scene, shim, { fault, requests })
      }
      await slowDown(scene, shim, requests)
    }
  })
}

async function underShim(
  stage: Stage,
  { sources, seed, effort, done, name }: Order & { name: string },
  play: (scene: Scene, shim: Shim) => Promise<void>,
) {
  const random = createRandom(seed)
  const folder = join(stage.folder, `${name}-${seed}`)
  mkdirSync(folder)
  const shim = createShim(compileShim(folder), folder)
  const hub = createHubProcess(stage, {
    sources,
    directory: join(folder, 'data'),
    changes: { ...shim.environment, JANDON_MAX_WAITING: String(mostWaiting) },
  })
  shim.moveClock(daySeconds)
  await hub.start()
  try {
    const scene = await openScene(stage, hub, {
      random,
      confirmations: 0,
      done,
      clockSeconds: daySeconds,
    })
    await openChannels(scene, effort.channels)
    await catchUp(scene)
    await play(scene, shim)
    if (shim.read('clockReads') === 0) throw new Error('the hub does not ask the clock of the shim')
  } finally {
    await hub.kill()
    await stage.chain.setAutomine(true)
  }
}

/** Under requests the process dies at a point, loses what was not synced, and comes back. */
async function crashAt(
  scene: Scene,
  shim: Shim,
  { point, requests }: { point: DiskFault; requests: number },
) {
  const { random, hub } = scene
  shim.order(point, 1 + random.below(2), random.below(256))
  await playBurst(scene, requests, async () => {
    if (await struck(scene, shim)) await hub.ended()
    await hub.kill()
    await comeBack(scene, shim, random)
  })
}

/** Under requests a write fails: the hub must stop by itself, and come back with a state that follows from the rules. */
async function failAt(
  scene: Scene,
  shim: Shim,
  { fault, requests }: { fault: DiskFault; requests: number },
) {
  const { random, hub } = scene
  shim.order(fault, 1 + random.below(2), random.below(256))
  await playBurst(scene, requests, async () => {
    if (await struck(scene, shim)) {
      const code = await hub.ended()
      if (code !== 1) throw new Fault(`after "${fault}" the hub ended with ${code}, not 1`)
    } else {
      await hub.kill()
    }
    await comeBack(scene, shim, random)
  })
}

async function playBurst(scene: Scene, requests: number, recover: () => Promise<void>) {
  const { chain } = scene.stage
  await chain.setAutomine(false)
  const drawn = Array.from({ length: requests }, () => drawRequest(scene))
  const left = await burst(scene, drawn, { recover })
  await chain.setAutomine(true)
  await finishRefunds(scene, left)
  await catchUp(scene)
}

/** Whether the fault has struck; a burst of nothing but refusals writes nothing. */
async function struck({ done }: Scene, shim: Shim): Promise<boolean> {
  const injected = shim.read('injected')
  if (injected <= done.kills) return false
  done.kills = injected
  return true
}

async function comeBack({ hub }: Scene, shim: Shim, random: Random) {
  shim.order('none', 0)
  shim.losePower(random)
  await hub.start()
}

/** While one sync takes two seconds: no basket is accepted before, too many requests are put off, memory stays bounded. */
async function slowDown(scene: Scene, shim: Shim, requests: number) {
  const { hub, done, stage } = scene
  await stage.chain.setAutomine(false)
  const before = memoryOf(hub.pid())
  const drawn = [
    ...drawLadder(scene, roomiest(scene), 4 * mostWaiting),
    ...Array.from({ length: requests }, () => drawRequest(scene)),
  ]
  const struckBefore = shim.read('injected')
  shim.order('slow sync', 1)
  const sending = sendAll(scene, drawn)
  const injected = await eventually(
    async () => shim.read('injected'),
    (count) => count > struckBefore,
  )
  const growth = memoryOf(hub.pid()) - before
  shim.order('none', 0)
  const sent = await sending
  done.kills = injected
  const early = sent.find(({ answer, drawn: { order }, ms }) => {
    const isNew = !scene.accepted.some(
      ({ basketId }) => 'basketId' in order && basketId === order.basketId,
    )
    return answer?.status === 200 && isNew && ms < slowSyncMs - 100
  })
  if (early)
    throw new Fault(`a basket was accepted after ${early.ms} ms, while the sync took ${slowSyncMs}`)
  if (!sent.some(({ answer }) => answer?.status === 429)) {
    throw new Fault(`of ${sent.length} requests none was put off, where ${mostWaiting} may wait`)
  }
  if (growth > mostGrowthBytes) throw new Fault(`the hub grew by ${growth} bytes`)
  const left = await accountFor(scene, sent)
  await stage.chain.setAutomine(true)
  await finishRefunds(scene, left)
  await catchUp(scene)
}

/** The channel with the most to spend. */
function roomiest({ channels }: Scene): Channel {
  const byRoom = channels
    .filter(({ model }) => !model.refusal)
    .sort((a, b) => (available(a) < available(b) ? 1 : -1))
  const [first] = byRoom
  if (!first) throw new Error('the scene has no channel')
  return first
}

function available({ model }: Channel): bigint {
  return amountsOf(model.state).available
}

function memoryOf(pid: number): number {
  const [, kilobytes] =
    /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kilobytes) * 1024
}
