// The bank at work: it takes files, looks at each payment, books it and tells its customer, one step after the other. Each
// step is one group of events on disk before anything is answered, so it can die between any two and go on from there.

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import type { Currency } from '#protocol/amount.ts'
import type { Schemas } from '#server/payouts/iso20022/schema.ts'
import {
  accountKey,
  apply,
  assertBookable,
  type Books,
  emptyBooks,
  paymentOf,
  referenceOf,
} from './books.ts'
import { decide } from './decide.ts'
import { duplicateReport, entryNotification, statusReport } from './documents.ts'
import type { BankEvent, Entry, Payment, Report } from './events.ts'
import { createFaults, type Faults } from './faults.ts'
import { openJournal } from './journal.ts'
import { type FileRefusal, readPaymentFile } from './received-file.ts'

/** The bank's own cash, which stands against the floats that customers bring. */
const cashAccount = 'CASH'

export type Customer = {
  number: string
  holder: string
  float: { currency: Currency; amount: bigint }[]
}

export type ReturnResult =
  | { kind: 'returned'; reference: string }
  | { kind: 'not-known' }
  | { kind: 'not-booked'; status: string }

export type Bank = Awaited<ReturnType<typeof openBank>>

/**
 * Opens the bank on a folder, with the books as they were, and goes on with what was left half done.
 *
 * `onFailure` is told when a step in the background fails; the bank should then stop, because its books are in doubt.
 * Throws `JournalError` when the journal was changed.
 */
export async function openBank({
  dir,
  schemas,
  clock,
  onFailure,
}: {
  dir: string
  schemas: Schemas
  clock: () => Date
  onFailure: (error: unknown) => void
}) {
  const books = emptyBooks()
  const journal = await openJournal(dir, (event) => apply(books, event))
  const faults = createFaults()
  const takeTurns = createTurns()
  const held = new Set<string>()

  async function commit(events: BankEvent[]): Promise<void> {
    for (const event of events)
      if (event.kind === 'entry-booked') assertBookable(books, event.entry)
    await journal.append(events)
    for (const event of events) apply(books, event)
  }

  const desk = { books, schemas, clock, faults, commit, held }

  /** Queues the steps that are open, behind everything that is queued already. */
  function work(): void {
    takeTurns(() => workOn(desk)).catch(onFailure)
  }

  work()

  return {
    faults,
    /** Reads wait for their turn, so they see everything that was taken before them. */
    read: <T>(reader: (books: Books) => T): Promise<T> => takeTurns(async () => reader(books)),
    openCustomer: (customer: Customer) => takeTurns(() => openCustomer(desk, customer)),
    async receive(xml: string): Promise<{ kind: 'received' } | FileRefusal> {
      const result = await takeTurns(() => receive(desk, xml))
      work()
      return result
    },
    returnPayment: (request: { endToEndId: string; reason: string }) =>
      takeTurns(() => returnPayment(desk, request)),
    /** Lets go of the files that a fault holds. */
    resume(): void {
      held.clear()
      work()
    },
    close: () => takeTurns(() => journal.close()),
  }
}

type Desk = {
  books: Books
  schemas: Schemas
  clock: () => Date
  faults: Faults
  commit: (events: BankEvent[]) => Promise<void>
  held: Set<string>
}

/** Runs tasks one after the other, in the order in which they came; a failed one does not stop the next. */
function createTurns() {
  let last: Promise<unknown> = Promise.resolve()
  return <T>(task: () => Promise<T>): Promise<T> => {
    const turn = last.then(task)
    last = turn.catch(() => undefined)
    return turn
  }
}

/** A float is brought once: on a restart the account is there, and nothing is booked. */
async function openCustomer(desk: Desk, { number, holder, float }: Customer): Promise<void> {
  for (const { currency, amount } of float) {
    if (desk.books.accounts.has(accountKey({ currency, number }))) continue
    const events: BankEvent[] = [
      { kind: 'account-opened', account: { number, currency, holder, kind: 'customer' } },
    ]
    if (!desk.books.accounts.has(accountKey({ currency, number: cashAccount }))) {
      const account = { number: cashAccount, currency, holder: 'the bank', kind: 'own' } as const
      events.push({ kind: 'account-opened', account })
    }
    if (amount > 0n) {
      const sides = { debit: cashAccount, credit: number, currency, amount }
      const entry = newEntry(desk, { cause: { kind: 'opening' }, sides })
      events.push({ kind: 'entry-booked', entry })
    }
    await desk.commit(events)
  }
}

async function receive(desk: Desk, xml: string): Promise<{ kind: 'received' } | FileRefusal> {
  const file = readPaymentFile(desk.schemas, xml)
  if (file.kind === 'refused') return file
  const { messageId, payments } = file
  const digest = createHash('sha256').update(xml).digest('hex')
  const known = desk.books.files.get(messageId)
  if (known !== undefined) {
    const same = known.digest === digest ? 'the same file' : 'another file'
    const remark = `${messageId} came before, with ${same}`
    const heading = newHeading(desk)
    const duplicate = duplicateReport(heading, { messageId, remark })
    await desk.commit([newReport(desk, heading.messageId, duplicate)])
    return { kind: 'received' }
  }
  const receivedAt = desk.clock().toISOString()
  await desk.commit([{ kind: 'file-received', messageId, digest, receivedAt, payments }])
  if (desk.faults.strikes('holdAtReceipt')) desk.held.add(messageId)
  return { kind: 'received' }
}

