// Whether a store is whole: every group chains to the one before and holds what its header says (I7), every balance is the sum
// of its entries (I4), and every channel was charged what its tips come to, or more by what was claimed above the books.

import type { Hex } from 'viem'
import { loadChannels } from '../channels/registry.ts'
import type { Balances } from '../ledger/entry.ts'
import { post } from '../ledger/entry.ts'
import { groupTips, ledgerEntries } from '../store/group-rows.ts'
import { createLateRows } from '../store/late-rows.ts'
import { lateGroups, loadBalances, walkGroups } from '../store/start-up.ts'
import type { Database, Table } from '../store/table.ts'
import { decodeTips } from '../store/tip-codec.ts'

/** How much was looked at. */
export type Checked = { groups: bigint; tips: number; entries: number; channels: number }

const rowsPerRead = 500

/**
 * Looks at everything that a store holds.
 *
 * @throws Error that names the first thing that is not as it was committed.
 */
export async function checkStore(db: Database): Promise<Checked> {
  const last = await walkGroups(db, Number.POSITIVE_INFINITY)
  const entries = await checkBalances(db)
  const { tips, channels } = await checkChannels(db)
  return { groups: last?.number ?? 0n, tips, entries, channels }
}

async function checkBalances(db: Database): Promise<number> {
  const sums: Balances = new Map()
  let entries = 0
  for await (const { value } of readAll(db, ledgerEntries)) {
    entries += 1
    post(sums, value)
  }
  const stored = await loadBalances(db, createLateRows(lateGroups(db).from))
  for (const key of new Set([...sums.keys(), ...stored.keys()])) {
    const [sum, balance] = [sums.get(key) ?? 0n, stored.get(key) ?? 0n]
    if (sum !== balance)
      throw new Error(`the balance of ${key} is ${balance}, its entries come to ${sum}`)
  }
  return entries
}

async function checkChannels(db: Database): Promise<{ tips: number; channels: number }> {
  const tipped = new Map<Hex, bigint>()
  let tips = 0
  for await (const { key, value } of readAll(db, groupTips)) {
    for (const { leaf } of decodeTips(value, BigInt(`0x${key}`))) {
      tips += 1
      tipped.set(leaf.channelId, (tipped.get(leaf.channelId) ?? 0n) + leaf.amount)
    }
  }
  const channels = [...(await loadChannels(db, createLateRows(lateGroups(db).from))).all()]
  for (const { id, charged, unexplained } of channels) {
    const explained = (tipped.get(id) ?? 0n) + unexplained
    if (charged !== explained)
      throw new Error(`channel ${id} was charged ${charged}, its tips and claims are ${explained}`)
  }
  return { tips, channels: channels.length }
}

async function* readAll<T>(db: Database, rows: Table<T>) {
  for (let after = ''; ; ) {
    const page = await rows.list(db, { after, limit: rowsPerRead })
    yield* page
    const last = page.at(-1)
    if (!last) return
    after = last.key
  }
}
