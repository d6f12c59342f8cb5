// What it takes to get a deposit relayed (R20): whoever wants gas from the hub pays for it, whatever is sent at the same time.

import assert from 'node:assert/strict'
import type { Hex, PrivateKeyAccount } from 'viem'
import type { DepositView } from '#protocol/messages/tips.ts'
import { depositView } from '#protocol/messages/tips.ts'
import { cancelAuthorization, sendTips, viewOf } from '../support/channels.ts'
import { assertAnswer, assertProblem } from '../support/http.ts'
import type { HubFixture } from '../support/hub.ts'
import { eventually, newParty, openHub, reservesOf } from '../support/hub.ts'
import {
  configFor,
  newCreator,
  relayFeeOf,
  signDeposit,
  signIn,
  tipOf,
  unit,
} from '../support/paper.ts'

describe('relayed deposits by the rules', () => {
  let hub: HubFixture
  let busker: PrivateKeyAccount
  let fee: bigint

  before(async () => {
    hub = await openHub()
    busker = await newCreator(hub, 'busker')
    fee = relayFeeOf(hub)
  })

  after(() => hub?.close())

  const post = (body: object) => hub.call({ path: '/v1/deposits', body })

  function finished(depositId: Hex): Promise<DepositView> {
    return eventually(
      async () =>
        depositView.parse(assertAnswer(await hub.call({ path: `/v1/deposits/${depositId}` }), 200)),
      ({ state }) => state === 'done' || state === 'failed',
    )
  }

  /** A fan with an open channel of two tokens that paid for its relay. */
  async function newFan() {
    const fan = await newParty(hub, { tokens: 20n * unit })
    const config = configFor(hub, fan)
    const first = await signDeposit(hub, { payer: fan, amount: 2n * unit, config })
    assertAnswer(await post(first.request), 202)
    assert.equal((await finished(first.depositId)).state, 'done')
    const token = await signIn(hub, fan)
    return {
      fan,
      config,
      channel: { id: first.channelId, config, payer: fan, authorizer: fan, token },
    }
  }

  describe('POST /v1/deposits, several from one base (R20)', () => {
    it('relays one of five, and tells the others what to sign', async () => {
      const { fan, config, channel } = await newFan()
      const order = { payer: fan, amount: unit, config, maxClaimableAmount: 2n * fee }
      const deposits = await Promise.all(
        Array.from({ length: 5 }, (_, index) => {
          const tips = [tipOf(hub.info.feeAccount, fee), tipOf(busker, BigInt(index + 1))]
          return signDeposit(hub, {
            ...order,
            tips,
            maxClaimableAmount: 2n * fee + BigInt(index + 1),
          })
        }),
      )
      const answers = await Promise.all(deposits.map(({ request }) => post(request)))
      const relayed = deposits.filter((_, index) => answers[index]?.status === 202)
      assert.equal(relayed.length, 1)
      for (const answer of answers)
        if (answer.status !== 202) assertProblem(answer, 'ceiling_too_low')
      for (const { depositId } of relayed) assert.equal((await finished(depositId)).state, 'done')
      assert.equal((await viewOf(hub, channel)).balance, 3n * unit)
    })
  })

  describe('POST /v1/tips while a deposit is relayed (R1, R20)', () => {
    it('leaves to the bundled basket what it needs', async () => {
      const { fan, config, channel } = await newFan()
      const { request, depositId } = await signDeposit(hub, {
        payer: fan,
        amount: unit,
        config,
        maxClaimableAmount: 2n * fee,
      })
      const [deposit, ...tips] = await Promise.all([
        post(request),
        ...Array.from({ length: 10 }, () => sendTips(hub, channel, [tipOf(busker, 1_000n)])),
      ])
      assertAnswer(deposit, 202)
      for (const answer of tips) if (answer.status !== 200) assertProblem(answer, 'ceiling_too_low')
      assert.equal((await finished(depositId)).state, 'done')
      const accepted = tips.filter(({ status }) => status === 200).length
      const { amounts } = await viewOf(hub, channel)
      assert.equal(amounts.charged, 2n * fee + 1_000n * BigInt(accepted))
      assert.equal(amounts.held, 0n)
    })

    it('gives back what was set aside when the chain refuses the deposit', async () => {
      const { fan, config, channel } = await newFan()
      const { request } = await signDeposit(hub, {
        payer: fan,
        amount: 21n * unit,
        config,
        maxClaimableAmount: 2n * fee,
      })
      assertProblem(await post(request), 'deposit_refused')
      assert.equal((await viewOf(hub, channel)).amounts.held, 0n)
    })
  })

  describe('POST /v1/deposits, an authorization that was cancelled (R20)', () => {
    it('is refused on an open channel too, though the token calls it used', async () => {
      const { fan, config, channel } = await newFan()
      const { request, depositId } = await signDeposit(hub, {
        payer: fan,
        amount: unit,
        config,
        maxClaimableAmount: 2n * fee,
      })
      await cancelAuthorization(hub, fan, depositId)
      assertProblem(await post(request), 'deposit_refused')
      const { balance, amounts } = await viewOf(hub, channel)
      assert.equal(balance, 2n * unit)
      assert.equal(amounts.charged, fee)
    })
  })

  it('leaves books and chain equal (I5)', async () => {
    assert.equal((await reservesOf(hub))['verdict'], 'equal')
  })
})
