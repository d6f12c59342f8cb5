// Quotes and payouts: what is refused, what happens once, and that the money adds up (R15–R19).

import assert from 'node:assert/strict'
import type { Abi, PrivateKeyAccount } from 'viem'
import { erc20Abi } from 'viem'
import { creatorVaultAbi } from '#protocol/abi.ts'
import type { PayoutView } from '#protocol/messages/payouts.ts'
import { payoutList, payoutView } from '#protocol/messages/payouts.ts'
import { destinationHash, quoteHash } from '#protocol/payment.ts'
import type { Answer } from '../support/http.ts'
import { assertAnswer, assertProblem } from '../support/http.ts'
import type { HubFixture } from '../support/hub.ts'
import {
  assertBooksUnchanged,
  eventually,
  newParty,
  openHub,
  reservesOf,
  transact,
} from '../support/hub.ts'
import { addressOf, randomHash, signIn, unit } from '../support/paper.ts'
import type { Earner, PaymentChanges } from '../support/payouts.ts'
import {
  askQuote,
  koreanAccount,
  newEarner,
  payoutIn,
  quoteOrder,
  signPayment,
} from '../support/payouts.ts'

let hub: HubFixture
let painter: Earner
let other: Earner
let stranger: PrivateKeyAccount

describe('cash-out by the rules', () => {
  before(async () => {
    hub = await openHub({ withBank: true })
    painter = await newEarner(hub, 'painter', 100n * unit)
    other = await newEarner(hub, 'other', 10n * unit)
    stranger = await newParty(hub)
  })

  after(() => hub?.close())

  const postQuote = (body: object, token = painter.token) =>
    hub.call({ path: '/v1/quotes', body, token })

  const postPayout = (body: object, token = painter.token) =>
    hub.call({ path: '/v1/payouts', body, token })

  const started = (answer: Answer): PayoutView => payoutView.parse(assertAnswer(answer, 202))

  async function availableOf({ token, handle }: Earner): Promise<bigint> {
    const answer = await hub.call({ path: `/v1/creators/${handle}/amounts`, token })
    const [amounts] = assertAnswer(answer, 200)['amounts'] as { yours: string; paid: string }[]
    return BigInt(amounts?.yours ?? 0) - BigInt(amounts?.paid ?? 0)
  }

  function treasuryHolds(): Promise<bigint> {
    const { chain, token } = hub.world
    const call = { address: token.address, abi: erc20Abi, functionName: 'balanceOf' } as const
    return chain.readContract({ ...call, args: [hub.info.treasury] })
  }

  describe('POST /v1/quotes (R18)', () => {
    it('answers with lines that add up to the net, under the hash that the payment names', async () => {
      const quote = await askQuote(hub, painter, 10n * unit)
      const sum = quote.lines.reduce((total, { amount }) => total + amount, 0n)
      assert.equal(sum, quote.net)
      assert.equal(quote.lines[0]?.amount, 13_852n)
      assert.equal(quote.net, 13_852n - 69n - 500n)
      const destination = destinationHash(koreanAccount)
      assert.equal(quoteHash({ ...quote, destination }), quote.hash)
    })

    it('refuses more than is credited, with the numbers', async () => {
      const available = await availableOf(painter)
      const poor = await signIn(hub, stranger)
      await assertBooksUnchanged(hub, async () => {
        for (const amount of [available + 1n, 2n ** 128n - 1n]) {
          const values = { amount, available }
          assertProblem(await postQuote(quoteOrder(hub, amount)), 'not_yet_credited', values)
        }
        const values = { amount: 1n, available: 0n }
        assertProblem(await postQuote(quoteOrder(hub, 1n), poor), 'not_yet_credited', values)
      })
    })

    it('refuses what brings nothing, and says what would bring something', async () => {
      const answer = await postQuote(quoteOrder(hub, 1n))
      assertProblem(answer, 'amount_too_small')
      const { minimum } = answer.body['values'] as { minimum: string }
      assertAnswer(await postQuote(quoteOrder(hub, BigInt(minimum))), 201)
    })

    it('refuses amounts that are none', async () => {
      await assertBooksUnchanged(hub, async () => {
        for (const amount of [
          '0',
          '-1',
          '1.5',
          '1e6',
          '01',
          '',
          ' 1',
          String(2n ** 128n),
          1_000_000,
        ]) {
          assertProblem(await postQuote({ ...quoteOrder(hub, 1n), amount }), 'invalid_request')
        }
      })
    })

    it('refuses rails, currencies and tokens that are not offered', async () => {
      const changes = [
        { rail: 'swift' },
        { rail: '' },
        { currency: 'USD' },
        { currency: 'krw' },
        { currency: '' },
        { token: addressOf(stranger) },
      ]
      await assertBooksUnchanged(hub, async () => {
        for (const change of changes) {
          const answer = await postQuote(quoteOrder(hub, unit, change))
          assertProblem(answer, 'rail_unavailable', { offered: ['iso20022:KRW'] })
        }
      })
    })

    const badFields: { [field: string]: unknown[] } = {
      name: [
        '',
        ' ',
        '\t',
        'x'.repeat(71),
        'a\u0000b',
        'a\nb',
        '\ud800',
        'a\udfff',
        '\ufffe',
        '\uffff',
      ],
      bank: ['', '4', '0004', '00a', ' 004', '004 ', '004\n', '٠٠٤'],
      account: [
        '',
        '1234567',
        '1'.repeat(17),
        '1234-5678-90',
        ' 1234567890',
        '1234567890\n',
        'x'.repeat(10),
      ],
    }
    for (const [field, values] of Object.entries(badFields)) {
      it(`refuses a destination whose ${field} no bank would take, and names it`, async () => {
        await assertBooksUnchanged(hub, async () => {
          for (const value of values) {
            const destination = { ...koreanAccount, [field]: value }
            const answer = await postQuote(quoteOrder(hub, unit, { destination }))
            assertProblem(answer, 'destination_rejected')
            assert.equal((answer.body['values'] as { field: string }).field, field)
          }
          const { [field]: _left, ...destination } = koreanAccount as { [name: string]: string }
          const answer = await postQuote(quoteOrder(hub, unit, { destination }))
          assertProblem(answer, 'destination_rejected')
        })
      })
    }

    it('refuses a destination with a field too many, or twenty-one', async () => {
      await assertBooksUnchanged(hub, async () => {
        const one = { ...koreanAccount, iban: 'DE02120300000000202051' }
        const answer = await postQuote(quoteOrder(hub, unit, { destination: one }))
        assertProblem(answer, 'destination_rejected')
        const many = Object.fromEntries(
          Array.from({ length: 21 }, (_, index) => [`f${index}`, 'x']),
        )
        const refused = await postQuote(quoteOrder(hub, unit, { destination: many }))
        assertProblem(refused, 'invalid_request')
      })
    })
  })

  describe('POST /v1/payouts, a payment that is not the one quoted (R19)', () => {
    const changes: { [what: string]: () => PaymentChanges } = {
      'of another amount': () => ({ amount: unit + 1n }),
      'to another address': () => ({ to: addressOf(stranger) }),
      'with another memo': () => ({ memo: randomHash() }),
      'out of another account': () => ({ account: addressOf(other.account) }),
      'of another token': () => ({ token: addressOf(stranger) }),
      'with another nonce': () => ({ nonce: 7n }),
      'with another deadline': () => ({ deadline: 4_000_000_000n }),
      'signed by somebody else': () => ({ by: stranger }),
      'signed for another chain': () => ({ chainId: 1 }),
      'signed for another vault': () => ({ vault: hub.info.hubAccount }),
    }
    for (const [what, change] of Object.entries(changes)) {
      it(`${what} is payment_mismatch, and nothing moves`, async () => {
        const quote = await askQuote(hub, painter, unit)
        const body = await signPayment(hub, painter, quote, change())
        await assertBooksUnchanged(hub, async () => {
          assertProblem(await postPayout(body), 'payment_mismatch')
        })
      })
    }

    it('with garbage for a signature is payment_mismatch', async () => {
      const quote = await askQuote(hub, painter, unit)
      const { quoteId, payment } = await signPayment(hub, painter, quote)
      await assertBooksUnchanged(hub, async () => {
        for (const signature of ['0x00', `0x${'00'.repeat(65)}`, `0x${'ff'.repeat(4_096)}`]) {
          const answer = await postPayout({ quoteId, payment: { ...payment, signature } })
          assertProblem(answer, 'payment_mismatch')
        }
      })
    })

    it('that may be made after the quote ends is payment_mismatch', async () => {
      const quote = await askQuote(hub, painter, unit)
      const deadline = quote.expiresAt / 1_000n + 1n
      const { quoteId, payment } = await signPayment(hub, painter, quote, { deadline })
      await assertBooksUnchanged(hub, async () => {
        const answer = await postPayout({ quoteId, payment: { ...payment, deadline } })
        assertProblem(answer, 'payment_mismatch', { deadline, expiresAt: quote.expiresAt })
      })
    })

    it('that could only have been made in the past is payment_mismatch', async () => {
      const quote = await askQuote(hub, painter, unit)
      const { quoteId, payment } = await signPayment(hub, painter, quote, { deadline: 1n })
      await assertBooksUnchanged(hub, async () => {
        const answer = await postPayout({ quoteId, payment: { ...payment, deadline: 1n } })
        assertProblem(answer, 'payment_mismatch')
      })
    })

    it('for a quote of somebody else is not_yours, though their signature is real', async () => {
      const quote = await askQuote(hub, painter, unit)
      const body = await signPayment(hub, painter, quote)
      await assertBooksUnchanged(hub, async () => {
        assertProblem(await postPayout(body, other.token), 'not_yours')
      })
    })

    it('for a quote that was never made is unknown_quote', async () => {
      const quote = await askQuote(hub, painter, unit)
      const body = await signPayment(hub, painter, { ...quote, quoteId: randomHash() })
      await assertBooksUnchanged(hub, async () => {
        assertProblem(await postPayout(body), 'unknown_quote', { quoteId: body.quoteId })
      })
    })
  })

  describe('POST /v1/payouts, the same payout again (R15, R16)', () => {
    it('is the same payout, one after the other, up to the bank’s booking', async () => {
      const quote = await askQuote(hub, painter, 2n * unit)
      const body = await signPayment(hub, painter, quote)
      const before = await treasuryHolds()
      const first = started(await postPayout(body))
      assert.equal(first.payoutId, quote.hash)
      assert.equal(started(await postPayout(body)).payoutId, first.payoutId)
      const settled = await payoutIn(hub, painter, { ...first, state: 'SETTLED' })
      assert.deepEqual(started(await postPayout(body)), settled)
      assert.equal(await treasuryHolds(), before + 2n * unit)
    })

    it('20 times at once is one payout and one vault payment', async () => {
      const quote = await askQuote(hub, painter, 3n * unit)
      const body = await signPayment(hub, painter, quote)
      const [before, available] = [await treasuryHolds(), await availableOf(painter)]
      const answers = await Promise.all(Array.from({ length: 20 }, () => postPayout(body)))
      const payouts = answers.map(started)
      assert.deepEqual(new Set(payouts.map(({ payoutId }) => payoutId)), new Set([quote.hash]))
      assert.equal(new Set(payouts.map(({ transaction }) => transaction)).size, 1)
      await payoutIn(hub, painter, { payoutId: quote.hash, state: 'SETTLED' })
      assert.equal(await treasuryHolds(), before + 3n * unit)
      assert.equal(await availableOf(painter), available - 3n * unit)
    })

    it('with another payment at the same time is payout_conflict or the payout that there is', async () => {
      const quote = await askQuote(hub, painter, unit)
      const bodies = await Promise.all([1, 2, 3].map(() => signPayment(hub, painter, quote)))
      const before = await treasuryHolds()
      const answers = await Promise.all(bodies.map((body) => postPayout(body)))
      assert.ok(answers.some(({ status }) => status === 202))
      for (const answer of answers) {
        if (answer.status === 202) assert.equal(started(answer).payoutId, quote.hash)
        else assertProblem(answer, 'payout_conflict', { quoteId: quote.quoteId })
      }
      await payoutIn(hub, painter, { payoutId: quote.hash, state: 'SETTLED' })
      assert.equal(await treasuryHolds(), before + unit)
    })

    it('of two quotes for the same money one is paid', async () => {
      const all = await availableOf(other)
      const quotes = [await askQuote(hub, other, all), await askQuote(hub, other, all)]
      const bodies = await Promise.all(quotes.map((quote) => signPayment(hub, other, quote)))
      const before = await treasuryHolds()
      const answers = await Promise.all(bodies.map((body) => postPayout(body, other.token)))
      const ends = await Promise.all(answers.map(endOf))
      assert.deepEqual(ends.sort(), ['SETTLED', 'refused'])
      assert.equal(await treasuryHolds(), before + all)
      assert.equal(await availableOf(other), 0n)
    })

    /** How a payout of the other creator ended: its state, or that the vault refused the payment at once or later. */
    async function endOf(answer: Answer): Promise<string> {
      if (answer.status !== 202) {
        assertProblem(answer, 'payment_mismatch')
        return 'refused'
      }
      const { payoutId } = started(answer)
      const { state } = await eventually(
        async () => {
          const found = await hub.call({ path: `/v1/payouts/${payoutId}`, token: other.token })
          return payoutView.parse(assertAnswer(found, 200))
        },
        (payout) => payout.state === 'SETTLED' || payout.state === 'FAILED',
      )
      return state === 'FAILED' ? 'refused' : state
    }
  })

  describe('a vault payment that the hub was not told of (R19)', () => {
    it('begins the payout of its quote', async () => {
      const quote = await askQuote(hub, painter, unit)
      await transact(hub, painter.account, {
        address: hub.info.vault,
        abi: creatorVaultAbi as Abi,
        functionName: 'pay',
        args: [quote.token, quote.treasury, quote.gross, quote.hash],
      })
      await payoutIn(hub, painter, { payoutId: quote.hash, state: 'SETTLED' })
    })

    it('of another amount than the quote’s begins nothing', async () => {
      const quote = await askQuote(hub, painter, unit)
      await transact(hub, painter.account, {
        address: hub.info.vault,
        abi: creatorVaultAbi as Abi,
        functionName: 'pay',
        args: [quote.token, quote.treasury, quote.gross - 1n, quote.hash],
      })
      const answer = await hub.call({ path: `/v1/payouts/${quote.hash}`, token: painter.token })
      assertProblem(answer, 'unknown_payout')
      assert.equal((await reservesOf(hub))['verdict'], 'equal')
    })
  })

  describe('GET /v1/payouts', () => {
    it('lists a creator’s payouts, newest first, and nobody else’s', async () => {
      const mine = assertAnswer(await hub.call({ path: '/v1/payouts', token: painter.token }), 200)
      const { payouts } = payoutList.parse(mine)
      assert.equal(payouts.length, 4)
      for (const { account } of payouts) assert.equal(account, addressOf(painter.account))
      const token = await signIn(hub, stranger)
      const none = assertAnswer(await hub.call({ path: '/v1/payouts', token }), 200)
      assert.deepEqual(none['payouts'], [])
    })
  })

  describe('a hub whose quotes end at once', () => {
    it('refuses a payout with quote_expired, and conserved every unit before and after (I5, R14)', async () => {
      assert.equal((await reservesOf(hub))['verdict'], 'equal')
      await hub.world.hub.stop()
      await hub.world.restartHub({ JANDON_QUOTE_MS: '1' })
      const quote = await askQuote(hub, painter, unit)
      const body = await signPayment(hub, painter, quote)
      await assertBooksUnchanged(hub, async () => {
        assertProblem(await postPayout(body), 'quote_expired', { expiresAt: quote.expiresAt })
      })
      assert.equal((await reservesOf(hub))['verdict'], 'equal')
    })
  })
})
