import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { Hex } from 'viem'
import {
  compactSignatureToSignature,
  concat,
  encodePacked,
  parseCompactSignature,
  serializeSignature,
  size,
  slice,
} from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { type PackedClaim, packClaims, unpackClaimed } from './packed-claim.ts'
import { addresses, amounts, hashes, holds } from './testing/arbitrary.ts'

const account = privateKeyToAccount(`0x${'11'.repeat(32)}`)
const signatures = await Promise.all(
  Array.from({ length: 16 }, (_, at) =>
    account.sign({ hash: `0x${`a${at.toString(16)}`.repeat(32)}` }),
  ),
)
const row = fc.record<PackedClaim>(
  {
    payer: addresses,
    payerAuthorizer: addresses,
    maxClaimableAmount: amounts,
    claim: amounts,
    salt: hashes,
    tipsHash: hashes,
    signature: fc.constantFrom(...signatures),
  },
  { noNullPrototype: true },
)
const sample: PackedClaim = {
  payer: `0x${'a1'.repeat(20)}`,
  payerAuthorizer: `0x${'a2'.repeat(20)}`,
  maxClaimableAmount: 2n,
  claim: 1n,
  salt: `0x${'a3'.repeat(32)}`,
  tipsHash: `0x${'00'.repeat(32)}`,
  signature: signatures[0] ?? '0x',
}

/** Reads a row by the byte positions of PROTOCOL.md. */
function readRow(bytes: Hex): PackedClaim {
  const signature = compactSignatureToSignature(parseCompactSignature(slice(bytes, 136, 200)))
  return {
    payer: slice(bytes, 0, 20),
    payerAuthorizer: slice(bytes, 20, 40),
    maxClaimableAmount: BigInt(slice(bytes, 40, 56)),
    claim: BigInt(slice(bytes, 56, 72)),
    salt: slice(bytes, 72, 104),
    tipsHash: slice(bytes, 104, 136),
    signature: serializeSignature(signature),
  }
}

describe('packClaims', () => {
  holds('is read back row by row', fc.array(row, { maxLength: 8 }), (claims) => {
    const rows = packClaims(claims)
    assert.equal(size(rows), claims.length * 200)
    const read = claims.map((_, at) => readRow(slice(rows, at * 200, (at + 1) * 200)))
    assert.deepEqual(read, claims)
  })
  it('packs signatures of either v', () => {
    assert.deepEqual(
      new Set(signatures.map((signature) => signature.slice(-2))),
      new Set(['1b', '1c']),
    )
  })
  it('is empty without claims', () => {
    assert.equal(packClaims([]), '0x')
  })
  it('refuses amounts that do not fit 16 bytes', () => {
    assert.throws(() => packClaims([{ ...sample, claim: 2n ** 128n }]))
    assert.throws(() => packClaims([{ ...sample, maxClaimableAmount: 2n ** 128n }]))
    assert.throws(() => packClaims([{ ...sample, claim: -1n }]))
  })
  it('refuses a high s, whose top bit would be lost in the compact form', () => {
    const signature: Hex = `0x${'11'.repeat(32)}${'ee'.repeat(32)}1b`
    assert.throws(() => packClaims([{ ...sample, signature }]))
  })
  it('refuses fields of another length, which would shift the rest of the row', () => {
    assert.throws(() => packClaims([{ ...sample, payer: `0x${'a1'.repeat(19)}` }]))
    assert.throws(() => packClaims([{ ...sample, salt: `0x${'a1'.repeat(33)}` }]))
  })
})

describe('unpackClaimed', () => {
  const entries = fc.record({ channelId: hashes, totalClaimed: amounts }, { noNullPrototype: true })
  holds('reads what the event packs', fc.array(entries, { maxLength: 20 }), (list) => {
    const packed = concat(
      list.map(({ channelId, totalClaimed }) =>
        encodePacked(['bytes32', 'uint128'], [channelId, totalClaimed]),
      ),
    )
    assert.deepEqual(unpackClaimed(packed), list)
  })
  it('reads no entries from no bytes', () => {
    assert.deepEqual(unpackClaimed('0x'), [])
  })
  it('refuses bytes that are not whole entries', () => {
    for (const length of [1, 47, 49, 95]) {
      assert.throws(() => unpackClaimed(`0x${'ab'.repeat(length)}`), RangeError)
    }
  })
})
