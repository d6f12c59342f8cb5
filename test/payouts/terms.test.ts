// What a cash-out brings, and what evidence makes of it: both pure, both held against a second computation.

import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import fc from 'fast-check'
import type { Currency } from '#protocol/amount.ts'
import { currencyDigits } from '#protocol/amount.ts'
import { HubError } from '#protocol/errors.ts'
import type { QuoteView } from '#protocol/messages/payouts.ts'
import type { Leg } from '#server/ledger/entry.ts'
import type { Evidence, Payout } from '#server/payouts/payout.ts'
import { fund, newPayout, submitting, weigh } from '#server/payouts/payout.ts'
import { rateFromPrice } from '#server/payouts/quotes.ts'
import type { PayoutFees, QuoteSums, Rate } from '#server/payouts/terms.ts'
import { quoteSums } from '#server/payouts/terms.ts'

const seed = Number(process.env['JANDON_SEED'] ?? randomInt(1, 2 ** 31 - 1))
const numRuns = 10_000

type Case = {
  gross: bigint
  currency: Currency
  price: string
  decimals: number
  fees: PayoutFees
}

/** A price as `JANDON_RATES` has it, and fees within the bounds of the settings. */
const anyCase: fc.Arbitrary<Case> = fc.record({
  gross: fc.oneof(
    fc.bigInt({ min: 1n, max: 10_000n }),
    fc.bigInt({ min: 1n, max: 10n ** 12n }),
    fc.bigInt({ min: 1n, max: 2n ** 128n - 1n }),
  ),
  currency: fc.constantFrom<Currency>('KRW', 'USD', 'KWD'),
  price: fc
    .tuple(fc.integer({ min: 0, max: 100_000 }), fc.integer({ min: 1, max: 999_999 }))
    .map(([whole, fraction]) => `${whole}.${String(fraction).padStart(6, '0')}`),
  decimals: fc.constantFrom(0, 2, 6, 18),
  fees: fc.record({
    hubBasisPoints: fc.bigInt({ min: 0n, max: 5_000n }),
    railFee: fc.bigInt({ min: 0n, max: 1_000_000n }),
  }),
})

function termsOf({ currency, price, decimals, fees }: Case) {
  const rate: Rate = { ...rateFromPrice(price, currency), decimals, source: 'made up', asOf: 0 }
  return { rate, fees, currency }
}

/** The same sums in one division, from the digits of the price. */
function expected({ gross, currency, price, decimals, fees }: Case) {
  const [whole = '', fraction = ''] = price.split('.')
  const numerator = gross * BigInt(whole + fraction) * 10n ** BigInt(currencyDigits[currency])
  const denominator = 10n ** BigInt(fraction.length + decimals)
  const converted = numerator / denominator
  const hubFee = (converted * fees.hubBasisPoints) / 10_000n
  return { converted, hubFee, net: converted - hubFee - fees.railFee, numerator, denominator }
}

function sumsOrRefusal(made: Case): QuoteSums | HubError {
  try {
    return quoteSums(made.gross, termsOf(made))
  } catch (cause) {
    if (cause instanceof HubError) return cause
    throw cause
  }
}

function holds(check: (made: Case) => void) {
  fc.assert(fc.property(anyCase, check), { seed, numRuns })
}

