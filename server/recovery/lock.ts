// The lock on money that leaves. It is on from a restore, or from the moment when somebody else's transaction moved the hub's
// money, until the operator has reconciled the books.

import type { Hex } from 'viem'
import { HubError } from '#protocol/errors.ts'
import type { Consequence } from '../chain/bookings.ts'
import type { Database, Row } from '../store/table.ts'
import { table } from '../store/table.ts'

/**
 * Why money is locked and since when, up to when the books know everything, and what gave another hand away: a transaction, or a
 * nonce of the operator key. Times in Unix milliseconds.
 */
export type Locked = {
  reason: 'restored' | 'other-hand'
  since: number
  asOf: number
  transaction: Hex | undefined
  nonce?: number
}

const lockRows = table<Locked>('money-lock')

export type MoneyLock = {
  current(): Locked | undefined
  /** @throws HubError `money_out_locked` */
  assertOff(): void
  /** Locks when the vault credits by a transaction that this data directory did not send: only the operator key can. */
  consequence: Consequence
  /** Locks when a nonce of the operator key was used by a transaction that was not sent from here; the row must be committed. */
  suspect(nonce: number): Row[]
  /** Takes the lock off; the row must be committed in the same tick. */
  takeOff(): Row
}

/** The row that locks. */
export function lockRow(locked: Locked): Row {
  return lockRows.put('', locked)
}

export function loadMoneyLock({
  db,
  now,
  isOurs,
  onOtherHand,
}: {
  db: Database
  now: () => number
  /** Whether a transaction was sent from this data directory. */
  isOurs: (transaction: Hex) => boolean
  /** Hears, in words, that somebody else uses the operator key, or that this directory is an old copy. */
  onOtherHand: (what: string) => void
}): MoneyLock {
  let locked = lockRows.get(db, '')

  return {
    current: () => locked,
    assertOff() {
      if (!locked) return
      throw new HubError('money_out_locked', describe(locked), {
        values: { reason: locked.reason, since: BigInt(locked.since) },
      })
    },
    consequence(event) {
      if (event.kind !== 'credited' || locked || isOurs(event.transaction)) return {}
      return { rows: [lockFor({ transaction: event.transaction })] }
    },
    suspect: (nonce) => (locked ? [] : [lockFor({ transaction: undefined, nonce })]),
    takeOff() {
      locked = undefined
      return lockRows.remove('')
    },
  }

  function lockFor(trace: Pick<Locked, 'transaction' | 'nonce'>): Row {
    const since = now()
    locked = { reason: 'other-hand', since, asOf: since, ...trace }
    onOtherHand(describe(locked))
    return lockRow(locked)
  }
}

function describe({ reason, transaction, nonce }: Locked): string {
  switch (reason) {
    case 'restored':
      return 'the hub was restored from a backup and its books are not reconciled yet'
    case 'other-hand':
      return `${traceOf({ transaction, nonce })} was not sent from this data directory: another process uses the operator key, or this is an old copy`
  }
}

function traceOf({ transaction, nonce }: { [T in 'transaction' | 'nonce']: Locked[T] }): string {
  return transaction === undefined
    ? `the transaction with nonce ${nonce} of the operator key`
    : `transaction ${transaction} credited creators and`
}
