import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { createBankLink } from '#server/payouts/iso20022/bank-link.ts'
import { buildPaymentFile } from '#server/payouts/iso20022/payment-file.ts'
import type { CreditTransfer, PaymentFile } from '#server/payouts/iso20022/payment-order.ts'
import { type BankReport, readReport } from '#server/payouts/iso20022/reports.ts'
import {
  hubAccount,
  sampleCreditor,
  samplePaymentFile,
  sampleTransfer,
} from '#server/payouts/iso20022/sample-payment-file.ts'
import { loadSchemas, maxDocumentBytes } from '#server/payouts/iso20022/schema.ts'

const program = fileURLToPath(new URL('./main.ts', import.meta.url))
const schemaDir = fileURLToPath(new URL('../../.jandon/xsd/', import.meta.url))
const payee = '1002123456789'

const booksSchema = z.object({
  accounts: z.array(
    z.object({ number: z.string(), currency: z.string(), holder: z.string(), balance: z.string() }),
  ),
  entries: z.array(
    z.object({
      reference: z.string(),
      cause: z.string(),
      endToEndId: z.string().nullable(),
      postings: z.array(z.object({ account: z.string(), amount: z.string() })),
    }),
  ),
  sums: z.record(z.string(), z.string()),
})

function fileOf(...transfers: Partial<CreditTransfer>[]): PaymentFile {
  return samplePaymentFile({ transfers: transfers.map(sampleTransfer) })
}

function paying(account: string, name = sampleCreditor.name): Pick<CreditTransfer, 'creditor'> {
  return { creditor: { ...sampleCreditor, name, account: { other: account } } }
}

/** What a report tells, in one line: the statuses of payments, or the entries with direction, amount and payment. */
function summary(report: BankReport): string {
  if (report.kind === 'status-report') {
    const { status, instructions } = report
    const lines = instructions.flatMap(({ transactions }) =>
      transactions.map((told) => {
        const reason = 'reason' in told.status ? ` ${told.status.reason?.code}` : ''
        return `${told.endToEndId} ${told.status.kind}${reason}`
      }),
    )
    return [`${report.originalMessageId} ${status.kind}`, ...lines].join(', ')
  }
  return report.accounts
    .flatMap(({ entries }) => entries)
    .map(({ direction, amount, identity, transactions: [told] }) => {
      const money = amount.kind === 'known' ? `${amount.amount} ${amount.currency}` : amount.text
      const known = identity.kind === 'servicer-reference' ? identity.reference : 'no reference'
      const back = told?.returned.kind === 'yes' ? ` returned ${told.returned.reason?.code}` : ''
      return `${told?.endToEndId} ${direction} ${money} ${known}${back}`
    })
    .join(', ')
}

