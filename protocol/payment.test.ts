import assert from 'node:assert/strict'
import fc from 'fast-check'
import { hashStruct, hashTypedData } from 'viem'
import {
  destinationHash,
  paymentTypes,
  type QuoteTerms,
  quoteDigest,
  quoteHash,
  vaultDomain,
} from './payment.ts'
import { hubDomainSeparator } from './receipt.ts'
import { addresses, amounts, hashes, holds, uintOf } from './testing/arbitrary.ts'

const hub = { chainId: 31_337, hubAccount: `0x${'0b'.repeat(20)}` } as const
const separator = hubDomainSeparator(hub)
const types = {
  PayoutQuote: [
    { name: 'quoteId', type: 'bytes32' },
    { name: 'account', type: 'address' },
    { name: 'token', type: 'address' },
    { name: 'gross', type: 'uint128' },
    { name: 'rail', type: 'string' },
    { name: 'currency', type: 'string' },
    { name: 'net', type: 'uint128' },
    { name: 'destination', type: 'bytes32' },
    { name: 'expiresAt', type: 'uint64' },
  ],
} as const
const text = fc.string({ unit: 'grapheme', maxLength: 40 })
const quotes = fc.record<QuoteTerms>({
  quoteId: hashes,
  account: addresses,
  token: addresses,
  gross: amounts,
  rail: text,
  currency: text,
  net: amounts,
  destination: hashes,
  expiresAt: uintOf(64),
})
const quote: QuoteTerms = {
  quoteId: `0x${'e1'.repeat(32)}`,
  account: `0x${'e2'.repeat(20)}`,
  token: `0x${'e3'.repeat(20)}`,
  gross: 25_000_000n,
  rail: 'sepa',
  currency: 'EUR',
  net: 2_264n,
  destination: `0x${'e4'.repeat(32)}`,
  expiresAt: 1_790_000_000_000n,
}

describe('paymentTypes', () => {
  it('are those of PROTOCOL.md, in its order', () => {
    assert.equal(
      paymentTypes.Payment.map(({ name, type }) => `${type} ${name}`).join(','),
      'address account,address token,address to,uint128 amount,bytes32 memo,uint256 nonce,uint256 deadline',
    )
  })
})

describe('vaultDomain', () => {
  it('names the vault and its chain', () => {
    assert.deepEqual(vaultDomain({ chainId: 5, vault: quote.account }), {
      name: 'jandon CreatorVault',
      version: '1',
      chainId: 5,
      verifyingContract: quote.account,
    })
  })
})

describe('quoteHash (R19)', () => {
  holds("equals viem's struct hash", quotes, (terms) => {
    assert.equal(quoteHash(terms), hashStruct({ types, primaryType: 'PayoutQuote', data: terms }))
  })
  const others: QuoteTerms = {
    quoteId: `0x${'f1'.repeat(32)}`,
    account: `0x${'f2'.repeat(20)}`,
    token: `0x${'f3'.repeat(20)}`,
    gross: 25_000_001n,
    rail: 'sepa-instant',
    currency: 'USD',
    net: 2_263n,
    destination: `0x${'f4'.repeat(32)}`,
    expiresAt: 1_790_000_000_001n,
  }
  for (const [field, value] of Object.entries(others)) {
    it(`differs for another ${field}`, () => {
      assert.notEqual(quoteHash({ ...quote, [field]: value }), quoteHash(quote))
    })
  }
  it('differs when text moves from rail to currency', () => {
    const moved = { ...quote, rail: 'sep', currency: 'aEUR' }
    assert.notEqual(quoteHash(moved), quoteHash(quote))
  })
})

describe('quoteDigest', () => {
  holds("equals viem's typed-data hash in the hub's domain", quotes, (message) => {
    const domain = {
      name: 'jandon',
      version: '1',
      chainId: hub.chainId,
      verifyingContract: hub.hubAccount,
    }
    const expected = hashTypedData({ domain, types, primaryType: 'PayoutQuote', message })
    assert.equal(quoteDigest(message, separator), expected)
  })
})

describe('destinationHash', () => {
  const destinations = fc.dictionary(fc.string({ maxLength: 4 }), fc.string({ maxLength: 4 }))
  holds('does not depend on the order of the fields', destinations, (destination) => {
    const reversed = Object.fromEntries(Object.entries(destination).toReversed())
    assert.equal(destinationHash(reversed), destinationHash(destination))
  })
  const pairs = fc.tuple(destinations, destinations)
  holds('is the same for the same fields only', pairs, ([one, other]) => {
    const same =
      JSON.stringify(Object.entries(one).sort()) === JSON.stringify(Object.entries(other).sort())
    assert.equal(destinationHash(one) === destinationHash(other), same)
  })
  it('keeps apart how text is split over names, values and fields', () => {
    const alike = [
      { ab: 'c' },
      { a: 'bc' },
      { abc: '' },
      { '': 'abc' },
      { a: 'b', c: '' },
      { a: '', b: 'c' },
      { 'a"': 'b' },
      { a: '"b' },
      { 'a","b': 'c' },
      { a: 'b","c' },
      { 'a","b"],["c': 'd' },
      { a: 'b', c: 'd' },
      { a: 'b"],["c","d' },
      { 'a\\': 'b' },
      { a: '\\b' },
      { a: 'A' },
      { A: 'a' },
      { a: 'é'.normalize('NFC') },
      { a: 'é'.normalize('NFD') },
      {},
    ]
    assert.equal(new Set(alike.map((one) => destinationHash(one))).size, alike.length)
  })
  it('keeps apart texts that differ in a lone surrogate', () => {
    assert.notEqual(destinationHash({ a: '\ud800' }), destinationHash({ a: '\ud801' }))
    assert.notEqual(destinationHash({ a: '\ud800' }), destinationHash({ a: '\ufffd' }))
  })
  it('counts a field whose name objects have by birth', () => {
    const destination = JSON.parse('{"__proto__":"x"}')
    assert.notEqual(destinationHash(destination), destinationHash({}))
  })
})
