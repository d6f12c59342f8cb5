// What a tower keeps on disk: its hub's channels, and the transactions that it sent. Everything else it reads off the chain.

import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Address, Hex } from 'viem'
import { lowerCase } from '#protocol/signature.ts'
import { levelFolder, openLevel, writeSynced } from '../store/database.ts'
import type { Database } from '../store/table.ts'
import { sortable, table } from '../store/table.ts'
import type { NamedRow, TowerRow } from './row.ts'
import { mergeRows, rowsPerMessage } from './row.ts'

/** Whose store it is. `storeId` is drawn when it is made. */
type Owner = { format: number; chainId: number; hubAccount: Address; storeId: Hex }

/** A signed transaction that may be in anybody's hands. `at` in Unix milliseconds, fees in wei. */
export type Attempt = {
  nonce: number
  hash: Hex
  raw: Hex
  maxFeePerGas: bigint
  maxPriorityFeePerGas: bigint
  at: number
}

const storeFormat = 1

const ownerRow = table<Owner>('tower')
const channelRows = table<TowerRow>('channel')
const attemptRows = table<Attempt>('attempt')

export type TowerStore = Awaited<ReturnType<typeof openTowerStore>>

/**
 * Opens the store, making it when it is not there.
 *
 * @throws Error when another process holds it, or it is another hub's
 */
export async function openTowerStore(
  directory: string,
  { chainId, hubAccount, newId }: { chainId: number; hubAccount: Address; newId: () => Hex },
) {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const db = await openLevel(join(directory, levelFolder))
  const { storeId } = await ownerOf(db, directory, { chainId, hubAccount, newId })
  /** Taking rows is read, merge, write: one after the other, so that none is lost. */
  let line: Promise<unknown> = Promise.resolve()

  return {
    storeId,
    /** Takes rows; resolves when they are on disk. Answers which channels were not known before. */
    take(rows: readonly NamedRow[]): Promise<Hex[]> {
      const taken = line.then(() => takeNow(db, rows))
      line = taken.catch(() => undefined)
      return taken
    },
    get: (channelId: Hex): TowerRow | undefined => channelRows.get(db, channelId),
    /** The rows after a channel's, in order of ids. */
    async page(after: Hex | null): Promise<{ channelId: Hex; row: TowerRow }[]> {
      const range = { limit: rowsPerMessage, ...(after === null ? {} : { after }) }
      const found = await channelRows.list(db, range)
      return found.map(({ key, value }) => ({ channelId: key as Hex, row: value }))
    },
    /** The newest attempt under a nonce of a claimer: another claimer counts its own. */
    attempt: (claimer: Address, nonce: number): Attempt | undefined =>
      attemptRows.get(db, attemptKey(claimer, nonce)),
    /** Keeps an attempt, in the place of the one before under its nonce. On disk before it leaves (R12). */
    keepAttempt: (claimer: Address, attempt: Attempt) =>
      writeSynced(db, [attemptRows.put(attemptKey(claimer, attempt.nonce), attempt)]),
    close: () => db.close(),
  }
}

function attemptKey(claimer: Address, nonce: number): string {
  return `${lowerCase(claimer)}/${sortable(nonce)}`
}

async function takeNow(db: Database, rows: readonly NamedRow[]): Promise<Hex[]> {
  const merged = new Map<Hex, TowerRow>()
  const created: Hex[] = []
  for (const { channelId, ...row } of rows) {
    const before = merged.get(channelId) ?? channelRows.get(db, channelId)
    if (!before) created.push(channelId)
    merged.set(channelId, before ? mergeRows(before, row) : row)
  }
  await writeSynced(
    db,
    [...merged].map(([id, row]) => channelRows.put(id, row)),
  )
  return created
}

async function ownerOf(
  db: Database,
  directory: string,
  { chainId, hubAccount, newId }: { chainId: number; hubAccount: Address; newId: () => Hex },
): Promise<Owner> {
  const found = ownerRow.get(db, '')
  if (!found) {
    const owner = { format: storeFormat, chainId, hubAccount, storeId: newId() }
    await writeSynced(db, [ownerRow.put('', owner)])
    return owner
  }
  const wanted = { format: storeFormat, chainId, hubAccount }
  for (const field of ['format', 'chainId', 'hubAccount'] as const) {
    if (found[field] === wanted[field]) continue
    await db.close()
    throw new Error(
      `tower directory ${directory} is of ${field} ${found[field]}, this tower of ${wanted[field]}`,
    )
  }
  return found
}
