// Cash-outs at a bank that rejects, forgets to answer, loses and shuffles its reports, sends money back or is not there:
// each payout is paid once or not at all, and the hub's ledger says the same as the bank's books (I9).

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Hex } from 'viem'
import type { PayoutView, QuoteView } from '#protocol/messages/payouts.ts'
import { payoutView, quoteView } from '#protocol/messages/payouts.ts'
import { loadSchemas } from '#server/payouts/iso20022/schema.ts'
import type { Part } from '../../scripts/world/process.ts'
import { startPart } from '../../scripts/world/process.ts'
import { exportedLines } from '../support/books.ts'
import type { Answer } from '../support/http.ts'
import { assertAnswer, assertProblem, send } from '../support/http.ts'
import type { HubFixture } from '../support/hub.ts'
import { eventually, openHub, reservesOf } from '../support/hub.ts'
import { unit } from '../support/paper.ts'
import type { Earner } from '../support/payouts.ts'
import { koreanAccount, newEarner, payoutIn, quoteOrder, signPayment } from '../support/payouts.ts'

type BankEntry = {
  cause: string
  endToEndId: string | null
  postings: { account: string; currency: string; amount: string }[]
}
type LedgerEntry = { legs: { account: string; currency: string; amount: string }[] }
type Started = { quote: QuoteView; payout: PayoutView }

const root = fileURLToPath(new URL('../..', import.meta.url))
const xsd = join(root, '.jandon', 'xsd')
const run = promisify(execFile)

let hub: HubFixture
let painter: Earner
/** The bank of the world, and after a crash the one that was started in its place. */
let bank: Part

