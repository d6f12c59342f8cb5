// What an operator is told of the following of the chain.

import type { ChannelRegistry } from '../channels/registry.ts'
import type { Undone } from './booked-chain.ts'

/** So many blocks behind, the hub says every so often how far it is. */
const longWay = 1_000n
const pauseMs = 5_000

/**
 * Blocks that were undone, in words. Over-charged channels are named: they get no credit until their deposits are back, because
 * escrowCap is below what was charged.
 */
export function describeUndone(
  { from, to, events: count, channels: ids }: Undone,
  channels: Pick<ChannelRegistry, 'overcharged'>,
): string {
  const what = `blocks ${to + 1n} to ${from} are not on the chain any more: ${count} events were taken back`
  const over = channels.overcharged().filter(({ id }) => ids.includes(id))
  const alarm = over.map(({ id, charged, balance }) => `${id} (${charged} of ${balance})`)
  return alarm.length === 0 ? what : `${what}; over-charged now: ${alarm.join(', ')}`
}

/** Tells how far the hub is while it has a long way to go, at most every few seconds. */
export function createProgressReport({
  now,
  logProgress,
}: {
  now: () => number
  logProgress: (what: string, progress: string) => void
}) {
  let toldAt = now()
  return ({ block, target }: { block: bigint; target: bigint }) => {
    if (target - block < longWay || now() - toldAt < pauseMs) return
    toldAt = now()
    logProgress('chain', `block ${block} of ${target}`)
  }
}
