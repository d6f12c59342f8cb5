// kill -9 of the hub at the worst moments of a cash-out: the payout goes on, under the id and with the file that were on disk
// before the file first left, and the bank books it once (R16, R17).

import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import type { Server } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { PayoutView, QuoteView } from '#protocol/messages/payouts.ts'
import { payoutView } from '#protocol/messages/payouts.ts'
import { endToEndIdOf } from '#server/payouts/payout.ts'
import { exportedLines } from '../support/books.ts'
import { assertAnswer, send } from '../support/http.ts'
import type { HubFixture } from '../support/hub.ts'
import { eventually, openHub, reservesOf } from '../support/hub.ts'
import { unit } from '../support/paper.ts'
import type { Earner } from '../support/payouts.ts'
import { askQuote, newEarner, payoutIn, signPayment } from '../support/payouts.ts'

const seed = Number(process.env['JANDON_SEED'] ?? randomInt(1, 2 ** 31 - 1))
const kills = 5
/** From the request to the bank's booking takes less than this, so that a kill can strike each step. */
const longestWayMs = 600

type Order = { quote: QuoteView; body: Awaited<ReturnType<typeof signPayment>> }
type BankEntry = { cause: string; endToEndId: string | null }
type Legs = { account: string; amount: string }[]

describe('kill -9 in the middle of a cash-out', () => {
  let hub: HubFixture
  let painter: Earner
  let bankUrl: string
  const orders: Order[] = []

  before(async () => {
    hub = await openHub({ withBank: true })
    assert.ok(hub.world.bank)
    bankUrl = hub.world.bank.url
    painter = await newEarner(hub, 'painter', 100n * unit)
  })

  after(() => hub?.close())

  async function newOrder(): Promise<Order> {
    const quote = await askQuote(hub, painter, unit)
    const order = { quote, body: await signPayment(hub, painter, quote) }
    orders.push(order)
    return order
  }

  const post = ({ body }: Order) => hub.call({ path: '/v1/payouts', token: painter.token, body })

  const endsIn = ({ quote }: Order, state: PayoutView['state']) =>
    payoutIn(hub, painter, { payoutId: quote.hash, state })

  async function fault(counts: { [name: string]: number }) {
    assertAnswer(await send(bankUrl, { path: '/faults', body: counts }), 200)
  }

  /** The bank books what it holds; the hub hears of it by the reports. */
  async function resume() {
    assert.equal((await send(bankUrl, { method: 'POST', path: '/resume' })).status, 204)
  }

  const storedFile = ({ quote }: Order) => {
    const name = `${endToEndIdOf(quote.hash, 1)}.xml`
    return readFile(join(hub.world.folder, 'hub', 'payment-files', name), 'utf8')
  }

  /** Every payout so far is paid once by the bank, under the id of its first attempt, and once in the ledger. */
  async function assertAllPaidOnce() {
    for (const order of orders) {
      const settled = await endsIn(order, 'SETTLED')
      assert.equal(settled.endToEndId, endToEndIdOf(order.quote.hash, 1))
    }
    const { entries } = assertAnswer(await send(bankUrl, { path: '/books' }), 200)
    const paid = (entries as BankEntry[]).filter(({ cause }) => cause === 'payment')
    const ids = orders.map(({ quote }) => endToEndIdOf(quote.hash, 1))
    assert.deepEqual(paid.map(({ endToEndId }) => endToEndId).sort(), ids.sort())
    for (const { quote } of orders) {
      const amounts = await eventually(
        () => bookedFor(quote),
        ({ length }) => length > 0,
      )
      assert.deepEqual(amounts, [-quote.net])
    }
    assert.equal((await reservesOf(hub))['verdict'], 'equal')
  }

  async function bookedFor({ hash }: QuoteView): Promise<bigint[]> {
    const entries = (await exportedLines(hub)).filter(({ kind }) => kind === 'entry')
    return entries
      .map(({ legs }) => legs as Legs)
      .filter((legs) => legs.some(({ account }) => account === `payout:${hash}`))
      .flatMap((legs) => legs.filter(({ account }) => account === 'bank'))
      .map(({ amount }) => BigInt(amount))
  }

  describe('while SUBMITTING', () => {
    let silent: Silent

    afterEach(() => silent?.close())

    /** Runs a payout up to a bank that says nothing, kills the hub there, and starts it again at the bank itself. */
    async function killWhileSubmitting(passOn: boolean): Promise<Order> {
      silent = await openSilentBank(bankUrl, passOn)
      await hub.world.hub.kill()
      await hub.world.restartHub({ JANDON_BANK_URL: silent.url })
      const order = await newOrder()
      assertAnswer(await post(order), 202)
      await silent.taken
      await endsIn(order, 'SUBMITTING')
      const before = await storedFile(order)
      await hub.world.hub.kill()
      await hub.world.restartHub()
      await resume()
      await endsIn(order, 'SETTLED')
      assert.equal(await storedFile(order), before)
      assert.deepEqual(silent.files, [before])
      return order
    }

    it('with the file at the bank: the bank is asked, and it is paid once (R16, R17)', async () => {
      await killWhileSubmitting(true)
      await assertAllPaidOnce()
    })

    it('with the file held at the bank: it is found there, and paid once (R16, R17)', async () => {
      await fault({ holdAtReceipt: 1 })
      await killWhileSubmitting(true)
      await assertAllPaidOnce()
    })

    it('with the file lost on its way: the same file is sent under the same id (R16, R17)', async () => {
      const { quote } = await killWhileSubmitting(false)
      await assertAllPaidOnce()
      const id = endToEndIdOf(quote.hash, 1)
      const known = assertAnswer(await send(bankUrl, { path: `/payments/${id}` }), 200)
      assert.deepEqual([known['messageId'], known['status']], [id, 'booked'])
    })
  })

  describe('while UNKNOWN', () => {
    it('the bank is asked after the restart, and it is paid once (R17)', async () => {
      await fault({ dropAnswer: 1, holdAtReceipt: 1 })
      const order = await newOrder()
      assertAnswer(await post(order), 202)
      await endsIn(order, 'UNKNOWN')
      await hub.world.hub.kill()
      await hub.world.restartHub()
      await endsIn(order, 'SUBMITTED')
      await resume()
      await assertAllPaidOnce()
    })
  })

  describe(`anywhere between POST /v1/payouts and SETTLED, from seed ${seed}`, () => {
    const random = generator(seed)
    for (let index = 0; index < kills; index += 1) {
      const afterMs = Math.floor(random() * longestWayMs)
      it(`is paid once after a kill ${afterMs} ms after the request (R16, R17)`, async () => {
        const order = await newOrder()
        const answer = post(order).catch(() => undefined)
        await new Promise((resolve) => setTimeout(resolve, afterMs))
        await hub.world.hub.kill()
        await answer
        await hub.world.restartHub()
        const again = payoutView.parse(assertAnswer(await post(order), 202))
        assert.equal(again.payoutId, order.quote.hash)
        await assertAllPaidOnce()
      })
    }
  })
})

type Silent = {
  url: string
  /** The files that were handed over, in order. */
  files: string[]
  /** Resolves when the first file was taken, and the bank behind has it if it is to have it. */
  taken: Promise<void>
  close(): void
}

/** A bank that answers everything but files; those it passes on, or not, and says nothing. */
async function openSilentBank(bankUrl: string, passOn: boolean): Promise<Silent> {
  const files: string[] = []
  let tell: () => void = () => undefined
  const taken = new Promise<void>((resolve) => {
    tell = resolve
  })
  const server: Server = createServer(async (request, response) => {
    const path = request.url ?? '/'
    if (request.method !== 'POST') {
      const answer = await send(bankUrl, { path })
      response.writeHead(answer.status, { 'content-type': answer.headers['content-type'] })
      response.end(answer.text)
      return
    }
    const body = await text(request)
    files.push(body)
    const headers = { 'content-type': 'application/xml' }
    if (passOn) await send(bankUrl, { method: 'POST', path, headers, body })
    tell()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    files,
    taken,
    close() {
      server.close()
      server.closeAllConnections()
    },
  }
}

/** mulberry32: numbers from 0 to 1 that a seed determines. */
function generator(start: number): () => number {
  let state = start
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
