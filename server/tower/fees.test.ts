import assert from 'node:assert/strict'
import { feeLimit, nextFees } from './fees.ts'

const gwei = 1_000_000_000n
const terms = { calm: 30n * gwei, highest: 1_000n * gwei, marginSeconds: 1_000n }

describe('feeLimit', () => {
  it('is calm when the margin begins, and the highest from half of it on, also when it is over', () => {
    assert.equal(feeLimit(terms, 1_000n), 30n * gwei)
    assert.equal(feeLimit(terms, 750n), 515n * gwei)
    for (const left of [500n, 1n, 0n, -100n]) assert.equal(feeLimit(terms, left), 1_000n * gwei)
  })
  it('never falls as time passes', () => {
    let before = 0n
    for (let left = 1_200n; left >= 0n; left -= 7n) {
      const limit = feeLimit(terms, left)
      assert.ok(limit >= before)
      before = limit
    }
  })
  it('is the highest throughout when nothing is calmer', () => {
    assert.equal(feeLimit({ ...terms, calm: terms.highest }, 1_000n), terms.highest)
  })
})

describe('nextFees', () => {
  const first = { maxFeePerGas: 8n * gwei, maxPriorityFeePerGas: gwei }

  it('offers twice the base fee and a tip at first, within the limit', () => {
    const open = { limit: 30n * gwei, before: undefined }
    assert.deepEqual(nextFees({ baseFee: 3n * gwei, ...open }), {
      maxFeePerGas: 7n * gwei,
      maxPriorityFeePerGas: gwei,
    })
    assert.equal(nextFees({ baseFee: 60n * gwei, ...open })?.maxFeePerGas, 30n * gwei)
  })
  it('offers an eighth more of everything at least, and follows a base fee that jumped twentyfold', () => {
    const limit = 1_000n * gwei
    const calm = nextFees({ baseFee: 3n * gwei, limit, before: first })
    assert.deepEqual(calm, { maxFeePerGas: 9n * gwei, maxPriorityFeePerGas: (gwei * 9n) / 8n })
    const spike = nextFees({ baseFee: 60n * gwei, limit, before: first })
    assert.equal(spike?.maxFeePerGas, 121n * gwei)
  })
  it('offers nothing new where an eighth more is above the limit', () => {
    assert.equal(nextFees({ baseFee: gwei, limit: 9n * gwei - 1n, before: first }), undefined)
    assert.notEqual(nextFees({ baseFee: gwei, limit: 9n * gwei, before: first }), undefined)
  })
})
