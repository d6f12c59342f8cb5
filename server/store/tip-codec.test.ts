import assert from 'node:assert/strict'
import fc from 'fast-check'
import { addresses, amounts, hashes, hexOf, holds } from '#protocol/testing/arbitrary.ts'
import { basketId } from '#protocol/tip.ts'
import type { StoredTip } from './tip-codec.ts'
import { countTips, decodeTip, decodeTips, encodeTips, saltOf } from './tip-codec.ts'

const vouchers = fc.record(
  {
    channelId: hashes,
    tipsHash: hashes,
    voucherSignature: hexOf(65),
    maxClaimableAmount: amounts,
    payer: addresses,
    token: addresses,
    acceptedAt: fc.maxSafeNat(),
  },
  { noNullPrototype: true },
)
const parts = fc.record(
  {
    to: hashes,
    ref: hashes,
    amount: amounts,
    fee: amounts,
    chargedAfter: amounts,
    acceptedAfter: amounts,
    message: fc.option(fc.string({ unit: 'binary', minLength: 0, maxLength: 280 })),
  },
  { noNullPrototype: true },
)
// A basket is committed once, so no two vouchers of a group share a channel and a tipsHash.
const baskets = fc.uniqueArray(
  fc.record({ voucher: vouchers, parts: fc.array(parts, { minLength: 1, maxLength: 5 }) }),
  {
    minLength: 1,
    maxLength: 6,
    selector: ({ voucher }) => basketId(voucher.channelId, voucher.tipsHash),
  },
)
const groups = fc.record({
  group: fc.bigInt({ min: 1n, max: 2n ** 64n - 1n }),
  epoch: hashes,
  secret: hashes,
  baskets,
})

describe('encodeTips', () => {
  holds('packs tips that decode to the same, each by itself too', groups, (sample) => {
    const { group, epoch, secret } = sample
    const flat = sample.baskets.flatMap(({ voucher, parts }) =>
      parts.map((part) => ({ voucher, part })),
    )
    const tips: StoredTip[] = flat.map(({ voucher, part }, index) => {
      const { channelId, voucherSignature, ...underVoucher } = voucher
      const { message, ...inLeaf } = part
      const id = basketId(channelId, voucher.tipsHash)
      const place = { salt: saltOf(secret, index), epoch, group, index }
      return {
        leaf: { ...inLeaf, ...place, channelId, voucherSignature, basketId: id },
        note: { ...underVoucher, message },
      }
    })
    const row = encodeTips(tips, { epoch, secret })
    assert.equal(countTips(row), tips.length)
    assert.deepEqual(decodeTips(row, group), tips)
    for (const [index, tip] of tips.entries())
      assert.deepEqual(decodeTip(row, { group, index }), tip)
    assert.throws(() => decodeTip(row, { group, index: tips.length }), /has no tip/)
  })
})
