import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { Hex } from 'viem'
import { concat, encodePacked, hashStruct, hashTypedData, keccak256 } from 'viem'
import { channelsDomain, channelsDomainSeparator } from './channel.ts'
import { addresses, amounts, hashes, holds } from './testing/arbitrary.ts'
import {
  basketId,
  messageRef,
  type Tip,
  tipsHash,
  tipsPerBasket,
  tipsTotal,
  tipTo,
  tipVoucherDigest,
  tipVoucherTypes,
} from './tip.ts'

const contract = { chainId: 31_337, address: '0x4020074e9dF2ce1deE5A9C1b5c3f541D02a10003' } as const
const domain = channelsDomain(contract)
const separator = channelsDomainSeparator(contract)
const tip = fc.record<Tip>({ to: hashes, amount: amounts, ref: hashes })
const baskets = fc.array(tip, { minLength: 1, maxLength: 20 })
const sample: Tip = { to: `0x${'c1'.repeat(32)}`, amount: 50_000n, ref: `0x${'c2'.repeat(32)}` }

describe('tipsHash', () => {
  it('of no tips is the hash of nothing', () => {
    assert.equal(tipsHash([]), keccak256('0x'))
  })

  holds('is the hash of the concatenated tip hashes', baskets, (tips) => {
    const types = { Tip: tipVoucherTypes.Tip }
    const structs = tips.map((data) => hashStruct({ types, primaryType: 'Tip', data }))
    assert.equal(tipsHash(tips), keccak256(concat(structs)))
  })
  const others: Tip = { to: `0x${'d1'.repeat(32)}`, amount: 50_001n, ref: `0x${'d2'.repeat(32)}` }
  for (const [field, value] of Object.entries(others)) {
    it(`differs for another ${field}`, () => {
      assert.notEqual(tipsHash([{ ...sample, [field]: value }]), tipsHash([sample]))
    })
  }
  it('differs for tips in another order', () => {
    assert.notEqual(tipsHash([sample, others]), tipsHash([others, sample]))
  })
  it('differs for one tip more', () => {
    assert.notEqual(tipsHash([sample, sample]), tipsHash([sample]))
  })
})

describe('tipVoucherDigest', () => {
  const vouchers = fc.record({ channelId: hashes, maxClaimableAmount: amounts, tips: baskets })
  function expected(message: { channelId: Hex; maxClaimableAmount: bigint; tips: Tip[] }): Hex {
    return hashTypedData({ domain, types: tipVoucherTypes, primaryType: 'TipVoucher', message })
  }
  holds("equals viem's typed-data hash", vouchers, (voucher) => {
    const { tips, ...rest } = voucher
    const digest = tipVoucherDigest({ ...rest, tipsHash: tipsHash(tips) }, separator)
    assert.equal(digest, expected(voucher))
  })
  it("equals viem's typed-data hash for the largest basket", () => {
    const tips = Array.from({ length: tipsPerBasket.maximum }, (_, at) => ({
      ...sample,
      amount: BigInt(at + 1),
    }))
    const rest = { channelId: sample.ref, maxClaimableAmount: 2n ** 128n - 1n }
    const digest = tipVoucherDigest({ ...rest, tipsHash: tipsHash(tips) }, separator)
    assert.equal(digest, expected({ ...rest, tips }))
  })
  it('differs by chain', () => {
    const voucher = { channelId: sample.ref, maxClaimableAmount: 1n, tipsHash: tipsHash([sample]) }
    const elsewhere = channelsDomainSeparator({ ...contract, chainId: 1 })
    assert.notEqual(tipVoucherDigest(voucher, elsewhere), tipVoucherDigest(voucher, separator))
  })
})

describe('basketId (R2)', () => {
  holds('is keccak256(channelId ‖ tipsHash)', fc.tuple(hashes, hashes), ([channel, tips]) => {
    assert.equal(basketId(channel, tips), keccak256(concat([channel, tips])))
  })
  it('differs by channel and by tips', () => {
    const [one, other] = [sample.to, sample.ref]
    assert.notEqual(basketId(one, one), basketId(other, one))
    assert.notEqual(basketId(one, one), basketId(one, other))
    assert.notEqual(basketId(one, other), basketId(other, one))
  })
})

describe('tipTo', () => {
  holds('is the address, right-aligned in 32 bytes', addresses, (address) => {
    assert.equal(tipTo(address), `0x${'00'.repeat(12)}${address.slice(2)}`)
  })
})

describe('messageRef (R9)', () => {
  const messages = fc.record({
    salt: hashes,
    text: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 280 }),
  })
  holds('is keccak256(salt ‖ UTF-8 of the message)', messages, ({ salt, text }) => {
    assert.equal(
      messageRef({ salt, text }),
      keccak256(encodePacked(['bytes32', 'string'], [salt, text])),
    )
  })
  it('differs for another salt and for other words', () => {
    const salt = sample.ref
    const ref = messageRef({ salt, text: 'great song' })
    assert.notEqual(messageRef({ salt: sample.to, text: 'great song' }), ref)
    assert.notEqual(messageRef({ salt, text: 'great song ' }), ref)
    assert.notEqual(messageRef({ salt, text: 'Great song' }), ref)
  })
  it('differs for composed and decomposed letters, which are different bytes', () => {
    const salt = sample.ref
    assert.notEqual(
      messageRef({ salt, text: 'é'.normalize('NFC') }),
      messageRef({ salt, text: 'é'.normalize('NFD') }),
    )
  })
})

describe('tipsTotal', () => {
  it('is zero without tips and the amount of a single tip', () => {
    assert.equal(tipsTotal([]), 0n)
    assert.equal(tipsTotal([sample]), 50_000n)
  })
  it('adds amounts up beyond 128 bits without loss', () => {
    const tips = Array.from({ length: 256 }, () => ({ ...sample, amount: 2n ** 128n - 1n }))
    assert.equal(tipsTotal(tips), 256n * (2n ** 128n - 1n))
  })
  holds('does not depend on the order or the grouping', fc.tuple(baskets, baskets), ([a, b]) => {
    assert.equal(tipsTotal([...a, ...b]), tipsTotal(b.toReversed()) + tipsTotal(a))
  })
})
