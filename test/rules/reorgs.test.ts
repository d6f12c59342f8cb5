// The chain goes back under a running hub (R29).

import assert from 'node:assert/strict'
import type { PrivateKeyAccount } from 'viem'
import { mineOtherwise } from '../../server/testing/chain.ts'
import type { OpenChannel } from '../support/channels.ts'
import { openChannel, sendTips } from '../support/channels.ts'
import { assertAnswer, assertProblem } from '../support/http.ts'
import type { HubFixture } from '../support/hub.ts'
import { booked, eventually, openHub, reservesOf } from '../support/hub.ts'
import { newCreator, tipOf } from '../support/paper.ts'

const limit = 8

let hub: HubFixture
let busker: PrivateKeyAccount

describe('reorgs by the rules', () => {
  before(async () => {
    hub = await openHub({ hubSettings: { JANDON_REORG_LIMIT: String(limit) } })
    busker = await newCreator(hub, 'busker')
  })

  after(() => hub?.close())

  async function metric(name: string): Promise<number> {
    const { text } = await hub.call({ path: '/metrics' })
    return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1])
  }

  const goBack = async (snapshot: `0x${string}`, blocks: number) => {
    const node = hub.world.chain
    await node.revert({ id: snapshot })
    await mineOtherwise({ node }, blocks)
  }

  it('keep a tip whose deposit is gone, say so, and leave the reserves equal (R29, I5)', async () => {
    const snapshot = await hub.world.chain.snapshot()
    const channel: OpenChannel = await openChannel(hub)
    assertAnswer(await sendTips(hub, channel, [tipOf(busker, 100n)]), 200)
    await goBack(snapshot, limit)
    await eventually(
      () => metric('jandon_reorgs_total'),
      (count) => count === 1,
    )
    await booked(hub)
    assert.equal(await metric('jandon_overcharged_channels'), 1)
    assert.match(hub.world.hub.complaints(), /over-charged now: 0x[\da-f]{64} \(100 of 0\)/)
    assertProblem(await sendTips(hub, channel, [tipOf(busker, 1n)]), 'deposit_exceeded')
    const { verdict, uncovered } = await reservesOf(hub)
    assert.deepEqual(
      [verdict, uncovered],
      ['equal', [{ token: hub.world.token.address, amount: '100' }]],
    )
  })

  it('that go deeper than is undone stop payments, and the answer names the block (R29)', async () => {
    const channel = await openChannel(hub)
    const snapshot = await hub.world.chain.snapshot()
    await mineOtherwise({ node: hub.world.chain }, limit + 1)
    await booked(hub)
    await goBack(snapshot, limit + 3)
    const answer = await eventually(
      () => sendTips(hub, channel, [tipOf(busker, 1n)]),
      ({ status }) => status === 503,
    )
    assert.match(answer.text, /block \d+ was 0x[\da-f]{64} and is not on the chain any more/)
    assert.match(answer.text, new RegExp(`than the ${limit} blocks that are undone`))
  })
})
