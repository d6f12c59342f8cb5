import assert from 'node:assert/strict'
import fc from 'fast-check'
import { bytesToHex, concat, encodeAbiParameters, keccak256, stringToHex } from 'viem'
import { concatBytes, keccak, keccakBytes, layWords, typedDigest, typeHash } from './keccak.ts'
import { createBatch, hashing } from './sponge.ts'
import { addresses, hashes, holds, uintOf } from './testing/arbitrary.ts'

const bytes = fc.uint8Array({ maxLength: 600, size: 'max' })

describe('keccak', () => {
  it('is Keccak-256, not SHA3-256', () => {
    const ofNothing = '0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470'
    assert.equal(keccak(new Uint8Array()), ofNothing)
  })
  holds('equals viem', bytes, (input) => {
    assert.equal(keccak(input), keccak256(input))
  })
})

describe('keccakBytes', () => {
  holds('equals viem', bytes, (input) => {
    assert.deepEqual(keccakBytes(input), keccak256(input, 'bytes'))
  })
  for (const length of [0, 135, 136, 1_086, 1_087, 1_088, 1_089, 2_175, 2_176, 2_177, 100_000]) {
    it(`equals viem for ${length} bytes`, () => {
      const input = Uint8Array.from({ length }, (_, index) => index * 7)
      assert.deepEqual(keccakBytes(input), keccak256(input, 'bytes'))
    })
  }
  it('answers with bytes that later hashes leave alone', () => {
    const first = keccakBytes(new Uint8Array([1]))
    const copy = first.slice()
    keccakBytes(new Uint8Array([2]))
    assert.deepEqual(first, copy)
  })
  it('leaves its input alone', () => {
    const input = new Uint8Array([1, 2, 3])
    keccakBytes(input)
    assert.deepEqual(input, new Uint8Array([1, 2, 3]))
  })
})

describe('createBatch', () => {
  const most = 5
  for (const length of [0, 1, 65, 128, 134, 135, 136, 137, 271, 272, 417]) {
    const batch = createBatch({ length, most })
    const sample = fc.array(fc.uint8Array({ minLength: length, maxLength: length }), {
      minLength: 1,
      maxLength: most,
    })
    holds(`hashes messages of ${length} bytes as viem does`, sample, (messages) => {
      for (const [index, each] of messages.entries())
        hashing.bytes.set(each, batch.messageAt(index))
      batch.hash(messages.length)
      for (const [index, each] of messages.entries()) {
        const at = batch.digests + 32 * index
        assert.equal(bytesToHex(hashing.bytes.slice(at, at + 32)), keccak256(each))
      }
    })
  }
  it('refuses more messages than fit, and hashes rightly afterwards', () => {
    const batch = createBatch({ length: 1, most: 2 })
    assert.throws(() => batch.hash(3), RangeError)
    batch.hash(0)
    assert.equal(keccak(Uint8Array.of(7)), keccak256(Uint8Array.of(7)))
  })

  it('refuses what does not fit in the memory', () => {
    assert.throws(() => createBatch({ length: 1_000, most: 1_000 }), RangeError)
  })
})

describe('typeHash', () => {
  it('is the hash of the text', () => {
    const text = 'Voucher(bytes32 channelId,uint128 maxClaimableAmount)'
    assert.equal(typeHash(text), keccak256(stringToHex(text)))
  })
})

describe('layWords', () => {
  const word = fc.oneof(
    addresses.map((value) => ({ type: 'address', value })),
    hashes.map((value) => ({ type: 'bytes32', value })),
    uintOf(256).map((value) => ({ type: 'uint256', value })),
  )
  holds('equals abi.encode', fc.array(word, { maxLength: 15 }), (words) => {
    const expected = encodeAbiParameters(
      words.map(({ type }) => ({ type })),
      words.map(({ value }) => value),
    )
    assert.equal(bytesToHex(layWords(words.map(({ value }) => value))), expected)
  })
  it('refuses what is longer than a word', () => {
    const tooLong = [2n ** 256n, `0x${'ab'.repeat(33)}`] as const
    for (const value of tooLong) {
      assert.throws(() => layWords([value]), RangeError)
      assert.throws(() => layWords([1n, value]), RangeError)
    }
  })
  it('refuses negative values', () => {
    for (const value of [-1n, -10n, -255n, -(2n ** 128n)]) {
      assert.throws(() => layWords([1n, value]))
    }
  })
})

describe('concatBytes', () => {
  holds('equals viem', fc.array(bytes, { maxLength: 6 }), (parts) => {
    assert.deepEqual(concatBytes(parts), parts.length === 0 ? new Uint8Array() : concat(parts))
  })
})

describe('typedDigest', () => {
  holds(
    'hashes 0x1901, separator and struct hash',
    fc.tuple(hashes, hashes),
    ([domain, struct]) => {
      assert.equal(typedDigest(domain, struct), keccak256(concat(['0x1901', domain, struct])))
    },
  )
})
