// The one rule for money, seen from outside: repetition, races, withdrawals, and what the chain says at the end.

import assert from 'node:assert/strict'
import type { PrivateKeyAccount } from 'viem'
import { erc20Abi } from 'viem'
import { paymentChannelsAbi } from '#protocol/abi.ts'
import type { TipsRequest } from '#protocol/messages/tips.ts'
import { basketReceipt, tipsAnswer } from '#protocol/messages/tips.ts'
import { receiptFault } from '#protocol/receipt.ts'
import type { OpenChannel } from '../support/channels.ts'
import { onChannels, openChannel, sendTips, viewOf } from '../support/channels.ts'
import type { Answer } from '../support/http.ts'
import { assertAnswer, assertProblem } from '../support/http.ts'
import type { HubFixture } from '../support/hub.ts'
import { assertUnchanged, openHub, reservesOf, settle } from '../support/hub.ts'
import { newCreator, signBasket, signIn, tipOf, unit } from '../support/paper.ts'

let hub: HubFixture
let busker: PrivateKeyAccount
let painter: PrivateKeyAccount
const opened: OpenChannel[] = []

describe('tips by the rules', () => {
  before(async () => {
    hub = await openHub({ hubSettings: { JANDON_CLAIM_MAX_AGE_MS: '3600000' } })
    busker = await newCreator(hub, 'busker')
    painter = await newCreator(hub, 'painter')
  })

  after(() => hub?.close())

  async function newChannel(order?: Parameters<typeof openChannel>[1]): Promise<OpenChannel> {
    const channel = await openChannel(hub, order)
    opened.push(channel)
    return channel
  }

  function basketOn(channel: OpenChannel, amount: bigint, maxClaimableAmount: bigint) {
    const { id: channelId, authorizer: by } = channel
    return signBasket(hub, { channelId, tips: [tipOf(busker, amount)], maxClaimableAmount, by })
  }

  const post = (body: TipsRequest) => hub.call({ path: '/v1/tips', body })

  function accepted(answer: Answer) {
    return tipsAnswer.parse(assertAnswer(answer, 200))
  }

  describe('POST /v1/tips, the signature (R7)', () => {
    it('is taken with either v, first or later, and claimed with the right one', async () => {
      const channel = await newChannel({ deposit: 1_000n })
      for (const maximum of [1n, 2n]) {
        const body = await basketOn(channel, 1n, maximum)
        const otherV = body.signature.endsWith('1b') ? '1c' : '1b'
        accepted(await post({ ...body, signature: `0x${body.signature.slice(2, -2)}${otherV}` }))
      }
      assertAnswer(await settle(hub), 202)
      const { totalClaimed, amounts } = await viewOf(hub, channel)
      assert.deepEqual([totalClaimed, amounts.charged], [2n, 2n])
    })
  })

  describe('POST /v1/tips, the rule for money (R1)', () => {
    it('takes everything that is deposited, to the last unit, and nothing above', async () => {
      const channel = await newChannel({ deposit: 1_000n })
      const all = accepted(await sendTips(hub, channel, [tipOf(busker, 999n)]))
      assert.equal(all.channel.available, 1n)
      await assertUnchanged(hub, async () => {
        const body = await basketOn(channel, 2n, 1_001n)
        const values = { ...all.channel, new: 2n, needed: 1_001n }
        assertProblem(await post(body), 'deposit_exceeded', values)
      })
      const last = accepted(await sendTips(hub, channel, [tipOf(busker, 1n)]))
      assert.deepEqual(last.channel, {
        ceiling: 1_000n,
        charged: 1_000n,
        held: 0n,
        escrowCap: 1_000n,
        available: 0n,
      })
    })

    it('takes a voucher that allows exactly what is needed, and none that allows a unit less', async () => {
      const channel = await newChannel()
      await sendTips(hub, channel, [tipOf(busker, 100n)])
      const { amounts } = await viewOf(hub, channel)
      await assertUnchanged(hub, async () => {
        const answer = await post(await basketOn(channel, 50n, 149n))
        assertProblem(answer, 'ceiling_too_low', { ...amounts, new: 50n, needed: 150n })
      })
      accepted(await post(await basketOn(channel, 50n, 150n)))
    })

    it('counts against a ceiling that was signed before, whatever the newer voucher allows', async () => {
      const channel = await newChannel()
      accepted(await post(await basketOn(channel, 10n, 1_000n)))
      const answer = accepted(await post(await basketOn(channel, 10n, 1n)))
      assert.equal(answer.channel.charged, 20n)
      assert.equal(answer.channel.ceiling, 1_000n)
    })

    it('accepts the same vouchers in any order of arrival', async () => {
      const amounts = [3n, 1n, 4n, 1n, 5n, 9n, 2n, 6n, 5n, 3n, 5n, 8n]
      const orders: [name: string, order: (baskets: TipsRequest[]) => TipsRequest[]][] = [
        ['as signed', (baskets) => baskets],
        ['reversed', (baskets) => [...baskets].reverse()],
        ['last first', (baskets) => [...baskets.slice(-1), ...baskets.slice(0, -1)]],
      ]
      for (const [name, arrange] of orders) {
        const channel = await newChannel()
        let signed = 0n
        const baskets: TipsRequest[] = []
        for (const amount of amounts) {
          signed += amount
          baskets.push(await basketOn(channel, amount, signed))
        }
        for (const body of arrange(baskets)) accepted(await post(body))
        const { charged, ceiling } = (await viewOf(hub, channel)).amounts
        assert.deepEqual({ charged, ceiling }, { charged: signed, ceiling: signed }, name)
      }
    })

    it('accepts all of 40 baskets at once under one ceiling, and charges their sum', async () => {
      const channel = await newChannel()
      const bodies = await Promise.all(
        Array.from({ length: 40 }, (_, index) => basketOn(channel, BigInt(index + 1), 820n)),
      )
      const answers = (await Promise.all(bodies.map(post))).map(accepted)
      const after = answers.flatMap(({ receipt }) =>
        receipt.tips.map(({ leaf }) => leaf.chargedAfter),
      )
      assert.equal(new Set(after).size, 40)
      assert.equal((await viewOf(hub, channel)).amounts.charged, 820n)
    })

    it('accepts of 20 baskets at once no more than the deposit covers', async () => {
      const channel = await newChannel({ deposit: 1_000n })
      const bodies = await Promise.all(
        Array.from({ length: 20 }, () => basketOn(channel, 300n, 6_000n)),
      )
      const answers = await Promise.all(bodies.map(post))
      const refused = answers.filter(({ status }) => status !== 200)
      assert.equal(refused.length, 17)
      for (const answer of refused) assertProblem(answer, 'deposit_exceeded')
      assert.equal((await viewOf(hub, channel)).amounts.charged, 900n)
    })
  })

  describe('POST /v1/tips, two vouchers from one base (R3)', () => {
    it('accepts one, answers the other with what is needed, and accepts it when signed for that', async () => {
      const channel = await newChannel()
      const bodies = [await basketOn(channel, 100n, 100n), await basketOn(channel, 200n, 200n)]
      const answers = await Promise.all(bodies.map(post))
      const loser = answers.findIndex(({ status }) => status !== 200)
      const [winning = 0n, losing = 0n] = loser === 0 ? [200n, 100n] : [100n, 200n]
      const refused = answers[loser]
      const again = bodies[loser]
      assert.ok(refused && again)
      const amounts = { ceiling: winning, charged: winning, held: 0n, escrowCap: 10n * unit }
      const available = 10n * unit - winning
      const values = { ...amounts, available, new: losing, needed: 300n }
      assertProblem(refused, 'ceiling_too_low', values)
      const { tips } = again
      const needed = BigInt(String((refused.body['values'] as { needed: string }).needed))
      const signed = { channelId: channel.id, tips, maxClaimableAmount: needed, by: channel.payer }
      assert.equal(accepted(await post(await signBasket(hub, signed))).channel.charged, 300n)
    })

    it('lets exactly one of 50 through, and each of the others when it is signed higher', async () => {
      const channel = await newChannel()
      const bodies = await Promise.all(Array.from({ length: 50 }, () => basketOn(channel, 7n, 7n)))
      const answers = await Promise.all(bodies.map(post))
      const losers = bodies.filter((_body, index) => answers[index]?.status !== 200)
      assert.equal(losers.length, 49)
      for (const { tips } of losers) assertAnswer(await sendTips(hub, channel, tips), 200)
      assert.equal((await viewOf(hub, channel)).amounts.charged, 350n)
    })
  })

  describe('POST /v1/tips, the same basket again (R2, R5)', () => {
    it('answers with the same receipt and charges nothing', async () => {
      const channel = await newChannel()
      const body = await basketOn(channel, 10n, 10n)
      const first = accepted(await post(body))
      await assertUnchanged(hub, async () => {
        assert.deepEqual(accepted(await post(body)), first)
      })
      const path = `/v1/baskets/${first.receipt.basketId}`
      const stored = assertAnswer(await hub.call({ path, token: channel.token }), 200)
      assert.deepEqual(basketReceipt.parse(stored), first.receipt)
    })

    it('answers 100 at once with one receipt and charges once', async () => {
      const channel = await newChannel()
      const body = await basketOn(channel, 10n, 10n)
      const answers = await Promise.all(Array.from({ length: 100 }, () => post(body)))
      const receipts = answers.map((answer) => accepted(answer).receipt)
      for (const receipt of receipts) assert.deepEqual(receipt, receipts[0])
      assert.equal((await viewOf(hub, channel)).amounts.charged, 10n)
    })

    it('counts tips once that are signed again for another maximum, even at once', async () => {
      const channel = await newChannel()
      const { id: channelId, payer: by } = channel
      const tips = [tipOf(busker, 10n), tipOf(painter, 5n)]
      const bodies = await Promise.all(
        [15n, 500n, 15n, 16n, 10n * unit, 2n ** 128n - 1n].map((maxClaimableAmount) =>
          signBasket(hub, { channelId, tips, maxClaimableAmount, by }),
        ),
      )
      const answers = (await Promise.all(bodies.map(post))).map(accepted)
      for (const { receipt } of answers) assert.deepEqual(receipt, answers[0]?.receipt)
      assert.equal((await viewOf(hub, channel)).amounts.charged, 15n)
      const late = await signBasket(hub, { channelId, tips, maxClaimableAmount: 77n, by })
      await assertUnchanged(hub, async () => {
        assert.deepEqual(accepted(await post(late)).receipt, answers[0]?.receipt)
      })
    })

    it('gives a receipt again only to who signs for it', async () => {
      const channel = await newChannel()
      const body = await basketOn(channel, 10n, 10n)
      accepted(await post(body))
      await assertUnchanged(hub, async () => {
        const higher = { ...body, maxClaimableAmount: 11n }
        assertProblem(await post(higher), 'bad_signature')
        const { tips, channelId } = body
        const forged = await signBasket(hub, { channelId, tips, by: busker })
        assertProblem(await post(forged), 'bad_signature')
      })
    })

    it('takes the same tips in another order as another basket', async () => {
      const channel = await newChannel()
      const { id: channelId, payer: by } = channel
      const tips = [tipOf(busker, 10n), tipOf(painter, 5n)]
      const order = { channelId, maxClaimableAmount: 30n, by }
      accepted(await post(await signBasket(hub, { ...order, tips })))
      const turned = await signBasket(hub, { ...order, tips: tips.toReversed() })
      assert.equal(accepted(await post(turned)).channel.charged, 30n)
    })

    it('gives receipts that anyone can check against the hub’s key (R5)', async () => {
      const channel = await newChannel()
      const { receipt } = accepted(
        await sendTips(hub, channel, [tipOf(busker, 5n), tipOf(painter, 6n)]),
      )
      const { chainId, hubAccount, receiptSigner } = hub.info
      const identity = { hub: { chainId, hubAccount }, receiptSigner }
      assert.equal(await receiptFault(receipt, identity), undefined)
      const [first, ...rest] = receipt.tips
      assert.ok(first)
      const forged = { ...first, leaf: { ...first.leaf, amount: first.leaf.amount + 1n } }
      assert.match(
        String(await receiptFault({ ...receipt, tips: [forged, ...rest] }, identity)),
        /does not lead to the root/,
      )
    })
  })

  describe('POST /v1/tips, a withdrawal pending (R6)', () => {
    it('lowers escrowCap at once by its amount, and for good', async () => {
      const channel = await newChannel()
      accepted(await sendTips(hub, channel, [tipOf(busker, unit)]))
      await onChannels(hub, channel.payer, {
        functionName: 'initiateWithdraw',
        args: [channel.config, 6n * unit],
      })
      const view = await viewOf(hub, channel)
      assert.equal(view.pendingWithdrawal?.amount, 6n * unit)
      const amounts = {
        ceiling: unit,
        charged: unit,
        held: 0n,
        escrowCap: 4n * unit,
        available: 3n * unit,
      }
      assert.deepEqual(view.amounts, amounts)
      await assertUnchanged(hub, async () => {
        const answer = await sendTips(hub, channel, [tipOf(busker, 3n * unit + 1n)])
        const values = { ...amounts, new: 3n * unit + 1n, needed: 4n * unit + 1n }
        assertProblem(answer, 'deposit_exceeded', values)
      })
      const last = accepted(await sendTips(hub, channel, [tipOf(busker, 3n * unit)]))
      assert.equal(last.channel.available, 0n)
    })

    it('of everything leaves nothing to tip from, though tips are already charged', async () => {
      const channel = await newChannel()
      accepted(await sendTips(hub, channel, [tipOf(busker, unit)]))
      const args = [channel.config, 10n * unit]
      await onChannels(hub, channel.payer, { functionName: 'initiateWithdraw', args })
      const { amounts } = await viewOf(hub, channel)
      assert.deepEqual([amounts.escrowCap, amounts.available], [0n, 0n])
      assertProblem(await sendTips(hub, channel, [tipOf(busker, 1n)]), 'deposit_exceeded')
    })

    it('races with tips: none is accepted above what the withdrawal leaves', async () => {
      const channel = await newChannel({ deposit: 1_000n })
      const bodies = await Promise.all(
        Array.from({ length: 10 }, () => basketOn(channel, 100n, 1_000n)),
      )
      const withdrawal = onChannels(hub, channel.payer, {
        functionName: 'initiateWithdraw',
        args: [channel.config, 500n],
      })
      const [, ...answers] = await Promise.all([withdrawal, ...bodies.map(post)])
      const taken = answers.filter(({ status }) => status === 200).length
      const { amounts } = await viewOf(hub, channel)
      assert.equal(amounts.charged, BigInt(taken) * 100n)
      assert.equal(amounts.escrowCap, 500n)
      assertProblem(await post(await basketOn(channel, 500n, 2_000n)), 'deposit_exceeded')
    })
  })

  describe('POST /v1/claims, after all that (R4, R11)', () => {
    it('claims what was charged and never the ceiling, and the books equal the chain (I1, I5, I8)', async () => {
      const claimed = assertAnswer(await settle(hub), 202)
      for (const { state } of claimed['settlements'] as { state: string }[]) {
        assert.equal(state, 'done')
      }
      let escrow = 0n
      let charged = 0n
      for (const channel of opened) {
        const [balance, totalClaimed] = await hub.world.chain.readContract({
          address: hub.info.channels.address,
          abi: paymentChannelsAbi,
          functionName: 'channels',
          args: [channel.id],
        })
        const { amounts } = await viewOf(hub, channel)
        assert.equal(totalClaimed, amounts.charged)
        escrow += balance - totalClaimed
        charged += amounts.charged
      }
      assert.equal(await balanceOf(hub.info.channels.address), escrow)
      assert.equal(await balanceOf(hub.info.vault), charged)
      assert.equal((await reservesOf(hub))['verdict'], 'equal')
    })

    it('makes accepted tips theirs: yours equals accepted (R11)', async () => {
      for (const [handle, account] of [
        ['busker', busker] as const,
        ['painter', painter] as const,
      ]) {
        const token = await signIn(hub, account)
        const body = assertAnswer(
          await hub.call({ path: `/v1/creators/${handle}/amounts`, token }),
          200,
        )
        const [amounts] = body['amounts'] as { accepted: string; yours: string }[]
        assert.equal(amounts?.yours, amounts?.accepted)
        assert.notEqual(amounts?.yours, '0')
      }
    })

    it('does nothing when asked again', async () => {
      await assertUnchanged(hub, async () => {
        assert.deepEqual(assertAnswer(await settle(hub), 202), { settlements: [], setAside: [] })
      })
    })

    it('leaves to a payer who withdraws alone exactly the rest (R6, I8)', async () => {
      const channel = opened.at(-1)
      assert.ok(channel)
      const { chain } = hub.world
      await chain.increaseTime({ seconds: channel.config.withdrawDelay + 1 })
      const before = await viewOf(hub, channel)
      const args = [channel.config]
      await onChannels(hub, channel.payer, { functionName: 'finalizeWithdraw', args })
      const after = await viewOf(hub, channel)
      const out = before.balance - after.balance
      assert.equal(await balanceOf(channel.payer.address), out)
      const unclaimed = before.balance - before.totalClaimed
      assert.equal(out, unclaimed < 500n ? unclaimed : 500n)
      assert.equal(after.pendingWithdrawal, null)
      assert.equal(after.amounts.escrowCap, after.balance)
      assert.equal((await reservesOf(hub))['verdict'], 'equal')
    })
  })
})

function balanceOf(owner: `0x${string}`): Promise<bigint> {
  const { chain, token } = hub.world
  const call = { address: token.address, abi: erc20Abi, functionName: 'balanceOf' } as const
  return chain.readContract({ ...call, args: [owner] })
}
