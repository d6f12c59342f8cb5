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

const channels = 400
const creators = 50
const leastShare = 0.9
const script = new URL('../../bench/socket-load.ts', import.meta.url)

export async function oneAgainstMany({
  rounds,
  phaseSeconds,
  judge,
}: LoadEffort): Promise<PartFound> {
  const shares: number[] = []
  let operations = 0
  for (let round = 0; round < rounds; round += 1) {
    const rates = await inArena({ channels, creators }, (arena) => measureBoth(arena, phaseSeconds))
    operations += (rates.one + rates.spread) * phaseSeconds
    shares.push(rates.one / rates.spread)
    print('one', { 'one/s': rates.one, 'spread/s': rates.spread })
  }
  const share = median(shares)
  print('one', { share })
  const isSlow = judge && share < leastShare
  return {
    operations,
    faults: rounds,
    failures: isSlow ? [`one creator is tipped at ${share.toFixed(2)} of the spread rate`] : [],
  }
}

async function measureBoth(arena: Arena, phaseSeconds: number) {
  const half = arena.channels.length / 2
  const spread = arena.channels.slice(half).map((channel, at) => {
    const creator = arena.creators[at % arena.creators.length]
    return creator ? { ...channel, creator: lowerCase(creator.address) } : channel
  })
  return {
    one: await rateOf(arena, phaseSeconds, arena.channels.slice(0, half)),
    spread: await rateOf(arena, phaseSeconds, spread),
  }
}

async function rateOf({ world }: Arena, phaseSeconds: number, those: SocketPlan['channels']) {
  const plan: SocketPlan = {
    url: socketUrl(world.hub.url),
    channels: those,
    connections: 8,
    tips: 1,
    pace: { window: 128 },
    seconds: phaseSeconds,
    signedPerSecond: 20_000,
  }
  const path = join(world.folder, 'plan.json')
  await writeFile(path, JSON.stringify(plan))
  return (await measure(hubServer(world), { script, plan: path, perAnswer: 1 })).perSecond
}
