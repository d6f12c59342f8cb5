import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Server } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Hex } from 'viem'
import type { QuoteView } from '#protocol/messages/payouts.ts'
import { entryNotification } from '../../scripts/bank/documents.ts'
import { accounts } from '../ledger/accounts.ts'
import { balanceOf } from '../ledger/entry.ts'
import type { Disk } from '../testing/disk.ts'
import { openDisk, openLog } from '../testing/disk.ts'
import { createBankDesk } from './bank-desk.ts'
import { createBankRail } from './bank-rail.ts'
import { createBankLink } from './iso20022/bank-link.ts'
import { sampleDebtor } from './iso20022/sample-payment-file.ts'
import type { Schemas } from './iso20022/schema.ts'
import { loadSchemas } from './iso20022/schema.ts'
import { endToEndIdOf, fund, newPayout } from './payout.ts'
import { loadPayoutBook } from './payout-book.ts'

const schemaDir = fileURLToPath(new URL('../../.jandon/xsd', import.meta.url))
const net = 13_283n
const account = { name: 'Kim Painter', bank: '004', account: '1234567890' }

function quoteOf(hash: Hex, destination: QuoteView['destination']): QuoteView {
  return {
    quoteId: hash,
    account: `0x${'22'.repeat(20)}`,
    token: `0x${'33'.repeat(20)}`,
    gross: 10_000_000n,
    rail: 'iso20022',
    currency: 'KRW',
    net,
    lines: [
      { kind: 'gross', label: 'converted to KRW', amount: 13_852n },
      { kind: 'hub-fee', label: 'hub fee', amount: -69n },
      { kind: 'rail-fee', label: 'bank transfer', amount: -500n },
    ],
    rate: { numerator: 13_852n, denominator: 10n, source: 'made up', asOf: 0n },
    destination,
    expectedArrival: '2026-11-24',
    expiresAt: 0n,
    treasury: `0x${'44'.repeat(20)}`,
    hash,
    signature: '0x',
  }
}

/** A bank at the wire, which says what a test tells it to say. */
function scriptedBank() {
  const bank = {
    files: [] as string[],
    reports: [] as string[],
    /** How a file is answered: a status, or not at all. */
    answers: [] as (number | 'cut')[],
    /** What is known of a payment when the hub asks. */
    payments: new Map<string, object>(),
  }
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://bank')
    const say = (status: number, body: object) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    }
    if (pathname === '/reports') {
      const after = Number(searchParams.get('after'))
      const reports = bank.reports.map((xml, index) => ({ sequence: index + 1, xml }))
      return say(200, { reports: reports.slice(after) })
    }
    if (request.method === 'GET') {
      const known = bank.payments.get(pathname.split('/').at(-1) ?? '')
      return known
        ? say(200, known)
        : say(404, { title: 'none', status: 404, code: 'PAYMENT_NOT_KNOWN' })
    }
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      bank.files.push(Buffer.concat(chunks).toString('utf8'))
      const answer = bank.answers.shift() ?? 202
      if (answer === 'cut') response.destroy()
      else say(answer, { title: 'no', status: answer, code: 'NO' })
    })
  })
  return { bank, server }
}

