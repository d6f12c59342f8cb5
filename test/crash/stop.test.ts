// SIGTERM while a transaction waits for its block: the hub is gone soon, and goes on with it at the next start.

import assert from 'node:assert/strict'
import { refundView } from '#protocol/messages/tips.ts'
import { openChannel } from '../support/channels.ts'
import { assertAnswer } from '../support/http.ts'
import type { HubFixture } from '../support/hub.ts'
import { eventually, openHub } from '../support/hub.ts'

const drainMs = 10_000

describe('SIGTERM', () => {
  let hub: HubFixture

  before(async () => {
    hub = await openHub()
  })
  after(() => hub?.close())

  it('ends the hub with 0 in 10 s while a refund waits for its block, which is done after the next start (R10, R12)', async () => {
    const { id, token } = await openChannel(hub)
    await hub.world.chain.setAutomine(false)
    const answer = await hub.call({ path: `/v1/channels/${id}/refunds`, body: {}, token })
    const { refundId } = refundView.parse(assertAnswer(answer, 202))
    const view = async () => {
      const found = await hub.call({ path: `/v1/refunds/${refundId}`, token })
      return refundView.parse(assertAnswer(found, 200))
    }
    await eventually(view, ({ transaction }) => transaction !== null)
    const began = Date.now()
    assert.equal(await hub.world.hub.stop(), 0)
    assert.ok(Date.now() - began < drainMs, `it took ${Date.now() - began} ms`)
    await hub.world.restartHub()
    await hub.world.chain.setAutomine(true)
    await hub.world.chain.mine({ blocks: 1 })
    const end = await eventually(view, ({ state }) => state !== 'sending')
    assert.equal(end.state, 'done')
  })
})
