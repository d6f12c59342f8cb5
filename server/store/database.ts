// The data directory: one level database, held by one process, of one format, for one hub on one chain.

import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Level } from 'level'
import type { Address } from 'viem'
import { assertLogIntact } from './log-check.ts'
import type { Database, Row } from './table.ts'
import { table } from './table.ts'

/** What a data directory belongs to. It never changes; opening it as another hub is refused. */
export type Ownership = { format: number; chainId: number; hubAccount: Address; channels: Address }

export const dataFormat = 4

const ownership = table<Ownership>('meta')

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
  await mkdir(directory, { recursive: true, mode: 0o700 })
  await assertLogIntact(join(directory, 'level'))
  const db: Database = new Level<string, Uint8Array>(join(directory, 'level'), {
    valueEncoding: 'view',
  })
  try {
    await db.open()
  } catch (cause) {
    const locked =
      cause instanceof Error && (cause.cause as { code?: string })?.code === 'LEVEL_LOCKED'
    const reason = locked ? 'another process holds it; stop that one first' : 'it cannot be opened'
    throw new Error(`data directory ${directory}: ${reason}`, { cause })
  }
  await claimOwnership(db, { ...owner, format: dataFormat }, directory)
  return db
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
  const found = ownership.get(db, 'owner')
  if (!found) return writeSynced(db, [ownership.put('owner', wanted)])
  for (const field of ['format', 'chainId', 'hubAccount', 'channels'] as const) {
    if (found[field] !== wanted[field]) {
      await db.close()
      throw new Error(
        `data directory ${directory} is of ${field} ${found[field]}, this hub of ${wanted[field]}; use another directory`,
      )
    }
  }
}
