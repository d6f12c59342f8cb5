import assert from 'node:assert/strict'
import fc from 'fast-check'
import { packedTipsHash, packedTotal, packTips, unpackTips } from './packed-tips.ts'
import { amounts, hashes, holds } from './testing/arbitrary.ts'
import { tipsHash, tipsTotal } from './tip.ts'

const messages = fc.record(
  { text: fc.string({ unit: 'grapheme', maxLength: 40 }), salt: hashes },
  { noNullPrototype: true },
)
const tips = fc.record(
  { to: hashes, amount: amounts, ref: hashes, message: messages },
  { noNullPrototype: true, requiredKeys: ['to', 'amount', 'ref'] },
)
const lists = fc.array(tips, { minLength: 1, maxLength: 300 })

describe('packTips', () => {
  holds('packs tips that unpack to the same', lists, (list) => {
    assert.deepEqual(unpackTips(packTips(list)), list)
  })
})

describe('packedTipsHash', () => {
  holds('is the hash of the same tips unpacked, wherever they stand', lists, (list) => {
    const { bytes, starts, ...rest } = packTips(list)
    const moved = new Uint8Array(bytes.length + 7)
    moved.set(bytes, 7)
    const places = starts.map((start) => start + 7)
    const elsewhere = { ...rest, bytes: moved, view: new DataView(moved.buffer), starts: places }
    assert.equal(packedTipsHash(elsewhere), tipsHash(list))
  })
})

describe('packedTotal', () => {
  holds('is the total of the same tips unpacked', lists, (list) => {
    assert.equal(packedTotal(packTips(list)), tipsTotal(list))
  })
})
