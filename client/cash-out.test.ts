import assert from 'node:assert/strict'
import type { QuoteView } from '#protocol/messages/payouts.ts'
import { lowerCase } from '#protocol/signature.ts'
import type { QuoteExpectation } from './cash-out.ts'
import { quoteFault } from './cash-out.ts'
import { hashOf, hub, payer, quoteFor } from './testing/hub-paper.ts'

const account = lowerCase(payer.address)

describe('quoteFault (R18, R19)', () => {
  it('finds nothing wrong with a quote as it was asked for', async () => {
    const quote = await quoteFor(account)
    assert.equal(await quoteFault(quote, expected(quote)), undefined)
  })

  it('refuses a quote with any one term changed after it was signed', async () => {
    const quote = await quoteFor(account)
    const changes: Partial<QuoteView>[] = [
      { quoteId: hashOf(1) },
      { account: hub.vault },
      { token: hub.vault },
      { gross: 1_000_001n },
      { rail: 'other' },
      { currency: 'USD' },
      { net: 851n },
      { destination: { ...quote.destination, account: '1234567891' } },
      { destination: { ...quote.destination, memo: 'x' } },
      { expiresAt: quote.expiresAt + 1n },
      { treasury: hub.vault },
      { hash: hashOf(1) },
      { signature: `0x${'11'.repeat(64)}1b` },
    ]
    for (const change of changes) {
      const fault = await quoteFault({ ...quote, ...change }, expected(quote))
      assert.ok(fault, `a quote with another ${Object.keys(change)[0]} is taken`)
    }
  })

  const signedLies: { [lie: string]: Partial<QuoteView> } = {
    'pays somebody else': { account: hub.vault },
    'goes to another bank account': { destination: { name: 'Lee', bank: '004', account: '1' } },
    'takes more than was asked': { gross: 2_000_000n },
    'pays in another currency': { currency: 'JPY' },
    'goes another way': { rail: 'pigeon' },
    'names another treasury': { treasury: hub.vault },
    'has lines that do not add up': { net: 849n },
    'forgets a line': { lines: [{ kind: 'gross', label: 'Gross', amount: 1_350n }] },
    'does not convert at its own rate': {
      lines: [
        { kind: 'gross', label: 'Gross', amount: 1_349n },
        { kind: 'rail-fee', label: 'Bank transfer', amount: -499n },
      ],
    },
    'has a rate without a denominator': {
      rate: { numerator: 1_350n, denominator: 0n, source: 'test', asOf: 1_000n },
    },
    'has expired': { expiresAt: 1_000n },
  }
  for (const [lie, change] of Object.entries(signedLies)) {
    it(`refuses a signed quote that ${lie}`, async () => {
      const asked = expected(await quoteFor(account))
      const lying = await quoteFor(account, (quote) => ({ ...quote, ...change }))
      assert.ok(await quoteFault(lying, asked))
    })
  }

  it('refuses a quote that another key signed', async () => {
    const quote = await quoteFor(account)
    const asked = { ...expected(quote), hub: { ...hub, receiptSigner: hub.vault } }
    assert.match((await quoteFault(quote, asked)) ?? '', /is not signed by/)
  })
})

function expected(quote: QuoteView): QuoteExpectation {
  const { gross: amount, rail, currency, destination, token, treasury } = quote
  const order = { amount, rail, currency, destination }
  return { order, account, token, decimals: 6, treasury, hub, now: 1_500_000 }
}
