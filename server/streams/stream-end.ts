// What the end of a stream charges, by which proof, and what room it leaves. Pure.

import { bytesToHex } from 'viem'
import { larger, smaller } from '#protocol/amount.ts'
import type { ChannelAmounts } from '#protocol/messages/tips.ts'
import type { Channel, TicksProof } from '../channels/channel.ts'
import type { OpenStream } from './stream.ts'
import { tickedTotal, worthOf } from './stream.ts'

/** The ceiling that a stream proves. */
export function ticksProof(stream: OpenStream): TicksProof {
  const { commitment, signature, ticks, preimage } = stream
  return {
    kind: 'ticks',
    maxClaimableAmount: worthOf(stream),
    commitment,
    signature,
    ticks,
    preimage: bytesToHex(preimage),
  }
}

/** What was ticked, cut to what can be claimed: a thief's claim may have charged the channel above its rule since. */
export function chargeable(channel: Channel, stream: OpenStream): bigint {
  const claimable = larger(channel.proof?.maxClaimableAmount ?? 0n, worthOf(stream))
  const room = claimable > channel.charged ? claimable - channel.charged : 0n
  return smaller(tickedTotal(stream), room)
}

/**
 * The amounts of a channel as they are for the basket that ends a stream on it: the money was covered when it was ticked,
 * whatever has left the escrow since.
 */
export function amountsWithout(stream: OpenStream, amounts: ChannelAmounts): ChannelAmounts {
  const { charged, held, available } = amounts
  const freed = tickedTotal(stream)
  return {
    ...amounts,
    held: held - freed,
    escrowCap: larger(amounts.escrowCap, charged + held),
    available: available + freed,
  }
}
