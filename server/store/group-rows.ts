// The rows of a commit group: what is written once and never changed, keyed by group and place, and the running balances.

import type { Address, Hex } from 'viem'
import type { GroupHeader, ReceiptLeaf } from '#protocol/receipt.ts'
import type { Balances, Entry } from '../ledger/entry.ts'
import type { Row } from './table.ts'
import { sortable, table } from './table.ts'

export type StoredGroup = { header: GroupHeader; headerSignature: Hex }

/** What is kept beside a leaf for lists. `acceptedAt` is in Unix milliseconds. */
export type TipNote = { payer: Address; token: Address; message: string | null; acceptedAt: number }

/** A committed tip: what its receipt proves, and its note. */
export type StoredTip = { leaf: ReceiptLeaf; note: TipNote }

/** Something to tell: to whom, what kind, and its JSON. */
export type EventDraft = { audience: readonly string[]; type: string; data: string }

/** An event as it was committed; `id` orders all events of the hub. */
export type HubEvent = EventDraft & { id: string }

export const groups = table<StoredGroup>('group')
export const storedTips = table<StoredTip>('tip')
export const ledgerEntries = table<Entry>('entry')
export const ledgerBalances = table<bigint>('balance')
export const outbox = table<EventDraft>('event')

/** The key of something at a place in a group. */
export function placeKey(group: bigint, index: number): string {
  return `${sortable(group)}/${index.toString(16).padStart(8, '0')}`
}

export function tipRows(tips: readonly StoredTip[]): Row[] {
  return tips.map((tip) => storedTips.put(placeKey(tip.leaf.group, tip.leaf.index), tip))
}

export function entryRows(group: bigint, entries: readonly Entry[]): Row[] {
  return entries.map((entry, index) => ledgerEntries.put(placeKey(group, index), entry))
}

export function eventRows(
  group: bigint,
  drafts: readonly EventDraft[],
): { rows: Row[]; events: HubEvent[] } {
  const events = drafts.map((draft, index) => ({ ...draft, id: placeKey(group, index) }))
  return { events, rows: events.map(({ id, ...draft }) => outbox.put(id, draft)) }
}

export function balanceRows(balances: Balances, keys: Iterable<string>): Row[] {
  return [...keys].map((key) => ledgerBalances.put(key, balances.get(key) ?? 0n))
}
