// The end of a restore: when chain and bank are caught up with and the reserves are equal, the operator takes what is missing as
// it is, or there is nothing missing, and money may leave again (R24).

import type { Address, Hex, PublicClient } from 'viem'
import { HubError } from '#protocol/errors.ts'
import type { MissingReport, RestoreView } from '#protocol/messages/restore.ts'
import type { Follower } from '../chain/follower.ts'
import type { Reserves } from '../chain/reserves.ts'
import { accounts } from '../ledger/accounts.ts'
import type { Entry } from '../ledger/entry.ts'
import { move } from '../ledger/entry.ts'
import type { BankDesk } from '../payouts/bank-desk.ts'
import type { Payout } from '../payouts/payout.ts'
import { endToEndIdOf } from '../payouts/payout.ts'
import type { PayoutBook } from '../payouts/payout-book.ts'
import type { GroupLog } from '../store/group-log.ts'
import type { Database } from '../store/table.ts'
import { sortable } from '../store/table.ts'
import type { MoneyLock } from './lock.ts'
import type { MissingDeps } from './missing.ts'
import { missingReport, readStrays } from './missing.ts'
import type { StoredRestore } from './records.ts'
import { restores, strayBookings } from './records.ts'

export type Reconciliation = {
  /** How far the hub is from being reconciled, and what is missing; after it was, what was missing then. */
  view(): Promise<RestoreView>
  /**
   * Takes the lock off. What is missing must be named by its `difference`; it is booked to suspense.
   *
   * @throws HubError `not_reconciled`
   */
  reconcile(accept: Hex | undefined): Promise<RestoreView>
}

export type ReconciliationDeps = MissingDeps & {
  db: Database
  log: GroupLog
  chain: Pick<PublicClient, 'getBlockNumber' | 'getTransactionCount'>
  follower: Follower
  confirmations: number
  operator: Address
  reserves: Reserves
  lock: MoneyLock
  payoutBook: PayoutBook
  desk: BankDesk | undefined
  now: () => number
  /** Whether what the watchtower knows is still to be taken over. */
  waitsForTower: () => boolean
  /** Goes on with what was held while money was locked. */
  onUnlocked: () => void
}

export async function loadReconciliation(deps: ReconciliationDeps): Promise<Reconciliation> {
  const { db, log, lock, desk, now } = deps
  let [restore] = (await restores.list(db, { reverse: true, limit: 1 })).map(({ value }) => value)

  return {
    async view() {
      const waitingFor = lock.current() ? await waiting(deps) : []
      return viewOf({ waitingFor, missing: await missingNow() })
    },
    async reconcile(accept) {
      if (!lock.current()) return viewOf({ waitingFor: [], missing: await missingNow() })
      const reasons = await waiting(deps)
      if (reasons.length > 0) throw notReconciled(reasons)
      const strays = await readAllStrays()
      const missing = missingReport(deps, { restore, strays })
      if (missing.difference !== null && accept !== missing.difference) {
        throw notReconciled(['something is missing'], missing)
      }
      const at = now()
      if (restore) restore = { ...restore, reconciled: { at, missing } }
      const held = desk?.prepareFunded() ?? []
      await log.commit({
        rows: [
          lock.takeOff(),
          ...(restore ? [restores.put(sortable(restore.firstGroup), restore)] : []),
          ...missing.bookings.map(({ reference }) => strayBookings.remove(reference)),
          ...held.flatMap(({ rows = [] }) => rows),
        ],
        entries: [...acceptanceOf(missing, at), ...held.flatMap(({ entries = [] }) => entries)],
        events: held.flatMap(({ events = [] }) => events),
      })
      deps.onUnlocked()
      return viewOf({ waitingFor: [], missing })
    },
  }

  /** After the reconciliation it is what was missing then; receipts that come later still lower it. */
  async function missingNow(): Promise<MissingReport> {
    if (!lock.current() && restore?.reconciled) return restore.reconciled.missing
    return missingReport(deps, { restore, strays: await readAllStrays() })
  }

  async function readAllStrays() {
    const known = new Set([...deps.payoutBook.all()].flatMap(namesOf))
    const bookings = (await strayBookings.list(db)).filter(
      ({ value }) => !known.has(value.endToEndId),
    )
    return readStrays(db, { restore: lock.current() ? restore : undefined, bookings })
  }

  function viewOf(found: Pick<RestoreView, 'waitingFor' | 'missing'>): RestoreView {
    const locked = lock.current()
    return {
      restored: restore ? restoredView(restore) : null,
      locked: locked
        ? {
            reason: locked.reason,
            since: BigInt(locked.since),
            transaction: locked.transaction ?? null,
          }
        : null,
      ...found,
    }
  }
}

/** What is not caught up with yet, in words. */
async function waiting(deps: ReconciliationDeps): Promise<string[]> {
  const { chain, follower, confirmations, operator, desk, reserves } = deps
  const found: string[] = []
  const head = await chain.getBlockNumber({ cacheTime: 0 })
  const cursor = follower.cursor()
  if (cursor < head - BigInt(confirmations)) {
    found.push(
      `the chain is booked to block ${cursor}, it is final to ${head - BigInt(confirmations)}`,
    )
  }
  const [sent, booked] = await Promise.all([
    chain.getTransactionCount({ address: operator, blockTag: 'pending' }),
    chain.getTransactionCount({ address: operator, blockNumber: cursor }),
  ])
  if (sent > booked) found.push(`${sent - booked} transactions of the operator are not booked yet`)
  if (deps.waitsForTower()) found.push('the rows of the watchtower are not taken over')
  if (desk && !desk.isCaughtUp()) found.push('the statements of the bank are not all read')
  const report = await reserves.check()
  if (report.verdict === 'unknown') found.push(`the reserves are not known: ${report.reason}`)
  if (report.verdict === 'unequal') found.push('the reserves are unequal')
  return found
}

/**
 * What the bank booked for payments that the books lost goes to suspense. Tokens are there already: what was claimed and
 * credited above the books stays open under its channel and recipient, so that a receipt that is presented later is set off
 * against it and not paid twice.
 */
function acceptanceOf({ bookings }: MissingReport, at: number): Entry[] {
  const reason = 'accepted as missing after a restore'
  return bookings.map(({ reference, says, currency, amount }) => {
    const sides =
      says === 'booked'
        ? { debit: accounts.suspense, credit: accounts.bank }
        : { debit: accounts.bank, credit: accounts.suspense }
    const legs = move(sides, { currency, amount })
    return { id: `missing:${at}:${reference}`, at, reason, reference, legs }
  })
}

/** The ids by which the bank may know a payout, also before it is handed over from here. */
function namesOf({ payoutId, endToEndId }: Payout): string[] {
  return [endToEndIdOf(payoutId, 1), ...(endToEndId === null ? [] : [endToEndId])]
}

function restoredView({ backup, restoredAt, firstGroup, reconciled }: StoredRestore) {
  return {
    at: BigInt(restoredAt),
    backupOf: BigInt(backup.createdAt),
    newestGroup: backup.newestGroup,
    epoch: backup.epoch,
    firstGroup,
    reconciledAt: reconciled ? BigInt(reconciled.at) : null,
  }
}

function notReconciled(reasons: string[], missing?: MissingReport): HubError {
  const difference = missing?.difference
  const sums = (missing?.totals ?? []).map((total) => `${total.missing} of ${total.token}`)
  const detail = [...reasons, ...sums].join('; ')
  return new HubError('not_reconciled', detail, {
    values: { reasons, ...(difference ? { difference } : {}) },
  })
}
