// What is checked before a hub takes up its data again: the chain of the last groups, row by row (I7).

import { bytesToHex } from 'viem'
import type { GroupHeader, ReceiptLeaf } from '#protocol/receipt.ts'
import { headerHash, leafHash, merkleLevels, zeroHash } from '#protocol/receipt.ts'
import type { Balances } from '../ledger/entry.ts'
import { journalHash } from './group-log.ts'
import type { StoredGroup } from './group-rows.ts'
import {
  groupRange,
  groups,
  groupTips,
  ledgerBalances,
  ledgerEntries,
  readTips,
} from './group-rows.ts'
import type { Database } from './table.ts'
import { sortable } from './table.ts'

/** How many groups back the start-up looks. */
export const walkedGroups = 1_000

/** Loads the running balances of all accounts. */
export async function loadBalances(db: Database): Promise<Balances> {
  const rows = await ledgerBalances.list(db)
  return new Map(rows.map(({ key, value }) => [key, value]))
}

/**
 * Walks the newest groups and returns the last header, or `undefined` for a new data directory.
 *
 * @throws Error that names the first group whose header, tips or entries are not as they were committed.
 */
export async function walkGroups(db: Database): Promise<GroupHeader | undefined> {
  const newest = await groups.list(db, { reverse: true, limit: walkedGroups + 1 })
  const headers = newest.reverse().map(({ value }) => value)
  let previous: GroupHeader | undefined
  for (const stored of headers) {
    if (previous) assertLinked(previous, stored.header)
    else assertFirst(stored.header, headers.length)
    await assertRows(db, stored)
    previous = stored.header
  }
  await assertNothingBeyond(db, previous)
  return previous
}

function assertLinked(previous: GroupHeader, header: GroupHeader) {
  if (header.number !== previous.number + 1n) {
    throw damaged(previous.number + 1n, 'its header is missing')
  }
  if (header.previous !== headerHash(previous)) {
    throw damaged(previous.number, 'its header is not the one that the next group names')
  }
}

function assertFirst({ number, previous }: GroupHeader, walked: number) {
  const begins = number === 1n && previous === zeroHash
  if (!begins && walked <= walkedGroups)
    throw damaged(number - 1n, 'it and all before it are missing')
}

async function assertRows(db: Database, { header }: StoredGroup) {
  const { number } = header
  const leaves = readLeaves(db, number)
  const root = merkleLevels(leaves.map(leafHash)).at(-1)?.[0] ?? new Uint8Array(32)
  if (leaves.length !== header.tipCount || bytesToHex(root) !== header.tipsRoot) {
    throw damaged(number, 'its tips are not the ones that were committed')
  }
  const entries = await ledgerEntries.rows(db, groupRange(number))
  if (journalHash(entries) !== header.journalHash) {
    throw damaged(number, 'its ledger entries are not the ones that were committed')
  }
}

/** The leaves of a group; a row that cannot even be read is damaged. */
function readLeaves(db: Database, group: bigint): ReceiptLeaf[] {
  try {
    return readTips(db, group).map(({ leaf }) => leaf)
  } catch (cause) {
    throw damaged(group, 'its tips cannot be read', cause)
  }
}

async function assertNothingBeyond(db: Database, last: GroupHeader | undefined) {
  const after = `${sortable(last?.number ?? 0n)}0`
  const strays = [
    ...(await groupTips.list(db, { after, limit: 1 })),
    ...(await ledgerEntries.list(db, { after, limit: 1 })),
  ]
  if (strays.length > 0) throw damaged((last?.number ?? 0n) + 1n, 'it has rows but no header')
}

function damaged(group: bigint, what: string, cause?: unknown) {
  return new Error(
    `the data directory is damaged: group ${group}, ${what}. Nothing was changed; restore a backup or ask for help.`,
    { cause },
  )
}
