// Webhooks: each endpoint gets what its account may hear, signed, in order, at least once, whatever the others do.

import assert from 'node:assert/strict'
import { Webhook } from 'standardwebhooks'
import type { PrivateKeyAccount } from 'viem'
import { attemptList, webhookList } from '#protocol/messages/webhooks.ts'
import type { Answering, Receiver } from '#server/testing/receivers.ts'
import { refsOf, signatureHeaders, startReceiver } from '#server/testing/receivers.ts'
import type { OpenChannel } from '../support/channels.ts'
import { openChannel, sendTips } from '../support/channels.ts'
import type { Fields } from '../support/http.ts'
import { assertAnswer, assertProblem } from '../support/http.ts'
import type { HubFixture } from '../support/hub.ts'
import { assertUnchanged, eventually, openHub, settle } from '../support/hub.ts'
import { newCreator, signIn, tipOf } from '../support/paper.ts'

const attempts = 3

let hub: HubFixture
let busker: PrivateKeyAccount
let channel: OpenChannel
let token: string
const receivers: Receiver[] = []

describe('webhooks by the rules', () => {
  before(async () => {
    hub = await openHub({
      hubSettings: {
        JANDON_WEBHOOK_RETRY_MS: '20',
        JANDON_WEBHOOK_ATTEMPTS: `${attempts}`,
        JANDON_WEBHOOK_TIMEOUT_MS: '60000',
      },
    })
    busker = await newCreator(hub, 'busker')
    channel = await openChannel(hub)
    token = await signIn(hub, busker)
  })

  after(async () => {
    await hub?.close()
    await Promise.all(receivers.map((receiver) => receiver.close()))
  })

  afterEach(async () => {
    const { webhooks } = assertAnswer(await hub.call({ path: '/v1/webhooks', token }), 200)
    for (const { webhookId } of webhooks as { webhookId: string }[]) await remove(webhookId)
  })

  async function receive(how?: Answering): Promise<Receiver> {
    const receiver = await startReceiver(how)
    receivers.push(receiver)
    return receiver
  }

  /** Registers a receiver for an account, by default the busker's. */
  async function register(
    { url }: { url: string },
    { by = token, events }: { by?: string; events?: string[] } = {},
  ): Promise<{ webhookId: string; secret: string }> {
    const body = events ? { url, events } : { url }
    const answer = assertAnswer(await hub.call({ path: '/v1/webhooks', token: by, body }), 201)
    const { webhookId } = answer['webhook'] as Fields
    return { webhookId: String(webhookId), secret: String(answer['secret']) }
  }

  async function remove(webhookId: string) {
    const call = { method: 'DELETE', path: `/v1/webhooks/${webhookId}`, token }
    assert.equal((await hub.call(call)).status, 204)
  }

  const read = async (webhookId: string, rest = ''): Promise<Fields> =>
    assertAnswer(await hub.call({ path: `/v1/webhooks/${webhookId}${rest}`, token }), 200)

  const post = (webhookId: string, rest: string, body: object = {}) =>
    hub.call({ path: `/v1/webhooks/${webhookId}/${rest}`, token, body })

  async function tip(amount = 5n, from = channel): Promise<string> {
    const order = tipOf(busker, amount)
    assertAnswer(await sendTips(hub, from, [order]), 200)
    return order.ref
  }

  async function tips(count: number): Promise<string[]> {
    const refs: string[] = []
    for (let sent = 0; sent < count; sent += 1) refs.push(await tip())
    return refs
  }

  const deadOf = async (webhookId: string) =>
    (await read(webhookId, '/dead'))['dead'] as {
      eventId: string
      attempts: number
      failure: string
    }[]

  describe('a delivery', () => {
    it('is signed as the package of Standard Webhooks verifies it, and carries the tip', async () => {
      const receiver = await receive()
      const { secret } = await register(receiver)
      const ref = await tip(7n)
      await receiver.until((seen) => seen.length === 1)
      const [received] = receiver.seen
      assert.ok(received)
      const verified = new Webhook(secret).verify(received.body, signatureHeaders(received))
      const { type, timestamp, data } = verified as {
        type: string
        timestamp: string
        data: Fields
      }
      assert.deepEqual([type, data['ref'], data['amount']], ['tip', ref, '7'])
      assert.ok(Math.abs(Date.now() - Date.parse(timestamp)) < 60_000)
      assert.match(received.id, /^[0-9a-f]{16}\/[0-9a-f]{8}$/)
    })

    it('follows the one before, in the order of the log', async () => {
      const receiver = await receive()
      await register(receiver)
      const refs = await tips(20)
      await receiver.until((seen) => seen.length === refs.length)
      assert.deepEqual(refsOf(receiver.seen), refs)
    })

    it('that failed is made again with the same id before any later one', async () => {
      const receiver = await receive(({ id }) =>
        receiver.seen.filter((each) => each.id === id).length === 1 ? 500 : 204,
      )
      await register(receiver)
      const refs = await tips(3)
      await receiver.until((seen) => seen.length === 6)
      assert.deepEqual(
        refsOf(receiver.seen),
        refs.flatMap((ref) => [ref, ref]),
      )
      assert.equal(new Set(receiver.seen.map(({ id }) => id)).size, 3)
    })

    it('that keeps failing is a dead letter after the last attempt, and the next one follows', async () => {
      const receiver = await receive(() => 500)
      const { webhookId } = await register(receiver)
      const first = await tip()
      await receiver.until((seen) => seen.length === attempts)
      const dead = await eventually(
        () => deadOf(webhookId),
        ({ length }) => length > 0,
      )
      const [failed] = receiver.seen
      assert.deepEqual(
        dead.map(({ eventId, attempts: tried, failure }) => [eventId, tried, failure]),
        [[failed?.id, attempts, 'it answered 500']],
      )
      receiver.answer(() => 204)
      const second = await tip()
      await receiver.until((seen) => seen.length === attempts + 1)
      assert.deepEqual(refsOf(receiver.seen), [first, first, first, second])
    })

    it('is not made by following a redirect', async () => {
      const elsewhere = await receive()
      const receiver = await receive((_received, response) => {
        response.writeHead(307, { location: elsewhere.url }).end()
        return undefined
      })
      const { webhookId } = await register(receiver)
      await tip()
      const [dead] = await eventually(
        () => deadOf(webhookId),
        ({ length }) => length > 0,
      )
      assert.equal(dead?.failure, 'it answered 307')
      assert.equal(elsewhere.seen.length, 0)
    })

    it('is not made again after 410, and the endpoint is disabled', async () => {
      const receiver = await receive(() => 410)
      const { webhookId } = await register(receiver)
      await tip()
      await eventually(
        () => read(webhookId),
        ({ disabledAt }) => disabledAt !== null,
      )
      const other = await receive()
      await register(other)
      const ref = await tip()
      await other.until((seen) => seen.length === 1)
      assert.deepEqual(refsOf(other.seen), [ref])
      assert.equal(receiver.seen.length, 1)
      assertProblem(await post(webhookId, 'test'), 'webhook_disabled')
      const from = '0000000000000000/00000000'
      assertProblem(await post(webhookId, 'replay', { from }), 'webhook_disabled')
    })

    it('to an endpoint that hangs holds up no other endpoint, and nothing of its own overtakes it', async () => {
      const hanging = await receive(() => undefined)
      const healthy = await receive()
      await register(hanging)
      await register(healthy)
      const refs = await tips(10)
      await healthy.until((seen) => seen.length === refs.length)
      assert.deepEqual(refsOf(healthy.seen), refs)
      assert.equal(hanging.seen.length, 1)
    })

    it('is made to the endpoints of those that an event is for, and to no others', async () => {
      const painter = await newCreator(hub, 'painter')
      const [forBusker, forPayer, forPainter] = [await receive(), await receive(), await receive()]
      await register(forBusker)
      await register(forPayer, { by: channel.token, events: ['tip'] })
      const painterToken = await signIn(hub, painter)
      await register(forPainter, { by: painterToken })
      const ref = await tip()
      const order = tipOf(painter, 3n)
      assertAnswer(await sendTips(hub, await openChannel(hub), [order]), 200)
      await forPainter.until((seen) => seen.length === 1)
      await forBusker.until((seen) => seen.length === 1)
      await forPayer.until((seen) => seen.length === 1)
      assert.deepEqual(refsOf(forPainter.seen), [order.ref])
      assert.deepEqual(refsOf(forBusker.seen), [ref])
      assert.deepEqual(refsOf(forPayer.seen), [ref])
    })

    it('is made of the types that were asked for only', async () => {
      const receiver = await receive()
      await register(receiver, { events: ['credited'] })
      await tip()
      assertAnswer(await settle(hub), 202)
      await receiver.until((seen) => seen.length > 0)
      assert.deepEqual(
        [...new Set(receiver.seen.map(({ message }) => message['type']))],
        ['credited'],
      )
    })

    it('of an endpoint that was removed is not made any more', async () => {
      const [receiver, staying] = [await receive(() => 500), await receive()]
      const { webhookId } = await register(receiver)
      await register(staying)
      await tip()
      await receiver.until((seen) => seen.length > 0)
      await remove(webhookId)
      const { length } = receiver.seen
      const refs = await tips(3)
      await staying.until((seen) => refsOf(seen).includes(refs[2]))
      assert.equal(receiver.seen.length, length)
      assertProblem(await hub.call({ path: `/v1/webhooks/${webhookId}`, token }), 'unknown_webhook')
    })
  })

  describe('kill -9', () => {
    it('loses no event, and repeats at most the one that was in flight, with its id', async () => {
      const receiver = await receive(({ message }) =>
        (message['data'] as Fields)['amount'] === '13' ? undefined : 204,
      )
      const { secret } = await register(receiver)
      const refs = [...(await tips(5)), await tip(13n), ...(await tips(3))]
      await receiver.until((seen) => seen.length === 6)
      await hub.world.hub.kill()
      receiver.answer(() => 204)
      await hub.world.restartHub()
      const live = await tip()
      await receiver.until((seen) => refsOf(seen).includes(live))
      assert.deepEqual(refsOf(receiver.seen), [...refs.slice(0, 6), ...refs.slice(5), live])
      assert.equal(receiver.seen[5]?.id, receiver.seen[6]?.id)
      for (const received of receiver.seen) {
        new Webhook(secret).verify(received.body, signatureHeaders(received))
      }
    })

    it('does not begin the attempts at an event anew', async () => {
      const receiver = await receive(() => 500)
      const { webhookId } = await register(receiver)
      await tip()
      await eventually(
        () => read(webhookId),
        ({ delivery }) => (delivery as Fields)['failures'] === attempts - 1,
      )
      await hub.world.hub.kill()
      await hub.world.restartHub()
      await eventually(
        () => deadOf(webhookId),
        ({ length }) => length > 0,
      )
      assert.ok(receiver.seen.length <= attempts + 1, `${receiver.seen.length} attempts`)
    })
  })

  describe('POST /v1/webhooks/:webhookId/replay', () => {
    it('sends a dead letter again, with its id, and it is dead no more', async () => {
      const receiver = await receive(() => 503)
      const { webhookId } = await register(receiver)
      const ref = await tip()
      const [dead] = await eventually(
        () => deadOf(webhookId),
        ({ length }) => length > 0,
      )
      assert.ok(dead)
      receiver.answer(() => 200)
      assertAnswer(await post(webhookId, 'replay', { eventId: dead.eventId }), 202)
      await eventually(
        () => deadOf(webhookId),
        ({ length }) => length === 0,
      )
      const last = receiver.seen.at(-1)
      assert.equal(last?.id, dead.eventId)
      assert.deepEqual(refsOf(receiver.seen.slice(-1)), [ref])
      assert.equal(receiver.seen.length, attempts + 1)
    })

    it('sends a range again, both ends included, in order and with the same ids', async () => {
      const receiver = await receive()
      const { webhookId } = await register(receiver)
      const refs = await tips(6)
      await receiver.until((seen) => seen.length === 6)
      const ids = receiver.seen.map(({ id }) => id)
      const range = { from: ids[1], to: ids[4] }
      assertAnswer(await post(webhookId, 'replay', range), 202)
      await receiver.until((seen) => seen.length === 10)
      assert.deepEqual(
        receiver.seen.slice(6).map(({ id }) => id),
        ids.slice(1, 5),
      )
      const live = await tip()
      await receiver.until((seen) => seen.length === 11)
      assert.deepEqual(refsOf(receiver.seen), [...refs, ...refs.slice(1, 5), live])
    })

    it('brings what was told before the endpoint was registered', async () => {
      const earlier = await receive()
      await register(earlier)
      const refs = await tips(2)
      await earlier.until((seen) => seen.length === 2)
      const receiver = await receive()
      const { webhookId } = await register(receiver)
      assertAnswer(await post(webhookId, 'replay', { from: earlier.seen[0]?.id }), 202)
      await receiver.until((seen) => seen.length === 2)
      assert.deepEqual(refsOf(receiver.seen), refs)
    })

    it('refuses an event of somebody else, or one that never was', async () => {
      const receiver = await receive()
      const { webhookId } = await register({ url: receiver.url })
      const stranger = await receive()
      await register(stranger, { by: channel.token, events: ['channel'] })
      await tip()
      assertAnswer(await settle(hub), 202)
      await stranger.until((seen) => seen.length > 0)
      const eventId = stranger.seen[0]?.id
      assertProblem(await post(webhookId, 'replay', { eventId }), 'unknown_event', { eventId })
      const beyond = `${'0'.repeat(8)}${'f'.repeat(8)}/00000000`
      assertProblem(await post(webhookId, 'replay', { eventId: beyond }), 'unknown_event')
    })
  })

  describe('POST /v1/webhooks/:webhookId/secret', () => {
    it('gives a new secret, and what is sent then verifies with it and with the one before', async () => {
      const receiver = await receive()
      const { webhookId, secret } = await register(receiver)
      const answer = assertAnswer(await post(webhookId, 'secret'), 200)
      const next = String(answer['secret'])
      assert.notEqual(next, secret)
      await tip()
      await receiver.until((seen) => seen.length === 1)
      const [received] = receiver.seen
      assert.ok(received)
      for (const each of [secret, next]) {
        new Webhook(each).verify(received.body, signatureHeaders(received))
      }
      const stranger = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
      assert.throws(() => new Webhook(stranger).verify(received.body, signatureHeaders(received)))
    })
  })

  describe('POST /v1/webhooks/:webhookId/test', () => {
    it('sends a signed test at once and tells how it went', async () => {
      const receiver = await receive(() => 418)
      const { webhookId, secret } = await register(receiver)
      const refused = assertAnswer(await post(webhookId, 'test'), 200)
      assert.deepEqual(refused, { delivered: false, status: 418, failure: null })
      receiver.answer(() => 202)
      const taken = assertAnswer(await post(webhookId, 'test'), 200)
      assert.deepEqual(taken, { delivered: true, status: 202, failure: null })
      const [first] = receiver.seen
      assert.ok(first)
      assert.match(first.id, /^test_[0-9a-f]{32}$/)
      assert.equal(first.message['type'], 'test')
      new Webhook(secret).verify(first.body, signatureHeaders(first))
    })

    it('tells why there was no answer', async () => {
      const receiver = await startReceiver()
      const { webhookId } = await register(receiver)
      await receiver.close()
      const answer = assertAnswer(await post(webhookId, 'test'), 200)
      assert.deepEqual(answer, { delivered: false, status: null, failure: 'ECONNREFUSED' })
    })
  })

  describe('GET /v1/webhooks', () => {
    it('lists the endpoints of the session without their secrets', async () => {
      const receiver = await receive()
      const { webhookId, secret } = await register(receiver, { events: ['tip'] })
      const answer = await hub.call({ path: '/v1/webhooks', token })
      const { webhooks } = webhookList.parse(assertAnswer(answer, 200))
      assert.deepEqual(
        webhooks.map((each) => [each.webhookId, each.url, each.events, each.disabledAt]),
        [[webhookId, receiver.url, ['tip'], null]],
      )
      assert.equal(answer.text.includes(secret.slice(6)), false)
      const others = await hub.call({ path: '/v1/webhooks', token: channel.token })
      assert.equal(others.text.includes(webhookId), false)
    })

    it('tells the newest attempts, newest first', async () => {
      const receiver = await receive()
      const { webhookId } = await register(receiver)
      await tips(2)
      const found = await eventually(
        async () => attemptList.parse(await read(webhookId, '/deliveries')).attempts,
        ({ length }) => length === 2,
      )
      assert.deepEqual(
        found.map(({ eventId, status }) => [eventId, status]),
        receiver.seen.map(({ id }) => [id, 204]).reverse(),
      )
    })
  })

  describe('POST /v1/webhooks, refusals', () => {
    const order = (url: string, by = token) =>
      hub.call({ path: '/v1/webhooks', token: by, body: { url } })

    it('refuses what is not on the internet, in whatever spelling, and writes nothing', async () => {
      const urls = [
        ...['https://10.0.0.1/', 'https://192.168.0.1:8443/', 'https://[fd00::1]/'],
        ...['https://169.254.169.254/latest/meta-data/', 'https://100.64.0.1/', 'https://0.0.0.0/'],
        ...['https://[::ffff:10.0.0.1]/', 'https://167772161/', 'https://0x0a000001/'],
        ...['https://224.0.0.1/', 'https://[fe80::1]/', 'http://10.0.0.1/', 'http://1.1.1.1/'],
        ...['ftp://1.1.1.1/', 'https://user:word@1.1.1.1/', 'https://1.1.1.1:22/', 'javascript:0'],
      ]
      await assertUnchanged(hub, async () => {
        for (const url of urls) assertProblem(await order(url), 'webhook_url_refused')
      })
    })

    it('refuses one endpoint more than an account may have', async () => {
      const { url } = await receive()
      for (let count = 0; count < 10; count += 1) assertAnswer(await order(url), 201)
      assertProblem(await order(url), 'too_many_webhooks', { count: 10, maximum: 10 })
    })

    it('refuses who is not signed in', async () => {
      for (const [path, body] of [
        ['', { url: 'https://1.1.1.1/' }],
        [`/${hub.world.deployment.channels.padEnd(66, '0')}/test`, {}],
      ] as const) {
        const answer = await hub.call({ path: `/v1/webhooks${path}`, body })
        assertProblem(answer, 'session_required')
      }
    })
  })

  describe('an endpoint of another account', () => {
    it('is not read, changed, tested, replayed or removed', async () => {
      const { webhookId } = await register(await receive())
      const path = `/v1/webhooks/${webhookId}`
      const by = { token: channel.token }
      const range = { from: '0000000000000000/00000000' }
      await assertUnchanged(hub, async () => {
        for (const call of [
          { path },
          { path, method: 'DELETE' },
          { path: `${path}/deliveries` },
          { path: `${path}/dead` },
          { path: `${path}/secret`, body: {} },
          { path: `${path}/test`, body: {} },
          { path: `${path}/replay`, body: range },
        ]) {
          assertProblem(await hub.call({ ...call, ...by }), 'not_yours')
        }
      })
    })
  })
})