describe('cash-out at a difficult bank', () => {
  before(async () => {
    hub = await openHub({ withBank: true })
    assert.ok(hub.world.bank)
    bank = hub.world.bank
    painter = await newEarner(hub, 'painter', 100n * unit)
  })

  after(async () => {
    await bank?.stop()
    await hub?.close()
  })

  const atBank = (path: string, body?: object): Promise<Answer> =>
    send(bank.url, body === undefined ? { path } : { path, body })

  async function fault(counts: { [name: string]: number }) {
    assertAnswer(await atBank('/faults', counts), 200)
  }

  async function resume() {
    assert.equal((await send(bank.url, { method: 'POST', path: '/resume' })).status, 204)
  }

  async function startBank(): Promise<Part> {
    const { port } = new URL(bank.url)
    const script = join(root, 'scripts/bank/main.ts')
    const data = join(hub.world.folder, 'bank')
    return startPart('bank', [script, '--port', port, '--data', data, '--xsd', xsd])
  }

  async function bankEntries(endToEndId: string): Promise<BankEntry[]> {
    const { entries } = assertAnswer(await atBank('/books'), 200) as { entries: BankEntry[] }
    return entries.filter((entry) => entry.endToEndId === endToEndId)
  }

  async function newQuote(account = koreanAccount.account): Promise<QuoteView> {
    const body = quoteOrder(hub, unit, { destination: { ...koreanAccount, account } })
    const answer = await hub.call({ path: '/v1/quotes', token: painter.token, body })
    return quoteView.parse(assertAnswer(answer, 201))
  }

  async function cashOut(account?: string): Promise<Started> {
    const quote = await newQuote(account)
    const body = await signPayment(hub, painter, quote)
    const answer = await hub.call({ path: '/v1/payouts', token: painter.token, body })
    return { quote, payout: payoutView.parse(assertAnswer(answer, 202)) }
  }

  const endsIn = ({ payout: { payoutId } }: Started, state: PayoutView['state']) =>
    payoutIn(hub, painter, { payoutId, state })

  /** What the ledger moved from the bank account because of a payout, once there are at least so many entries. */
  async function ledgerOf(payoutId: Hex, atLeast = 0): Promise<bigint[]> {
    return eventually(
      async () =>
        (await ledgerEntries())
          .filter(({ legs }) => legs.some(({ account }) => account === `payout:${payoutId}`))
          .flatMap(({ legs }) => legs.filter(({ account }) => account === 'bank'))
          .map(({ amount }) => BigInt(amount)),
      ({ length }) => length >= atLeast,
    )
  }

  async function ledgerEntries(): Promise<LedgerEntry[]> {
    const lines = (await exportedLines(hub)).filter(({ kind }) => kind === 'entry')
    return lines as unknown as LedgerEntry[]
  }

  /** Paid once at the bank to the creditor, once in the ledger, for the net of the quote. */
  async function assertPaidOnce({ quote }: Started, { endToEndId }: PayoutView) {
    assert.ok(endToEndId)
    const entries = await bankEntries(endToEndId)
    assert.deepEqual(
      entries.map(({ cause, postings }) => [cause, creditedBy(postings, quote)]),
      [['payment', quote.net]],
    )
    assert.deepEqual(await ledgerOf(quote.hash, 1), [-quote.net])
    await assertSameBooks()
  }

  /** Both books hold the same for the hub's account at the bank, and books and chain are equal. */
  async function assertSameBooks() {
    const books = assertAnswer(await atBank('/books'), 200)
    const accounts = books['accounts'] as { kind: string; balance: string }[]
    const legs = (await ledgerEntries()).flatMap((entry) => entry.legs)
    const booked = legs
      .filter(({ account }) => account === 'bank')
      .reduce((sum, { amount }) => sum + BigInt(amount), 0n)
    assert.equal(booked, BigInt(accounts.find(({ kind }) => kind === 'customer')?.balance ?? -1))
    assert.equal((await reservesOf(hub))['verdict'], 'equal')
  }

  describe('a payout that the bank pays', () => {
    it('has one amount in quote, file, bank booking and ledger (R18)', async () => {
      const started = await cashOut()
      const settled = await endsIn(started, 'SETTLED')
      assert.equal(settled.net, started.quote.net)
      const xml = await readFile(fileOf(settled), 'utf8')
      const [, currency, amount] = /<InstdAmt Ccy="([A-Z]{3})">([\d.]+)<\/InstdAmt>/.exec(xml) ?? []
      assert.deepEqual([currency, amount], ['KRW', String(started.quote.net)])
      assert.equal(settled.file, `${settled.endToEndId}.xml`)
      assert.match(xml, new RegExp(`<EndToEndId>${settled.endToEndId}</EndToEndId>`))
      await assertPaidOnce(started, settled)
    })

    it('leaves a file that two validators find to be pain.001.001.09', async () => {
      const settled = await endsIn(await cashOut(), 'SETTLED')
      const schemas = loadSchemas(xsd)
      try {
        assert.equal(schemas.validate(await readFile(fileOf(settled), 'utf8')).kind, 'valid')
      } finally {
        schemas.dispose()
      }
      const schema = join(xsd, 'pain.001.001.09.xsd')
      await run('xmllint', ['--noout', '--nonet', '--schema', schema, fileOf(settled)])
    })

    it('says nothing of a payout to the bank before its vault payment is booked (R19)', async () => {
      const { chain } = hub.world
      await fault({ holdAtStatus: 1 })
      const earlier = await cashOut()
      await endsIn(earlier, 'SUBMITTED')
      await chain.setAutomine(false)
      const started = await cashOut()
      const files = await readdir(join(hub.world.folder, 'hub', 'payment-files'))
      await resume()
      await assertPaidOnce(earlier, await endsIn(earlier, 'SETTLED'))
      const waiting = await endsIn(started, 'REQUESTED')
      assert.deepEqual([waiting.endToEndId, waiting.file], [null, null])
      assert.deepEqual(await readdir(join(hub.world.folder, 'hub', 'payment-files')), files)
      assert.deepEqual(await ledgerOf(started.quote.hash), [])
      await chain.setAutomine(true)
      await chain.mine({ blocks: 1 })
      await assertPaidOnce(started, await endsIn(started, 'SETTLED'))
    })
  })

  describe('a payout that the bank rejects', () => {
    for (const [prefix, code] of [
      ['99', 'AC04'],
      ['98', 'BE01'],
      ['97', 'AC01'],
    ]) {
      it(`is REJECTED with ${code} for an account that begins with ${prefix}, and nothing is booked as paid (I9)`, async () => {
        const started = await cashOut(`${prefix}34567890`)
        const rejected = await endsIn(started, 'REJECTED')
        assert.match(rejected.reason, new RegExp(`\\b${code}\\b`))
        assert.equal(rejected.actor, 'operator')
        assert.deepEqual(await bankEntries(rejected.endToEndId ?? ''), [])
        assert.deepEqual(await ledgerOf(started.quote.hash), [])
        await assertSameBooks()
      })
    }
  })

  describe('a bank that takes the file and does not answer', () => {
    it('makes the payout UNKNOWN, which the query ends, and pays once (R17)', async () => {
      await fault({ dropAnswer: 1, holdAtReceipt: 1 })
      const started = await cashOut()
      const unknown = await endsIn(started, 'UNKNOWN')
      assert.equal(unknown.actor, 'hub')
      assert.ok(unknown.nextLookAt)
      const asked = await endsIn(started, 'SUBMITTED')
      assert.equal(asked.endToEndId, unknown.endToEndId)
      await resume()
      await assertPaidOnce(started, await endsIn(started, 'SETTLED'))
    })

    it('leaves it to the statement when that comes first (R17)', async () => {
      await fault({ dropAnswer: 1 })
      const started = await cashOut()
      await assertPaidOnce(started, await endsIn(started, 'SETTLED'))
    })

    it('does not hide that the payment was rejected (R17)', async () => {
      await fault({ dropAnswer: 1, loseReports: 1 })
      const started = await cashOut('9934567890')
      const rejected = await endsIn(started, 'REJECTED')
      assert.match(rejected.reason, /AC04/)
      assert.deepEqual(await ledgerOf(started.quote.hash), [])
    })
  })

  describe('a bank whose reports go astray', () => {
    const faults = [
      ['loses the status report', { loseReports: 1 }],
      ['loses the status report and the booking', { loseReports: 2 }],
      ['loses both and the answer', { loseReports: 2, dropAnswer: 1 }],
      ['tells everything twice', { repeatReports: 2 }],
      ['tells the booking before the status', { delayReports: 1 }],
    ] as const
    for (const [what, counts] of faults) {
      it(`pays once and the payout ends SETTLED when it ${what} (R15, I9)`, async () => {
        await fault(counts)
        const started = await cashOut()
        await assertPaidOnce(started, await endsIn(started, 'SETTLED'))
      })
    }

    it('pays once when both reports come after the next one (R15, I9)', async () => {
      await fault({ delayReports: 2 })
      const first = await cashOut()
      await endsIn(first, 'SUBMITTED')
      const second = await cashOut()
      const settled = [await endsIn(first, 'SETTLED'), await endsIn(second, 'SETTLED')] as const
      await assertPaidOnce(first, settled[0])
      await assertPaidOnce(second, settled[1])
    })
  })

  describe('a bank that sends the money back', () => {
    async function giveBack({ endToEndId }: PayoutView) {
      const answer = await atBank(`/returns/${endToEndId}`, { reason: 'AC04' })
      assertAnswer(answer, 201)
    }

    async function assertReturned(started: Started) {
      const returned = await endsIn(started, 'RETURNED')
      assert.match(returned.reason, /AC04/)
      const causes = (await bankEntries(returned.endToEndId ?? '')).map(({ cause }) => cause)
      assert.deepEqual(causes, ['payment', 'return'])
      const { net, hash } = started.quote
      assert.deepEqual(await ledgerOf(hash, 2), [-net, net])
      await assertSameBooks()
    }

    it('after SETTLED makes the payout RETURNED, and the ledger books it back once (I9)', async () => {
      const started = await cashOut()
      await giveBack(await endsIn(started, 'SETTLED'))
      await assertReturned(started)
    })

    it('and tells of it twice: it is booked back once (I9)', async () => {
      const started = await cashOut()
      const settled = await endsIn(started, 'SETTLED')
      await fault({ repeatReports: 1 })
      await giveBack(settled)
      await assertReturned(started)
    })

    it('and tells of the return before the booking: the books are as in the other order (I9)', async () => {
      await fault({ holdAtStatus: 1 })
      const started = await cashOut()
      const submitted = await endsIn(started, 'SUBMITTED')
      await eventually(
        () => atBank(`/payments/${submitted.endToEndId}`),
        ({ body }) => body['status'] === 'accepted',
      )
      await fault({ delayReports: 1 })
      await resume()
      await eventually(
        () => atBank(`/payments/${submitted.endToEndId}`),
        ({ body }) => body['status'] === 'booked',
      )
      await giveBack(submitted)
      await endsIn(started, 'RETURNED')
      const later = await cashOut()
      await assertPaidOnce(later, await endsIn(later, 'SETTLED'))
      await assertReturned(started)
    })
  })

  describe('a bank that is down', () => {
    it('gets the file when it is up again, under the id that it was given, and pays once (R16, R17)', async () => {
      await bank.stop()
      const started = await cashOut()
      const unknown = await endsIn(started, 'UNKNOWN')
      bank = await startBank()
      const settled = await endsIn(started, 'SETTLED')
      assert.equal(settled.endToEndId, unknown.endToEndId)
      await assertPaidOnce(started, settled)
    })

    it('right after it took the file pays once when it is up again (R17)', async () => {
      await fault({ dropAnswer: 1, holdAtReceipt: 1 })
      const started = await cashOut()
      await endsIn(started, 'UNKNOWN')
      await bank.kill()
      bank = await startBank()
      await assertPaidOnce(started, await endsIn(started, 'SETTLED'))
    })

    it('after its answer pays once when it is up again (I9)', async () => {
      await fault({ holdAtReceipt: 1 })
      const started = await cashOut()
      await endsIn(started, 'SUBMITTED')
      await bank.kill()
      bank = await startBank()
      await assertPaidOnce(started, await endsIn(started, 'SETTLED'))
    })
  })

  describe('POST /v1/payouts, after all that', () => {
    it('answers with the payout that there is, and the bank has heard of each id once (R16, I9)', async () => {
      const answer = await hub.call({ path: '/v1/payouts', token: painter.token })
      const { payouts } = assertAnswer(answer, 200) as { payouts: PayoutView[] }
      const ids = payouts.map(({ endToEndId }) => endToEndId)
      assert.equal(new Set(ids).size, payouts.length)
      const unknown = await hub.call({
        path: `/v1/payouts/0x${'00'.repeat(32)}`,
        token: painter.token,
      })
      assertProblem(unknown, 'unknown_payout')
      await assertSameBooks()
    })
  })

  describe('a bank that books another amount than it was told', () => {
    it('is not believed: the payout is not SETTLED by that, and nothing is booked (R18, I9)', async () => {
      await fault({ misbook: 1 })
      const started = await cashOut()
      const { nextLookAt } = await endsIn(started, 'SUBMITTED')
      const asked = await eventually(
        async () => {
          const path = `/v1/payouts/${started.payout.payoutId}`
          const { body } = await hub.call({ path, token: painter.token })
          return { state: body['state'], look: String(body['nextLookAt']) }
        },
        ({ look }) => look !== 'null' && BigInt(look) > (nextLookAt ?? 0n),
      )
      assert.equal(asked.state, 'SUBMITTED')
      assert.deepEqual(await ledgerOf(started.quote.hash), [])
    })
  })

  function fileOf({ file }: PayoutView): string {
    return join(hub.world.folder, 'hub', 'payment-files', file ?? '')
  }
})

/** What a bank entry puts on the account that the quote names. */
function creditedBy(postings: BankEntry['postings'], { destination }: QuoteView): bigint {
  return postings
    .filter(({ account }) => account === destination['account'])
    .reduce((sum, { amount }) => sum + BigInt(amount), 0n)
}
