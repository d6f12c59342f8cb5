// SIGTERM while something is under way: the hub ends in order and in time, and the next start goes on with it.

import assert from 'node:assert/strict'
import type { RefundView } from '#protocol/messages/tips.ts'
import { refundView } from '#protocol/messages/tips.ts'
import { openChannel, viewOf } from '../support/channels.ts'
import { assertAnswer } from '../support/http.ts'
import type { HubFixture } from '../support/hub.ts'
import { eventually, openHub, reservesOf } from '../support/hub.ts'
import { unit } from '../support/paper.ts'

const drainMs = 10_000

describe('SIGTERM', function () {
  this.timeout(60_000)
  let hub: HubFixture
  before(async () => {
    hub = await openHub()
  })
  after(() => hub?.close())

  it('ends the hub with 0 within ten seconds while a transaction waits for its block, which then happens once (R10, R12)', async () => {
    const channel = await openChannel(hub, { deposit: 5n * unit })
    const { chain } = hub.world
    await chain.setAutomine(false)
    const path = `/v1/channels/${channel.id}/refunds`
    const answer = await hub.call({ path, token: channel.token, body: { amount: '2000000' } })
    const { refundId } = refundView.parse(assertAnswer(answer, 202))
    const refundThat = (isSo: (view: RefundView) => boolean) =>
      eventually(async () => {
        const found = await hub.call({ path: `/v1/refunds/${refundId}`, token: channel.token })
        return refundView.parse(assertAnswer(found, 200))
      }, isSo)
    await refundThat(({ transaction }) => transaction !== null)
    await eventually(
      () => chain.getBlock({ blockTag: 'pending' }),
      ({ transactions }) => transactions.length === 1,
    )
    const begun = Date.now()
    assert.equal(await hub.world.hub.stop(), 0, hub.world.hub.complaints())
    assert.ok(Date.now() - begun < drainMs, `it took ${Date.now() - begun} ms`)
    await chain.setAutomine(true)
    await chain.mine({ blocks: 1 })
    await hub.world.restartHub()
    const done = await refundThat(({ state }) => state !== 'sending')
    assert.equal(done.state, 'done')
    const { balance, amounts } = await viewOf(hub, channel)
    assert.equal(balance, 3n * unit)
    assert.equal(amounts.held, 0n)
    assert.equal((await reservesOf(hub))['verdict'], 'equal')
  })
})