/** Decides about every file that waits for it, then books what is accepted. */
async function workOn(desk: Desk): Promise<void> {
  for (const messageId of filesWith(desk, 'received')) {
    await decideAbout(desk, messageId)
    if (desk.faults.strikes('holdAtStatus')) desk.held.add(messageId)
  }
  for (const messageId of filesWith(desk, 'accepted')) {
    for (const payment of paymentsOf(desk, messageId)) {
      if (payment.state.status === 'accepted') await book(desk, payment)
    }
  }
}

/** The files with a payment in that state, without those that a fault holds. */
function filesWith({ books, held }: Desk, status: 'received' | 'accepted'): Set<string> {
  const waiting = keyed(books, [...books.open]).filter(({ state }) => state.status === status)
  return new Set(waiting.map(({ messageId }) => messageId).filter((id) => !held.has(id)))
}

function paymentsOf({ books }: Desk, messageId: string) {
  return keyed(books, books.files.get(messageId)?.payments ?? [])
}

function keyed(books: Books, keys: string[]) {
  return keys.flatMap((key) => books.payments.get(key) ?? [])
}

async function decideAbout(desk: Desk, messageId: string): Promise<void> {
  const { decided, events } = decide(desk.books, paymentsOf(desk, messageId))
  const heading = newHeading(desk)
  const xml = statusReport(heading, { messageId, payments: decided })
  await desk.commit([...events, newReport(desk, heading.messageId, xml)])
}

async function book(desk: Desk, payment: Payment): Promise<void> {
  const { id, debtorAccount, creditor, currency } = payment
  const amount = payment.amount + (desk.faults.strikes('misbook') ? 1n : 0n)
  const sides = { debit: debtorAccount, credit: creditor.account, currency, amount }
  const entry = newEntry(desk, { cause: { kind: 'payment', payment: id }, sides })
  await bookAndTell(desk, { payment, entry })
}

async function returnPayment(
  desk: Desk,
  { endToEndId, reason }: { endToEndId: string; reason: string },
): Promise<ReturnResult> {
  const payment = paymentOf(desk.books, endToEndId)
  if (payment === undefined) return { kind: 'not-known' }
  const { state, id, debtorAccount, creditor, currency } = payment
  if (state.status !== 'booked') return { kind: 'not-booked', status: state.status }
  const booked = desk.books.entries.find(({ reference }) => reference === state.reference)
  const amount = booked?.postings.find(({ account }) => account === creditor.account)?.amount
  assert(amount, `payment ${id} is booked as ${state.reference}, which credits nobody`)
  const cause = {
    kind: 'return',
    payment: id,
    reason: { code: reason, remark: 'returned' },
  } as const
  const sides = { debit: creditor.account, credit: debtorAccount, currency, amount }
  const entry = newEntry(desk, { cause, sides })
  await bookAndTell(desk, { payment, entry })
  return { kind: 'returned', reference: entry.reference }
}

async function bookAndTell(desk: Desk, booked: { payment: Payment; entry: Entry }): Promise<void> {
  const heading = newHeading(desk)
  const report = newReport(desk, heading.messageId, entryNotification(heading, booked))
  await desk.commit([{ kind: 'entry-booked', entry: booked.entry }, report])
}

function newEntry(
  { books, clock }: Desk,
  {
    cause,
    sides: { debit, credit, currency, amount },
  }: {
    cause: Entry['cause']
    sides: { debit: string; credit: string; currency: Currency; amount: bigint }
  },
): Entry {
  return {
    reference: referenceOf(books.entries.length + 1),
    bookedAt: clock().toISOString(),
    cause,
    postings: [
      { account: debit, currency, amount: -amount },
      { account: credit, currency, amount },
    ],
  }
}

function newHeading({ books, clock }: Desk) {
  return { messageId: `R${String(books.written.length + 1).padStart(9, '0')}`, now: clock() }
}

/** A report that breaks its own schema is a bug of the simulator, found before anybody reads it. */
function newReport({ schemas, faults }: Desk, messageId: string, xml: string): BankEvent {
  const valid = schemas.validate(xml)
  assert(valid.kind === 'valid', `report ${messageId} is not valid: ${JSON.stringify(valid)}`)
  return { kind: 'report-written', report: { messageId, xml, delivery: deliveryOf(faults) } }
}

function deliveryOf(faults: Faults): Report['delivery'] {
  if (faults.strikes('loseReports')) return 'lost'
  if (faults.strikes('repeatReports')) return 'twice'
  return faults.strikes('delayReports') ? 'late' : 'now'
}