describe('bank simulator', () => {
  const schemas = loadSchemas(schemaDir)
  let dir: string
  let started: ChildProcess[]

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'jandon-bank-'))
    started = []
  })

  afterEach(async () => {
    for (const process of started) await stop(process, 'SIGKILL')
    rmSync(dir, { recursive: true })
  })

  after(() => schemas.dispose())

  async function stop(
    process: ChildProcess,
    signal: 'SIGKILL' | 'SIGTERM',
  ): Promise<number | null> {
    if (process.exitCode !== null || process.signalCode !== null) return process.exitCode
    const exit = once(process, 'exit')
    process.kill(signal)
    await exit
    return process.exitCode
  }

  function launch(...args: string[]): ChildProcess {
    const process = spawn(globalThis.process.execPath, [program, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    started.push(process)
    return process
  }

  /** Starts a bank on the folder of this test and waits until it listens. */
  async function startBank(...args: string[]) {
    const process = launch('--port', '0', '--data', dir, '--json', ...args)
    assert(process.stdout)
    const lines = createInterface({ input: process.stdout })
    const [line] = await once(lines, 'line')
    const { listening } = z.strictObject({ listening: z.url() }).parse(JSON.parse(line))
    const link = createBankLink({ baseUrl: listening, fetch, timeoutMs: 10_000 })

    async function call(method: string, path: string, body?: unknown) {
      const response = await fetch(listening + path, {
        method,
        headers: { 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      const text = await response.text()
      return { status: response.status, body: text === '' ? undefined : JSON.parse(text) }
    }

    return {
      process,
      listening,
      link,
      call,
      submit: (file: PaymentFile) => link.submit(buildPaymentFile(file)),
      post: (xml: string, type = 'application/xml') =>
        fetch(`${listening}/files`, {
          method: 'POST',
          body: xml,
          headers: { 'content-type': type },
        }),
      books: async () => booksSchema.parse((await call('GET', '/books')).body),
      /** All reports from the beginning, in one line each. */
      async told(): Promise<string[]> {
        const reports = await link.reports(0)
        return reports.map(({ xml }, index) => {
          assert.equal(reports[index]?.sequence, index + 1)
          const result = readReport(schemas, xml)
          if (result.kind === 'refused') assert.fail(result.message)
          return summary(result.value)
        })
      },
    }
  }

  type RunningBank = Awaited<ReturnType<typeof startBank>>

  async function assertBalances(bank: RunningBank, expected: Record<string, string>) {
    const { accounts, sums } = await bank.books()
    const found = accounts.map(({ number, currency, balance }) => [
      `${number} ${currency}`,
      balance,
    ])
    assert.deepEqual(Object.fromEntries(found), expected)
    for (const [currency, sum] of Object.entries(sums)) assert.equal(sum, '0', currency)
  }

  const untouched = { [`${hubAccount} KRW`]: '100000000', 'CASH KRW': '-100000000' }
  const paidOnce = {
    [`${hubAccount} KRW`]: '99987660',
    'CASH KRW': '-100000000',
    [`${payee} KRW`]: '12340',
  }
  const toldOnce = ['FILE1 accepted, PAYOUT1A1 accepted', 'PAYOUT1A1 debit 12340 KRW E000000002']

  describe('command line', () => {
    it('prints its usage', async () => {
      const process = launch('--help')
      assert(process.stdout)
      const [text] = await once(process.stdout.setEncoding('utf8'), 'data')
      assert.match(text, /^usage: node scripts\/bank\/main\.ts/)
      await once(process, 'exit')
      assert.equal(process.exitCode, 0)
    })

    for (const args of [
      [],
      ['--port', '0'],
      ['--port', '70000', '--data', 'x'],
      ['--port', '0', '--data', 'x', '--float', 'KRW:1.5'],
      ['--port', '0', '--data', 'x', '--float', 'XXX:1'],
      ['--bogus'],
    ]) {
      it(`exits 2 on the arguments ${JSON.stringify(args)}`, async () => {
        const [code] = await once(launch(...args), 'exit')
        assert.equal(code, 2)
      })
    }

    it('exits 0 on SIGTERM, and goes on with its books afterwards', async () => {
      const first = await startBank()
      await first.submit(fileOf({}))
      await assertBalances(first, paidOnce)
      assert.equal(await stop(first.process, 'SIGTERM'), 0)
      const second = await startBank()
      await assertBalances(second, paidOnce)
      assert.deepEqual(await second.told(), toldOnce)
    })

    it('opens the customer with a float in each currency, once', async () => {
      const floats = ['--float', 'KRW:1000', '--float', 'USD:2500.50', '--float', 'KWD:0.001']
      const expected = {
        [`${hubAccount} KRW`]: '1000',
        'CASH KRW': '-1000',
        [`${hubAccount} USD`]: '250050',
        'CASH USD': '-250050',
        [`${hubAccount} KWD`]: '1',
        'CASH KWD': '-1',
      }
      const first = await startBank(...floats)
      await assertBalances(first, expected)
      await stop(first.process, 'SIGTERM')
      await assertBalances(await startBank(...floats), expected)
    })
  })

  describe('POST /files', () => {
    it('takes a file, reports on it, books it and notifies', async () => {
      const bank = await startBank()
      assert.deepEqual(await bank.submit(fileOf({})), { kind: 'received' })
      assert.deepEqual(await bank.told(), toldOnce)
      await assertBalances(bank, paidOnce)
      const { entries } = await bank.books()
      assert.deepEqual(
        entries.map(({ reference, cause, endToEndId }) => [reference, cause, endToEndId]),
        [
          ['E000000001', 'opening', null],
          ['E000000002', 'payment', 'PAYOUT1A1'],
        ],
      )
    })

    it('books each payment of a file by itself, in its own currency', async () => {
      const bank = await startBank('--float', 'KWD:1')
      const agent = { bic: 'NBOKKWKW' }
      const creditor = { name: 'A', account: { iban: 'DE89370400440532013000' }, agent }
      const transfers = ['P1', 'P2'].map((endToEndId) =>
        sampleTransfer({ endToEndId, amount: 5n, currency: 'KWD', creditor }),
      )
      await bank.submit(samplePaymentFile({ profile: 'iso', transfers }))
      assert.deepEqual(await bank.told(), [
        'FILE1 accepted, P1 accepted, P2 accepted',
        'P1 debit 5 KWD E000000002',
        'P2 debit 5 KWD E000000003',
      ])
    })

    it('rejects single payments with their reasons, and books the others', async () => {
      const bank = await startBank('--float', 'KRW:100')
      await bank.submit(
        fileOf(
          { endToEndId: 'CLOSED', amount: 1n, ...paying('9912345') },
          { endToEndId: 'NAME', amount: 1n, ...paying('9812345') },
          { endToEndId: 'NOBODY', amount: 1n, ...paying('9712345') },
          { endToEndId: 'CASHBOX', amount: 1n, ...paying('CASH', 'the bank') },
          { endToEndId: 'SELF', amount: 1n, ...paying(hubAccount) },
          { endToEndId: 'FIRST', amount: 60n, ...paying(payee, 'Hong Gildong') },
          { endToEndId: 'SHORT', amount: 41n },
          { endToEndId: 'OTHERNAME', amount: 1n, ...paying(payee, '김철수') },
          { endToEndId: 'SAMENAME', amount: 40n, ...paying(payee, ' HONG  gildong') },
        ),
      )
      assert.deepEqual(await bank.told(), [
        'FILE1 pending, CLOSED rejected AC04, NAME rejected BE01, NOBODY rejected AC01, ' +
          'CASHBOX rejected AC01, SELF rejected AC01, FIRST accepted, SHORT rejected BE01, ' +
          'OTHERNAME rejected BE01, SAMENAME accepted',
        'FIRST debit 60 KRW E000000002',
        'SAMENAME debit 40 KRW E000000003',
      ])
    })

    it('rejects what the float does not cover, to the last unit', async () => {
      const bank = await startBank('--float', 'KRW:100')
      const over = { endToEndId: 'OVER', amount: 41n }
      await bank.submit(
        fileOf({ endToEndId: 'A', amount: 60n }, over, { endToEndId: 'B', amount: 40n }),
      )
      assert.deepEqual(await bank.told(), [
        'FILE1 pending, A accepted, OVER rejected AM04, B accepted',
        'A debit 60 KRW E000000002',
        'B debit 40 KRW E000000003',
      ])
      await assertBalances(bank, {
        [`${hubAccount} KRW`]: '0',
        'CASH KRW': '-100',
        [`${payee} KRW`]: '100',
      })
    })

    it('counts what another file was promised but has not had yet', async () => {
      const bank = await startBank('--float', 'KRW:100')
      await bank.call('POST', '/faults', { holdAtStatus: 1 })
      await bank.submit(fileOf({ amount: 60n }))
      await bank.submit({ ...fileOf({ endToEndId: 'B', amount: 41n }), messageId: 'FILE2' })
      const told = await bank.told()
      assert.equal(told[1], 'FILE2 rejected, B rejected AM04')
    })

    it('rejects payments of an account that it does not hold, or not in that currency', async () => {
      const bank = await startBank()
      const debtor = { ...sampleCreditor, account: { other: '5' } }
      await bank.submit({ ...fileOf({}), debtor })
      const dollars = [sampleTransfer({ endToEndId: 'USD', currency: 'USD' })]
      await bank.submit(
        samplePaymentFile({ profile: 'iso', messageId: 'FILE2', transfers: dollars }),
      )
      assert.deepEqual(await bank.told(), [
        'FILE1 rejected, PAYOUT1A1 rejected AC02',
        'FILE2 rejected, USD rejected AC02',
      ])
      await assertBalances(bank, untouched)
    })

    it('answers a file that came before, and does nothing', async () => {
      const bank = await startBank()
      await bank.submit(fileOf({}))
      assert.deepEqual(await bank.submit(fileOf({})), { kind: 'received' })
      assert.deepEqual(await bank.told(), [...toldOnce, 'FILE1 duplicate'])
      await assertBalances(bank, paidOnce)
    })

    it('does nothing for another file under a message id that came before', async () => {
      const bank = await startBank()
      await bank.submit(fileOf({}))
      await bank.submit(fileOf({ endToEndId: 'ANOTHER' }))
      assert.deepEqual(await bank.told(), [...toldOnce, 'FILE1 duplicate'])
      assert.deepEqual(await bank.link.query('ANOTHER'), { kind: 'not-known' })
      await assertBalances(bank, paidOnce)
    })

    it('rejects an end-to-end id that came before as a duplicate, and leaves the first alone', async () => {
      const bank = await startBank()
      await bank.submit(fileOf({}))
      await bank.submit({ ...fileOf({ amount: 1n }), messageId: 'FILE2' })
      assert.deepEqual(await bank.told(), [...toldOnce, 'FILE2 rejected, PAYOUT1A1 duplicate DU04'])
      await assertBalances(bank, paidOnce)
      const result = await bank.link.query('PAYOUT1A1')
      assert.equal(result.kind, 'known')
      assert.equal(result.payment.messageId, 'FILE1')
    })

    it('pays once when a hundred of the same file arrive at once', async () => {
      const bank = await startBank()
      await Promise.all(Array.from({ length: 100 }, () => bank.submit(fileOf({}))))
      await assertBalances(bank, paidOnce)
    })

    const good = buildPaymentFile(fileOf({}))
    const many = good.replace('<NbOfTxs>1<', '<NbOfTxs>2<')
    const sum = good.replace('<CtrlSum>12340<', '<CtrlSum>12341<')
    const at = good.lastIndexOf('<CtrlSum>')
    const instruction = good.slice(0, at) + good.slice(at).replace('12340', '12341')
    it('refuses a file that cannot be taken by its code, and does nothing', async () => {
      const bank = await startBank()
      for (const [title, xml, status, code] of [
        ['no XML', 'money', 422, 'FILE_NOT_VALID'],
        ['a schema violation', good.replace('TRF', 'CASH'), 422, 'FILE_NOT_VALID'],
        ['a document type', good.replace('?>', '?><!DOCTYPE a>'), 422, 'FILE_NOT_VALID'],
        ['a wrong count', many, 422, 'FILE_CONTROL_SUM'],
        ['a wrong sum', sum, 422, 'FILE_CONTROL_SUM'],
        ['a wrong sum of the instruction', instruction, 422, 'FILE_CONTROL_SUM'],
        [
          'digits that won does not have',
          good.replaceAll('12340<', '12340.5<'),
          422,
          'FILE_CURRENCY',
        ],
        ['no money', good.replaceAll('12340<', '0<'), 422, 'FILE_CURRENCY'],
        ['an unknown currency', good.replaceAll('Ccy="KRW"', 'Ccy="SEK"'), 422, 'FILE_CURRENCY'],
        ['no payee', good.replace(/<Cdtr>[\s\S]*<\/Cdtr>/, ''), 422, 'FILE_INCOMPLETE'],
        ['too much', good + ' '.repeat(maxDocumentBytes), 413, 'FILE_TOO_LARGE'],
      ] as const) {
        const response = await bank.post(xml)
        const type = response.headers.get('content-type')
        assert.equal(type?.split(';')[0], 'application/problem+json')
        const body: unknown = await response.json()
        const problem = z.object({ status: z.number(), code: z.string() }).parse(body)
        const found = [response.status, problem.status, problem.code]
        assert.deepEqual(found, [status, status, code], title)
      }
      assert.deepEqual(await bank.told(), [])
      await assertBalances(bank, untouched)
      assert.deepEqual(await bank.submit(fileOf({})), { kind: 'received' })
    })

    it('refuses a report that is sent as a file, and another content type', async () => {
      const bank = await startBank()
      const report = readFileSync(join(schemaDir, 'camt.054.001.04.xml'), 'utf8')
      assert.equal((await bank.post(report)).status, 422)
      assert.equal((await bank.post(good, 'application/json')).status, 415)
    })

    it('tells the lines of a file that break the schema', async () => {
      const bank = await startBank()
      const result = await bank.link.submit(good.replace('TRF', 'CASH'))
      assert.equal(result.kind, 'refused')
      const { errors: told } = result.problem
      const errors = z.array(z.object({ line: z.number() })).parse(told)
      const line = good.split('\n').findIndex((text) => text.includes('TRF')) + 1
      assert.equal(errors[0]?.line, line)
    })
  })

  describe('GET /payments', () => {
    it('knows a payment through its life', async () => {
      const bank = await startBank()
      assert.deepEqual(await bank.link.query('PAYOUT1A1'), { kind: 'not-known' })
      const known = {
        endToEndId: 'PAYOUT1A1',
        messageId: 'FILE1',
        currency: 'KRW',
        amount: 12_340n,
      }
      const query = async () => {
        const result = await bank.link.query('PAYOUT1A1')
        return result.kind === 'known' ? result.payment : result
      }
      await bank.call('POST', '/faults', { holdAtReceipt: 1, holdAtStatus: 1 })
      await bank.submit(fileOf({}))
      assert.deepEqual(await query(), { ...known, status: 'received' })
      await bank.call('POST', '/resume')
      assert.deepEqual(await query(), { ...known, status: 'accepted' })
      await bank.call('POST', '/resume')
      assert.deepEqual(await query(), { ...known, status: 'booked', reference: 'E000000002' })
      await bank.call('POST', '/returns/PAYOUT1A1', { reason: 'AC04' })
      assert.deepEqual(await query(), {
        ...known,
        status: 'returned',
        reference: 'E000000002',
        returnReference: 'E000000003',
        reason: 'AC04',
      })
    })

    it('tells why a payment was rejected', async () => {
      const bank = await startBank()
      await bank.submit(fileOf(paying('9912345')))
      const result = await bank.link.query('PAYOUT1A1')
      assert.equal(result.kind, 'known')
      assert.equal(result.payment.status, 'rejected')
      assert.equal(result.payment.reason, 'AC04')
    })
  })

  describe('POST /returns', () => {
    it('books the money back and notifies with the reason, once', async () => {
      const bank = await startBank()
      await bank.submit(fileOf({}))
      const first = await bank.call('POST', '/returns/PAYOUT1A1', { reason: 'BE01' })
      assert.deepEqual(first, { status: 201, body: { reference: 'E000000003' } })
      const told = [...toldOnce, 'PAYOUT1A1 credit 12340 KRW E000000003 returned BE01']
      assert.deepEqual(await bank.told(), told)
      await assertBalances(bank, { ...untouched, [`${payee} KRW`]: '0' })
      const second = await bank.call('POST', '/returns/PAYOUT1A1')
      assert.deepEqual([second.status, second.body.code], [409, 'PAYMENT_NOT_BOOKED'])
      assert.deepEqual(await bank.told(), told)
    })

    it('refuses a payment that is unknown or was rejected, and a malformed reason', async () => {
      const bank = await startBank()
      await bank.submit(fileOf(paying('9912345')))
      assert.equal((await bank.call('POST', '/returns/PAYOUT1A1')).status, 409)
      assert.equal((await bank.call('POST', '/returns/NOBODY')).status, 404)
      assert.equal((await bank.call('POST', '/returns/X', { reason: 'because' })).status, 400)
    })
  })

  describe('POST /faults', () => {
    it('takes the file and drops the answer, as often as told', async () => {
      const bank = await startBank()
      await bank.call('POST', '/faults', { dropAnswer: 1 })
      assert.equal((await bank.submit(fileOf({}))).kind, 'unknown')
      assert.equal((await bank.link.query('PAYOUT1A1')).kind, 'known')
      assert.equal((await bank.submit(fileOf({}))).kind, 'received')
      await assertBalances(bank, paidOnce)
    })

    it('loses reports, and books all the same', async () => {
      const bank = await startBank()
      await bank.call('POST', '/faults', { loseReports: 2 })
      await bank.submit(fileOf({}))
      assert.deepEqual(await bank.told(), [])
      await assertBalances(bank, paidOnce)
    })

    it('repeats reports under the same reference', async () => {
      const bank = await startBank()
      await bank.call('POST', '/faults', { repeatReports: 2 })
      await bank.submit(fileOf({}))
      const [status, entry] = toldOnce
      assert.deepEqual(await bank.told(), [status, status, entry, entry])
      await assertBalances(bank, paidOnce)
    })

    it('delays a report until after the next one', async () => {
      const bank = await startBank()
      await bank.call('POST', '/faults', { delayReports: 1 })
      await bank.submit(fileOf({}))
      assert.deepEqual(await bank.told(), toldOnce.toReversed())
    })

    it('books one unit too much, which balances and shows', async () => {
      const bank = await startBank()
      await bank.call('POST', '/faults', { misbook: 1 })
      await bank.submit(fileOf({}))
      assert.deepEqual((await bank.told())[1], 'PAYOUT1A1 debit 12341 KRW E000000002')
      await assertBalances(bank, {
        [`${hubAccount} KRW`]: '99987659',
        'CASH KRW': '-100000000',
        [`${payee} KRW`]: '12341',
      })
    })

    it('stops rather than overdraw, and is right again after a restart', async () => {
      const first = await startBank('--float', 'KRW:12340')
      await first.call('POST', '/faults', { misbook: 1 })
      const exit = once(first.process, 'exit')
      await first.submit(fileOf({}))
      assert.deepEqual(await exit, [1, null])
      const second = await startBank('--float', 'KRW:12340')
      await assertBalances(second, {
        [`${hubAccount} KRW`]: '0',
        'CASH KRW': '-12340',
        [`${payee} KRW`]: '12340',
      })
    })

    it('answers with what is left of each, and refuses what it does not know', async () => {
      const bank = await startBank()
      const set = await bank.call('POST', '/faults', { loseReports: 3 })
      assert.equal(set.body.loseReports, 3)
      await bank.submit(fileOf({}))
      await bank.books()
      assert.equal((await bank.call('POST', '/faults', {})).body.loseReports, 1)
      for (const wrong of [{ bogus: 1 }, { dropAnswer: -1 }, { dropAnswer: 0.5 }, []]) {
        assert.equal((await bank.call('POST', '/faults', wrong)).status, 400)
      }
    })
  })

  describe('GET /reports', () => {
    it('goes on after a sequence, and pages', async () => {
      const bank = await startBank()
      const transfers = Array.from({ length: 120 }, (_, index) => ({ endToEndId: `P${index}` }))
      await bank.submit(fileOf(...transfers))
      const first = await bank.link.reports(0)
      assert.equal(first.length, 100)
      const second = await bank.link.reports(100)
      assert.deepEqual([second.length, second[0]?.sequence], [21, 101])
      assert.deepEqual(await bank.link.reports(121), [])
    })

    it('refuses a sequence that is none', async () => {
      const bank = await startBank()
      for (const after of ['-1', '1.5', 'x', '1e3']) {
        assert.equal((await bank.call('GET', `/reports?after=${after}`)).status, 400)
      }
    })
  })

  it('answers 404 with a problem document elsewhere', async () => {
    const bank = await startBank()
    const { status, body } = await bank.call('DELETE', '/books')
    assert.deepEqual([status, body.code], [404, 'NOT_FOUND'])
  })

  describe('kill -9', () => {
    for (const point of ['holdAtReceipt', 'holdAtStatus']) {
      it(`books what it had received when it dies at ${point}`, async () => {
        const first = await startBank()
        await first.call('POST', '/faults', { [point]: 1 })
        assert.deepEqual(await first.submit(fileOf({})), { kind: 'received' })
        await assertNotBooked(first)
        await stop(first.process, 'SIGKILL')
        const second = await startBank()
        assert.deepEqual(await second.told(), toldOnce)
        await assertBalances(second, paidOnce)
      })
    }

    async function assertNotBooked(bank: RunningBank): Promise<void> {
      const { entries } = await bank.books()
      assert.equal(entries.length, 1)
    }

    it('keeps every file that it answered, and books each once, when it dies in the middle of many', async () => {
      const first = await startBank()
      const received: string[] = []
      const sending = Array.from({ length: 200 }, async (_, index) => {
        const endToEndId = `P${index}`
        const file = { ...fileOf({ endToEndId, amount: 1n }), messageId: `F${index}` }
        const answer = await first.submit(file)
        if (answer.kind === 'received') received.push(endToEndId)
        if (received.length === 50) first.process.kill('SIGKILL')
      })
      await Promise.all(sending)
      assert(received.length >= 50)
      const second = await startBank()
      const { entries, sums } = await second.books()
      const paid = entries.flatMap(({ endToEndId }) => endToEndId ?? [])
      assert.equal(new Set(paid).size, paid.length)
      for (const endToEndId of received) assert(paid.includes(endToEndId), endToEndId)
      assert.deepEqual(sums, { KRW: '0' })
    })

    it('cuts off a line that was being written', async () => {
      const first = await startBank()
      await first.submit(fileOf({}))
      await first.books()
      await stop(first.process, 'SIGKILL')
      appendFileSync(join(dir, 'journal.jsonl'), '{"number":5,"previous":"')
      const second = await startBank()
      await assertBalances(second, paidOnce)
      await second.submit({ ...fileOf({ endToEndId: 'B' }), messageId: 'FILE2' })
      await second.books()
      await stop(second.process, 'SIGKILL')
      const third = await startBank()
      assert.equal((await third.link.query('B')).kind, 'known')
    })
  })

  describe('a changed journal', () => {
    for (const [title, change] of [
      [
        'one unit more in an entry',
        (text: string) => text.replace('"amount":"-12340"', '"amount":"-12341"'),
      ],
      ['one unit more on both sides', (text: string) => text.replaceAll(/(-?)12340"/g, '$112341"')],
      ['a line less', (text: string) => text.split('\n').toSpliced(1, 1).join('\n')],
      ['a line twice', (text: string) => text.replace(/^(.*\n)/, '$1$1')],
      ['another name', (text: string) => text.replaceAll('홍길동', '김철수')],
      ['no JSON', (text: string) => text.replace('{', '')],
    ] as const) {
      it(`with ${title} is refused by its line`, async () => {
        const first = await startBank()
        await first.submit(fileOf({}))
        await first.books()
        await stop(first.process, 'SIGTERM')
        const path = join(dir, 'journal.jsonl')
        const before = readFileSync(path, 'utf8')
        const after = change(before)
        assert.notEqual(after, before)
        writeFileSync(path, after)
        const process = launch('--port', '0', '--data', dir)
        assert(process.stderr)
        let text = ''
        process.stderr.setEncoding('utf8').on('data', (chunk) => {
          text += chunk
        })
        await once(process, 'close')
        assert.equal(process.exitCode, 1)
        assert.match(text, /^bank: JournalError: line \d of .* is not what was written: /)
      })
    }
  })
})
