// The books of a data directory, checked and ready to be written on.

import type { GroupHeader } from '#protocol/receipt.ts'
import type { Balances } from '../ledger/entry.ts'
import type { Ownership } from './database.ts'
import { openDatabase } from './database.ts'
import type { LateRows } from './late-rows.ts'
import { createLateRows } from './late-rows.ts'
import { lateGroups, loadBalances, nextGroup, walkGroups } from './start-up.ts'
import type { Database } from './table.ts'
import type { TipIndex } from './tip-index.ts'
import { loadTipIndex } from './tip-index.ts'

type Books = {
  db: Database
  /** The newest commit group, if there is one. */
  last: GroupHeader | undefined
  /** The number of the next. */
  first: bigint
  lateRows: LateRows
  balances: Balances
  tipIndex: TipIndex
}

/** @throws Error when the directory belongs to another hub, is used by another process, or is damaged */
export async function openBooks(
  path: string,
  ownership: Omit<Ownership, 'format'>,
): Promise<Books> {
  const db = await openDatabase(path, ownership)
  const last = await walkGroups(db)
  const lateRows = createLateRows(lateGroups(db).from)
  const balances = await loadBalances(db, lateRows)
  const tipIndex = await loadTipIndex(db, lateRows)
  const first = await nextGroup(db)
  return { db, last, first, lateRows, balances, tipIndex }
}