describe(`quoteSums, ${numRuns} cases from seed ${seed}`, () => {
  it('has lines that add up to the net, and a net of at most the conversion (R18)', () => {
    holds((made) => {
      const sums = sumsOrRefusal(made)
      if (sums instanceof HubError) return
      const { lines, net } = sums
      assert.equal(
        lines.reduce((sum, { amount }) => sum + amount, 0n),
        net,
      )
      const [gross, ...costs] = lines
      assert.equal(gross?.kind, 'gross')
      assert.ok(net > 0n && net <= (gross?.amount ?? 0n))
      for (const { amount } of costs) assert.ok(amount <= 0n)
    })
  })

  it('converts with one rounding, down to the minor unit, and takes the fee of that, rounded down (R18)', () => {
    holds((made) => {
      const sums = sumsOrRefusal(made)
      if (sums instanceof HubError) return
      const { converted, hubFee, net, numerator, denominator } = expected(made)
      const amounts = sums.lines.map(({ amount }) => amount)
      assert.deepEqual(amounts, [converted, -hubFee, -made.fees.railFee])
      assert.equal(sums.net, net)
      assert.ok(converted * denominator <= numerator)
      assert.ok((converted + 1n) * denominator > numerator)
    })
  })

  it('refuses as amount_too_small exactly what would bring nothing (R18)', () => {
    holds((made) => {
      const sums = sumsOrRefusal(made)
      const refused = sums instanceof HubError
      assert.equal(refused, expected(made).net <= 0n)
      if (refused) assert.equal(sums.code, 'amount_too_small')
    })
  })

  it('names a minimum that brings something', () => {
    holds((made) => {
      const refusal = sumsOrRefusal(made)
      if (!(refusal instanceof HubError)) return
      const { amount, minimum } = refusal.values as { amount: bigint; minimum: bigint }
      assert.equal(amount, made.gross)
      assert.ok(minimum > made.gross)
      assert.ok(quoteSums(minimum, termsOf(made)).net > 0n)
    })
  })
})

describe('rateFromPrice', () => {
  it('is the price in minor units, exactly', () => {
    const cases: [price: string, currency: Currency, whole: bigint, parts: bigint][] = [
      ['1385.2', 'KRW', 13_852n, 10n],
      ['1385', 'KRW', 1_385n, 1n],
      ['0.9999', 'USD', 9_999n, 100n],
      ['1', 'USD', 100n, 1n],
      ['0.30725', 'KWD', 30_725n, 100n],
    ]
    for (const [price, currency, whole, parts] of cases) {
      const { numerator, denominator } = rateFromPrice(price, currency)
      assert.equal(numerator * parts, whole * denominator, `${price} ${currency}`)
    }
  })

  it('refuses what is no price above zero', () => {
    for (const price of ['', '0', '0.0', '-1', '1e3', '1.', '.5', ' 1', '1\n', '1,5', 'NaN']) {
      assert.throws(() => rateFromPrice(price, 'KRW'), /is not a price/, price)
    }
  })
})

const net = 13_283n
const quote: QuoteView = {
  quoteId: `0x${'11'.repeat(32)}`,
  account: `0x${'22'.repeat(20)}`,
  token: `0x${'33'.repeat(20)}`,
  gross: 10_000_000n,
  rail: 'iso20022',
  currency: 'KRW',
  net,
  lines: [
    { kind: 'gross', label: 'converted to KRW', amount: 13_852n },
    { kind: 'hub-fee', label: 'hub fee', amount: -69n },
    { kind: 'rail-fee', label: 'bank transfer', amount: -500n },
  ],
  rate: { numerator: 13_852n, denominator: 10n, source: 'made up', asOf: 0n },
  destination: {},
  expectedArrival: '2026-11-24',
  expiresAt: 0n,
  treasury: `0x${'44'.repeat(20)}`,
  hash: `0x${'55'.repeat(32)}`,
  signature: '0x',
}
const endToEndId = 'J5501'
const funded = fund(newPayout(quote, 0)).payout
const sent = submitting(funded, { endToEndId, messageId: endToEndId, xml: '<Document/>' }).payout

const evidences = {
  received: { rank: 'answer', says: 'received', detail: 'received' },
  unknown: { rank: 'answer', says: 'unknown', detail: 'unknown' },
  accepted: { rank: 'report', says: 'accepted', detail: 'accepted' },
  completed: { rank: 'report', says: 'completed', detail: 'completed' },
  rejected: { rank: 'report', says: 'rejected', detail: 'rejected' },
  booked: { rank: 'booking', says: 'booked', detail: 'booked' },
  returned: { rank: 'booking', says: 'returned', detail: 'returned' },
} satisfies { [name: string]: Evidence }
const weaker: Evidence[] = [
  evidences.received,
  evidences.unknown,
  evidences.accepted,
  evidences.completed,
  evidences.rejected,
]

type Weighed = { payout: Payout; legs: Leg[] }

