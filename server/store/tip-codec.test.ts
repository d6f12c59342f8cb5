import assert from 'node:assert/strict'
import fc from 'fast-check'
import { addresses, amounts, hashes, hexOf, holds } from '#protocol/testing/arbitrary.ts'
import { basketId } from '#protocol/tip.ts'
import type { StoredTip } from './tip-codec.ts'
import { countTips, decodeTip, decodeTips, encodeTips, saltOf } from './tip-codec.ts'

const leaves = fc.record(
  {
    channelId: hashes,
    voucherSignature: hexOf(65),
    to: hashes,
    ref: hashes,
    amount: amounts,
    fee: amounts,
    chargedAfter: amounts,
    acceptedAfter: amounts,
  },
  { noNullPrototype: true },
)
const notes = fc.record(
  {
    payer: addresses,
    token: addresses,
    message: fc.option(fc.string({ unit: 'binary', minLength: 0, maxLength: 280 })),
    acceptedAt: fc.maxSafeNat(),
    tipsHash: hashes,
    maxClaimableAmount: amounts,
  },
  { noNullPrototype: true },
)
const groups = fc.record({
  group: fc.bigInt({ min: 1n, max: 2n ** 64n - 1n }),
  epoch: hashes,
  secret: hashes,
  tips: fc.array(fc.tuple(leaves, notes), { minLength: 1, maxLength: 12 }),
})

describe('encodeTips', () => {
  holds('packs tips that decode to the same, each by itself too', groups, (sample) => {
    const { group, epoch, secret } = sample
    const tips: StoredTip[] = sample.tips.map(([leaf, note], index) => ({
      leaf: {
        ...leaf,
        basketId: basketId(leaf.channelId, note.tipsHash),
        salt: saltOf(secret, index),
        epoch,
        group,
        index,
      },
      note,
    }))
    const row = encodeTips(tips, { epoch, secret })
    assert.equal(countTips(row), tips.length)
    assert.deepEqual(decodeTips(row, group), tips)
    for (const [index, tip] of tips.entries())
      assert.deepEqual(decodeTip(row, { group, index }), tip)
    assert.throws(() => decodeTip(row, { group, index: tips.length }), /has no tip/)
  })
})
