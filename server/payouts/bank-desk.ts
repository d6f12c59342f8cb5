// The bank side of a cash-out: hands over what is funded, asks about what is unknown, and weighs what the bank reports
// (R16, R17). Every step is on disk before the next begins.

import { HubError } from '#protocol/errors.ts'
import { strayBookings } from '../recovery/records.ts'
import type { Change, GroupLog } from '../store/group-log.ts'
import type { Database, Row } from '../store/table.ts'
import { table } from '../store/table.ts'
import type { BankRail, Finding } from './bank-rail.ts'
import type { Evidence, Payout, PayoutState } from './payout.ts'
import { submitting, weigh } from './payout.ts'
import type { PayoutBook } from './payout-book.ts'

/** Bookings that were weighed, by the bank's own reference: a repeat says nothing new. */
const seenEntries = table<{ endToEndId: string }>('bank-entry')
const reportCursor = table<number>('bank-cursor')

/** States in which the bank has, or may have, a payment that it has not decided for good. */
const underWay: readonly PayoutState[] = ['SUBMITTING', 'UNKNOWN', 'SUBMITTED', 'PAID_PROVISIONAL']

export type BankDesk = {
  /** One round. To be called again and again; an error leaves everything as it was on disk. */
  tick(): Promise<void>
  /** Whether the bank had nothing more to report when it was last asked. */
  isCaughtUp(): boolean
  /**
   * What is funded becomes ready to be handed over, without being handed over: the next round asks the bank about it first.
   * For what may have been handed over in a time that the books lost. To be committed in the same tick.
   */
  prepareFunded(): Change[]
}

export type BankDeskDeps = {
  db: Database
  log: GroupLog
  book: PayoutBook
  rail: BankRail
  now: () => number
  /** Whether payments may be handed over; until then they wait, and only reports are read. */
  mayHandOver: () => boolean
  /** Hears what a person has to look at. */
  onFault: (fault: string) => void
}

export function createBankDesk(deps: BankDeskDeps): BankDesk {
  let caughtUp = false
  return {
    async tick() {
      for (const payout of [...deps.book.all()]) await goOn(deps, payout)
      caughtUp = false
      caughtUp = (await collect(deps)) === 0
    },
    isCaughtUp: () => caughtUp,
    prepareFunded() {
      const funded = [...deps.book.all()].filter(({ state }) => state === 'FUNDED')
      return funded.map((payout) =>
        deps.book.change(submitting(payout, deps.rail.prepare(payout, 1)), 'file'),
      )
    },
  }
}

/** Takes a payout one step on. One that fails is for a person to look at, and holds no other up. */
async function goOn(deps: BankDeskDeps, payout: Payout) {
  try {
    if (payout.state === 'FUNDED') await (deps.mayHandOver() ? submit(deps, payout) : undefined)
    else if (isDue(deps, payout)) await inquire(deps, payout)
  } catch (cause) {
    if (cause instanceof HubError) throw cause
    const reason = cause instanceof Error ? cause.message : String(cause)
    deps.onFault(`payout ${payout.payoutId} cannot go on: ${reason}`)
  }
}

async function submit(deps: BankDeskDeps, payout: Payout) {
  const { log, book, rail } = deps
  const next = submitting(payout, rail.prepare(payout, 1))
  await log.commit(book.change(next, 'file'))
  await send(deps, next.payout)
}

async function send(deps: BankDeskDeps, payout: Payout) {
  const { payoutId, messageId, xml } = payout
  if (!messageId || !xml) throw new Error(`payout ${payoutId} is being submitted without a file`)
  await apply(deps, payout, await deps.rail.submit({ messageId, xml }))
}

/**
 * After a crash while submitting, or an answer that never came, the bank is asked before anything is sent again; and it is
 * asked about what it has when its reports do not come.
 */
