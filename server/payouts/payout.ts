// A payout and what can happen to it. Pure: a transition returns the next state with its reason and its ledger legs, which
// are committed together (R15).

import type { Hex } from 'viem'
import type { PayoutView, QuoteView } from '#protocol/messages/payouts.ts'
import { accounts } from '../ledger/accounts.ts'
import type { Leg } from '../ledger/entry.ts'
import { move } from '../ledger/entry.ts'

export type PayoutState = PayoutView['state']

/** `xml` is the payment file, kept from before it first leaves (R16). `attempt` counts end-to-end ids. */
export type Payout = {
  payoutId: Hex
  quote: QuoteView
  state: PayoutState
  reason: string
  actor: PayoutView['actor']
  nextLookAt: number | null
  transaction: Hex | null
  endToEndId: string | null
  messageId: string | null
  xml: string | null
  requestedAt: number
}

/** A payout's next state, and what the ledger has to say about it. */
export type Transition = { payout: Payout; legs: Leg[] }

type Position = Pick<Payout, 'state' | 'reason' | 'actor' | 'nextLookAt'>

/** Evidence of a payment's fate, in rising rank (cash-out rule 4). */
export type Evidence =
  | { rank: 'answer'; says: 'received' | 'unknown'; detail: string }
  | { rank: 'report'; says: 'accepted' | 'completed' | 'rejected'; detail: string }
  | { rank: 'booking'; says: 'booked' | 'returned'; detail: string }

type Ranked<R extends Evidence['rank']> = Extract<Evidence, { rank: R }>

/** The id by which the bank and the statements know an attempt: letters and digits, at most 35. */
export function endToEndIdOf(payoutId: Hex, attempt: number): string {
  return `J${payoutId.slice(2, 34)}${attempt.toString().padStart(2, '0')}`
}

export function newPayout(quote: QuoteView, requestedAt: number): Payout {
  return {
    payoutId: quote.hash,
    quote,
    ...at('REQUESTED', 'the payment out of the vault is on its way', 'hub', null),
    transaction: null,
    endToEndId: null,
    messageId: null,
    xml: null,
    requestedAt,
  }
}

/** The vault payment is final (R19): tokens are taken in, fiat is promised, the difference is what the quote's lines say. */
export function fund(payout: Payout): Transition {
  const { token, gross, currency, net, lines } = payout.quote
  const converted = lines.find(({ kind }) => kind === 'gross')?.amount ?? 0n
  const legs = [
    ...move({ debit: accounts.treasury, credit: accounts.fx }, { currency: token, amount: gross }),
    ...move(
      { debit: accounts.fx, credit: accounts.payout(payout.payoutId) },
      { currency, amount: net },
    ),
    ...move(
      { debit: accounts.fx, credit: accounts.payoutFees },
      { currency, amount: converted - net },
    ),
  ]
  return { payout: { ...payout, ...at('FUNDED', 'the vault payment is final', 'hub', 0) }, legs }
}

/** The chain took the vault payment back before anything was handed to the bank: it is waited for again. */
export function takeBackFunds(payout: Payout): Transition {
  const { legs } = fund(payout)
  return {
    payout: {
      ...payout,
      ...at(
        'REQUESTED',
        'the chain took the vault payment back; it is waited for again',
        'hub',
        null,
      ),
    },
    legs: legs.map((leg) => ({ ...leg, amount: -leg.amount })),
  }
}

/** The payment out of the vault did not happen; nothing moved. */
export function failToFund(payout: Payout, reason: string): Transition {
  return { payout: { ...payout, ...at('FAILED', reason, 'creator', null) }, legs: [] }
}

/** The file is final and about to leave. */
export function submitting(
  payout: Payout,
  file: { endToEndId: string; messageId: string; xml: string },
): Transition {
  const position = at(
    'SUBMITTING',
    `payment file ${file.messageId} is being handed to the bank`,
    'hub',
    0,
  )
  return { payout: { ...payout, ...file, ...position }, legs: [] }
}

/**
 * What evidence does to a payout, or `undefined` when it says nothing new or is weaker than what is known.
 *
 * A booking decides whatever was believed before; a report never undoes a booking; an answer over the wire proves nothing
 * but that the bank was reached.
 */
