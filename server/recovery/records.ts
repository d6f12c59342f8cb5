// What the store remembers of a restore: the restore itself, and what of the lost time has come to light since.

import type { Hex } from 'viem'
import type { MissingReport } from '#protocol/messages/restore.ts'
import { table } from '../store/table.ts'

/** One restore. Times in Unix milliseconds. */
export type StoredRestore = {
  backup: { createdAt: number; newestGroup: bigint; epoch: Hex; checksum: Hex }
  restoredAt: number
  firstGroup: bigint
  /** When the operator reconciled the books, and what was missing then and accepted. */
  reconciled: { at: number; missing: MissingReport } | undefined
}

/** A group of which a receipt was presented and that these books do not hold. `places` are of tips presented so far. */
export type LostGroup = { epoch: Hex; number: bigint; tipCount: number; places: number[] }

/**
 * A channel at the restore, base units: what it was charged in the backup, the highest charged that a presented receipt of
 * the lost time shows, and what the presented baskets of that time come to.
 */
export type LostChannel = { charged: bigint; seen: bigint; presented: bigint }

/** A booking at the bank of a payment that these books do not know. The amount is in minor units, if the bank told it. */
export type StrayBooking = {
  endToEndId: string
  says: 'booked' | 'returned'
  currency: string
  amount: bigint
}

/** By the first group after it. */
export const restores = table<StoredRestore>('restore')
/** By number and epoch. */
export const lostGroups = table<LostGroup>('lost-group')
/** By channel id. */
export const lostChannels = table<LostChannel>('lost-channel')
/** By the bank's own reference. */
export const strayBookings = table<StrayBooking>('stray-booking')
