import assert from 'node:assert/strict'
import fc from 'fast-check'
import { concat, encodePacked } from 'viem'
import { unpackCredited } from './packed-credit.ts'
import { addresses, amounts, holds } from './testing/arbitrary.ts'

describe('unpackCredited', () => {
  const entries = fc.record({ account: addresses, credited: amounts }, { noNullPrototype: true })
  holds('reads what the event packs', fc.array(entries, { maxLength: 20 }), (list) => {
    const packed = concat(
      list.map(({ account, credited }) =>
        encodePacked(['address', 'uint128'], [account, credited]),
      ),
    )
    assert.deepEqual(unpackCredited(packed), list)
  })
  it('reads no entries from no bytes', () => {
    assert.deepEqual(unpackCredited('0x'), [])
  })
  it('refuses bytes that are not whole entries', () => {
    for (const length of [1, 35, 37, 71]) {
      assert.throws(() => unpackCredited(`0x${'ab'.repeat(length)}`), RangeError)
    }
  })
})
