// The data directory: one level database, held by one process, of one format, for one hub on one chain.

import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Level } from 'level'
import type { Address } from 'viem'
import { assertLogIntact } from './log-check.ts'
import type { Database, Readable, Row } from './table.ts'
import { table } from './table.ts'

/**
 * What a data directory belongs to; opening it as another hub is refused. The operator is part of it because the nonces of stored
 * transactions are that key's, the receipt signer because stored receipts are proved by that key: `jandon key rotate` changes them.
 */
export type Ownership = {
  format: number
  chainId: number
  hubAccount: Address
  channels: Address
  operator: Address
  receiptSigner: Address
}

export const dataFormat = 7

const ownership = table<Ownership>('meta')

/** In the order in which a difference is told. */
const ownershipFields = [
  'format',
  'chainId',
  'hubAccount',
  'channels',
  'operator',
  'receiptSigner',
] as const satisfies readonly (keyof Ownership)[]

/**
 * Opens the data directory, creating it when it is not there.
 *
 * @throws Error when another process holds it, it belongs to another hub or format, or its log is damaged; the message says
 * which.
 */
export async function openDatabase(
  directory: string,
  owner: Omit<Ownership, 'format'>,
): Promise<Database> {
  if (existsSync(join(directory, unfinishedFolder))) {
    throw new Error(
      `data directory ${directory}: a restore into it did not finish; empty it and restore again`,
    )
  }
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const db = await openLevel(join(directory, levelFolder))
  await claimOwnership(db, { ...owner, format: dataFormat }, directory)
  return db
}

/** Where the rows are in a data directory, and where they are while a restore is writing them. */
export const levelFolder = 'level'
export const unfinishedFolder = 'level.partial'

/**
 * Rows are hashes and signatures, which do not compress. Their keys are spread over the whole key space, so each table that is
 * written meets all the others: fewer and larger ones are merged less often (docs/performance.md).
 */
const levelOptions = {
  valueEncoding: 'view',
  compression: false,
  writeBufferSize: 16 * 1024 * 1024,
  maxFileSize: 8 * 1024 * 1024,
} as const

/**
 * Opens the rows themselves, whoever they belong to.
 *
 * @throws Error when another process holds them, or their log is damaged.
 */
export async function openLevel(path: string): Promise<Database> {
  await assertLogIntact(path)
  const db: Database = new Level<string, Uint8Array>(path, levelOptions)
  try {
    await db.open()
  } catch (cause) {
    const locked =
      cause instanceof Error && (cause.cause as { code?: string })?.code === 'LEVEL_LOCKED'
    const reason = locked ? 'another process holds it; stop that one first' : 'it cannot be opened'
    throw new Error(`data directory ${dirname(path)}: ${reason}`, { cause })
  }
  return db
}

/** Whom the rows belong to; `undefined` when they are nobody's yet. */
export function readOwnership(db: Readable): Ownership | undefined {
  return ownership.get(db, 'owner')
}

/** The row that says whom the rows belong to. */
export function ownershipRow(owner: Ownership): Row {
  return ownership.put('owner', owner)
}

/** In what two owners differ first, in words that name both; `undefined` when they are the same. */
export function ownershipFault(found: Ownership, wanted: Partial<Ownership>): string | undefined {
  const field = ownershipFields.find(
    (name) => wanted[name] !== undefined && found[name] !== wanted[name],
  )
  return field && `is of ${field} ${found[field]}, this hub of ${wanted[field]}`
}

/** Writes rows in one atomic batch that is on disk when the promise resolves. Of rows with one key, the last counts. */
export function writeSynced(db: Database, rows: readonly Row[]): Promise<void> {
  return write(db, rows, { sync: true })
}

/** As {@link writeSynced}, for what may be lost in a power cut; the end of the process alone does not lose it. */
export function writeUnsynced(db: Database, rows: readonly Row[]): Promise<void> {
  return write(db, rows, { sync: false })
}

async function write(db: Database, rows: readonly Row[], options: { sync: boolean }) {
  const last = new Map(rows.map((row) => [row.key, row.value]))
  const batch = db.batch()
  for (const [key, value] of last) {
    if (value === undefined) batch.del(key)
    else batch.put(key, typeof value === 'function' ? value() : value)
  }
  await batch.write(options)
}

async function claimOwnership(db: Database, wanted: Ownership, directory: string) {
  const found = readOwnership(db)
  if (!found) return writeSynced(db, [ownershipRow(wanted)])
  const fault = ownershipFault(found, wanted)
  if (fault === undefined) return
  await db.close()
  const { operator, receiptSigner } = found
  const isOfKeys = ownershipFault(found, { ...wanted, operator, receiptSigner }) === undefined
  const next = isOfKeys ? ', or give it the new key with jandon key rotate' : ''
  throw new Error(`data directory ${directory} ${fault}; use another directory${next}`)
}
