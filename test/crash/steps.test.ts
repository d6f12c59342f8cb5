// kill -9 of the hub right after it took on a deposit, a claim or a refund: each is completed once after the restart, by the
// very transaction that was signed before it left, and the operator's nonces go on without a hole (R12).

import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import type { Address, Hex, PrivateKeyAccount } from 'viem'
import { erc20Abi } from 'viem'
import { privateKeyToAddress } from 'viem/accounts'
import type { DepositView, RefundView } from '#protocol/messages/tips.ts'
import { depositView, refundView } from '#protocol/messages/tips.ts'
import { exportedLines } from '../support/books.ts'
import { openChannel, sendTips, viewOf } from '../support/channels.ts'
import { assertAnswer } from '../support/http.ts'
import type { HubFixture } from '../support/hub.ts'
import { booked, eventually, newParty, openHub, reservesOf, settle } from '../support/hub.ts'
import { newCreator, relayFeeOf, signDeposit, signIn, tipOf, unit } from '../support/paper.ts'

const seed = Number(process.env['JANDON_SEED'] ?? randomInt(1, 2 ** 31 - 1))
const kills = 3
/** `POST /v1/claims` takes less than this, so that a kill can strike each of its steps. */
const longestClaimMs = 300

describe('kill -9 in the middle of a step on the chain', () => {
  let hub: HubFixture
  let busker: PrivateKeyAccount
  let operator: Address

  before(async () => {
    hub = await openHub()
    operator = privateKeyToAddress(hub.world.hubEnvironment['JANDON_OPERATOR_KEY'] as Hex)
    busker = await newCreator(hub, 'busker')
  })

  after(() => hub?.close())

  afterEach(async () => {
    await booked(hub)
    assert.equal((await reservesOf(hub))['verdict'], 'equal')
  })

  async function crash() {
    await hub.world.hub.kill()
    await hub.world.restartHub()
  }

  /** Lets the chain take what waits, and whatever comes from now on. */
  async function mineAgain() {
    await hub.world.chain.setAutomine(true)
    await hub.world.chain.mine({ blocks: 1 })
  }

  /** How many transactions of the operator are on the chain. */
  const minedCount = () => hub.world.chain.getTransactionCount({ address: operator })

  function balanceOf(owner: Address): Promise<bigint> {
    const { chain, token } = hub.world
    const call = { address: token.address, abi: erc20Abi, functionName: 'balanceOf' } as const
    return chain.readContract({ ...call, args: [owner] })
  }

  /** Where the chain is when the hub is killed, and what is done to it before the hub is back. */
  type Moment = { halts: boolean; forgets: boolean }
  const moments: [when: string, moment: Moment][] = [
    ['right after 202', { halts: false, forgets: false }],
    ['before the transaction is mined', { halts: true, forgets: false }],
    ['before it is mined, and the chain has forgotten it', { halts: true, forgets: true }],
  ]

  /** Takes a step, kills the hub there, and returns what the step answered when the hub is back and the chain goes on. */
  async function crashAfter<T extends { transaction: Hex | null }>(
    { halts, forgets }: Moment,
    step: () => Promise<T>,
  ): Promise<T> {
    const { chain } = hub.world
    if (halts) await chain.setAutomine(false)
    const view = await step()
    await hub.world.hub.kill()
    if (forgets && view.transaction) await chain.dropTransaction({ hash: view.transaction })
    await hub.world.restartHub()
    if (!halts) return view
    const { transaction } = view
    if (transaction) await eventually(() => isKnown(transaction), Boolean)
    await mineAgain()
    return view
  }

  /** Whether the chain has a transaction, mined or waiting. */
  async function isKnown(hash: Hex): Promise<boolean> {
    const { chain } = hub.world
    const found = await chain.getTransaction({ hash }).catch(() => undefined)
    return found !== undefined
  }

  describe('POST /v1/deposits', () => {
    for (const [when, moment] of moments) {
      it(`is completed once after a kill ${when} (R12, R20)`, async () => {
        const fan = await newParty(hub, { tokens: 5n * unit })
        const fee = relayFeeOf(hub)
        const tips = [tipOf(hub.info.feeAccount, fee), tipOf(busker, 7n)]
        const signed = await signDeposit(hub, { payer: fan, amount: 4n * unit, tips })
        const before = await minedCount()
        const post = async () => {
          const answer = await hub.call({ path: '/v1/deposits', body: signed.request })
          return depositView.parse(assertAnswer(answer, 202))
        }
        const first = await crashAfter(moment, post)
        const end = await depositEnd(signed.depositId)
        assert.deepEqual([end.state, end.transaction], ['done', first.transaction])
        assert.deepEqual(await post(), end)
        assert.equal(await minedCount(), before + 1)
        assert.equal(await balanceOf(fan.address), unit)
        const token = await signIn(hub, fan)
        const { balance, amounts } = await viewOf(hub, { id: signed.channelId, token })
        assert.deepEqual([balance, amounts.charged, amounts.held], [4n * unit, fee + 7n, 0n])
      })
    }

    function depositEnd(depositId: Hex): Promise<DepositView> {
      const path = `/v1/deposits/${depositId}`
      return eventually(
        async () => depositView.parse(assertAnswer(await hub.call({ path }), 200)),
        ({ state }) => state === 'done' || state === 'failed',
      )
    }
  })

  describe('POST /v1/channels/:id/refunds', () => {
    for (const [when, moment] of moments) {
      it(`is completed once after a kill ${when} (R10, R11, R12)`, async () => {
        const channel = await openChannel(hub, { deposit: 10n * unit })
        const tip = tipOf(busker, 3n * unit)
        assertAnswer(await sendTips(hub, channel, [tip]), 200)
        const before = await minedCount()
        const path = `/v1/channels/${channel.id}/refunds`
        const first = await crashAfter(moment, async () => {
          const answer = await hub.call({ path, body: {}, token: channel.token })
          const started = refundView.parse(assertAnswer(answer, 202))
          return moment.halts ? refundOnItsWay(started, channel.token) : started
        })
        const end = await refundEnd(first, channel.token)
        assert.deepEqual([end.state, end.amount], ['done', 7n * unit])
        assert.equal(end.transaction, first.transaction ?? end.transaction)
        assert.equal(await minedCount(), before + 1)
        assert.equal(await balanceOf(channel.payer.address), 7n * unit)
        const { balance, amounts } = await viewOf(hub, channel)
        assert.deepEqual([balance, amounts.held, amounts.available], [3n * unit, 0n, 0n])
      })
    }

    async function viewRefund({ refundId }: RefundView, token: string): Promise<RefundView> {
      const answer = await hub.call({ path: `/v1/refunds/${refundId}`, token })
      return refundView.parse(assertAnswer(answer, 200))
    }

    /** When its transaction waits on the chain, which does not go on. */
    async function refundOnItsWay(refund: RefundView, token: string): Promise<RefundView> {
      const sent = await eventually(
        () => viewRefund(refund, token),
        ({ transaction }) => transaction !== null,
      )
      await eventually(() => isKnown(sent.transaction ?? '0x'), Boolean)
      return sent
    }

    function refundEnd(refund: RefundView, token: string): Promise<RefundView> {
      return eventually(
        () => viewRefund(refund, token),
        ({ state }) => state !== 'sending',
      )
    }
  })

  describe(`POST /v1/claims, from seed ${seed}`, () => {
    for (const afterMs of momentsOf(seed)) {
      it(`claims and credits once after a kill ${afterMs} ms after the request (R11, R12)`, async () => {
        await assertClaimedOnce(async () => {
          const answer = settle(hub).catch(() => undefined)
          await new Promise((resolve) => setTimeout(resolve, afterMs))
          await crash()
          await answer
        })
      })
    }

    it('claims and credits once after a kill between broadcast and block (R11, R12)', async () => {
      await assertClaimedOnce(async () => {
        const { chain } = hub.world
        await chain.setAutomine(false)
        const answer = settle(hub).catch(() => undefined)
        await waitingTransaction()
        await crash()
        await answer
        await mineAgain()
      })
    })

    it('sends the same bytes again when the chain has forgotten them (R12)', async () => {
      await assertClaimedOnce(async () => {
        const { chain } = hub.world
        await chain.setAutomine(false)
        const answer = settle(hub).catch(() => undefined)
        const hash = await waitingTransaction()
        await hub.world.hub.kill()
        await answer
        await chain.dropTransaction({ hash })
        await hub.world.restartHub()
        await eventually(() => isKnown(hash), Boolean)
        await mineAgain()
        assert.equal((await chain.getTransactionReceipt({ hash })).status, 'success')
      })
    })

    /** Tips, lets a claim be disturbed, asks for it again, and compares every amount with before. */
    async function assertClaimedOnce(disturb: () => Promise<void>) {
      assertAnswer(await settle(hub), 202)
      const channel = await openChannel(hub, { deposit: 2n * unit })
      const before = { mined: await minedCount(), ...(await amounts()) }
      assertAnswer(await sendTips(hub, channel, [tipOf(busker, unit)]), 200)
      await disturb()
      await booked(hub)
      assertAnswer(await settle(hub), 202)
      const { totalClaimed, balance } = await viewOf(hub, channel)
      assert.deepEqual([totalClaimed, balance], [unit, 2n * unit])
      const after = { mined: await minedCount(), ...(await amounts()) }
      assert.equal(after.mined, before.mined + 1)
      assert.equal(after.escrow, before.escrow - unit)
      assert.equal(after.vault, before.vault + unit)
      assert.equal(after.yours, before.yours + (unit * 99n) / 100n)
      assert.equal(after.claimed, before.claimed + unit)
    }

    /** What the contracts hold, what the busker can move, and what the books have as claimed. */
    async function amounts() {
      const token = await signIn(hub, busker)
      const answer = await hub.call({ path: '/v1/creators/busker/amounts', token })
      const [mine] = assertAnswer(answer, 200)['amounts'] as { yours: string }[]
      const channels = (await exportedLines(hub)).filter(({ kind }) => kind === 'channel')
      return {
        escrow: await balanceOf(hub.info.channels.address),
        vault: await balanceOf(hub.info.vault),
        yours: BigInt(mine?.yours ?? 0),
        claimed: channels.reduce((sum, { totalClaimed }) => sum + BigInt(String(totalClaimed)), 0n),
      }
    }

    /** The operator's transaction that waits for a block. */
    async function waitingTransaction(): Promise<Hex> {
      const { transactions } = await eventually(
        () => hub.world.chain.getBlock({ blockTag: 'pending' }),
        (block) => block.transactions.length > 0,
      )
      const [hash] = transactions
      assert.ok(hash)
      return hash
    }
  })

  describe('the nonces of the operator', () => {
    it('go on without a hole: nothing waits on the chain (R12)', async () => {
      const { chain } = hub.world
      const blockTag = 'pending'
      const pending = await chain.getTransactionCount({ address: operator, blockTag })
      assert.equal(pending, await minedCount())
    })
  })
})

/** Moments spread over the length of a claim: one in each part of it, where the seed says. */
function momentsOf(start: number): number[] {
  const part = longestClaimMs / kills
  return Array.from({ length: kills }, (_, index) => {
    const share = ((Math.imul(start + index, 2_654_435_761) >>> 0) % 1_000) / 1_000
    return Math.floor((index + share) * part)
  })
}
