// From a receipt in a frame to the receipt that can be kept and shown: what the sender knows of its basket is put back in.

import type { FramedBasket, FramedReceipt } from './frames.ts'
import { unpackProofs } from './frames.ts'
import { readHex } from './hex.ts'
import { pathsOfRange } from './merkle.ts'
import type { BasketReceipt } from './receipt.ts'
import { leafHash } from './receipt.ts'
import { basketId, tipsHash } from './tip.ts'

/**
 * The receipt of a basket that was sent. Whether it is good is for `receiptFault` to say.
 *
 * @throws RangeError when it is not the receipt of so many tips in such a group
 */
export function unframeReceipt(
  { channelId, signature, tips }: Omit<FramedBasket, 'request'>,
  receipt: FramedReceipt,
  { header, headerSignature }: Pick<BasketReceipt, 'header' | 'headerSignature'>,
): BasketReceipt {
  const proofs = unpackProofs(receipt.proofs)
  if (proofs.length !== tips.length) {
    throw new RangeError(`a receipt of ${proofs.length} tips for ${tips.length}`)
  }
  const id = basketId(channelId, tipsHash(tips))
  const leaves = proofs.map(({ salt, fee, chargedAfter, acceptedAfter }, at) => {
    const { to, ref, amount } = tips[at] ?? { to: '0x', ref: '0x', amount: 0n }
    return {
      salt,
      epoch: header.epoch,
      group: header.number,
      index: receipt.firstIndex + at,
      channelId,
      basketId: id,
      voucherSignature: signature,
      to,
      ref,
      amount,
      fee,
      chargedAfter,
      acceptedAfter,
    }
  })
  const paths = pathsOfRange(leaves.map(leafHash), {
    first: receipt.firstIndex,
    total: header.tipCount,
    siblings: receipt.siblings,
  })
  return {
    basketId: id,
    header,
    headerSignature,
    tips: leaves.map((leaf, at) => ({
      leaf,
      path: (paths[at] ?? []).map((node) => readHex(node)),
    })),
  }
}
