// The bank's own double-entry books: accounts, entries, the payments they came from, and the reports told of them. Balances
// are derived from the entries, and everything is derived from the events, so that a restart gives the same books.

import assert from 'node:assert/strict'
import type { Currency } from '#protocol/amount.ts'
import type { Account, BankEvent, Entry, Payment, Reason, Report } from './events.ts'

export type PaymentState =
  | { status: 'received' }
  | { status: 'accepted' }
  | { status: 'rejected'; reason: Reason }
  | { status: 'booked'; reference: string }
  | { status: 'returned'; reference: string; returnReference: string; reason: Reason }

export type Books = {
  /** By currency and number. */
  accounts: Map<string, Account & { balance: bigint }>
  entries: Entry[]
  /** All postings of each currency together, kept apart from the balances: always zero. */
  posted: Map<Currency, bigint>
  /** By the bank's own key of a payment, in order of receipt. */
  payments: Map<string, Payment & { state: PaymentState }>
  /** The key of the first payment that came with an end-to-end id. */
  firstByEndToEndId: Map<string, string>
  /** By message id: SHA-256 of the file, and the keys of its payments. */
  files: Map<string, { digest: string; payments: string[] }>
  /** The keys of payments that wait for a decision or a booking. */
  open: Set<string>
  written: Report[]
  /** What the customer can fetch; a report's sequence is its place here, from 1. */
  published: Report[]
  late: Report[]
}

export function emptyBooks(): Books {
  return {
    accounts: new Map(),
    entries: [],
    posted: new Map(),
    payments: new Map(),
    firstByEndToEndId: new Map(),
    files: new Map(),
    open: new Set(),
    written: [],
    published: [],
    late: [],
  }
}

export function accountKey({ currency, number }: { currency: Currency; number: string }): string {
  return `${currency} ${number}`
}

/** The first payment that came with an end-to-end id. */
export function paymentOf(books: Books, endToEndId: string) {
  return books.payments.get(books.firstByEndToEndId.get(endToEndId) ?? '')
}

/** The sum over all accounts of each currency: zero, or the books are wrong. */
export function sums(books: Books): Map<Currency, bigint> {
  const total = new Map<Currency, bigint>()
  for (const { currency, balance } of books.accounts.values()) {
    add(total, currency, balance)
  }
  return total
}

/** The reference of the entry at a place in the books, from 1. */
export function referenceOf(place: number): string {
  return `E${String(place).padStart(9, '0')}`
}

/** Asserts, before an entry is written, that it balances, overdraws no customer, and has the next reference. */
export function assertBookable(books: Books, entry: Entry): void {
  assert.equal(entry.reference, referenceOf(books.entries.length + 1), 'references have no gaps')
  const total = new Map<Currency, bigint>()
  for (const { currency, account, amount } of entry.postings) {
    assert(amount !== 0n, `entry ${entry.reference} posts nothing`)
    const found = books.accounts.get(accountKey({ currency, number: account }))
    const left = (found?.balance ?? 0n) + amount
    const overdrawn = found?.kind === 'customer' && left < 0n
    assert(!overdrawn, `entry ${entry.reference} leaves ${account} at ${left} ${currency}`)
    add(total, currency, amount)
  }
  assertZero(total, entry)
}

/** Applies what happened. Throws when it cannot have happened, which is a bug or a journal that was changed. */
export function apply(books: Books, event: BankEvent): void {
  switch (event.kind) {
    case 'account-opened': {
      const key = accountKey(event.account)
      assert(!books.accounts.has(key), `account ${key} is open already`)
      books.accounts.set(key, { ...event.account, balance: 0n })
      return
    }
    case 'file-received':
      assert(!books.files.has(event.messageId), `file ${event.messageId} was received already`)
      books.files.set(event.messageId, {
        digest: event.digest,
        payments: event.payments.map(({ id }) => id),
      })
      for (const payment of event.payments) applyPayment(books, payment)
      return
    case 'payment-accepted':
      transition(books, { id: event.payment, from: 'received', to: { status: 'accepted' } })
      return
    case 'payment-rejected': {
      const to: PaymentState = { status: 'rejected', reason: event.reason }
      transition(books, { id: event.payment, from: 'received', to })
      return
    }
    case 'entry-booked':
      applyEntry(books, event.entry)
      return
    case 'report-written':
      applyReport(books, event.report)
      return
  }
}

function applyPayment(books: Books, payment: Payment): void {
  assert(!books.payments.has(payment.id), `payment ${payment.id} is there already`)
  books.payments.set(payment.id, { ...payment, state: { status: 'received' } })
  const { endToEndId, id } = payment
  books.open.add(id)
  if (!books.firstByEndToEndId.has(endToEndId)) books.firstByEndToEndId.set(endToEndId, id)
}

function applyEntry(books: Books, entry: Entry): void {
  assertBookable(books, entry)
  for (const { currency, account, amount } of entry.postings) {
    const found = books.accounts.get(accountKey({ currency, number: account }))
    assert(
      found,
      `entry ${entry.reference} posts to ${account}, which has no account in ${currency}`,
    )
    found.balance += amount
    add(books.posted, currency, amount)
  }
  books.entries.push(entry)
  assertZero(books.posted, entry)
  applyCause(books, entry)
}

function applyCause(books: Books, { cause, reference }: Entry): void {
  switch (cause.kind) {
    case 'opening':
      return
    case 'payment':
      transition(books, {
        id: cause.payment,
        from: 'accepted',
        to: { status: 'booked', reference },
      })
      return
    case 'return': {
      const state = books.payments.get(cause.payment)?.state
      assert(state?.status === 'booked', `payment ${cause.payment} is returned but not booked`)
      const { reason } = cause
      const to: PaymentState = {
        status: 'returned',
        reference: state.reference,
        returnReference: reference,
        reason,
      }
      transition(books, { id: cause.payment, from: 'booked', to })
    }
  }
}

function applyReport(books: Books, report: Report): void {
  books.written.push(report)
  switch (report.delivery) {
    case 'lost':
      return
    case 'late':
      books.late.push(report)
      return
    case 'twice':
      books.published.push(report, report)
      break
    case 'now':
      books.published.push(report)
      break
  }
  books.published.push(...books.late.splice(0))
}

function transition(
  books: Books,
  { id, from, to }: { id: string; from: PaymentState['status']; to: PaymentState },
): void {
  const payment = books.payments.get(id)
  assert(payment, `payment ${id} is not known`)
  assert.equal(payment.state.status, from, `payment ${id} cannot become ${to.status}`)
  payment.state = to
  if (to.status !== 'accepted') books.open.delete(id)
}

function add(total: Map<Currency, bigint>, currency: Currency, amount: bigint): void {
  total.set(currency, (total.get(currency) ?? 0n) + amount)
}

function assertZero(total: Map<Currency, bigint>, { reference }: Entry): void {
  for (const [currency, sum] of total) {
    assert.equal(sum, 0n, `entry ${reference} leaves ${sum} ${currency} on one side`)
  }
}
