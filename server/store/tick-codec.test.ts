import assert from 'node:assert/strict'
import fc from 'fast-check'
import { holds } from '#protocol/testing/arbitrary.ts'
import { decodeTicks, encodeTicks } from './tick-codec.ts'

const entries = fc.array(
  fc.record({
    stream: fc.nat(Number.MAX_SAFE_INTEGER),
    ticks: fc.nat(2 ** 32 - 1),
    preimage: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  }),
  { maxLength: 20 },
)

describe('encodeTicks', () => {
  holds('packs what decodeTicks reads again', entries, (ticks) => {
    const row = encodeTicks(ticks, ticks.length)
    assert.equal(row.length, 44 * ticks.length)
    assert.deepEqual(
      decodeTicks(row),
      ticks.map(({ stream, ticks: count, preimage }) => ({
        stream,
        ticks: count,
        preimage: Uint8Array.from(preimage),
      })),
    )
  })
})

describe('decodeTicks', () => {
  it('reads a row that stands within other bytes', () => {
    const preimage = new Uint8Array(32).fill(5)
    const row = encodeTicks([{ stream: 1, ticks: 2, preimage }], 1)
    const around = new Uint8Array(100)
    around.set(row, 13)
    assert.deepEqual(decodeTicks(around.subarray(13, 57)), [{ stream: 1, ticks: 2, preimage }])
  })

  it('refuses a row that is cut', () => {
    assert.throws(() => decodeTicks(new Uint8Array(43)), /a row of ticks of 43 bytes/)
  })
})
