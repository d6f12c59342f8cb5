// /v1/socket: the same rules as over HTTP, many baskets at once, and what happens when the line breaks.

import assert from 'node:assert/strict'
import type { PrivateKeyAccount } from 'viem'
import type { TipsRequest } from '#protocol/messages/tips.ts'
import { tipsAnswer } from '#protocol/messages/tips.ts'
import { toJson } from '#protocol/messages/wire.ts'
import { receiptFault } from '#protocol/receipt.ts'
import { messageRef } from '#protocol/tip.ts'
import type { OpenChannel } from '../support/channels.ts'
import { openChannel, viewOf } from '../support/channels.ts'
import { assertAnswer, assertProblem } from '../support/http.ts'
import type { HubFixture } from '../support/hub.ts'
import { openHub } from '../support/hub.ts'
import { newCreator, randomHash, signBasket, signIn, tipOf, unit } from '../support/paper.ts'
import type { Accepted, SocketLine } from '../support/socket.ts'
import { openSocket } from '../support/socket.ts'

let hub: HubFixture
let busker: PrivateKeyAccount
let painter: PrivateKeyAccount
let channel: OpenChannel
let line: SocketLine

describe('/v1/socket', () => {
  before(async () => {
    hub = await openHub()
    busker = await newCreator(hub, 'busker')
    painter = await newCreator(hub, 'painter')
  })
  after(() => hub?.close())

  beforeEach(async () => {
    channel = await openChannel(hub)
    line = await openSocket(hub)
  })
  afterEach(() => line.cut())

  function basket(tips: TipsRequest['tips'], maxClaimableAmount: bigint) {
    return signBasket(hub, {
      channelId: channel.id,
      tips,
      maxClaimableAmount,
      by: channel.authorizer,
    })
  }

  /** Baskets of one tip of 1 each, under vouchers that rise with them. */
  function basketsOf(count: number): Promise<TipsRequest[]> {
    return Promise.all(
      Array.from({ length: count }, (_, at) => basket([tipOf(busker, 1n)], BigInt(at + 1))),
    )
  }

  async function follow(on: SocketLine, token: string, after?: string) {
    on.send(JSON.stringify({ type: 'sign-in', token }))
    await on.until(({ type }) => type === 'signed-in')
    on.send(JSON.stringify({ type: 'follow', after }))
  }

  function accepted(outcome: Accepted | { code: string }): Accepted {
    assert.ok('receipt' in outcome, toJson(outcome))
    return outcome
  }

  describe('baskets', () => {
    it('are answered with receipts that prove every tip (R5)', async () => {
      const sizes = [1, 3, 256, 2]
      let maximum = 0n
      const sent: TipsRequest[] = []
      for (const size of sizes) {
        maximum += BigInt(size)
        const tips = Array.from({ length: size }, (_, at) =>
          tipOf(at % 2 === 0 ? busker : painter, 1n),
        )
        sent.push(await basket(tips, maximum))
      }
      const outcomes = (await Promise.all(line.baskets(sent))).map(accepted)
      for (const { receipt } of outcomes)
        assert.equal(await receiptFault(receipt, { hub: hub.info, ...hub.info }), undefined)
      const { amounts } = await viewOf(hub, channel)
      assert.equal(amounts.charged, 262n)
      assert.deepEqual(outcomes.at(-1)?.channel, amounts)
    })

    it('get over HTTP the very receipt that they got here (R2)', async () => {
      const [one] = await basketsOf(1)
      assert.ok(one)
      const [outcome] = await Promise.all(line.baskets([one]))
      assert.ok(outcome)
      const again = tipsAnswer.parse(
        assertAnswer(await hub.call({ path: '/v1/tips', body: one }), 200),
      )
      assert.deepEqual(again.receipt, accepted(outcome).receipt)
    })

    it('on one channel are all accepted, 300 at once, each charged once (R1)', async () => {
      const sent = await basketsOf(300)
      const outcomes = await Promise.all([
        ...line.baskets(sent.slice(0, 100)),
        ...line.baskets(sent.slice(100)),
        ...line.baskets(sent.slice(50, 150)),
      ])
      for (const outcome of outcomes) accepted(outcome)
      assert.equal((await viewOf(hub, channel)).amounts.charged, 300n)
    })

    it('carry messages', async () => {
      const seen = line.until((message) => message.type === 'event')
      await follow(line, await signIn(hub, busker))
      const message = { salt: randomHash(), text: 'great song 🎺' }
      const tip = { ...tipOf(busker, 1n), ref: messageRef(message), message }
      accepted((await line.baskets([await basket([tip], 1n)])[0]) ?? { code: 'none' })
      const event = await seen
      assert.ok(event.type === 'event')
      assert.equal(event.data['message'], 'great song 🎺')
    })

    it('are refused one by one, for what is wrong with each, and the others go on', async () => {
      const [good, later] = await basketsOf(2)
      assert.ok(good && later)
      const forged = { ...good, tips: [tipOf(painter, 1n)] }
      const unknown = { ...good, channelId: randomHash() }
      const dear = await basket([tipOf(busker, 11n * unit)], 11n * unit)
      const stranger = await basket([tipOf('0x00000000000000000000000000000000000000aa', 1n)], 1n)
      const tooLow = await basket([tipOf(busker, 5n)], 4n)
      const outcomes = await Promise.all(
        line.baskets([forged, unknown, dear, stranger, tooLow, good, later]),
      )
      assert.deepEqual(
        outcomes.map((outcome) => ('code' in outcome ? outcome.code : 'accepted')),
        [
          'bad_signature',
          'unknown_channel',
          'deposit_exceeded',
          'unknown_creator',
          'ceiling_too_low',
          'accepted',
          'accepted',
        ],
      )
      assert.equal((await viewOf(hub, channel)).amounts.charged, 2n)
    })
  })

  describe('a line that breaks', () => {
    it('loses and doubles nothing: what is sent again is charged once (R2)', async () => {
      const sent = await basketsOf(120)
      for (const outcome of line.baskets(sent)) outcome.catch(() => undefined)
      line.cut()
      const next = await openSocket(hub)
      const outcomes = await Promise.all(next.baskets(sent))
      for (const outcome of outcomes) accepted(outcome)
      assert.equal((await viewOf(hub, channel)).amounts.charged, 120n)
      next.cut()
    })

    it('is closed with 1001 when the hub stops, after what it took is answered', async () => {
      const stopping = await openHub()
      const creator = await newCreator(stopping, 'busker')
      const on = await openChannel(stopping)
      const other = await openSocket(stopping)
      const one = await signBasket(stopping, {
        channelId: on.id,
        tips: [tipOf(creator, 1n)],
        by: on.authorizer,
      })
      accepted((await other.baskets([one])[0]) ?? { code: 'none' })
      await stopping.world.hub.stop()
      assert.equal((await other.closed).code, 1001)
      await stopping.close()
    })
  })

  describe('what is no frame', () => {
    const frames: [what: string, frame: Uint8Array][] = [
      ['nothing', new Uint8Array()],
      ['an unknown kind', new Uint8Array([0x7f, 1, 2])],
      ['receipts', new Uint8Array([0x81, 0, 0])],
      ['a basket that is cut', new Uint8Array([1, 0, 0, 0, 1, 0, 1, 5, 5])],
    ]
    for (const [what, frame] of frames) {
      it(`such as ${what} gets a problem document and the end of the line`, async () => {
        line.send(frame)
        const message = await line.until(({ type }) => type === 'problem')
        assert.ok(message.type === 'problem')
        assert.equal(message.problem.code, 'invalid_request')
        assert.equal((await line.closed).code, 1007)
      })
    }

    it('such as one above the limit ends the line with 1009', async () => {
      line.send(new Uint8Array(512 * 1024 + 1))
      assert.equal((await line.closed).code, 1009)
    })
  })

  describe('text', () => {
    const refused: [text: string, code: string][] = [
      ['{', 'malformed_json'],
      ['{"type":"follow","type":"follow"}', 'duplicate_key'],
      ['{"type":"dance"}', 'invalid_request'],
      ['{"type":"sign-in","token":"nobody"}', 'session_required'],
      ['{"type":"follow"}', 'session_required'],
      ['{"type":"follow","after":"soon"}', 'invalid_request'],
    ]
    for (const [text, code] of refused) {
      it(`${text} is refused as ${code}, and the line stays`, async () => {
        line.send(text)
        const message = await line.until(({ type }) => type === 'problem')
        assert.ok(message.type === 'problem')
        assert.equal(message.problem.code, code)
        accepted((await line.baskets(await basketsOf(1))[0]) ?? { code: 'none' })
      })
    }

    it('sign-in as somebody else, or following twice, is refused', async () => {
      const refusal = (code: string) =>
        line.until((message) => message.type === 'problem' && message.problem.code === code)
      await follow(line, await signIn(hub, busker))
      line.send('{"type":"follow"}')
      await refusal('already_following')
      line.send(JSON.stringify({ type: 'sign-in', token: await signIn(hub, painter) }))
      await refusal('already_signed_in')
    })

    it('follow tells of tips from an event on, each once', async () => {
      const token = await signIn(hub, busker)
      await follow(line, token)
      const sent = await basketsOf(3)
      await Promise.all(line.baskets(sent))
      const refs = sent.flatMap(({ tips }) => tips.map(({ ref }) => ref))
      const isRef = (ref: string | undefined) => (message: { type: string }) =>
        message.type === 'event' &&
        'data' in message &&
        (message.data as { ref?: string }).ref === ref
      const first = await line.until(isRef(refs[0]))
      await line.until(isRef(refs[2]))
      assert.ok(first.type === 'event')
      const next = await openSocket(hub)
      await follow(next, token, first.id)
      await next.until(isRef(refs[2]))
      const told = await next.until(({ type }) => type === 'event')
      assert.ok(told.type === 'event')
      assert.equal(told.data['ref'], refs[1], 'the one after the event that was seen')
      next.cut()
    })
  })

  describe('too much', () => {
    it('of bad signatures ends the line and makes their sender wait, over HTTP too', async () => {
      const own = await openHub()
      const creator = await newCreator(own, 'busker')
      const on = await openChannel(own)
      const other = await openSocket(own)
      const one = await signBasket(own, {
        channelId: on.id,
        tips: [tipOf(creator, 1n)],
        by: on.authorizer,
      })
      const forged = Array.from({ length: 250 }, () => ({
        ...one,
        tips: [tipOf(creator, 1n)],
        maxClaimableAmount: 2n,
      }))
      const codes: unknown[] = []
      for (const outcome of other.baskets(forged))
        outcome.then((answer) => codes.push('code' in answer && answer.code)).catch(assert.fail)
      assert.equal((await other.closed).code, 1008)
      assert.deepEqual(new Set(codes), new Set(['bad_signature']))
      assert.ok(codes.length > 100 && codes.length < 250, `${codes.length} were checked`)
      const answer = await own.call({ path: '/v1/tips', body: one })
      assertProblem(answer, 'too_many_requests')
      assert.equal(answer.headers['retry-after'], '1')
      await own.close()
    })

    it('is not asked for at another path', async () => {
      assertProblem(
        await hub.call({
          path: '/v1/elsewhere',
          headers: {
            connection: 'upgrade',
            upgrade: 'websocket',
            'sec-websocket-version': '13',
            'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
          },
        }),
        'not_found',
      )
    })
  })
})
