// Ticks, from the prose of claimTicks in IPaymentChannels and of PROTOCOL.md.

import type { Hex } from 'viem'
import type { ChannelConfig } from '#protocol/channel.ts'
import { keccak, layWords } from '#protocol/keccak.ts'
import { type TickCommitment, tickCommitmentDigest, ticksPerCommitment } from '#protocol/tick.ts'
import { idOf, raiseClaimed, requirePayerSignature, requireReceiverSide } from './sides.ts'
import { type Context, channelOf, Refusal, type Signature } from './state.ts'

/** A claim of ticks. */
export type TickClaim = {
  config: ChannelConfig
  terms: Omit<TickCommitment, 'channelId'>
  preimage: Hex
  ticks: number
  total: bigint
  signature: Signature
}

export function claimTicks(context: Context, claim: TickClaim): void {
  const { config, terms, preimage, ticks, total, signature } = claim
  requireReceiverSide(context, config)
  const id = idOf(context, config)
  const { balance, claimed } = channelOf(context.state, id)
  if (total <= claimed) return

  const { baseAmount, tickAmount, maxTicks, root } = terms
  if (maxTicks > ticksPerCommitment.maximum) throw new Refusal('TooManyTicks', maxTicks)
  if (ticks > maxTicks) throw new Refusal('TicksAboveMaximum', ticks, maxTicks)
  const worth = baseAmount + BigInt(ticks) * tickAmount
  if (total > worth) throw new Refusal('ClaimAboveMaximum', id, total, worth)
  if (total > balance) throw new Refusal('ClaimAboveBalance', id, total, balance)
  const digest = tickCommitmentDigest(
    { channelId: id, ...terms },
    context.setting.separators.channels,
  )
  requirePayerSignature(context, config, { digest, signature })
  const end = follow(preimage, { channelId: id, baseAmount, ticks })
  if (end !== root) throw new Refusal('WrongPreimage', root, end)
  raiseClaimed(context, config, total)
}

/** Where a preimage leads: one link is keccak256(preimage ‖ channelId ‖ baseAmount), each field one 32-byte word. */
function follow(
  preimage: Hex,
  { channelId, baseAmount, ticks }: { channelId: Hex; baseAmount: bigint; ticks: number },
): Hex {
  let link = preimage
  for (let made = 0; made < ticks; made += 1) {
    link = keccak(layWords([link, channelId, baseAmount]))
  }
  return link
}