export function weigh(payout: Payout, evidence: Evidence, now: number): Transition | undefined {
  switch (evidence.rank) {
    case 'booking':
      return weighBooking(payout, evidence)
    case 'report':
      return weighReport(payout, evidence, now)
    case 'answer':
      return weighAnswer(payout, evidence, now)
  }
}

/** How long after an unknown outcome the bank is asked, in milliseconds. */
export const quietPeriodMs = 2_000
const longestPauseMs = 3_600_000

/** When the bank is asked about what it has but did not report: soon at first, then ever more seldom, because reports get lost. */
function lookAgainAt({ requestedAt }: Payout, now: number): number {
  const pause = Math.floor((now - requestedAt) / 2)
  return now + Math.min(Math.max(pause, quietPeriodMs), longestPauseMs)
}

function weighBooking(payout: Payout, { says, detail }: Ranked<'booking'>): Transition | undefined {
  if (payout.state === 'RETURNED') return undefined
  const { currency, net } = payout.quote
  const owed = accounts.payout(payout.payoutId)
  const there = move({ debit: owed, credit: accounts.bank }, { currency, amount: net })
  if (says === 'booked') {
    if (payout.state === 'SETTLED') return undefined
    return { payout: { ...payout, ...at('SETTLED', detail, 'nobody', null) }, legs: there }
  }
  const back = move({ debit: accounts.bank, credit: owed }, { currency, amount: net })
  // What comes back was booked before, also when its return is told first; that telling then adds nothing.
  const legs = payout.state === 'SETTLED' ? back : [...there, ...back]
  return { payout: { ...payout, ...at('RETURNED', detail, 'creator', null) }, legs }
}

function weighReport(
  payout: Payout,
  { says, detail }: Ranked<'report'>,
  now: number,
): Transition | undefined {
  const next = lookAgainAt(payout, now)
  if (!['SUBMITTING', 'SUBMITTED', 'UNKNOWN', 'PAID_PROVISIONAL'].includes(payout.state))
    return undefined
  switch (says) {
    case 'accepted':
      if (payout.state === 'SUBMITTED' || payout.state === 'PAID_PROVISIONAL') return undefined
      return { payout: { ...payout, ...at('SUBMITTED', detail, 'bank', next) }, legs: [] }
    case 'completed':
      if (payout.state === 'PAID_PROVISIONAL') return undefined
      return { payout: { ...payout, ...at('PAID_PROVISIONAL', detail, 'bank', next) }, legs: [] }
    case 'rejected':
      return { payout: { ...payout, ...at('REJECTED', detail, 'operator', null) }, legs: [] }
  }
}

function weighAnswer(
  payout: Payout,
  { says, detail }: Ranked<'answer'>,
  now: number,
): Transition | undefined {
  const nextLookAt = lookAgainAt(payout, now)
  if (payout.state === 'SUBMITTED' || payout.state === 'PAID_PROVISIONAL')
    return { payout: { ...payout, nextLookAt }, legs: [] }
  if (payout.state !== 'SUBMITTING' && payout.state !== 'UNKNOWN') return undefined
  const position =
    says === 'received'
      ? at('SUBMITTED', detail, 'bank', nextLookAt)
      : at('UNKNOWN', `${detail}; the bank will be asked`, 'hub', now + quietPeriodMs)
  return { payout: { ...payout, ...position }, legs: [] }
}

function at(
  state: PayoutState,
  reason: string,
  actor: Payout['actor'],
  nextLookAt: number | null,
): Position {
  return { state, reason, actor, nextLookAt }
}

export function payoutView(payout: Payout): PayoutView {
  const { payoutId, quote, state, reason, actor, nextLookAt, transaction, endToEndId, messageId } =
    payout
  const { quoteId, account, gross, token, net, currency } = quote
  return {
    payoutId,
    quoteId,
    account,
    state,
    reason,
    actor,
    nextLookAt: nextLookAt === null ? null : BigInt(nextLookAt),
    gross,
    token,
    net,
    currency,
    endToEndId,
    file: messageId && `${messageId}.xml`,
    transaction,
  }
}
