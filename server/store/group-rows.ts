// The rows of a commit group: what is written once and never changed, keyed by group, and the running balances.

import type { Hex } from 'viem'
import type { GroupHeader } from '#protocol/receipt.ts'
import type { Balances, Entry } from '../ledger/entry.ts'
import type { Database, Row, StoredRow } from './table.ts'
import { bytesTable, sortable, table } from './table.ts'
import type { StoredTip } from './tip-codec.ts'
import { decodeTips } from './tip-codec.ts'

/** A group's signed header, and how many events it wrote that are not tips. */
export type StoredGroup = { header: GroupHeader; headerSignature: Hex; eventCount: number }

/** Which group is the newest: it names the last header, as each header names the one before. */
export type GroupHead = { number: bigint; hash: Hex }

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
export const newestGroup = table<GroupHead>('newest-group')
/** All tips of a group in one row, as `tip-codec.ts` packs them. */
export const groupTips = bytesTable('tips')
export const ledgerEntries = table<Entry>('entry')
export const ledgerBalances = table<bigint>('balance')
export const outbox = table<EventDraft>('event')

/** Which tips of a group are on a channel, and which are to a recipient: `<owner>/<group>` → their places in it. */
export const tipsByChannel = bytesTable('tip-by-channel')
export const tipsByRecipient = bytesTable('tip-by-recipient')

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

/** The rows by which the tips of a group are found: one for each channel and each recipient that it touches. */
export function indexRows(group: bigint, tips: readonly StoredTip[]): Row[] {
  const byChannel = new Map<string, number[]>()
  const byRecipient = new Map<string, number[]>()
  for (const [index, { leaf }] of tips.entries()) {
    append(byChannel, leaf.channelId, index)
    append(byRecipient, leaf.to, index)
  }
  const at = sortable(group)
  return [
    ...[...byChannel].map(([owner, places]) =>
      tipsByChannel.put(`${owner}/${at}`, packPlaces(places)),
    ),
    ...[...byRecipient].map(([owner, places]) =>
      tipsByRecipient.put(`${owner}/${at}`, packPlaces(places)),
    ),
  ]
}

/** The places that an index row names, in order. */
export function unpackPlaces(row: Uint8Array): number[] {
  const view = new DataView(row.buffer, row.byteOffset, row.byteLength)
  return Array.from({ length: row.byteLength / 4 }, (_, index) => view.getUint32(index * 4))
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

export function balanceRows(balances: Balances, keys: Iterable<string>): Row[] {
  return [...keys].map((key) => ledgerBalances.put(key, balances.get(key) ?? 0n))
}

function append(lists: Map<string, number[]>, key: string, value: number) {
  const list = lists.get(key)
  if (list) list.push(value)
  else lists.set(key, [value])
}

function packPlaces(places: readonly number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(places.length * 4))
  for (const [index, place] of places.entries()) view.setUint32(index * 4, place)
  return new Uint8Array(view.buffer)
}