describe('createBankDesk', () => {
  let disk: Disk
  let schemas: Schemas
  let server: Server
  let bank: ReturnType<typeof scriptedBank>['bank']
  let time: number
  let faults: string[]

  before(() => {
    schemas = loadSchemas(schemaDir)
  })
  after(() => schemas.dispose())
  beforeEach(async () => {
    disk = await openDisk()
    time = Date.parse('2026-11-23T10:00:00Z')
    faults = []
    ;({ bank, server } = scriptedBank())
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  })
  afterEach(async () => {
    server.closeAllConnections()
    server.close()
    await disk.remove()
  })

  /** The desk as after a start, over what is on disk. */
  async function open() {
    const { port } = server.address() as AddressInfo
    const now = () => time
    const { log, balances } = await openLog(disk.db)
    const book = await loadPayoutBook({ db: disk.db, now })
    const link = createBankLink({ baseUrl: `http://127.0.0.1:${port}`, fetch, timeoutMs: 5_000 })
    const directory = join(disk.directory, 'files')
    const rail = createBankRail({ link, schemas, directory, debtor: sampleDebtor, now })
    const onFault = (fault: string) => void faults.push(fault)
    const mayHandOver = () => true
    const desk = createBankDesk({ db: disk.db, log, book, rail, now, mayHandOver, onFault })
    return {
      desk,
      book,
      balance: (name: string) => balanceOf(balances, name, 'KRW'),
      /** A payout whose vault payment is final. */
      async fund(digit: string, destination: QuoteView['destination'] = account) {
        const hash: Hex = `0x${digit.repeat(64)}`
        await log.commit(book.change(fund(newPayout(quoteOf(hash, destination), time)), 'test'))
        return hash
      },
    }
  }

  /** What the bank's statement says of a payment. */
  function notification(
    id: Hex,
    { reference, amount = net }: { reference: string; amount?: bigint },
  ) {
    const endToEndId = endToEndIdOf(id, 1)
    const debtorAccount = '11000000000001'
    const payment = {
      id: '1',
      endToEndId,
      messageId: endToEndId,
      paymentInformationId: endToEndId,
      debtorAccount,
      currency: 'KRW',
      amount,
      creditor: { account: account.account, name: account.name },
    } as const
    const entry = {
      reference,
      bookedAt: new Date(time).toISOString(),
      cause: { kind: 'payment', payment: '1' },
      postings: [
        { account: debtorAccount, currency: 'KRW', amount: -amount },
        { account: account.account, currency: 'KRW', amount },
      ],
    } as const
    const heading = { messageId: `R${reference}`, now: new Date(time) }
    return entryNotification(heading, {
      payment,
      entry: { ...entry, postings: [...entry.postings] },
    })
  }

  describe('tick', () => {
    it('names a payout that no file can be made for, and holds no other up', async () => {
      const { desk, book, fund: pay } = await open()
      const stuck = await pay('a', { ...account, name: '\u0000' })
      const fine = await pay('b')
      await desk.tick()
      assert.equal(book.get(stuck).state, 'FUNDED')
      assert.equal(book.get(fine).state, 'SUBMITTED')
      assert.equal(bank.files.length, 1)
      assert.match(faults.join(), new RegExp(`payout ${stuck} cannot go on`))
    })

    it('has id and file on disk before the file leaves (R16)', async () => {
      const { desk, fund: pay } = await open()
      const id = await pay('a')
      bank.answers.push('cut')
      await desk.tick()
      const { book } = await open()
      const { state, endToEndId, xml } = book.get(id)
      assert.equal(state, 'UNKNOWN')
      assert.equal(endToEndId, endToEndIdOf(id, 1))
      assert.deepEqual(bank.files, [xml])
    })

    it('sends the very same file again, after a quiet period and only when the bank has none (R17)', async () => {
      const { desk, book, fund: pay } = await open()
      const id = await pay('a')
      bank.answers.push('cut')
      await desk.tick()
      await desk.tick()
      assert.equal(bank.files.length, 1)
      time += 60_000
      const { desk: restarted } = await open()
      await restarted.tick()
      assert.equal(bank.files.length, 2)
      assert.equal(bank.files[0], bank.files[1])
      assert.equal(book.get(id).endToEndId, endToEndIdOf(id, 1))
    })

    it('sends nothing again of what the bank knows (R17)', async () => {
      const { desk, book, fund: pay } = await open()
      const id = await pay('a')
      bank.answers.push('cut')
      await desk.tick()
      const endToEndId = endToEndIdOf(id, 1)
      const known = { endToEndId, messageId: endToEndId, currency: 'KRW', amount: String(net) }
      bank.payments.set(endToEndId, { ...known, status: 'accepted' })
      time += 60_000
      await desk.tick()
      assert.equal(bank.files.length, 1)
      assert.equal(book.get(id).state, 'SUBMITTED')
    })

    for (const status of [408, 409, 425, 429, 500, 502, 503, 504]) {
      it(`takes ${status} for an unknown outcome, never for a refusal (R17)`, async () => {
        const { desk, book, fund: pay } = await open()
        const id = await pay('a')
        bank.answers.push(status)
        await desk.tick()
        assert.equal(book.get(id).state, 'UNKNOWN')
      })
    }

    it('books a payment once, however often and in however many reports it is told of (R15, I9)', async () => {
      const { desk, book, balance, fund: pay } = await open()
      const id = await pay('a')
      await desk.tick()
      const told = notification(id, { reference: 'E1' })
      bank.reports.push(told, told)
      await desk.tick()
      bank.reports.push(told)
      await desk.tick()
      assert.equal(book.get(id).state, 'SETTLED')
      assert.equal(balance(accounts.bank), -net)
      assert.equal(balance(accounts.payout(id)), 0n)
      assert.deepEqual(faults, [])
    })

    it('tells a person when the bank books a payment a second time, and books it once (I9)', async () => {
      const { desk, book, balance, fund: pay } = await open()
      const id = await pay('a')
      await desk.tick()
      bank.reports.push(
        notification(id, { reference: 'E1' }),
        notification(id, { reference: 'E2' }),
      )
      await desk.tick()
      assert.equal(book.get(id).state, 'SETTLED')
      assert.equal(balance(accounts.bank), -net)
      assert.match(faults.join(), /is booked a second time, as E2/)
    })

    it('tells a person of a booking of another amount, and believes none of it (R18, I9)', async () => {
      const { desk, book, balance, fund: pay } = await open()
      const id = await pay('a')
      await desk.tick()
      bank.reports.push(notification(id, { reference: 'E1', amount: net + 1n }))
      await desk.tick()
      assert.notEqual(book.get(id).state, 'SETTLED')
      assert.equal(balance(accounts.bank), 0n)
      assert.match(faults.join(), /booked with another amount than 13283 KRW/)
    })

    it('goes on behind a report that cannot be read, and behind one of a stranger', async () => {
      const { desk, book, fund: pay } = await open()
      const id = await pay('a')
      await desk.tick()
      bank.reports.push('<broken', notification(`0x${'c'.repeat(64)}`, { reference: 'E7' }))
      bank.reports.push(notification(id, { reference: 'E8' }))
      await desk.tick()
      assert.equal(book.get(id).state, 'SETTLED')
      assert.match(faults.join(), /bank report 1 was not read.*is no payout of this hub/)
    })

    it('reads a report once, also after a restart (I9)', async () => {
      const first = await open()
      const id = await first.fund('a')
      await first.desk.tick()
      bank.reports.push(notification(id, { reference: 'E1' }))
      await first.desk.tick()
      const second = await open()
      await second.desk.tick()
      assert.equal(second.balance(accounts.bank), -net)
      assert.deepEqual(faults, [])
    })
  })
})
