// What the bank decides about the payments of a file, by rules that a test can steer with the payee's account number.

import type { Currency } from '#protocol/amount.ts'
import { accountKey, type Books } from './books.ts'
import type { Decision } from './documents.ts'
import type { BankEvent, Payment, Reason } from './events.ts'

/** Payee accounts that begin with these digits are refused whatever else holds. */
const refusedPrefixes: Readonly<Record<string, Reason>> = {
  '99': { code: 'AC04', remark: 'account is closed' },
  '98': { code: 'BE01', remark: 'account is held under another name' },
  '97': { code: 'AC01', remark: 'there is no such account' },
}

/** What is left on debtors' accounts, and whose new accounts are, after the payments decided so far. */
type Draft = { available: Map<string, bigint>; holders: Map<string, string> }

/**
 * Decides about payments in their order: the debtor's account, the end-to-end id, the payee's account, the payee's name,
 * the money. A payee who is paid for the first time gets an account in the name that the payment gives.
 */
export function decide(
  books: Books,
  payments: Payment[],
): { decided: { payment: Payment; decision: Decision }[]; events: BankEvent[] } {
  const draft: Draft = { available: availableOf(books), holders: new Map() }
  const events: BankEvent[] = []
  const decided = payments.map((payment) => {
    const reason = reasonToReject(books, draft, payment)
    if (reason === undefined) {
      events.push(...accept(books, draft, payment))
      return { payment, decision: { kind: 'accepted' } as const }
    }
    events.push({ kind: 'payment-rejected', payment: payment.id, reason })
    return { payment, decision: { kind: 'rejected', reason } as const }
  })
  return { decided, events }
}

/** The balance of each customer's account, less what is promised to payments that are not booked yet. */
function availableOf(books: Books): Map<string, bigint> {
  const available = new Map<string, bigint>()
  for (const [key, { kind, balance }] of books.accounts) {
    if (kind === 'customer') available.set(key, balance)
  }
  for (const id of books.open) {
    const payment = books.payments.get(id)
    if (payment?.state.status === 'accepted') spend(available, payment)
  }
  return available
}

function spend(available: Map<string, bigint>, payment: Payment): void {
  const key = debtorKey(payment)
  available.set(key, (available.get(key) ?? 0n) - payment.amount)
}

function reasonToReject(books: Books, draft: Draft, payment: Payment): Reason | undefined {
  const { id, endToEndId, amount, currency, creditor } = payment
  const available = draft.available.get(debtorKey(payment))
  if (available === undefined) return { code: 'AC02', remark: 'debtor account is not held here' }
  if (books.firstByEndToEndId.get(endToEndId) !== id) {
    return { code: 'DU04', remark: `${endToEndId} came before` }
  }
  const refused = refusedPrefixes[creditor.account.slice(0, 2)]
  if (refused !== undefined) return refused
  const key = accountKey({ currency, number: creditor.account })
  const account = books.accounts.get(key)
  if (account !== undefined && account.kind !== 'payee') {
    return { code: 'AC01', remark: 'account cannot be paid to' }
  }
  const holder = account?.holder ?? draft.holders.get(key)
  if (holder !== undefined && comparable(holder) !== comparable(creditor.name)) {
    return { code: 'BE01', remark: 'account is held under another name' }
  }
  return amount > available
    ? { code: 'AM04', remark: shortBy(currency, amount - available) }
    : undefined
}

function accept(books: Books, draft: Draft, payment: Payment): BankEvent[] {
  const { currency, creditor } = payment
  spend(draft.available, payment)
  const accepted: BankEvent = { kind: 'payment-accepted', payment: payment.id }
  const key = accountKey({ currency, number: creditor.account })
  if (books.accounts.has(key) || draft.holders.has(key)) return [accepted]
  draft.holders.set(key, creditor.name)
  const account = {
    number: creditor.account,
    currency,
    holder: creditor.name,
    kind: 'payee',
  } as const
  return [{ kind: 'account-opened', account }, accepted]
}

function debtorKey({ currency, debtorAccount }: Payment): string {
  return accountKey({ currency, number: debtorAccount })
}

/** Names are the same when only spacing, case and the way in which their characters are composed differ. */
function comparable(name: string): string {
  return name.normalize('NFKC').replaceAll(/\s+/g, '').toLowerCase()
}

function shortBy(currency: Currency, missing: bigint): string {
  return `funds are short by ${missing} minor units of ${currency}`
}
