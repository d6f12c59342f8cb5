import assert from 'node:assert/strict'
import fc from 'fast-check'
import {
  type Currency,
  currencyDigits,
  formatAmount,
  formatMoney,
  larger,
  maxAmount,
  mulDiv,
  parseAmount,
  smaller,
} from './amount.ts'
import { amounts, holds, uintOf } from './testing/arbitrary.ts'

describe('parseAmount', () => {
  it('reads whole numbers and fractions', () => {
    assert.equal(parseAmount('0', 0), 0n)
    assert.equal(parseAmount('5', 6), 5_000_000n)
    assert.equal(parseAmount('0.05', 6), 50_000n)
    assert.equal(parseAmount('12.30', 2), 1_230n)
    assert.equal(parseAmount('0.000001', 6), 1n)
    assert.equal(parseAmount('007', 0), 7n)
    assert.equal(parseAmount('1', 24), 10n ** 24n)
  })
  it('reads the largest amount and refuses one above it', () => {
    assert.equal(parseAmount('340282366920938463463374607431768211455', 0), maxAmount)
    assert.equal(parseAmount('340282366920938463463374607431768211456', 0), undefined)
    assert.equal(parseAmount('340282366920938463463374607431768.211455', 6), maxAmount)
    assert.equal(parseAmount('340282366920938463463374607431768.211456', 6), undefined)
  })
  it('refuses a fraction longer than the digits', () => {
    assert.equal(parseAmount('0.0000001', 6), undefined)
    assert.equal(parseAmount('1.0000000', 6), undefined)
    assert.equal(parseAmount('1.0', 0), undefined)
    assert.equal(parseAmount('1.234', 2), undefined)
  })
  const refused = [
    ...['', ' ', ' 1', '1 ', '1\n', '\t1', '1.', '.5', '.', '1..2', '1.2.3', '-1', '-0', '+1'],
    ...['1e3', '1E3', '1e-3', '0x10', '0b1', '0o7', '1_000', '1,0', '1,000.00', "1'000", '1n'],
    ...['٣', '１', '१', '½', '1\u00a0', '\ufeff1', '∞', 'NaN', 'Infinity', 'null', '$1', '1 USD'],
    ...['1'.repeat(40), '0'.repeat(40), `0.${'0'.repeat(40)}`, '9'.repeat(100_000)],
  ]
  for (const text of refused) {
    it(`refuses ${JSON.stringify(text.slice(0, 45))}`, () => {
      for (const digits of [0, 2, 6, 24]) assert.equal(parseAmount(text, digits), undefined)
    })
  }
  holds('reads nothing but digits with one point', fc.string({ maxLength: 8 }), (text) => {
    const amount = parseAmount(text, 6)
    assert.equal(amount !== undefined, /^[0-9]+(\.[0-9]{1,6})?$/.test(text))
  })
})

describe('formatAmount', () => {
  it('writes no trailing zeros', () => {
    assert.equal(formatAmount(50_000n, 6), '0.05')
    assert.equal(formatAmount(5_000_000n, 6), '5')
    assert.equal(formatAmount(0n, 6), '0')
    assert.equal(formatAmount(1_230n, 2), '12.3')
    assert.equal(formatAmount(100n, 0), '100')
  })
  const sample = fc.record({ amount: amounts, digits: fc.integer({ min: 0, max: 24 }) })
  holds('is read back as the same amount', sample, ({ amount, digits }) => {
    const text = formatAmount(amount, digits)
    assert.equal(parseAmount(text, digits), amount)
    assert.match(text, /^(0|[1-9]\d*)(\.\d*[1-9])?$/)
  })
})

describe('formatMoney', () => {
  it('writes all digits of a currency', () => {
    assert.equal(formatMoney(1_230n, 'USD'), '12.30')
    assert.equal(formatMoney(0n, 'EUR'), '0.00')
    assert.equal(formatMoney(5n, 'EUR'), '0.05')
    assert.equal(formatMoney(-5n, 'EUR'), '-0.05')
    assert.equal(formatMoney(-1_230n, 'USD'), '-12.30')
    assert.equal(formatMoney(1_230n, 'KWD'), '1.230')
    assert.equal(formatMoney(1n, 'KWD'), '0.001')
  })
  it('writes no point for a currency without digits', () => {
    assert.equal(formatMoney(1_230n, 'JPY'), '1230')
    assert.equal(formatMoney(0n, 'KRW'), '0')
    assert.equal(formatMoney(-100n, 'KRW'), '-100')
  })
  const currencies = fc.constantFrom<Currency>('EUR', 'JPY', 'KRW', 'KWD', 'USD')
  const sample = fc.record({ amount: amounts, currency: currencies })
  holds('is read back as the same amount (R18)', sample, ({ amount, currency }) => {
    const text = formatMoney(amount, currency)
    assert.equal(parseAmount(text, currencyDigits[currency]), amount)
    assert.equal(text.split('.')[1]?.length ?? 0, currencyDigits[currency])
  })
  it('knows the ISO 4217 digits of each currency', () => {
    assert.deepEqual(currencyDigits, { EUR: 2, JPY: 0, KRW: 0, KWD: 3, USD: 2 })
  })
})

describe('mulDiv', () => {
  it('rounds as named', () => {
    const third = { numerator: 1n, denominator: 3n }
    assert.equal(mulDiv(10n, { ...third, rounding: 'down' }), 3n)
    assert.equal(mulDiv(10n, { ...third, rounding: 'up' }), 4n)
    assert.equal(mulDiv(9n, { ...third, rounding: 'down' }), 3n)
    assert.equal(mulDiv(9n, { ...third, rounding: 'up' }), 3n)
    assert.equal(mulDiv(0n, { ...third, rounding: 'up' }), 0n)
  })
  it('does not divide by zero', () => {
    const nothing = { numerator: 1n, denominator: 0n, rounding: 'down' } as const
    assert.throws(() => mulDiv(1n, nothing), RangeError)
  })
  const sample = fc.record({
    amount: amounts,
    numerator: uintOf(128),
    denominator: uintOf(128).map((value) => (value === 0n ? 1n : value)),
  })
  holds('never exceeds the exact value when rounded down (R18)', sample, ({ amount, ...ratio }) => {
    const down = mulDiv(amount, { ...ratio, rounding: 'down' })
    assert.ok(down * ratio.denominator <= amount * ratio.numerator)
    assert.ok((down + 1n) * ratio.denominator > amount * ratio.numerator)
  })
  holds('never stays below the exact value when rounded up (R18)', sample, (values) => {
    const { amount, ...ratio } = values
    const up = mulDiv(amount, { ...ratio, rounding: 'up' })
    assert.ok(up * ratio.denominator >= amount * ratio.numerator)
    assert.ok((up - 1n) * ratio.denominator < amount * ratio.numerator)
  })
})

describe('larger and smaller', () => {
  holds('name the bounds of two amounts', fc.tuple(amounts, amounts), ([a, b]) => {
    assert.ok(larger(a, b) >= a && larger(a, b) >= b)
    assert.ok(smaller(a, b) <= a && smaller(a, b) <= b)
    assert.equal(larger(a, b) + smaller(a, b), a + b)
  })
})
