import assert from 'node:assert/strict'
import fc from 'fast-check'
import { ceilingAt, firstBid, nextBid } from './fees.ts'

const gwei = 1_000_000_000n
const fee = fc.bigInt({ min: 0n, max: 10_000n * gwei })
const bids = fc.tuple(fee, fee).map(([tip, base]) => ({
  maxFeePerGas: base + tip,
  maxPriorityFeePerGas: tip,
}))

describe('firstBid', () => {
  it('is the price of the market', () => {
    const market = { maxFeePerGas: 30n * gwei, maxPriorityFeePerGas: gwei }
    assert.deepEqual(firstBid(market, 100n * gwei), market)
  })

  it('is within the budget', () => {
    const market = { maxFeePerGas: 300n * gwei, maxPriorityFeePerGas: 200n * gwei }
    const budget = 100n * gwei
    assert.deepEqual(firstBid(market, budget), {
      maxFeePerGas: budget,
      maxPriorityFeePerGas: budget,
    })
  })
})

describe('ceilingAt', () => {
  const ramp = { first: 10n * gwei, budget: 110n * gwei, begun: 1_000, deadline: 2_000 }

  it('rises in a line from the first bid to the budget, which it holds from the deadline on', () => {
    assert.equal(ceilingAt(ramp, 500), 10n * gwei)
    assert.equal(ceilingAt(ramp, 1_000), 10n * gwei)
    assert.equal(ceilingAt(ramp, 1_500), 60n * gwei)
    assert.equal(ceilingAt(ramp, 2_000), 110n * gwei)
    assert.equal(ceilingAt(ramp, 9_000), 110n * gwei)
  })

  it('is the budget at once when the deadline was over at the beginning', () => {
    assert.equal(ceilingAt({ ...ramp, deadline: 500 }, 1_000), 110n * gwei)
  })

  it('does not fall below a first bid that is above a lowered budget', () => {
    assert.equal(ceilingAt({ ...ramp, budget: gwei }, 5_000), 10n * gwei)
  })
})

describe('nextBid', () => {
  const last = { maxFeePerGas: 16n, maxPriorityFeePerGas: 8n }

  it('follows the market when it asks for more', () => {
    const market = { maxFeePerGas: 40n, maxPriorityFeePerGas: 10n }
    assert.deepEqual(nextBid(last, { market, ceiling: 100n }), market)
  })

  it('is an eighth more, rounded up, when the market asks for less', () => {
    const market = { maxFeePerGas: 1n, maxPriorityFeePerGas: 1n }
    assert.deepEqual(nextBid(last, { market, ceiling: 18n }), {
      maxFeePerGas: 18n,
      maxPriorityFeePerGas: 9n,
    })
  })

  it('is none when an eighth more exceeds the ceiling', () => {
    assert.equal(nextBid(last, { market: last, ceiling: 17n }), undefined)
  })

  it('always replaces, never exceeds the ceiling, and never offers a tip above the whole', () => {
    fc.assert(
      fc.property(bids, bids, fee, (before, market, ceiling) => {
        const bid = nextBid(before, { market, ceiling })
        if (!bid) return
        assert.ok(bid.maxFeePerGas <= ceiling)
        assert.ok(bid.maxPriorityFeePerGas <= bid.maxFeePerGas)
        assert.ok(bid.maxFeePerGas * 8n >= before.maxFeePerGas * 9n)
        assert.ok(bid.maxPriorityFeePerGas * 8n >= before.maxPriorityFeePerGas * 9n)
        assert.ok(bid.maxFeePerGas > before.maxFeePerGas)
      }),
    )
  })
})
