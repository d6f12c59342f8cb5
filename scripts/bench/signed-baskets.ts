// Baskets for a load: every voucher raises its channel's maximum by its basket.

import { randomBytes } from 'node:crypto'
import type { Hex } from 'viem'
import { toHex } from 'viem'
import type { Tip } from '#protocol/tip.ts'
import { tipsHash, tipsTotal, tipTo, tipVoucherDigest } from '#protocol/tip.ts'
import { createDigestSigner } from '#server/channels/signature-backend.ts'
import type { BenchChannel } from './channels.ts'

/** Base units of each tip. */
export const tipAmount = 100n

export type SignedBasket = {
  channelId: Hex
  maxClaimableAmount: bigint
  tips: Tip[]
  signature: Hex
}

/** So many baskets of a channel in order, the first after `before` base units. */
export function signBaskets(
  { channelId, key, separator, creator }: BenchChannel,
  { tips, count, before = 0n }: { tips: number; count: number; before?: bigint },
): SignedBasket[] {
  const sign = createDigestSigner(key)
  let maxClaimableAmount = before
  return Array.from({ length: count }, () => {
    const basket = Array.from({ length: tips }, () => ({
      to: tipTo(creator),
      amount: tipAmount,
      ref: toHex(randomBytes(32)),
    }))
    maxClaimableAmount += tipsTotal(basket)
    const voucher = { channelId, maxClaimableAmount, tipsHash: tipsHash(basket) }
    const signature = sign(tipVoucherDigest(voucher, separator))
    return { channelId, maxClaimableAmount, tips: basket, signature }
  })
}
