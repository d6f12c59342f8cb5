// What is checked before a hub takes up its data again: the chain of the last groups, row by row (I7).

import type { Hex } from 'viem'
import { bytesToHex } from 'viem'
import { merkleLevels } from '#protocol/merkle.ts'
import type { GroupHeader } from '#protocol/receipt.ts'
import { headerHash, zeroHash } from '#protocol/receipt.ts'
import { lowerCase } from '#protocol/signature.ts'
import type { Balances, Entry } from '../ledger/entry.ts'
import { addLeg, balanceKey } from '../ledger/entry.ts'
import type { GroupHead, StoredGroup } from './group-rows.ts'
import {
  balanceRow,
  groupRange,
  groups,
  groupTicks,
  groupTips,
  joints,
  ledgerBalances,
  ledgerEntries,
  newestGroup,
  readTips,
} from './group-rows.ts'
import { journalHash } from './journal-hash.ts'
import type { LateRows } from './late-rows.ts'
import { hashLeaves } from './leaves.ts'
import type { Database } from './table.ts'
import { sortable } from './table.ts'
import type { StreamTicks } from './tick-codec.ts'
import { decodeTicks } from './tick-codec.ts'
import type { StoredTip } from './tip-codec.ts'

/** How many groups back the start-up looks. */
export const walkedGroups = 1_000

/** The groups that late rows may lack: from the first that a row on disk may not know of to the newest. */
export type LateGroups = { from: bigint; to: bigint }

/** Where the replay of a start begins and ends. */
export function lateGroups(db: Database): LateGroups {
  const newest = newestGroup.get(db, '')
  return { from: newest?.replayFrom ?? 1n, to: newest?.number ?? 0n }
}

/** Loads the running balances of all accounts: the rows on disk, and the entries that they lack. */
export async function loadBalances(db: Database, lateRows: LateRows): Promise<Balances> {
  const balances: Balances = new Map()
  const { from } = lateGroups(db)
  /** Of the few rows that hold a late group already. */
  const asOf = new Map<string, bigint>()
  for await (const { key, value } of ledgerBalances.each(db)) {
    balances.set(key, value.amount)
    if (value.asOf >= from) asOf.set(key, value.asOf)
  }
  for await (const { group, entry } of lateEntries(db)) {
    for (const leg of entry.legs) {
      const key = balanceKey(leg.account, leg.currency)
      if (group <= (asOf.get(key) ?? 0n)) continue
      addLeg(balances, leg)
      lateRows.replayed(balanceRow(balances, key))
    }
  }
  return balances
}

async function* lateEntries(db: Database): AsyncGenerator<{ group: bigint; entry: Entry }, void> {
  for (const group of await lateNumbers(db))
    for (const { value: entry } of await ledgerEntries.list(db, groupRange(group)))
      yield { group, entry }
}

/** The tips of the late groups, oldest first. */
export async function* lateTips(
  db: Database,
): AsyncGenerator<{ number: bigint; tips: StoredTip[] }, void> {
  for (const number of await lateNumbers(db)) yield { number, tips: readTips(db, number) }
}

/** The late groups that there are, oldest first: after a restore numbers jump, too far to count. */
async function lateNumbers(db: Database): Promise<bigint[]> {
  const { from, to } = lateGroups(db)
  const range = { after: sortable(from - 1n), before: `${sortable(to)}0` }
  return (await groups.list(db, range)).map(({ value }) => value.header.number)
}

/** The ticks of the late groups, oldest first. */
export async function* lateTicks(db: Database): AsyncGenerator<StreamTicks, void> {
  for (const number of await lateNumbers(db)) {
    const row = groupTicks.get(db, sortable(number))
    if (row) yield* decodeTicks(row)
  }
}

/**
 * Walks the newest groups, newest first, and returns the last header, or `undefined` for a new data directory.
 *
 * @throws Error that names the newest group whose header, tips, ticks or entries are not as they were committed.
 */
