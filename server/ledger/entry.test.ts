import assert from 'node:assert/strict'
import fc from 'fast-check'
import { holds } from '#protocol/testing/arbitrary.ts'
import type { Balances, Entry, Leg } from './entry.ts'
import { assertBalanced, balanceOf, legsOf, move, post } from './entry.ts'

const names = fc.constantFrom('channels', 'vault', 'creator:0x1', 'fees', 'payout:0x2')
const currencies = fc.constantFrom('KRW', 'USD', `0x${'ab'.repeat(20)}`)
const moves = fc.array(
  fc.record({
    debit: names,
    credit: names,
    currency: currencies,
    amount: fc.bigInt({ min: -(2n ** 128n), max: 2n ** 128n }),
  }),
  { minLength: 1, maxLength: 20 },
)

function entryWith(legs: readonly Leg[]): Entry {
  return { id: 'e', at: 0, reason: 'a test', reference: 'e', legs }
}

describe('post', () => {
  holds('keeps the sum of all accounts at zero in each currency (I4)', moves, (sample) => {
    const balances: Balances = new Map()
    for (const { debit, credit, ...what } of sample)
      post(balances, entryWith(move({ debit, credit }, what)))
    const sums = new Map<string, bigint>()
    for (const { currency, amount } of legsOf(balances))
      sums.set(currency, (sums.get(currency) ?? 0n) + amount)
    for (const sum of sums.values()) assert.equal(sum, 0n)
  })

  holds('makes balances that are the sums of the legs (I4)', moves, (sample) => {
    const legs = sample.flatMap(({ debit, credit, ...what }) => move({ debit, credit }, what))
    const balances: Balances = new Map()
    const touched = post(balances, entryWith(legs))
    for (const { account, currency } of legs) {
      const mine = legs.filter((leg) => leg.account === account && leg.currency === currency)
      const sum = mine.reduce((total, { amount }) => total + amount, 0n)
      assert.equal(balanceOf(balances, account, currency), sum)
      assert.ok(touched.includes(`${currency}|${account}`))
    }
  })

  it('takes an entry that is off by one unit for a bug, and changes nothing (I4)', () => {
    const right = move({ debit: 'a', credit: 'b' }, { currency: 'KRW', amount: 10n })
    for (const [index] of right.entries()) {
      for (const off of [1n, -1n]) {
        const legs = right.map((leg, at) =>
          at === index ? { ...leg, amount: leg.amount + off } : leg,
        )
        const balances: Balances = new Map()
        assert.throws(() => post(balances, entryWith(legs)), { code: 'ERR_ASSERTION' })
        assert.equal(balances.size, 0)
      }
    }
  })

  it('takes an entry that balances only across currencies for a bug (I4)', () => {
    const legs = [
      { account: 'a', currency: 'KRW', amount: 10n },
      { account: 'b', currency: 'USD', amount: -10n },
    ]
    assert.throws(() => assertBalanced(entryWith(legs)), /entry e is off by 10 KRW/)
  })
})

describe('legsOf', () => {
  it('gives back accounts whose names hold the separator', () => {
    const balances: Balances = new Map()
    const legs = move({ debit: 'a|b', credit: 'c' }, { currency: 'KRW', amount: 1n })
    post(balances, entryWith(legs))
    assert.deepEqual(legsOf(balances), legs)
  })
})
