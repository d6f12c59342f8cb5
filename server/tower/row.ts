// What the hub tells its watchtower of a channel: enough to claim on it without the hub.

import type { Hex } from 'viem'
import { z } from 'zod'
import { larger, smaller } from '#protocol/amount.ts'
import { channelConfig } from '#protocol/messages/tips.ts'
import { amount, hash, positiveAmount, signature } from '#protocol/messages/wire.ts'
import { ticksPerCommitment } from '#protocol/tick.ts'
import type { CeilingProof, TicksProof } from '../channels/channel.ts'

const voucherProof = z.strictObject({
  kind: z.literal('voucher'),
  maxClaimableAmount: positiveAmount,
  tipsHash: hash,
  signature,
})

const tickCount = z.int().min(0).max(ticksPerCommitment.maximum)

const ticksProof = z.strictObject({
  kind: z.literal('ticks'),
  maxClaimableAmount: positiveAmount,
  commitment: z.strictObject({
    channelId: hash,
    to: hash,
    baseAmount: amount,
    tickAmount: positiveAmount,
    maxTicks: tickCount,
    root: hash,
  }),
  signature,
  ticks: tickCount,
  preimage: hash,
})

export const towerRow = z.strictObject({
  config: channelConfig,
  /** What was charged, as far as the proof makes it claimable, base units. */
  charged: amount,
  /** The best proof of the ceiling; `null` before the first basket. */
  proof: z.discriminatedUnion('kind', [voucherProof, ticksProof]).nullable(),
  /** The open stream, once it ticked: what it proves on top of what was charged. */
  stream: ticksProof.nullable(),
})

/** A channel as its hub had it at one moment. */
export type TowerRow = z.output<typeof towerRow>

/** How many rows travel in one message, at most. */
export const rowsPerMessage = 200

/** What is owed on a channel in all, and the proof to claim it with; `undefined` when nothing is. */
export function owedOn({
  charged,
  proof,
  stream,
}: TowerRow): { total: bigint; proof: CeilingProof } | undefined {
  const best = stream && isHigher(stream, proof) ? stream : proof
  if (!best) return undefined
  const total = smaller(charged + tickedOn(stream), best.maxClaimableAmount)
  return total > 0n ? { total, proof: best } : undefined
}

/** What a stream ticked, base units. */
export function tickedOn(stream: TicksProof | null): bigint {
  return stream ? stream.commitment.tickAmount * BigInt(stream.ticks) : 0n
}

/**
 * What is known of a channel after another row for it. Rows may be repeated and late: nothing ever falls. A stream that ended
 * with ticks has raised `charged`, so that of two rows with one `charged` the one with more ticks is newer.
 */
export function mergeRows(before: TowerRow, given: TowerRow): TowerRow {
  return {
    config: before.config,
    charged: larger(before.charged, given.charged),
    proof: given.proof && isHigher(given.proof, before.proof) ? given.proof : before.proof,
    stream: streamAfter(before, given),
  }
}

function streamAfter(before: TowerRow, given: TowerRow): TicksProof | null {
  if (given.charged !== before.charged)
    return given.charged > before.charged ? given.stream : before.stream
  return tickedOn(given.stream) > tickedOn(before.stream) ? given.stream : before.stream
}

function isHigher(one: CeilingProof, other: CeilingProof | null): boolean {
  return one.maxClaimableAmount > (other?.maxClaimableAmount ?? 0n)
}

/** One message from the hub: rows that are new, or a question for those that the tower holds, in order of their ids. */
export const feedRequest = z.strictObject({ rows: z.array(towerRow).max(rowsPerMessage) })
export const rowsRequest = z.strictObject({ after: hash.nullable() })

/** `storeId` tells one tower's store from another: a new one knows nothing of what the old one was told. */
export const feedAnswer = z.strictObject({
  storeId: hash,
  refused: z.array(z.strictObject({ row: z.int(), reason: z.string() })),
})
export const rowsAnswer = z.strictObject({
  storeId: hash,
  rows: z.array(towerRow),
  next: hash.nullable(),
})

export type FeedAnswer = z.output<typeof feedAnswer>
export type RowsAnswer = z.output<typeof rowsAnswer>

/** A row with the id that its configuration has on the hub's contract. */
export type NamedRow = TowerRow & { channelId: Hex }