export async function walkGroups(
  db: Database,
  limit = walkedGroups,
): Promise<GroupHeader | undefined> {
  const newest = newestGroup.get(db, '')
  await assertNothingBeyond(db, newest?.number ?? 0n)
  let named: GroupHead = newest ?? { number: 0n, hash: zeroHash }
  let last: GroupHeader | undefined
  for (let walked = 0; walked < limit && named.number > 0n; walked += 1) {
    const stored = readGroup(db, named)
    await assertRows(db, stored)
    last ??= stored.header
    named = { number: numberBefore(db, named.number), hash: stored.header.previous }
  }
  return last
}

/** The number of the next group: one more than the last, or the first after a restore. */
export async function nextGroup(db: Database): Promise<bigint> {
  const last = newestGroup.get(db, '')?.number ?? 0n
  const [newest] = await joints.list(db, { reverse: true, limit: 1 })
  return newest && newest.value.first > last ? newest.value.first : last + 1n
}

/** Numbers follow each other but for the joints; that a joint is true, the hash in the header proves. */
function numberBefore(db: Database, number: bigint): bigint {
  return joints.get(db, sortable(number))?.after ?? number - 1n
}

/** A group whose header is the one that the next group names, or the newest row for the last. */
function readGroup(db: Database, { number, hash }: GroupHead): StoredGroup {
  const stored = readable(number, 'its header', () => groups.get(db, sortable(number)))
  if (!stored) throw damaged(number, 'its header is missing')
  const found = readable(number, 'its header', () => headerHash(stored.header))
  if (!isSameHash(found, hash))
    throw damaged(number, 'its header is not the one that was committed')
  return stored
}

/** What hashing reads of a stored hash: not its first two characters, nor whether a letter is a capital. */
function isSameHash(a: Hex, b: Hex): boolean {
  return lowerCase(a).slice(2) === lowerCase(b).slice(2)
}

async function assertRows(db: Database, { header }: StoredGroup) {
  const { number } = header
  const leaves = readLeaves(db, number)
  const root = merkleLevels(leaves).at(-1) ?? leaves
  const rootHash = leaves.length > 0 ? bytesToHex(root) : zeroHash
  if (leaves.length !== header.tipCount * 32 || rootHash !== header.tipsRoot) {
    throw damaged(number, 'its tips are not the ones that were committed')
  }
  const its = { after: sortable(number - 1n), before: `${sortable(number)}0`, limit: 1 }
  const [tips, ticks] = [await groupTips.rows(db, its), await groupTicks.rows(db, its)]
  const entries = await ledgerEntries.rows(db, groupRange(number))
  if (journalHash([...tips, ...ticks, ...entries]) !== header.journalHash) {
    throw damaged(number, 'its tips, ticks or ledger entries are not the ones that were committed')
  }
}

function readLeaves(db: Database, group: bigint): Uint8Array {
  const row = () => groupTips.get(db, sortable(group))
  return readable(group, 'its tips', () => hashLeaves(row(), group).hashes)
}

/** Reads from disk; what cannot even be read is damaged. */
function readable<T>(group: bigint, what: string, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    throw damaged(group, `${what} cannot be read`, cause)
  }
}

async function assertNothingBeyond(db: Database, last: bigint) {
  const after = `${sortable(last)}0`
  const strays = [
    ...(await groups.rows(db, { after, limit: 1 })),
    ...(await groupTips.rows(db, { after, limit: 1 })),
    ...(await groupTicks.rows(db, { after, limit: 1 })),
    ...(await ledgerEntries.rows(db, { after, limit: 1 })),
  ]
  if (strays.length > 0) throw damaged(last + 1n, 'it has rows, but was never the newest group')
}

function damaged(group: bigint, what: string, cause?: unknown) {
  return new Error(
    `the data directory is damaged: group ${group}, ${what}. Nothing was changed; restore a backup or ask for help.`,
    { cause },
  )
}