async function inquire(deps: BankDeskDeps, payout: Payout) {
  const { payoutId, endToEndId, state } = payout
  if (!endToEndId) throw new Error(`payout ${payoutId} is undecided without an end-to-end id`)
  const answer = await deps.rail.ask(endToEndId)
  if (answer !== 'resend') {
    for (const finding of answer) await learn(deps, payout, finding)
    return
  }
  if (state === 'SUBMITTING' || state === 'UNKNOWN') {
    return deps.mayHandOver() ? send(deps, payout) : undefined
  }
  const detail = `the bank took ${endToEndId} and does not know it`
  deps.onFault(detail)
  await apply(deps, payout, { rank: 'answer', says: 'unknown', detail })
}

/** A finding that cannot be used still moves on when the bank is asked next. */
async function learn(deps: BankDeskDeps, payout: Payout, finding: Finding) {
  const change = weighFinding(deps, finding, 'bank query')
  if (change.rows?.length) return void (await deps.log.commit(change))
  const detail = 'the bank has it'
  await apply(deps, payout, { rank: 'answer', says: 'received', detail })
}

function isDue({ now }: BankDeskDeps, { state, nextLookAt }: Payout): boolean {
  return underWay.includes(state) && now() >= (nextLookAt ?? 0)
}

async function apply({ log, book, now }: BankDeskDeps, { payoutId }: Payout, evidence: Evidence) {
  const next = weigh(book.get(payoutId), evidence, now())
  if (next) await log.commit(book.change(next, evidence.rank))
}

/** Weighs the next reports, and says how many there were. */
async function collect(deps: BankDeskDeps): Promise<number> {
  const { db, log, rail, onFault } = deps
  const after = reportCursor.get(db, 'reports') ?? 0
  const reports = await rail.collect(after)
  for (const { sequence, findings, fault } of reports) {
    if (fault) onFault(`bank report ${sequence} was not read: ${fault}`)
    const changes = findings.map((finding) =>
      weighFinding(deps, finding, `bank report ${sequence}`),
    )
    await log.commit({
      rows: [...changes.flatMap(({ rows = [] }) => rows), reportCursor.put('reports', sequence)],
      entries: changes.flatMap(({ entries = [] }) => entries),
      events: changes.flatMap(({ events = [] }) => events),
    })
  }
  return reports.length
}

/** A finding about one of ours, once per bank entry, and only for the amount that was ordered. */
function weighFinding(deps: BankDeskDeps, finding: Finding, source: string): Change {
  const { db, book, now, onFault } = deps
  const { endToEndId, evidence, entry } = finding
  const payout = book.byEndToEndId(endToEndId)
  const seen = entry ? [seenEntries.put(entry, { endToEndId })] : []
  const wrong = payout ? amountFault(payout, finding) : `${endToEndId} is no payout of this hub`
  if (!payout || wrong) {
    onFault(`${source}: ${wrong}`)
    return { rows: payout ? seen : strayRows(finding) }
  }
  if (entry && seenEntries.get(db, entry)) return {}
  const next = weigh(payout, evidence, now())
  if (isSecondTime(payout, evidence)) {
    onFault(`${source}: ${endToEndId} is ${evidence.says} a second time, as ${entry}`)
  }
  const change = next ? book.change(next, `${evidence.rank}:${entry ?? source}`) : {}
  return { ...change, rows: [...(change.rows ?? []), ...seen] }
}

/** Another entry of the bank for what was booked, or returned, before: it may have paid twice, and a person must look. */
function isSecondTime({ state }: Payout, { rank, says }: Evidence): boolean {
  if (rank !== 'booking') return false
  return says === 'booked' ? state === 'SETTLED' : state === 'RETURNED'
}

/** A booking of a payment that is no payout of these books is kept: after a restore it tells what they lost. */
function strayRows({ endToEndId, evidence, amount, entry }: Finding): Row[] {
  if (evidence.rank !== 'booking' || !entry || amount?.kind !== 'known') return []
  const { says } = evidence
  return [
    strayBookings.put(entry, {
      endToEndId,
      says,
      currency: amount.currency,
      amount: amount.amount,
    }),
  ]
}

function amountFault({ quote }: Payout, { endToEndId, amount }: Finding): string | undefined {
  if (!amount) return undefined
  const same =
    amount.kind === 'known' && amount.amount === quote.net && amount.currency === quote.currency
  return same
    ? undefined
    : `${endToEndId} is booked with another amount than ${quote.net} ${quote.currency}`
}
