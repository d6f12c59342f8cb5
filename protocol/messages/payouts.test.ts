import assert from 'node:assert/strict'
import type { z } from 'zod'
import { changed, describeMessage } from '../testing/message.ts'
import {
  payoutList,
  payoutRequest,
  payoutStates,
  payoutView,
  quoteLine,
  quoteRequest,
  quoteView,
} from './payouts.ts'

const address = `0x${'a1'.repeat(20)}`
const hash = `0x${'b2'.repeat(32)}`
const signature = `0x${'c3'.repeat(65)}`
const destination = { iban: 'DE89370400440532013000', name: 'Zoë Müller' }
const request = { token: address, amount: '5', rail: 'sepa', currency: 'EUR', destination }
const line = { kind: 'fee', label: 'Hub fee', amount: '-25' }
const quote = {
  quoteId: hash,
  account: address,
  token: address,
  gross: '7',
  rail: 'sepa',
  currency: 'EUR',
  net: '7',
  lines: [line],
  rate: { numerator: '13', denominator: '13', source: 'operator', asOf: '11' },
  destination,
  expectedArrival: 'next business day',
  expiresAt: '11',
  treasury: address,
  hash,
  signature,
}
const payment = { nonce: '13', deadline: '11', signature: `0x${'d4'.repeat(70)}` }
const payout = {
  payoutId: hash,
  quoteId: hash,
  account: address,
  state: 'SETTLED',
  reason: 'booked',
  actor: 'nobody',
  nextLookAt: '11',
  gross: '7',
  token: address,
  net: '7',
  currency: 'EUR',
  endToEndId: 'J1',
  file: 'pain.xml',
  transaction: hash,
}
const nullable = ['nextLookAt', 'endToEndId', 'file', 'transaction']

const takes = (schema: z.ZodType, value: unknown) => schema.safeParse(value).success

describeMessage('quoteRequest', quoteRequest, {
  sample: request,
  kind: 'request',
  records: ['destination'],
})
describeMessage('quoteLine', quoteLine, { sample: line, kind: 'answer' })
describeMessage('quoteView', quoteView, {
  sample: quote,
  kind: 'answer',
  records: ['destination'],
})
describeMessage('payoutRequest', payoutRequest, {
  sample: { quoteId: hash, payment },
  kind: 'request',
})
describeMessage('payoutView', payoutView, { sample: payout, kind: 'answer', nullable })
describeMessage('payoutList', payoutList, {
  sample: { payouts: [payout], next: 'abc' },
  kind: 'answer',
  nullable: ['next', ...nullable.map((field) => `payouts.0.${field}`)],
})

describe('quoteRequest: limits', () => {
  const limits: [field: string[], most: number][] = [
    [['rail'], 40],
    [['currency'], 3],
    [['destination', 'iban'], 200],
  ]
  for (const [field, most] of limits) {
    it(`takes a ${field.join(' ')} of ${most} characters and refuses one more`, () => {
      assert.ok(takes(quoteRequest, changed(request, field, 'x'.repeat(most))))
      assert.ok(!takes(quoteRequest, changed(request, field, 'x'.repeat(most + 1))))
    })
  }
  it('takes names of 40 characters in a destination and refuses longer ones', () => {
    assert.ok(takes(quoteRequest, { ...request, destination: { ['x'.repeat(40)]: 'a' } }))
    assert.ok(!takes(quoteRequest, { ...request, destination: { ['x'.repeat(41)]: 'a' } }))
  })
  it('takes 20 fields in a destination and refuses more', () => {
    const fields = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, at) => [`field${at}`, 'x']))
    assert.ok(takes(quoteRequest, { ...request, destination: fields(20) }))
    assert.ok(!takes(quoteRequest, { ...request, destination: fields(21) }))
  })
})

describe('quoteLine: limits', () => {
  it('reads amounts with a sign (R18)', () => {
    for (const amount of ['0', '25', '-25']) {
      assert.equal(quoteLine.parse({ ...line, amount }).amount, BigInt(amount))
    }
  })
  it('takes an amount that fits a uint128, of either sign, and refuses one of 40 digits', () => {
    const most = (2n ** 128n - 1n).toString()
    assert.ok(takes(quoteLine, { ...line, amount: most }))
    assert.ok(takes(quoteLine, { ...line, amount: `-${most}` }))
    assert.ok(!takes(quoteLine, { ...line, amount: '1'.repeat(40) }))
    assert.ok(!takes(quoteLine, { ...line, amount: `-${'1'.repeat(40)}` }))
  })
  for (const amount of [
    '',
    '-',
    '+1',
    '--1',
    '1-',
    '1.5',
    '1e3',
    '0x10',
    ' 1',
    '1\n',
    '٣',
    '1_0',
  ]) {
    it(`refuses ${JSON.stringify(amount)}`, () => {
      assert.ok(!takes(quoteLine, { ...line, amount }))
    })
  }
})

describe('payoutView: states', () => {
  it('are those of payoutStates and no others', () => {
    assert.equal(new Set(payoutStates).size, payoutStates.length)
    for (const state of payoutStates) assert.ok(takes(payoutView, { ...payout, state }))
    for (const state of ['settled', 'PAID', '', 'SETTLED ']) {
      assert.ok(!takes(payoutView, { ...payout, state }))
    }
  })
  it('name one of five actors', () => {
    for (const actor of ['hub', 'bank', 'creator', 'operator', 'nobody']) {
      assert.ok(takes(payoutView, { ...payout, actor }))
    }
    assert.ok(!takes(payoutView, { ...payout, actor: 'payer' }))
  })
})
