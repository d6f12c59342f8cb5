// One tip to thousands of viewers.

import type { PrivateKeyAccount } from 'viem'
import { toJson } from '#protocol/messages/wire.ts'
import { lowerCase } from '#protocol/signature.ts'
import { signBaskets } from '../../bench/signed-baskets.ts'
import type { Arena } from './arena.ts'
import { seconds } from './arena.ts'
import type { LoadEffort, PartFound } from './part.ts'
import { median, print } from './part.ts'

const p95LimitMs = 250
const tips = 9

export async function tellCrowd(arena: Arena, { viewers, judge }: LoadEffort): Promise<PartFound> {
  const { world, client, channels } = arena
  const [creator] = arena.creators as [PrivateKeyAccount]
  const token = await client.signIn(creator, world.deployment.chainId)
  const crowd = await arena.send({ role: 'viewers', url: world.hub.url, token, count: viewers })
  await seconds(1)
  const baskets = channels.flatMap((channel) =>
    signBaskets({ ...channel, creator: lowerCase(creator.address) }, { tips: 1, count: tips }),
  )
  const part: PartFound = { operations: 0, faults: viewers, failures: [] }
  const delays: number[] = []
  for (const basket of baskets) {
    const cpu = await arena.metric('process_cpu_seconds_total')
    const began = Date.now()
    await client.ask({ path: '/v1/tips', body: toJson(basket) })
    await seconds(0.3 + viewers / 3_000)
    const cpuMs = ((await arena.metric('process_cpu_seconds_total')) - cpu) * 1_000
    const { seen = 0, gone = 0, p50 = 0, p95 = 0, last = 0 } = await crowd.next()
    print('crowd', { seen, gone, p50: p50 - began, p95: p95 - began, last: last - began, cpuMs })
    part.operations += seen
    delays.push(p95 - began)
    if (seen !== viewers) part.failures.push(`crowd: ${seen} of ${viewers} viewers saw a tip`)
  }
  const p95 = median(delays)
  const blocked = await arena.metric('jandon_event_loop_max_seconds')
  print('crowd', { viewers, tips: baskets.length, p95, blocked })
  if (judge && p95 > p95LimitMs) part.failures.push(`crowd: p95 is ${p95} ms`)
  return part
}
