// The lock on money that leaves. It is on from a restore, or from the moment when somebody else's transaction moved the hub's
// money, until the operator has reconciled the books.

import type { Hex } from 'viem'
import { HubError } from '#protocol/errors.ts'
import type { Consequence } from '../chain/bookings.ts'
import type { Database, Row } from '../store/table.ts'
import { table } from '../store/table.ts'

/**
 * Why money is locked and since when, up to when the books know everything, and the transaction that gave it away. Times in
 * Unix milliseconds.
 */
export type Locked = {
  reason: 'restored' | 'other-hand'
  since: number
  asOf: number
  transaction: Hex | undefined
}

const lockRows = table<Locked>('money-lock')

export type MoneyLock = {
  current(): Locked | undefined
  /** @throws HubError `money_out_locked` */
  assertOff(): void
  /** Locks when the vault credits by a transaction that this data directory did not send: only the operator key can. */
  consequence: Consequence
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
  /** Hears that somebody else uses the operator key, or that this directory is an old copy. */
  onOtherHand: (transaction: Hex) => void
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
      const { transaction } = event
      const since = now()
      locked = { reason: 'other-hand', since, asOf: since, transaction }
      onOtherHand(transaction)
      return { rows: [lockRow(locked)] }
    },
    takeOff() {
      locked = undefined
      return lockRows.remove('')
    },
  }
}

function describe({ reason, transaction }: Locked): string {
  switch (reason) {
    case 'restored':
      return 'the hub was restored from a backup and its books are not reconciled yet'
    case 'other-hand':
      return `transaction ${transaction} credited creators and was not sent from this data directory: another process uses the operator key, or this is an old copy`
  }
}
