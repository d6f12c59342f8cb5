import assert from 'node:assert/strict'
import fc from 'fast-check'
import { amounts, hashes, holds, uintOf } from '../testing/arbitrary.ts'
import { badAmounts } from '../testing/message.ts'
import {
  address,
  amount,
  handle,
  hash,
  plainText,
  positiveAmount,
  signature,
  toJson,
  uint64,
  uint256,
  walletSignature,
} from './wire.ts'

const kinds = {
  amount: { schema: amount, least: 0n, most: 2n ** 128n - 1n },
  positiveAmount: { schema: positiveAmount, least: 1n, most: 2n ** 128n - 1n },
  uint64: { schema: uint64, least: 0n, most: 2n ** 64n - 1n },
  uint256: { schema: uint256, least: 0n, most: 2n ** 256n - 1n },
}
for (const [name, { schema, least, most }] of Object.entries(kinds)) {
  describe(name, () => {
    holds('is read back from its decimal text', fc.bigInt({ min: least, max: most }), (value) => {
      assert.equal(schema.parse(value.toString()), value)
    })
    it('takes the limits and refuses one past them', () => {
      assert.equal(schema.parse(least.toString()), least)
      assert.equal(schema.parse(most.toString()), most)
      assert.equal(schema.safeParse((least - 1n).toString()).success, false)
      assert.equal(schema.safeParse((most + 1n).toString()).success, false)
    })
    for (const text of badAmounts) {
      it(`refuses ${JSON.stringify(text.slice(0, 40))} (${text.length} characters)`, () => {
        assert.equal(schema.safeParse(text).success, false)
      })
    }
    it('refuses numbers and bigints', () => {
      for (const value of [0, 1, 1.5, 1n]) assert.equal(schema.safeParse(value).success, false)
    })
  })
}

const sizes = {
  address: { schema: address, bytes: 20 },
  hash: { schema: hash, bytes: 32 },
  signature: { schema: signature, bytes: 65 },
}
for (const [name, { schema, bytes }] of Object.entries(sizes)) {
  describe(name, () => {
    const text = fc.stringMatching(new RegExp(`^0x[0-9a-fA-F]{${bytes * 2}}$`))
    holds('is hex in any case, read in lower case', text, (value) => {
      assert.equal(schema.parse(value), value.toLowerCase())
    })
    it('has its length and no other', () => {
      for (const count of [0, 1, bytes * 2 - 2, bytes * 2 - 1, bytes * 2 + 1, bytes * 2 + 2]) {
        assert.equal(schema.safeParse(`0x${'a'.repeat(count)}`).success, false)
      }
      assert.ok(schema.safeParse(`0x${'a'.repeat(bytes * 2)}`).success)
    })
  })
}

describe('walletSignature', () => {
  it('takes 1 to 4096 bytes, in lower case then', () => {
    assert.equal(walletSignature.parse('0xAB'), '0xab')
    assert.ok(walletSignature.safeParse(`0x${'ab'.repeat(4_096)}`).success)
    assert.equal(walletSignature.safeParse(`0x${'ab'.repeat(4_097)}`).success, false)
  })
  it('refuses nothing, odd hex and no hex', () => {
    for (const text of ['', '0x', '0xa', '0xabc', 'ab', '0xzz', '0xab ', '0xab\n', '0Xab']) {
      assert.equal(walletSignature.safeParse(text).success, false)
    }
  })
})

describe('handle', () => {
  it('takes what handlePattern takes', () => {
    assert.ok(handle.safeParse('the_busker-2').success)
    assert.equal(handle.safeParse('The Busker').success, false)
  })
})

describe('plainText', () => {
  const text = plainText(5)
  it('takes words in any script, up to its length in code points', () => {
    for (const good of ['a', 'abcde', '거리의악사', 'é', '🎵🎵🎵🎵🎵', ' a ']) {
      assert.ok(text.safeParse(good).success, good)
    }
    for (const long of ['abcdef', '🎵🎵🎵🎵🎵🎵', '거리의 악사'])
      assert.equal(text.safeParse(long).success, false)
  })
  it('refuses blank text', () => {
    for (const blank of ['', ' ', '   ', '\u00a0', '\u3000', '\u2003\u2003', '\ufeff']) {
      assert.equal(text.safeParse(blank).success, false)
    }
  })
  it('refuses control characters and lone surrogates', () => {
    const controls = [...Array(32).keys(), 127, ...Array.from({ length: 32 }, (_, at) => 128 + at)]
    for (const code of controls) {
      assert.equal(text.safeParse(`a${String.fromCharCode(code)}b`).success, false)
    }
    for (const lone of ['\ud800', 'a\udc00', '\udc00\ud800']) {
      assert.equal(text.safeParse(lone).success, false)
    }
  })
  it('takes the joiners that emoji and some scripts are written with', () => {
    assert.ok(plainText(20).safeParse('👩‍🎤').success)
    assert.ok(plainText(20).safeParse('می‌خواهم').success)
  })
})

describe('toJson', () => {
  const message = fc.record({ hash: hashes, amount: amounts, nested: fc.array(uintOf(256)) })
  holds('writes bigint as decimal text', message, (value) => {
    assert.deepEqual(JSON.parse(toJson(value)), {
      hash: value.hash,
      amount: value.amount.toString(),
      nested: value.nested.map(String),
    })
  })
})
