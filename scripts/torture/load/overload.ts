// Ten times more than the hub can take: what it completes must stay near its peak, and when it is over, answers must soon be as
// fast as before.

import type { Arena } from './arena.ts'
import { seconds } from './arena.ts'
import type { LoadEffort, PartFound } from './part.ts'
import { print } from './part.ts'
import type { Report } from './plan.ts'

/** How long a hub that has just started is under load before its peak is measured. */
const warmUpSeconds = 4
const factor = 10
const goodputShare = 0.9
const recoverySeconds = 5
/** What a hub on a small machine comes to; the measured peak replaces it. */
const probePerSecond = 50
const peakOffered = 8_000

export async function overload(
  arena: Arena,
  { phaseSeconds, judge }: LoadEffort,
): Promise<PartFound> {
  const { world, channels } = arena
  const { url } = world.hub
  const half = Math.floor(channels.length / 2)
  const probe = await arena.send({
    role: 'honest',
    url,
    channels: channels.slice(0, 20),
    rate: probePerSecond,
    seconds: phaseSeconds * 2 + 120,
  })
  await seconds(2)
  const calm = await probe.next()
  const limit = {
    role: 'surge',
    url,
    rate: peakOffered,
    seconds: warmUpSeconds + phaseSeconds + 1,
  } as const
  const first = await arena.send({ ...limit, channels: channels.slice(20, half) })
  await seconds(warmUpSeconds)
  await first.next()
  await seconds(phaseSeconds)
  const peak = await first.next()
  await first.stop()
  await seconds(2)
  const rate = Math.round((peak['perSecond'] ?? 0) * factor)
  const second = await arena.send({
    role: 'surge',
    url,
    rate,
    seconds: phaseSeconds,
    channels: channels.slice(half),
  })
  await probe.next()
  await seconds(phaseSeconds)
  const over = await second.next()
  const during = await probe.next()
  await second.stop()
  const recovery = await recovered(calm['p99'] ?? 0, async () => (await probe.next())['p99'] ?? 0)
  const figures = {
    ...renamed(peak, { perSecond: 'peak/s' }),
    ...renamed(over, {
      perSecond: 'completed/s',
      offeredPerSecond: 'offered/s',
      refused: 'refused',
    }),
    ...renamed(calm, { p99: 'calmP99' }),
    ...renamed(during, { p99: 'besetP99' }),
  }
  const share = figures['completed/s'] / figures['peak/s']
  print('overload', { ...figures, share, recoverySeconds: recovery })
  const failures = judge ? faultsOf(share, recovery) : []
  return { operations: peak['answers'] ?? 0, faults: over['offered'] ?? 0, failures }
}

function faultsOf(share: number, recovery: number): string[] {
  return [
    ...(share < goodputShare ? [`overload: ${share.toFixed(2)} of the peak`] : []),
    ...(recovery > recoverySeconds ? [`overload: recovered in ${recovery} s`] : []),
  ]
}

/** Seconds until a second passes in which answers take at most twice as long as they did, or 10 ms. */
async function recovered(before: number, p99: () => Promise<number>): Promise<number> {
  for (let second = 1; ; second += 1) {
    await seconds(1)
    const now = await p99()
    if ((now > 0 && now <= Math.max(2 * before, 10)) || second > 30) return second
  }
}

function renamed<T extends string>(
  report: Report,
  names: { readonly [figure: string]: T },
): { [name in T]: number } {
  const pairs = Object.entries(names).map(([figure, name]) => [name, report[figure] ?? 0])
  return Object.fromEntries(pairs) as { [name in T]: number }
}
