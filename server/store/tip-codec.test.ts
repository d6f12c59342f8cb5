import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { Hex } from 'viem'
import { bytesToHex, concat, hexToBytes } from 'viem'
import { unpackProofs } from '#protocol/frames.ts'
import { concatBytes } from '#protocol/keccak.ts'
import { packTips } from '#protocol/packed-tips.ts'
import { leafHash } from '#protocol/receipt.ts'
import { addresses, amounts, hashes, hexOf, holds } from '#protocol/testing/arbitrary.ts'
import { basketId } from '#protocol/tip.ts'
import { draftBasket, randomHash } from '../testing/disk.ts'
import { hashLeaves } from './leaves.ts'
import { proofsOf } from './proofs.ts'
import type { StoredTip } from './tip-codec.ts'
import { decodeTip, decodeTips, openRow, readRow, saltsOf } from './tip-codec.ts'

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
type ValueOf<A> = A extends fc.Arbitrary<infer T> ? T : never
type Part = ValueOf<typeof parts>
type Sample = {
  group: bigint
  epoch: Hex
  secret: Hex
  baskets: { voucher: ValueOf<typeof vouchers>; parts: Part[] }[]
}

// A basket is committed once, so no two vouchers of a group share a channel and a tipsHash.
const baskets = fc.uniqueArray(
  fc.record({ voucher: vouchers, parts: fc.array(parts, { minLength: 1, maxLength: 5 }) }),
  {
    minLength: 1,
    maxLength: 6,
    selector: ({ voucher }) => basketId(voucher.channelId, voucher.tipsHash),
  },
)
const groups: fc.Arbitrary<Sample> = fc.record({
  group: fc.bigInt({ min: 1n, max: 2n ** 64n - 1n }),
  epoch: hashes,
  secret: hashes,
  baskets,
})

/** The baskets of a sample as they go into a row, and the tips that are to come out. */
function rowOf({ group, epoch, secret, baskets: list }: Sample) {
  const row = openRow()
  const tips = list.flatMap(({ voucher, parts: some }) => {
    const { acceptedAt, payer, token, tipsHash, maxClaimableAmount } = voucher
    const { channelId, voucherSignature } = voucher
    const id = basketId(channelId, tipsHash)
    const firstIndex = row.count()
    row.add({
      ...voucher,
      basketId: id,
      tips: packTips(some.map((part) => tipOf(part))),
      recipients: some.map(({ to }) => to),
      outcomes: some,
    })
    return some.map(({ message, ...inLeaf }, at): StoredTip => {
      const index = firstIndex + at
      const salt = bytesToHex(saltsOf(hexToBytes(secret), { first: index, count: 1 }))
      const place = { salt, epoch, group, index }
      return {
        leaf: { ...inLeaf, ...place, channelId, voucherSignature, basketId: id },
        note: { acceptedAt, payer, token, tipsHash, maxClaimableAmount, message },
      }
    })
  })
  return { tips, row: row.close({ epoch, secret: hexToBytes(secret) }) }
}

function tipOf({ to, ref, amount, message }: Part) {
  const tip = { to, ref, amount }
  return message === null ? tip : { ...tip, message: { text: message, salt: ref } }
}

describe('a row of tips', () => {
  holds('holds tips that decode to the same, each by itself too', groups, (sample) => {
    const { group } = sample
    const { tips, row } = rowOf(sample)
    assert.equal(readRow(row, group).count, tips.length)
    assert.deepEqual(decodeTips(row, group), tips)
    for (const [index, tip] of tips.entries())
      assert.deepEqual(decodeTip(row, { group, index }), tip)
    const range = { first: 1, count: tips.length - 1 }
    assert.deepEqual(decodeTips(row, group, range), tips.slice(1))
    assert.throws(() => decodeTip(row, { group, index: tips.length }), /has no tip/)
  })

  it('is refused in another format', () => {
    assert.throws(() => decodeTips(new Uint8Array(100), 7n), /group 7 .* another format/)
  })

  it('grows to whatever comes', () => {
    const row = openRow()
    const draft = draftBasket(randomHash(), { amount: 3n, message: 'x'.repeat(280) })
    for (let basket = 0; basket < 2_000; basket += 1) row.add(draft)
    const tips = decodeTips(row.close({ epoch: randomHash(), secret: new Uint8Array(32) }), 1n)
    assert.equal(tips.length, 2_000)
    for (const { leaf, note } of tips) {
      assert.equal(leaf.amount, 3n)
      assert.equal(note.message?.length, 280)
    }
  })
})

describe('saltsOf', () => {
  const secrets = fc.uint8Array({ minLength: 32, maxLength: 32 })
  holds(
    'gives a tip the same salt alone as among others, and to each its own',
    secrets,
    (secret) => {
      const all = saltsOf(secret, { first: 0, count: 9 })
      const halves = Array.from({ length: 18 }, (_, at) =>
        all.toString('hex', at * 16, at * 16 + 16),
      )
      assert.equal(new Set(halves).size, 18)
      for (let index = 0; index < 9; index += 1) {
        const alone = saltsOf(secret, { first: index, count: 1 })
        assert.deepEqual(alone, all.subarray(index * 32, (index + 1) * 32))
      }
    },
  )
})

describe('hashLeaves', () => {
  holds('hashes every tip of a row as its receipt does', groups, (sample) => {
    const { tips, row } = rowOf(sample)
    const { hashes, salts } = hashLeaves(row, sample.group)
    assert.deepEqual(hashes, concatBytes(tips.map(({ leaf }) => leafHash(leaf))))
    assert.equal(bytesToHex(salts), concat(tips.map(({ leaf }) => leaf.salt)))
  })

  it('hashes more tips than one call takes', () => {
    const row = openRow()
    for (let basket = 0; basket < 600; basket += 1) row.add(draftBasket(randomHash()))
    const closed = row.close({ epoch: randomHash(), secret: new Uint8Array(32).fill(7) })
    const leaves = decodeTips(closed, 1n).map(({ leaf }) => leafHash(leaf))
    assert.deepEqual(hashLeaves(closed, 1n).hashes, concatBytes(leaves))
  })

  it('has nothing to hash without a row', () => {
    assert.equal(hashLeaves(undefined, 1n).hashes.length, 0)
  })
})

describe('proofsOf', () => {
  holds('packs what unpacks to the salts and outcomes of the tips', groups, (sample) => {
    const { tips, row } = rowOf(sample)
    const { salts, read } = hashLeaves(row, sample.group)
    assert.ok(read)
    for (const first of [0, tips.length - 1]) {
      const proofs = proofsOf({ row: read, salts }, { first, count: tips.length - first })
      assert.deepEqual(
        unpackProofs(proofs),
        tips.slice(first).map(({ leaf: { salt, fee, chargedAfter, acceptedAfter } }) => ({
          salt,
          fee,
          chargedAfter,
          acceptedAfter,
        })),
      )
    }
  })
})
