import assert from 'node:assert/strict'
import type { HubInfo } from '#protocol/messages/hub.ts'
import { UsageError } from './failure.ts'
import { moneyText, tokenText, typedAmount } from './money.ts'

const token: HubInfo['tokens'][number] = {
  address: `0x${'70'.repeat(20)}`,
  name: 'Test Dollar',
  version: '1',
  symbol: 'tUSD',
  decimals: 6,
  minimumDeposit: 1n,
  relayFee: 1n,
}
const rate = { token: token.address, source: 'test', asOf: 0n, denominator: 1n }

describe('typedAmount', () => {
  it('reads units of the token', () => {
    const typed = ['5', '0.05', '0.000001', '12.5'].map((text) => amountOf(text))
    assert.deepEqual(typed, [5_000_000n, 50_000n, 1n, 12_500_000n])
  })

  it('refuses what is not a positive amount with the decimals of the token', () => {
    for (const text of ['', '0', '0.0', '-1', '+1', '1e3', '1,5', '.5', '5.', '0.0000001', ' 1']) {
      assert.throws(() => amountOf(text), UsageError, text)
    }
    assert.throws(() => amountOf((2n ** 128n).toString()), UsageError)
  })

  it('converts a currency at the rate of the hub, up to the next base unit', () => {
    const rates = [{ ...rate, currency: 'KRW', numerator: 1_350n }]
    assert.equal(amountOf('1350', { currency: 'krw', rates }), 1_000_000n)
    assert.equal(amountOf('1', { currency: 'KRW', rates }), 741n)
  })

  it('reads a currency with its own decimals', () => {
    const rates = [{ ...rate, currency: 'USD', numerator: 100n }]
    assert.equal(amountOf('0.05', { currency: 'USD', rates }), 50_000n)
    assert.throws(() => amountOf('0.005', { currency: 'USD', rates }), UsageError)
  })

  it('refuses a currency that the hub has no rate for, or that nobody knows', () => {
    assert.throws(() => amountOf('1', { currency: 'KRW' }), /offers no rate/)
    assert.throws(() => amountOf('1', { currency: 'XYZ' }), /not one of the currencies/)
  })
})

describe('tokenText and moneyText', () => {
  it('write what people read', () => {
    assert.equal(tokenText(50_000n, token), '0.05 tUSD')
    assert.equal(moneyText(1_350n, 'KRW'), '1350 KRW')
    assert.equal(moneyText(-1_230n, 'USD'), '-12.30 USD')
    assert.equal(moneyText(5n, 'XYZ'), '5 minor units of XYZ')
  })
})

function amountOf(
  text: string,
  { currency, rates = [] }: { currency?: string; rates?: HubInfo['rates'] } = {},
): bigint {
  return typedAmount(text, { token, info: { rates }, currency })
}
