// A stream: ticks under one commitment, from the session that opened it. Pure.

import type { Hex } from 'viem'
import { maxAmount } from '#protocol/amount.ts'
import { HubError } from '#protocol/errors.ts'
import type { ChannelAmounts } from '#protocol/messages/tips.ts'
import type { TickCommitment } from '#protocol/tick.ts'
import { tickedAmount, ticksPerCommitment } from '#protocol/tick.ts'
import type { Tip } from '#protocol/tip.ts'

/** An open stream. `ticks` are paid, which `preimage` (32 bytes; the root before the first) proves. */
export type OpenStream = {
  readonly number: number
  readonly commitment: TickCommitment
  /** The payer side's, over the commitment. */
  readonly signature: Hex
  /** What the session that opened the stream is told apart by. */
  readonly session: string
  ticks: number
  preimage: Uint8Array
  /** Whether its opening is on disk: before, nothing is paid on it and it does not end. */
  isOnDisk: boolean
  /** When it was opened, last paid, or loaded, in Unix milliseconds. */
  usedAt: number
  /** Follows the links of its chain. */
  readonly follow: (preimage: Uint8Array, steps: number) => Uint8Array
}

/** What was ticked so far, in base units: not yet charged, but held. */
export function tickedTotal({ commitment, ticks }: OpenStream): bigint {
  return commitment.tickAmount * BigInt(ticks)
}

/** What a stream makes claimable on its channel in all, in base units (cumulative). */
export function worthOf({ commitment, ticks }: OpenStream): bigint {
  return tickedAmount(commitment, ticks)
}

/**
 * What a commitment must be on any channel.
 *
 * @throws HubError `invalid_request` that names the field
 */
export function assertShape({ baseAmount, tickAmount, maxTicks }: TickCommitment) {
  const { minimum, maximum } = ticksPerCommitment
  if (!Number.isInteger(maxTicks) || maxTicks < minimum || maxTicks > maximum)
    throw invalid('maxTicks', `${maxTicks} is not ${minimum} to ${maximum}`)
  if (tickAmount <= 0n) throw invalid('tickAmount', `${tickAmount} is not above zero`)
  const most = baseAmount + tickAmount * BigInt(maxTicks)
  if (baseAmount < 0n || most > maxAmount)
    throw invalid('baseAmount', `${baseAmount} to ${most} does not fit a uint128`)
}

/**
 * A base keeps every tick claimable when all that is charged and held fits below it, and it fits into the escrow itself.
 *
 * @throws HubError `base_too_low` or `deposit_exceeded`, with every amount that was compared
 */
export function assertBase({ baseAmount }: TickCommitment, amounts: ChannelAmounts) {
  const needed = amounts.charged + amounts.held
  const values = { ...amounts, baseAmount, needed }
  if (baseAmount < needed) {
    const detail = `the base ${baseAmount} is below the ${needed} charged and held`
    throw new HubError('base_too_low', detail, { values })
  }
  if (baseAmount > amounts.escrowCap) {
    const detail = `the base ${baseAmount} is above the ${amounts.escrowCap} in escrow`
    throw new HubError('deposit_exceeded', detail, { values: { ...values, new: 0n } })
  }
}

/**
 * Ticks go forward, within what was committed to, and not too far at once: each new one costs a hash.
 *
 * @throws HubError `tick_not_forward`, `beyond_commitment` or `tick_jump_too_far`
 */
export function assertForward(stream: OpenStream, ticks: number, maxJump: number) {
  const { commitment, ticks: known } = stream
  if (!(ticks > known)) {
    throw new HubError('tick_not_forward', `${ticks} ticks do not exceed the ${known} paid`, {
      values: { ticks, known },
    })
  }
  const { maxTicks } = commitment
  if (!Number.isInteger(ticks) || ticks > maxTicks) {
    throw new HubError('beyond_commitment', `${ticks} ticks of a commitment to ${maxTicks}`, {
      values: { ticks, maxTicks },
    })
  }
  if (ticks - known > maxJump) {
    const detail = `${ticks - known} ticks at once, at most ${maxJump} are taken`
    throw new HubError('tick_jump_too_far', detail, { values: { ticks, known, maxJump } })
  }
}

/** Whether a preimage pays ticks of a stream. */
export function isPaid(stream: OpenStream, ticks: number, preimage: Uint8Array): boolean {
  if (preimage.length !== 32) return false
  const end = stream.follow(preimage, ticks - stream.ticks)
  return Buffer.compare(end, stream.preimage) === 0
}

/**
 * A basket that ends a stream holds one tip: what was ticked, to whom it was committed, under the root.
 *
 * @throws HubError `stream_mismatch` with both sides
 */
export function assertEnds(stream: OpenStream, tips: readonly (Tip & { message?: unknown })[]) {
  const { to, root } = stream.commitment
  const [tip] = tips
  const amount = tickedTotal(stream)
  const isIts = tips.length === 1 && tip?.to === to && tip.amount === amount && !tip.message
  if (isIts) return
  const values = { stream: stream.number, root, to, amount, ticks: stream.ticks }
  const detail = `stream ${stream.number} ends with one tip of ${amount} to ${to}, without a message`
  throw new HubError('stream_mismatch', detail, { values })
}

function invalid(field: string, detail: string) {
  return new HubError('invalid_request', `${field}: ${detail}`, { values: { issues: [field] } })
}
