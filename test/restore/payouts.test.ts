// Cash-outs and refunds around a backup: what the lost hub paid is not paid again, and nothing is paid before the books are
// reconciled.

import assert from 'node:assert/strict'
import type { Hex } from 'viem'
import { erc20Abi } from 'viem'
import type { PayoutView, QuoteView } from '#protocol/messages/payouts.ts'
import { payoutView } from '#protocol/messages/payouts.ts'
import { exportedLines } from '../support/books.ts'
import type { OpenChannel } from '../support/channels.ts'
import { openChannel, viewOf } from '../support/channels.ts'
import { assertAnswer, assertProblem, send } from '../support/http.ts'
import type { HubFixture } from '../support/hub.ts'
import { booked, eventually, openHub, reservesOf } from '../support/hub.ts'
import { signIn, unit } from '../support/paper.ts'
import type { Earner } from '../support/payouts.ts'
import { askQuote, newEarner, payoutIn, quoteOrder, signPayment } from '../support/payouts.ts'
import {
  assertConserved,
  backUp,
  loseAndRestore,
  reconcile,
  restoreStatus,
} from '../support/restore.ts'

type BankEntry = { endToEndId: string | null }

describe('money out around a restore', function () {
  this.timeout(240_000)
  let hub: HubFixture
  let painter: Earner
  let fan: OpenChannel
  let quotedBefore: QuoteView
  let openQuote: QuoteView
  let paid: PayoutView
  let refundId: Hex
  let refunded: bigint

  before(async () => {
    hub = await openHub({ withBank: true })
    painter = await newEarner(hub, 'painter', 100n * unit)
    fan = await openChannel(hub)
    quotedBefore = await askQuote(hub, painter, 10n * unit)
    openQuote = await askQuote(hub, painter, 5n * unit)
    const { chain } = hub.world
    await chain.setAutomine(false)
    refundId = await startRefund()
    const file = await backUp(hub)
    await chain.setAutomine(true)
    await chain.mine({ blocks: 1 })
    await booked(hub)
    refunded = await tokensOf(fan)
    paid = await settled(quotedBefore)
    await loseAndRestore(hub, file)
    painter.token = await signIn(hub, painter.account)
    fan.token = await signIn(hub, fan.payer)
  })
  after(() => hub?.close())

  async function startRefund(): Promise<Hex> {
    const path = `/v1/channels/${fan.id}/refunds`
    const call = { path, token: fan.token, body: { amount: (2n * unit).toString() } }
    const started = assertAnswer(await hub.call(call), 202)
    const id = started['refundId'] as Hex
    await eventually(
      () => refundOf(id),
      ({ transaction }) => transaction !== null,
    )
    return id
  }

  async function refundOf(id: Hex) {
    return assertAnswer(await hub.call({ path: `/v1/refunds/${id}`, token: fan.token }), 200)
  }

  async function tokensOf({ payer }: OpenChannel): Promise<bigint> {
    const { chain, token } = hub.world
    return chain.readContract({
      address: token.address,
      abi: erc20Abi,
      functionName: 'balanceOf',
      args: [payer.address],
    })
  }

  async function start(quote: QuoteView) {
    const body = await signPayment(hub, painter, quote)
    return hub.call({ path: '/v1/payouts', token: painter.token, body })
  }

  async function settled(quote: QuoteView): Promise<PayoutView> {
    const { payoutId } = payoutView.parse(assertAnswer(await start(quote), 202))
    return payoutIn(hub, painter, { payoutId, state: 'SETTLED' })
  }

  async function bankEntries({ endToEndId }: PayoutView): Promise<number> {
    const url = hub.world.bank?.url ?? ''
    const { entries } = assertAnswer(await send(url, { path: '/books' }), 200)
    return (entries as BankEntry[]).filter((entry) => entry.endToEndId === endToEndId).length
  }

  it('knows that the refund which was under way has happened, and holds nothing for it (R10, R24)', async () => {
    assert.equal((await refundOf(refundId))['state'], 'done')
    assert.equal((await viewOf(hub, fan)).amounts.held, 0n)
    assert.equal(await tokensOf(fan), refunded)
  })

  it('refuses quotes and payouts (R24)', async () => {
    const body = quoteOrder(hub, unit)
    const { token } = painter
    assertProblem(await hub.call({ path: '/v1/quotes', token, body }), 'money_out_locked')
    assertProblem(await start(openQuote), 'money_out_locked')
  })

  it('knows from the chain that a quote was paid for, and hands nothing over (R19, R24)', async () => {
    const held = await payoutIn(hub, painter, { payoutId: paid.payoutId, state: 'FUNDED' })
    assert.equal(held.endToEndId, null)
    assert.equal(await bankEntries(paid), 1)
  })

  it('asks the bank about it once money may leave, and does not pay it twice (R17, I9)', async () => {
    await eventually(
      () => reconcile(hub),
      ({ status }) => status === 200,
    )
    const again = await payoutIn(hub, painter, { payoutId: paid.payoutId, state: 'SETTLED' })
    assert.equal(again.endToEndId, paid.endToEndId)
    assert.equal(await bankEntries(paid), 1)
    assert.equal(await tokensOf(fan), refunded)
    assert.equal((await reservesOf(hub))['verdict'], 'equal')
    await assertConserved(hub)
  })

  it('pays what is asked for afterwards', async () => {
    const after = await settled(openQuote)
    assert.equal(await bankEntries(after), 1)
    await assertConserved(hub)
  })

  it('names the payment and the booking of a quote that it lost, and books them to suspense (R24)', async () => {
    const file = await backUp(hub, 'second.backup')
    const quote = await askQuote(hub, painter, 7n * unit)
    const lost = await settled(quote)
    await loseAndRestore(hub, file, 'again')
    painter.token = await signIn(hub, painter.account)
    const { missing } = await eventually(
      () => restoreStatus(hub),
      ({ waitingFor }) => waitingFor.length === 0,
    )
    assert.deepEqual(
      missing.bookings.map(({ endToEndId, says, amount, currency }) => [
        endToEndId,
        says,
        amount,
        currency,
      ]),
      [[lost.endToEndId, 'booked', lost.net, 'KRW']],
    )
    assert.deepEqual(
      missing.payments.map(({ amount, token }) => [amount, token]),
      [[7n * unit, hub.world.token.address]],
    )
    assertProblem(await reconcile(hub), 'not_reconciled')
    assertAnswer(await reconcile(hub, { accept: missing.difference }), 200)
    const { body } = await send(hub.world.bank?.url ?? '', { path: '/books' })
    const [account] = (body['accounts'] as { kind: string; balance: string }[]).filter(
      ({ kind }) => kind === 'customer',
    )
    assert.equal(account?.balance, (await bankBalanceInBooks()).toString())
  })

  async function bankBalanceInBooks(): Promise<bigint> {
    const entries = (await exportedLines(hub)).filter(({ kind }) => kind === 'entry')
    return entries
      .flatMap(({ legs }) => legs as { account: string; amount: string }[])
      .filter(({ account }) => account === 'bank')
      .reduce((sum, { amount }) => sum + BigInt(amount), 0n)
  }
})
