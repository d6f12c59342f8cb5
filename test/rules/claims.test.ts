// Settlements over HTTP and from the operator's terminal: what would be done, what is done, and what creators see of it.

import assert from 'node:assert/strict'
import type { PrivateKeyAccount } from 'viem'
import { claimPlan, settleAnswer, settlementList } from '#protocol/messages/claims.ts'
import type { OpenChannel } from '../support/channels.ts'
import { openChannel, sendTips } from '../support/channels.ts'
import { assertAnswer, assertProblem } from '../support/http.ts'
import type { HubFixture } from '../support/hub.ts'
import { assertUnchanged, booked, eventually, openHub, reservesOf } from '../support/hub.ts'
import { newCreator, randomHash, signIn, tipOf, unit } from '../support/paper.ts'
import { operate } from '../support/restore.ts'

describe('settlements by the rules', () => {
  let hub: HubFixture
  let ann: PrivateKeyAccount
  let fan: OpenChannel
  let token: string

  before(async () => {
    hub = await openHub({ hubSettings: { JANDON_ETHER_PRICE: '3000' } })
    ann = await newCreator(hub, 'ann')
    fan = await openChannel(hub, { deposit: 100n * unit })
    token = await signIn(hub, ann)
    assertAnswer(await sendTips(hub, fan, [tipOf(ann, 10n * unit)]), 200)
  })
  after(() => hub?.close())

  const operatorGet = (path: string) => hub.call({ path, token: hub.world.operatorToken })

  async function amounts() {
    const answer = await hub.call({ path: '/v1/creators/ann/amounts', token })
    const [mine] = assertAnswer(answer, 200)['amounts'] as { [name: string]: string }[]
    return [mine?.['accepted'], mine?.['claimed'], mine?.['yours'], mine?.['paid']].map(Number)
  }

  const net = (units: bigint) => Number((units * unit * 99n) / 100n)

  describe('GET /v1/claims/plan', () => {
    it('says what policy would do, with nothing sent and nothing written', async () => {
      await booked(hub)
      await assertUnchanged(hub, async () => {
        const plan = claimPlan.parse(assertAnswer(await operatorGet('/v1/claims/plan'), 200))
        assert.deepEqual(plan.tokens[0]?.transactions, [])
        assert.deepEqual(plan.tokens[0]?.claims, { waits: { count: 1, amount: 10n * unit } })
        assert.equal(plan.tokens[0]?.waiting[0]?.channelId, fan.id)
      })
    })

    it('says what would be done if the operator asked, and what that costs', async () => {
      const { code, json } = await operate(hub, 'claim', '--dry-run', '--all')
      assert.equal(code, 0, JSON.stringify(json))
      const plan = claimPlan.parse(json)
      const [sent] = plan.tokens[0]?.transactions ?? []
      assert.deepEqual([sent?.channels, sent?.claimed, sent?.accounts], [1, 10n * unit, 2])
      assert.deepEqual(
        sent?.claims.map(({ channelId, reason }) => [channelId, reason]),
        [[fan.id, 'asked']],
      )
      assert.equal(sent?.fee, (sent?.gas ?? 0n) * plan.gasPrice)
      assert.ok((sent?.feeInToken ?? 0n) > 0n)
    })

    it('is for the operator alone, and knows two extents', async () => {
      const path = '/v1/claims/plan'
      assertProblem(await hub.call({ path, token: randomHash() }), 'operator_required')
      assertProblem(await operatorGet('/v1/claims/plan?of=some'), 'invalid_request')
    })
  })

  describe('GET /v1/creators/:handle/amounts', () => {
    it('shows what is accepted, claimed and yours as it comes about (R11)', async () => {
      assert.deepEqual(await amounts(), [net(10n), 0, 0, 0])
      await hub.world.hub.stop()
      await hub.world.restartHub({ JANDON_CLAIM_AT_RISK: '1', JANDON_CREDIT_AT: '1000' })
      await eventually(amounts, ([, claimed]) => claimed === net(10n))
      assert.deepEqual(await amounts(), [net(10n), net(10n), 0, 0])
      await hub.world.hub.stop()
      await hub.world.restartHub()
      assertAnswer(await sendTips(hub, fan, [tipOf(ann, 2n * unit)]), 200)
      assert.deepEqual(await amounts(), [net(12n), net(10n), 0, 0])
    })
  })

  describe('POST /v1/creators/:handle/credits', () => {
    const ask = (who: string) =>
      hub.call({ path: '/v1/creators/ann/credits', token: who, method: 'POST' })

    it('credits a creator who asks, with what has to be claimed for it', async () => {
      assertAnswer(await ask(token), 202)
      await eventually(amounts, ([, , yours]) => yours === net(12n))
      assert.deepEqual(await amounts(), [net(12n), net(12n), net(12n), 0])
      await booked(hub)
      assert.equal((await reservesOf(hub))['verdict'], 'equal')
    })

    it('is credit_too_small when less than the minimum is owed, with the numbers', async () => {
      const problem = await ask(token)
      assertProblem(problem, 'credit_too_small')
      assert.deepEqual(problem.body['values'], { owed: '0', minimum: '100000' })
    })

    it('is for that creator alone', async () => {
      assertProblem(await ask(await signIn(hub, fan.payer)), 'not_yours')
    })
  })

  describe('jandon claim', () => {
    it('settles everything and says what it cost', async () => {
      assertAnswer(await sendTips(hub, fan, [tipOf(ann, unit)]), 200)
      const { code, json } = await operate(hub, 'claim')
      assert.equal(code, 0, JSON.stringify(json))
      const { settlements, setAside } = settleAnswer.parse(json)
      assert.deepEqual(
        settlements.map(({ state, channels, claimed }) => [state, channels, claimed]),
        [['done', 1, unit]],
      )
      assert.ok((settlements[0]?.fee ?? 0n) > 0n)
      assert.deepEqual(setAside, [])
      assert.deepEqual(await amounts(), [net(13n), net(13n), net(13n), 0])
    })

    it('has nothing to do the second time', async () => {
      const { json } = await operate(hub, 'claim')
      assert.deepEqual(settleAnswer.parse(json).settlements, [])
    })

    it('is listed with its reasons, and none stays sent', async () => {
      const list = settlementList.parse(assertAnswer(await operatorGet('/v1/claims'), 200))
      assert.deepEqual(
        list.settlements.map(({ state, reasons }) => [state, Object.keys(reasons)]),
        [
          ['done', ['asked']],
          ['done', ['for-credits']],
          ['done', ['at-risk']],
        ],
      )
    })
  })
})