function weighAll(order: readonly Evidence[], start: Payout = sent): Weighed {
  let payout = start
  const legs: Leg[] = []
  for (const evidence of order) {
    const next = weigh(payout, evidence, 1)
    if (!next) continue
    payout = next.payout
    legs.push(...next.legs)
  }
  return { payout, legs }
}

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length === 0) return [[]]
  return items.flatMap((item, index) =>
    permutations(items.toSpliced(index, 1)).map((rest) => [item, ...rest]),
  )
}

/** Every set of some items. */
function subsets<T>([first, ...rest]: readonly T[]): T[][] {
  if (first === undefined) return [[]]
  return subsets(rest).flatMap((set) => [set, [first, ...set]])
}

/** What a payout's evidence moved out of the bank account, and what of the debt to the creator it settled. */
function moved({ legs }: Weighed): { bank: bigint; owed: bigint } {
  const of = (wanted: (account: string) => boolean) =>
    legs.filter(({ account }) => wanted(account)).reduce((sum, { amount }) => sum + amount, 0n)
  return {
    bank: of((account) => account === 'bank'),
    owed: of((account) => account === `payout:${quote.hash}`),
  }
}

const nameOf = (order: readonly Evidence[]) => order.map(({ says }) => says).join(', ')

describe('weigh', () => {
  it('ends SETTLED and booked once by a booking, whatever else comes in whatever order (R15, I9)', () => {
    for (const set of subsets(weaker)) {
      for (const order of permutations([...set, evidences.booked])) {
        const end = weighAll(order)
        assert.equal(end.payout.state, 'SETTLED', nameOf(order))
        assert.equal(end.payout.reason, 'booked')
        assert.deepEqual(moved(end), { bank: -net, owed: net }, nameOf(order))
      }
    }
  })

  it('ends RETURNED with nothing moved by a booking and its return, in any order (I9)', () => {
    for (const order of permutations([...weaker, evidences.booked, evidences.returned])) {
      const end = weighAll(order)
      assert.equal(end.payout.state, 'RETURNED', nameOf(order))
      assert.deepEqual(moved(end), { bank: 0n, owed: 0n }, nameOf(order))
    }
  })

  it('says nothing new of an evidence that comes twice (I9)', () => {
    for (const evidence of Object.values(evidences)) {
      if (evidence.says === 'unknown') continue
      const once = weighAll([evidence])
      assert.deepEqual(weighAll([evidence, evidence]), once, evidence.says)
    }
  })

  it('leaves SETTLED by a return only', () => {
    const { payout } = weighAll([evidences.booked])
    for (const evidence of [...weaker, evidences.booked]) {
      assert.equal(weigh(payout, evidence, 1), undefined, evidence.says)
    }
    assert.equal(weigh(payout, evidences.returned, 1)?.payout.state, 'RETURNED')
  })

  it('leaves RETURNED by nothing', () => {
    const { payout } = weighAll([evidences.booked, evidences.returned])
    for (const evidence of Object.values(evidences)) {
      assert.equal(weigh(payout, evidence, 1)?.payout.state ?? 'RETURNED', 'RETURNED')
    }
  })

  it('lets no answer over the wire change what a report said', () => {
    for (const report of [evidences.accepted, evidences.completed, evidences.rejected]) {
      const { payout } = weighAll([report])
      for (const answer of [evidences.received, evidences.unknown]) {
        const after = weigh(payout, answer, 1) ?? { payout, legs: [] }
        const { nextLookAt: _moved, ...rest } = after.payout
        const { nextLookAt: _before, ...same } = payout
        assert.deepEqual(rest, same, `${report.says}, ${answer.says}`)
        assert.deepEqual(after.legs, [])
      }
    }
  })

  it('takes an unknown answer as UNKNOWN, never as an end, and says when the bank is asked (R17)', () => {
    const { payout, legs } = weighAll([evidences.unknown])
    assert.equal(payout.state, 'UNKNOWN')
    assert.equal(payout.actor, 'hub')
    assert.ok((payout.nextLookAt ?? 0) > 1)
    assert.deepEqual(legs, [])
    assert.equal(payout.endToEndId, endToEndId)
  })

  it('calls a completed payment PAID_PROVISIONAL and books nothing', () => {
    const end = weighAll([evidences.completed])
    assert.equal(end.payout.state, 'PAID_PROVISIONAL')
    assert.deepEqual(end.legs, [])
  })
})
