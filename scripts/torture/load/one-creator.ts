// All tips to one creator against tips spread over many: nobody is a bottleneck for being loved.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { lowerCase } from '#protocol/signature.ts'
import { hubServer } from '../../bench/hub.ts'
import { measure } from '../../bench/measure.ts'
import type { SocketPlan } from '../../bench/socket-load.ts'
import type { Arena } from './arena.ts'
import { inArena } from './arena.ts'
import type { LoadEffort, PartFound } from './part.ts'
import { median, print } from './part.ts'
import { socketUrl } from './plan.ts'

const channelsPerRun = 64
const creators = 50
const leastShare = 0.9
const script = new URL('../../bench/socket-load.ts', import.meta.url)

/** Both ways in turn on one hub, each run on channels of its own, after one that only warms it up. */
export async function oneAgainstMany({
  rounds,
  phaseSeconds,
  judge,
}: LoadEffort): Promise<PartFound> {
  const runs = 1 + 2 * rounds
  return inArena({ channels: runs * channelsPerRun, creators }, async (arena) => {
    const part: PartFound = { operations: 0, faults: rounds, failures: [] }
    const shares: number[] = []
    let run = 0
    const next = () => {
      run += 1
      return arena.channels.slice((run - 1) * channelsPerRun, run * channelsPerRun)
    }
    const toOne = () => rateOf(arena, phaseSeconds, next())
    const toMany = () => rateOf(arena, phaseSeconds, spread(arena, next()))
    await toMany()
    for (let round = 0; round < rounds; round += 1) {
      const { one, many } = await inOrder(round % 2 === 0, { toOne, toMany })
      print('one', { 'one/s': one, 'spread/s': many })
      part.operations += Math.round((one + many) * phaseSeconds)
      shares.push(one / many)
    }
    const share = median(shares)
    print('one', { share })
    if (judge && share < leastShare)
      part.failures.push(`one creator is tipped at ${share.toFixed(2)} of the spread rate`)
    return part
  })
}

/** Whoever comes second finds a hub with more in it, so they take turns at that. */
async function inOrder(
  isOneFirst: boolean,
  { toOne, toMany }: { toOne: () => Promise<number>; toMany: () => Promise<number> },
) {
  if (isOneFirst) return { one: await toOne(), many: await toMany() }
  const many = await toMany()
  return { many, one: await toOne() }
}

function spread({ creators: all }: Arena, those: SocketPlan['channels']): SocketPlan['channels'] {
  return those.map((channel, at) => {
    const creator = all[at % all.length]
    return creator ? { ...channel, creator: lowerCase(creator.address) } : channel
  })
}

async function rateOf({ world }: Arena, phaseSeconds: number, those: SocketPlan['channels']) {
  const plan: SocketPlan = {
    url: socketUrl(world.hub.url),
    channels: those,
    connections: 8,
    tips: 1,
    pace: { window: 128 },
    seconds: phaseSeconds,
    warmUpSeconds: 0,
    signedPerSecond: 20_000,
  }
  const path = join(world.folder, 'plan.json')
  await writeFile(path, JSON.stringify(plan))
  return (await measure(hubServer(world), { script, plan: path, perAnswer: 1 })).perSecond
}
