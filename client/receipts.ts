// What makes a receipt good: the hub's signature, the paths, and that it speaks of exactly what was signed.

import type { Address } from 'viem'
import { channelsDomainSeparator } from '#protocol/channel.ts'
import type { BasketReceipt, ReceiptLeaf } from '#protocol/receipt.ts'
import { receiptFault } from '#protocol/receipt.ts'
import { lowerCase, recoverSigner } from '#protocol/signature.ts'
import { basketId, tipsHash, tipVoucherDigest } from '#protocol/tip.ts'
import type { BasketRecord, HubPin } from './records.ts'

/**
 * Checks a receipt by itself: signed by the hub, every tip under the signed root, and the tips are the whole basket.
 *
 * Returns what is wrong in words, or `undefined`.
 */
export async function wholeReceiptFault(
  receipt: BasketReceipt,
  hub: Pick<HubPin, 'chainId' | 'hubAccount' | 'receiptSigner' | 'formerSigners'>,
): Promise<string | undefined> {
  const { receiptSigner, formerSigners } = hub
  const fault = await receiptFault(receipt, { hub, receiptSigner, formerSigners })
  if (fault) return fault
  const leaves = receipt.tips.map((tip) => tip.leaf)
  const channelId = leaves[0]?.channelId ?? receipt.basketId
  if (leaves.some((leaf) => leaf.channelId !== channelId)) return 'the tips are of several channels'
  if (basketId(channelId, tipsHash(leaves)) !== receipt.basketId) {
    return 'the tips are not the basket that the receipt names'
  }
  return sumFault(leaves)
}

/**
 * Checks the answer to a basket of ours: a whole receipt, of the tips that were sent, with one of the signatures that left,
 * on top of what was charged before. It may end above the basket's own maximum: a higher ceiling that another program of
 * this wallet signed covers it as well (R1).
 */
export async function ownReceiptFault(
  receipt: BasketReceipt,
  { basket, hub }: { basket: BasketRecord; hub: HubPin },
): Promise<string | undefined> {
  if (receipt.basketId !== basket.basketId) return 'the receipt is of another basket'
  const fault = await wholeReceiptFault(receipt, hub)
  if (fault) return fault
  const leaves = receipt.tips.map((tip) => tip.leaf)
  if (leaves.some((leaf) => !basket.signatures.includes(leaf.voucherSignature))) {
    return 'the receipt carries a voucher signature that never left here'
  }
  const before = chargedBefore(leaves)
  if (before < basket.base) {
    return `the receipt starts from ${before} charged, which is below the ${basket.base} known before`
  }
  return undefined
}

/**
 * The maximum under which the payer side itself signed the basket of a receipt, or `undefined`. The voucher's maximum is not in
 * a receipt, so it is tried with the `maximums` that it can have had; a miss proves nothing.
 */
export async function signedMaximum(
  receipt: BasketReceipt,
  { authorizer, hub, maximums }: { authorizer: Address; hub: HubPin; maximums: readonly bigint[] },
): Promise<bigint | undefined> {
  const first = receipt.tips[0]?.leaf
  if (!first) return undefined
  const separator = channelsDomainSeparator({ chainId: hub.chainId, address: hub.channels })
  const voucher = {
    channelId: first.channelId,
    tipsHash: tipsHash(receipt.tips.map((tip) => tip.leaf)),
  }
  const signers = await Promise.all(
    maximums.map((maxClaimableAmount) =>
      recoverSigner(
        tipVoucherDigest({ ...voucher, maxClaimableAmount }, separator),
        first.voucherSignature,
      ),
    ),
  )
  return maximums[signers.indexOf(lowerCase(authorizer))]
}

/** The channel's charged after the last tip of a receipt. */
export function chargedAfter(receipt: BasketReceipt): bigint {
  return receipt.tips.at(-1)?.leaf.chargedAfter ?? 0n
}

function chargedBefore(leaves: readonly ReceiptLeaf[]): bigint {
  const first = leaves[0]
  return first ? first.chargedAfter - first.amount : 0n
}

function sumFault(leaves: readonly ReceiptLeaf[]): string | undefined {
  let charged = chargedBefore(leaves)
  for (const { index, amount, fee, chargedAfter, acceptedAfter } of leaves) {
    charged += amount
    if (chargedAfter !== charged) {
      return `tip ${index} says ${chargedAfter} charged where its amounts add up to ${charged}`
    }
    if (fee > amount) return `tip ${index} bears a fee of ${fee}, above its amount of ${amount}`
    if (acceptedAfter < amount - fee) {
      return `tip ${index} leaves its creator ${acceptedAfter}, less than the tip itself`
    }
  }
  return undefined
}
