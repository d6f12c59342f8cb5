// Ticks over /v1/socket: opened by one signature, paid by preimages, ended by one tip (R26, R27, R28).

import assert from 'node:assert/strict'
import type { PrivateKeyAccount } from 'viem'
import { tipsAnswer } from '#protocol/messages/tips.ts'
import { toJson } from '#protocol/messages/wire.ts'
import type { TickCommitment } from '#protocol/tick.ts'
import { tipTo } from '#protocol/tip.ts'
import type { OpenChannel } from '../support/channels.ts'
import { openChannel, viewOf } from '../support/channels.ts'
import { assertAnswer } from '../support/http.ts'
import type { HubFixture } from '../support/hub.ts'
import { eventually, openHub, reservesOf, settle } from '../support/hub.ts'
import { addressOf, newCreator, signBasket, signIn } from '../support/paper.ts'
import type { OpenedStream, SocketLine } from '../support/socket.ts'
import { openSocket } from '../support/socket.ts'
import type { Committed } from '../support/streams.ts'
import { commitTo } from '../support/streams.ts'

describe('streams of ticks on /v1/socket', () => {
  let hub: HubFixture
  let busker: PrivateKeyAccount
  let channel: OpenChannel
  let line: SocketLine
  let promised: Committed
  let stream: number

  before(async () => {
    hub = await openHub()
    busker = await newCreator(hub, 'busker')
  })
  after(() => hub?.close())

  beforeEach(async () => {
    channel = await openChannel(hub)
    promised = await commitTo(hub, channel, { to: tipTo(addressOf(busker)) })
    line = await signedIn(channel.token)
    stream = (await opened(line, promised)).stream
  })
  afterEach(() => line.cut())

  async function signedIn(token: string): Promise<SocketLine> {
    const on = await openSocket(hub)
    on.send(toJson({ type: 'sign-in', token }))
    await on.until(({ type }) => type === 'signed-in')
    return on
  }

  async function opened(on: SocketLine, order: Committed): Promise<OpenedStream> {
    const answer = await on.openStream(order)
    assert.ok('stream' in answer, toJson(answer))
    return answer
  }

  async function refused(on: SocketLine, code: string) {
    const found = await on.until(({ type }) => type === 'problem')
    assert.ok(found.type === 'problem')
    assert.equal(found.problem.code, code)
    return found
  }

  async function pay(ticks: number) {
    line.reveal([{ stream, ...promised.paying(ticks) }])
    await line.ticked(stream, ticks)
  }

  const amountsOf = async () => (await viewOf(hub, channel)).amounts

  /** The basket that ends the stream after so many ticks. */
  function end(ticks: number) {
    const { to, root, tickAmount } = promised.commitment
    const tips = [{ to, amount: tickAmount * BigInt(ticks), ref: root }]
    return signBasket(hub, { channelId: channel.id, tips, by: channel.authorizer })
  }

  it('begin with no ticks, and hold what was ticked (R27)', async () => {
    assert.deepEqual(await amountsOf().then(({ held }) => held), 0n)
    await pay(1)
    await pay(40)
    assert.equal((await amountsOf()).held, 400n)
  })

  it('take many reveals of many streams in one frame', async () => {
    const other = await openChannel(hub)
    const second = await commitTo(hub, other, { to: tipTo(addressOf(busker)), tickAmount: 3n })
    const on = await signedIn(channel.token)
    const mine = (await opened(line, promised)).stream
    const theirs = (await opened(line, second)).stream
    const reveals = Array.from({ length: 50 }, (_, at) => at + 1).flatMap((ticks) => [
      { stream: mine, ...promised.paying(ticks) },
      { stream: theirs, ...second.paying(ticks) },
    ])
    line.reveal(reveals)
    await line.ticked(mine, 50)
    await line.ticked(theirs, 50)
    assert.equal((await amountsOf()).held, 500n)
    assert.equal((await viewOf(hub, other)).amounts.held, 150n)
    on.cut()
  })

  it('go on over another connection of the session, from what is on disk', async () => {
    await pay(5)
    line.reveal([{ stream, ...promised.paying(6) }])
    line.cut()
    line = await signedIn(channel.token)
    const again = await opened(line, promised)
    assert.equal(again.stream, stream)
    assert.ok(again.ticks === 5 || again.ticks === 6, `${again.ticks} ticks`)
    assert.equal(again.amount, BigInt(again.ticks) * 10n)
    await pay(20)
    assert.equal((await amountsOf()).held, 200n)
  })

  it('survive a kill with every tick that was answered', async () => {
    await pay(33)
    await hub.world.hub.kill()
    await hub.world.restartHub()
    line = await signedIn(channel.token)
    assert.equal((await opened(line, promised)).ticks, 33)
    await pay(34)
  })

  it('end in one tip by the payer’s basket, whose receipt it is (R28)', async () => {
    await pay(25)
    const receipt = tipsAnswer.parse(
      assertAnswer(await hub.call({ path: '/v1/tips', body: await end(25) }), 200),
    )
    assert.equal(receipt.channel.charged, 250n)
    assert.equal(receipt.channel.held, 0n)
    line.reveal([{ stream, ...promised.paying(26) }])
    const { stream: named } = await refused(line, 'stream_closed')
    assert.equal(named, stream)
  })

  it('end with what was proved when a preimage is wrong (R28)', async () => {
    await pay(12)
    line.reveal([{ stream, ticks: 13, preimage: new Uint8Array(32).fill(1) }])
    assert.equal((await refused(line, 'wrong_preimage')).stream, stream)
    const { charged, held } = await amountsOf()
    assert.deepEqual([charged, held], [120n, 0n])
  })

  it('are revealed on by the session that opened them alone (R26)', async () => {
    const other = await signedIn(await signIn(hub, channel.payer))
    other.reveal([{ stream, ...promised.paying(1) }])
    await refused(other, 'not_your_stream')
    const nobody = await openSocket(hub)
    nobody.reveal([{ stream, ...promised.paying(1) }])
    await refused(nobody, 'session_required')
    assert.equal((await amountsOf()).held, 0n)
    other.cut()
    nobody.cut()
  })

  it('end when their session signs out, and its connection takes no more ticks', async () => {
    await pay(9)
    const { status } = await hub.call({
      method: 'DELETE',
      path: '/v1/sessions',
      token: channel.token,
    })
    assert.equal(status, 204)
    channel.token = await signIn(hub, channel.payer)
    assert.deepEqual(await amountsOf().then(({ charged, held }) => [charged, held]), [90n, 0n])
    line.reveal([{ stream, ...promised.paying(10) }])
    await line.until(({ type }) => type === 'problem')
    assert.equal((await amountsOf()).charged, 90n)
  })

  it('pay no more than the deposit covers (R1)', async () => {
    const dear = await openChannel(hub, { deposit: 1_000n })
    promised = await commitTo(hub, dear, { to: tipTo(addressOf(busker)), tickAmount: 100n })
    stream = (await opened(await replaced(dear.token), promised)).stream
    await pay(10)
    line.reveal([{ stream, ...promised.paying(11) }])
    await refused(line, 'deposit_exceeded')
    assert.equal((await viewOf(hub, dear)).amounts.held, 1_000n)
  })

  async function replaced(token: string): Promise<SocketLine> {
    line.cut()
    line = await signedIn(token)
    return line
  }

  it('are claimed to the unit once they have ended, and the books agree with the chain', async () => {
    await pay(64)
    line.reveal([{ stream, ticks: 65, preimage: new Uint8Array(32) }])
    await refused(line, 'wrong_preimage')
    assert.equal((await settle(hub)).status, 202)
    const { totalClaimed } = await eventually(
      () => viewOf(hub, channel),
      (view) => view.totalClaimed > 0n,
    )
    assert.equal(totalClaimed, 640n)
    await eventually(
      () => reservesOf(hub),
      ({ verdict }) => verdict === 'equal',
    )
  })

  const wrong: [what: string, change: Partial<TickCommitment>, code: string][] = [
    ['an amount of nothing', { tickAmount: 0n }, 'invalid_request'],
    ['more ticks than a commitment may have', { maxTicks: 1_025 }, 'invalid_request'],
    [
      'another creator than was signed for',
      { to: `0x${'00'.repeat(12)}${'11'.repeat(20)}` },
      'unknown_creator',
    ],
    ['another amount than was signed for', { tickAmount: 11n }, 'bad_signature'],
  ]
  for (const [what, change, code] of wrong) {
    it(`are not opened for ${what}: ${code}`, async () => {
      const other = await openChannel(hub)
      const { commitment, signature } = await commitTo(hub, other, { to: tipTo(addressOf(busker)) })
      const outcome = await line.openStream({
        commitment: { ...commitment, ...change },
        signature,
      })
      assert.equal('code' in outcome && outcome.code, code)
      assert.equal((await viewOf(hub, other)).amounts.held, 0n)
    })
  }
})
