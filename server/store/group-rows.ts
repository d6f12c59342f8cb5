// The rows of a commit group: what is written once and never changed, keyed by group, and the running balances.

import type { Hex } from 'viem'
import type { GroupHeader } from '#protocol/receipt.ts'
import type { Balances, Entry } from '../ledger/entry.ts'
import type { LateRow } from './late-rows.ts'
import type { Database, Row, StoredRow } from './table.ts'
import { bytesTable, sortable, table } from './table.ts'
import type { StoredTip } from './tip-codec.ts'
import { decodeTips } from './tip-codec.ts'

/** A group's signed header, and how many events it wrote that are not tips. */
export type StoredGroup = { header: GroupHeader; headerSignature: Hex; eventCount: number }

/** Which group is the newest: it names the last header, as each header names the one before. */
export type GroupHead = { number: bigint; hash: Hex }

/** The newest group, and the first one that late rows may not yet know of. */
export type NewestGroup = GroupHead & { replayFrom: bigint }

/** Something to tell: to whom, what kind, and its JSON. */
export type EventDraft = { audience: readonly string[]; type: string; data: string }

/** An event as it was committed; `id` orders all events of the hub. */
export type HubEvent = EventDraft & { id: string }

/**
 * Where the numbers jump because a backup was restored: `first` is the number of the first group after it, whose header names
 * the one of `after`. Keyed by `first`.
 */
export type Joint = { first: bigint; after: bigint }

export const groups = table<StoredGroup>('group')
export const joints = table<Joint>('joint')
/** One row, under the empty key. */
export const newestGroup = table<NewestGroup>('newest-group')
/** All tips of a group in one row, as `tip-codec.ts` packs them. */
export const groupTips = bytesTable('tips')
/** The newest ticks of a group's streams in one row, as `tick-codec.ts` packs them. */
export const groupTicks = bytesTable('ticks')
export const ledgerEntries = table<Entry>('entry')
/** What an account holds after a group. It is written late: later groups may have changed it since. */
export const ledgerBalances = table<{ amount: bigint; asOf: bigint }>('balance')
export const outbox = table<EventDraft>('event')

/** The key of something at a place in a group. */
export function placeKey(group: bigint, index: number): string {
  return `${sortable(group)}/${index.toString(16).padStart(8, '0')}`
}

/** The keys of a group's rows in tables that are keyed by group and place. */
export function groupRange(group: bigint): { after: string; before: string } {
  return { after: `${sortable(group)}/`, before: `${sortable(group)}0` }
}

/** The tips of a group, in order. */
export function readTips(db: Database, group: bigint): StoredTip[] {
  const row = groupTips.get(db, sortable(group))
  return row ? decodeTips(row, group) : []
}

/** The ledger entries of a group, packed already because the header hashes their bytes. */
export function entryRows(group: bigint, entries: readonly Entry[]): StoredRow[] {
  return entries.map((entry, index) => ledgerEntries.row(placeKey(group, index), entry))
}

/** Events come after the tips of their group, whose events are the tips themselves. */
export function eventRows(
  group: bigint,
  { tipCount, drafts }: { tipCount: number; drafts: readonly EventDraft[] },
): { rows: Row[]; events: HubEvent[] } {
  const events = drafts.map((draft, index) => ({ ...draft, id: placeKey(group, tipCount + index) }))
  return { events, rows: events.map(({ id, ...draft }) => outbox.put(id, draft)) }
}

/** The row of a running balance, as of the group that it is written with. */
export function balanceRow(balances: Balances, key: string): LateRow {
  const amountNow = () => balances.get(key) ?? 0n
  return {
    key: ledgerBalances.keyOf(key),
    value: (asOf) => ledgerBalances.row(key, { amount: amountNow(), asOf }).value,
  }
}
