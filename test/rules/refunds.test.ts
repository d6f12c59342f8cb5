// Refunds: unspent money goes back, never twice and never while it may be spent (R10).

import assert from 'node:assert/strict'
import type { Hex, PrivateKeyAccount } from 'viem'
import { erc20Abi } from 'viem'
import type { RefundView } from '#protocol/messages/tips.ts'
import { refundView } from '#protocol/messages/tips.ts'
import type { OpenChannel } from '../support/channels.ts'
import { onChannels, openChannel, sendTips, viewOf } from '../support/channels.ts'
import type { Answer } from '../support/http.ts'
import { assertAnswer, assertProblem } from '../support/http.ts'
import type { HubFixture } from '../support/hub.ts'
import {
  assertBooksUnchanged,
  booksOf,
  eventually,
  openHub,
  reservesOf,
  settle,
} from '../support/hub.ts'
import { newCreator, randomHash, signBasket, signIn, tipOf, unit } from '../support/paper.ts'

let hub: HubFixture
let busker: PrivateKeyAccount
const opened: OpenChannel[] = []

describe('refunds by the rules', () => {
  before(async () => {
    hub = await openHub()
    busker = await newCreator(hub, 'busker')
  })

  after(() => hub?.close())

  async function newChannel(order?: Parameters<typeof openChannel>[1]): Promise<OpenChannel> {
    const channel = await openChannel(hub, order)
    opened.push(channel)
    return channel
  }

  const ask = ({ id, token }: OpenChannel, body: object = {}) =>
    hub.call({ path: `/v1/channels/${id}/refunds`, body, token })

  function finished(token: string, started: Answer): Promise<RefundView> {
    const { refundId } = refundView.parse(assertAnswer(started, 202))
    return eventually(
      async () =>
        refundView.parse(
          assertAnswer(await hub.call({ path: `/v1/refunds/${refundId}`, token }), 200),
        ),
      ({ state }) => state !== 'sending',
    )
  }

  function balanceOf(owner: Hex): Promise<bigint> {
    const { chain, token } = hub.world
    const call = { address: token.address, abi: erc20Abi, functionName: 'balanceOf' } as const
    return chain.readContract({ ...call, args: [owner] })
  }

  describe('POST /v1/channels/:id/refunds (R10)', () => {
    it('sends all that is unspent back to the payer, to the unit', async () => {
      const channel = await newChannel()
      await sendTips(hub, channel, [tipOf(busker, 3n * unit)])
      const end = await finished(channel.token, await ask(channel))
      assert.equal(end.state, 'done')
      assert.equal(end.amount, 7n * unit)
      assert.equal(await balanceOf(channel.payer.address), 7n * unit)
      const { amounts, balance } = await viewOf(hub, channel)
      assert.equal(balance, 3n * unit)
      assert.deepEqual([amounts.held, amounts.available], [0n, 0n])
    })

    it('sends the amount that is named, at the word of the voucher key too', async () => {
      const payer = await newChannel()
      const channel = await newChannel({ authorizer: payer.payer })
      const token = await signIn(hub, channel.authorizer)
      const end = await finished(token, await ask({ ...channel, token }, { amount: '1000001' }))
      assert.equal(end.state, 'done')
      assert.equal(await balanceOf(channel.payer.address), 1_000_001n)
      assert.equal((await viewOf(hub, channel)).amounts.available, 8_999_999n)
    })

    it('refuses more than is unspent, with the numbers', async () => {
      const channel = await newChannel()
      await sendTips(hub, channel, [tipOf(busker, unit)])
      const available = 9n * unit
      for (const amount of [available + 1n, 10n * unit, 2n ** 128n - 1n]) {
        await assertBooksUnchanged(hub, async () => {
          assertProblem(await ask(channel, { amount: String(amount) }), 'refund_too_large', {
            amount,
            available,
          })
        })
      }
    })

    it('refuses amounts that are none', async () => {
      const channel = await newChannel()
      await assertBooksUnchanged(hub, async () => {
        for (const amount of ['0', '-1', '1.5', '1e3', '01', '', String(2n ** 128n), 1, null]) {
          assertProblem(await ask(channel, { amount }), 'invalid_request')
        }
      })
    })

    it('refuses when nothing is unspent, whatever is asked for', async () => {
      const channel = await newChannel({ deposit: 5n })
      await sendTips(hub, channel, [tipOf(busker, 5n)])
      await assertBooksUnchanged(hub, async () => {
        assertProblem(await ask(channel), 'nothing_to_refund', { available: 0n })
        assertProblem(await ask(channel, { amount: '1' }), 'nothing_to_refund', { available: 0n })
      })
    })

    it('counts a pending withdrawal as spent (R6)', async () => {
      const channel = await newChannel()
      const args = [channel.config, 9n * unit]
      await onChannels(hub, channel.payer, { functionName: 'initiateWithdraw', args })
      const values = { amount: unit + 1n, available: unit }
      assertProblem(await ask(channel, { amount: String(unit + 1n) }), 'refund_too_large', values)
      const end = await finished(channel.token, await ask(channel))
      assert.equal(end.state, 'done')
      assert.equal(end.amount, unit)
      assert.equal(await balanceOf(channel.payer.address), unit)
    })

    it('holds the money until the chain has moved: tips above the rest are refused', async () => {
      const channel = await newChannel({ deposit: 1_000n })
      const { chain } = hub.world
      await chain.setAutomine(false)
      const started = await ask(channel, { amount: '400' })
      assertAnswer(started, 202)
      const { amounts } = await viewOf(hub, channel)
      assert.equal(amounts.held, 400n)
      const values = { ...amounts, new: 601n, needed: 1_001n }
      assertProblem(await sendTips(hub, channel, [tipOf(busker, 601n)]), 'deposit_exceeded', values)
      assertAnswer(await sendTips(hub, channel, [tipOf(busker, 600n)]), 200)
      assertProblem(await ask(channel), 'nothing_to_refund')
      await chain.setAutomine(true)
      await chain.mine({ blocks: 1 })
      assert.equal((await finished(channel.token, started)).state, 'done')
      assert.equal(await balanceOf(channel.payer.address), 400n)
      assert.equal((await viewOf(hub, channel)).amounts.held, 0n)
    })
  })

  describe('POST /v1/channels/:id/refunds, at once (R10)', () => {
    it('of two full refunds one wins, and the payer has the deposit once', async () => {
      const channel = await newChannel()
      const answers = await Promise.all([ask(channel), ask(channel)])
      const [won] = answers.filter(({ status }) => status === 202)
      const [lost] = answers.filter(({ status }) => status !== 202)
      assert.ok(won && lost)
      assertProblem(lost, 'nothing_to_refund', { available: 0n })
      assert.equal((await finished(channel.token, won)).state, 'done')
      assert.equal(await balanceOf(channel.payer.address), 10n * unit)
    })

    it('of 30 refunds of 3 from 10 three win', async () => {
      const channel = await newChannel({ deposit: 10n })
      const answers = await Promise.all(
        Array.from({ length: 30 }, () => ask(channel, { amount: '3' })),
      )
      const won = answers.filter(({ status }) => status === 202)
      assert.equal(won.length, 3)
      for (const lost of answers.filter(({ status }) => status !== 202)) {
        assertProblem(lost, 'refund_too_large', { amount: 3n, available: 1n })
      }
      for (const answer of won) assert.equal((await finished(channel.token, answer)).state, 'done')
      assert.equal(await balanceOf(channel.payer.address), 9n)
      assert.equal((await viewOf(hub, channel)).balance, 1n)
    })

    it('against 20 tips: what is charged and what goes back never exceed the deposit', async () => {
      const channel = await newChannel({ deposit: 1_000n })
      const { id: channelId, payer: by } = channel
      const bodies = await Promise.all(
        Array.from({ length: 20 }, () =>
          signBasket(hub, {
            channelId,
            by,
            tips: [tipOf(busker, 90n)],
            maxClaimableAmount: 1_800n,
          }),
        ),
      )
      const racing = bodies.map((body) => hub.call({ path: '/v1/tips', body }))
      const middle = ask(channel)
      const answers = await Promise.all([...racing, middle])
      const refund = answers.pop()
      assert.ok(refund)
      const taken = answers.filter(({ status }) => status === 200).length
      const sent = refund.status === 202 ? (await finished(channel.token, refund)).amount : 0n
      for (const lost of answers.filter(({ status }) => status !== 200))
        assertProblem(lost, 'deposit_exceeded')
      const { amounts, balance } = await viewOf(hub, channel)
      assert.equal(amounts.charged, BigInt(taken) * 90n)
      assert.equal(balance, 1_000n - sent)
      assert.equal(await balanceOf(channel.payer.address), sent)
      assert.ok(amounts.charged <= balance)
    })

    it('against a settlement: both go through, and nobody gets a unit too much', async () => {
      const channel = await newChannel()
      await sendTips(hub, channel, [tipOf(busker, 4n * unit)])
      const [claimed, refund] = await Promise.all([settle(hub), ask(channel)])
      assertAnswer(claimed, 202)
      assert.equal((await finished(channel.token, refund)).state, 'done')
      assert.equal(await balanceOf(channel.payer.address), 6n * unit)
      const view = await viewOf(hub, channel)
      assert.deepEqual([view.balance, view.totalClaimed], [4n * unit, 4n * unit])
    })
  })

  describe('GET /v1/refunds/:refundId', () => {
    it('is unknown_refund to an id that was never given', async () => {
      const [channel] = opened
      const refundId = randomHash()
      const answer = await hub.call({ path: `/v1/refunds/${refundId}`, token: channel?.token })
      assertProblem(answer, 'unknown_refund', { refundId })
    })
  })

  describe('refunds, after all that', () => {
    it('has conserved every unit: escrow, vault and payers hold what was deposited (I1, I5, I8)', async () => {
      assertAnswer(await settle(hub), 202)
      const channels = (await booksOf(hub))
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as { kind: string; balance: string; held: string })
        .filter(({ kind }) => kind === 'channel')
      const deposited = channels.reduce((sum, { balance }) => sum + BigInt(balance), 0n)
      assert.deepEqual(new Set(channels.map(({ held }) => held)), new Set(['0']))
      const balances = await Promise.all(opened.map(({ payer }) => balanceOf(payer.address)))
      const outside = balances.reduce((sum, balance) => sum + balance, 0n)
      const escrow = await balanceOf(hub.info.channels.address)
      const vault = await balanceOf(hub.info.vault)
      assert.equal(escrow + vault, deposited)
      assert.equal(escrow + vault + outside, totalDeposits())
      assert.equal((await reservesOf(hub))['verdict'], 'equal')
    })
  })
})

function totalDeposits(): bigint {
  const small = [5n, 1_000n, 10n, 1_000n]
  const full = BigInt(opened.length - small.length) * 10n * unit
  return small.reduce((sum, amount) => sum + amount, full)
}
