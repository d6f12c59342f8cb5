// GET /v1/events: each sees what is theirs, once, even after being away.

import assert from 'node:assert/strict'
import type { PrivateKeyAccount } from 'viem'
import type { OpenChannel } from '../support/channels.ts'
import { onChannels, openChannel, sendTips } from '../support/channels.ts'
import type { Listener, SeenEvent } from '../support/events.ts'
import { listen } from '../support/events.ts'
import { assertAnswer, assertProblem } from '../support/http.ts'
import type { HubFixture } from '../support/hub.ts'
import { openHub, settle } from '../support/hub.ts'
import { addressOf, newCreator, signBasket, signIn, tipOf, unit } from '../support/paper.ts'

let hub: HubFixture
let busker: PrivateKeyAccount
let painter: PrivateKeyAccount
let channel: OpenChannel
let buskerToken: string
const listeners: Listener[] = []

describe('events by the rules', () => {
  before(async () => {
    hub = await openHub()
    busker = await newCreator(hub, 'busker')
    painter = await newCreator(hub, 'painter')
    channel = await openChannel(hub)
    buskerToken = await signIn(hub, busker)
  })

  after(async () => {
    for (const listener of listeners) listener.close()
    await hub?.close()
  })

  async function follow(token: string, lastEventId?: string): Promise<Listener> {
    const listener = await listen(hub, token, lastEventId)
    listeners.push(listener)
    return listener
  }

  /** Tips one amount and returns the ref by which the event is known. */
  async function tip(
    to: PrivateKeyAccount,
    amount: bigint,
    from: OpenChannel = channel,
  ): Promise<string> {
    const order = tipOf(to, amount)
    assertAnswer(await sendTips(hub, from, [order]), 200)
    return order.ref
  }

  const refsOf = (seen: readonly SeenEvent[]) =>
    seen.filter(({ type }) => type === 'tip').map(({ data }) => data['ref'])

  const has = (ref: string) => (seen: readonly SeenEvent[]) => refsOf(seen).includes(ref)

  describe('GET /v1/events, who sees what', () => {
    it('tells the creator and the payer of a tip, and nobody else', async () => {
      const other = await openChannel(hub)
      const creator = await follow(buskerToken)
      const payer = await follow(channel.token)
      const stranger = await follow(other.token)
      const otherCreator = await follow(await signIn(hub, painter))
      const ref = await tip(busker, 5n)
      await creator.until(has(ref))
      await payer.until(has(ref))
      const ending = await tip(painter, 1n, other)
      await stranger.until(has(ending))
      await otherCreator.until(has(ending))
      assert.deepEqual(refsOf(stranger.seen), [ending])
      assert.deepEqual(refsOf(otherCreator.seen), [ending])
      assert.deepEqual(refsOf(creator.seen), [ref])
      assert.deepEqual(refsOf(payer.seen), [ref])
      const [event] = creator.seen
      assert.equal(event?.data['amount'], '5')
      assert.equal(event?.data['payer'], addressOf(channel.payer))
    })

    it('tells the payer side of deposits and withdrawals, and the creator of credits (R11)', async () => {
      const payer = await follow(channel.token)
      const creator = await follow(buskerToken)
      await tip(busker, 7n)
      assertAnswer(await settle(hub), 202)
      await creator.until((seen) => seen.some(({ type }) => type === 'credited'))
      const args = [channel.config, unit]
      await onChannels(hub, channel.payer, { functionName: 'initiateWithdraw', args })
      await payer.until((seen) =>
        seen.some(
          ({ type, data }) => type === 'channel' && data['escrowCap'] === String(9n * unit),
        ),
      )
      assert.equal(
        creator.seen.some(({ type }) => type === 'channel'),
        false,
      )
      assert.equal(
        payer.seen.some(({ type }) => type === 'credited'),
        false,
      )
    })

    it('tells nobody who is not signed in', async () => {
      const path = '/v1/events'
      assertProblem(await hub.call({ path }), 'session_required')
      assertProblem(await hub.call({ path, token: 'x'.repeat(43) }), 'session_required')
      assertProblem(await hub.call({ path, token: hub.world.operatorToken }), 'session_required')
    })

    it('stops telling a session that signed out', async () => {
      const token = await signIn(hub, busker)
      const listener = await follow(token)
      const staying = await follow(buskerToken)
      assert.equal((await hub.call({ method: 'DELETE', path: '/v1/sessions', token })).status, 204)
      const ref = await tip(busker, 2n)
      await staying.until(has(ref))
      await listener.ended
      assert.deepEqual(refsOf(listener.seen), [])
    })
  })

  describe('GET /v1/events, Last-Event-ID', () => {
    it('brings what was missed, in order, once, and then goes on', async () => {
      const first = await follow(buskerToken)
      const seen = [await tip(busker, 1n), await tip(busker, 2n)]
      await first.until(has(seen[1] ?? ''))
      first.close()
      const missed = [await tip(busker, 3n), await tip(busker, 4n), await tip(busker, 5n)]
      const last = first.seen.at(-1)?.id
      const second = await follow(buskerToken, last)
      await second.until(has(missed[2] ?? ''))
      const live = await tip(busker, 6n)
      await second.until(has(live))
      assert.deepEqual(refsOf(second.seen), [...missed, live])
      const ids = [...first.seen, ...second.seen].map(({ id }) => id)
      assert.deepEqual(ids, [...ids].sort())
      assert.equal(new Set(ids).size, ids.length)
    })

    it('from the beginning brings everything that was ever told to this address', async () => {
      const all = await follow(buskerToken, '0000000000000000/00000000')
      const ref = await tip(busker, 8n)
      await all.until(has(ref))
      const shown = assertAnswer(
        await hub.call({ path: '/v1/creators/busker/tips?limit=100', token: buskerToken }),
        200,
      )
      const listed = (shown['tips'] as { ref: string }[]).map((each) => each.ref).reverse()
      assert.deepEqual(refsOf(all.seen), listed)
    })

    it('misses none and repeats none of 200 tips to one who comes and goes all the time', async () => {
      const fan = await openChannel(hub)
      const { id: channelId, payer: by } = fan
      const tips = Array.from({ length: 200 }, () => tipOf(busker, 1n))
      const bodies = await Promise.all(
        tips.map((each) =>
          signBasket(hub, { channelId, tips: [each], maxClaimableAmount: 200n, by }),
        ),
      )
      const start = await tip(busker, 9n)
      const before = await follow(buskerToken, '0000000000000000/00000000')
      await before.until(has(start))
      const seen: SeenEvent[] = []
      let last = before.seen.at(-1)?.id
      const sending = bodies.reduce<Promise<void>>(async (line, body) => {
        await line
        assertAnswer(await hub.call({ path: '/v1/tips', body }), 200)
      }, Promise.resolve())
      for (let visits = 1; seen.length < tips.length; visits += 1) {
        assert.ok(visits < 400, `${seen.length} of 200 after ${visits} visits`)
        const visit = await follow(buskerToken, last)
        await visit.until((come) => come.length > 0)
        visit.close()
        seen.push(...visit.seen)
        last = seen.at(-1)?.id
      }
      await sending
      assert.deepEqual(
        refsOf(seen),
        tips.map(({ ref }) => ref),
      )
    })

    it('that is not an id of an event is refused', async () => {
      for (const id of [
        'x',
        '0',
        'zzz',
        '0000000000000001',
        `${'f'.repeat(16)}/`,
        'f'.repeat(65),
        'f'.repeat(5_000),
      ]) {
        const headers = { 'last-event-id': id }
        const answer = await hub.call({ path: '/v1/events', token: buskerToken, headers })
        assertProblem(answer, 'invalid_request')
      }
    })
  })
})
