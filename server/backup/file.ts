// Backups as files: written under another name, synced, read back whole, and only then given their own name.

import { createReadStream } from 'node:fs'
import { access, mkdtemp, open, rename, rm } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import type { Ownership } from '../store/database.ts'
import {
  dataFormat,
  openLevel,
  ownershipFault,
  readOwnership,
  writeSynced,
} from '../store/database.ts'
import { newestGroup } from '../store/group-rows.ts'
import type { Database, Row, StoredRow } from '../store/table.ts'
import type { Checked } from './check.ts'
import { checkStore } from './check.ts'
import type { BackupEnd, BackupHeader } from './format.ts'
import { BackupError, decodeBackup } from './format.ts'

/** A backup that was read to its end and found whole. */
export type VerifiedBackup = { header: BackupHeader; end: BackupEnd; checked: Checked }

const rowsPerBatch = 1_000
const pieceBytes = 1024 * 1024

/**
 * Writes a backup to a file that must not exist yet. The file has its name only after it was synced and read back.
 *
 * @throws BackupError when the name is taken or what was written is not whole; nothing is left behind then.
 */
export async function writeBackup(
  pieces: AsyncIterable<Uint8Array>,
  path: string,
  onProgress: (bytes: number) => void = () => undefined,
): Promise<VerifiedBackup & { bytes: number }> {
  if (await exists(path)) throw new BackupError(`${path} exists; a backup overwrites nothing`)
  const partial = `${path}.partial`
  try {
    const bytes = await writePieces(pieces, partial, onProgress)
    const verified = await verifyBackup(partial)
    await rename(partial, path)
    await syncFolder(dirname(resolve(path)))
    return { ...verified, bytes }
  } catch (cause) {
    await rm(partial, { force: true })
    throw cause
  }
}

/**
 * Reads a backup to its end and checks everything in it, by restoring it into a folder beside it that is gone afterwards.
 *
 * @throws BackupError or Error that says what is wrong.
 */
export async function verifyBackup(path: string): Promise<VerifiedBackup> {
  const folder = await mkdtemp(join(dirname(resolve(path)), '.jandon-verify-'))
  try {
    const { db, header, end } = await loadBackup(path, join(folder, 'level'))
    try {
      return { header, end, checked: await checkLoaded(db, header) }
    } finally {
      await db.close()
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/**
 * Fills a new database with the rows of a backup, as `change` makes them. It is open when this resolves, and everything in it
 * is on disk. The file is read twice: nothing is written before its checksum is known to hold.
 */
export async function loadBackup(
  path: string,
  folder: string,
  change: (row: StoredRow) => readonly Row[] = (row) => [row],
): Promise<{ db: Database; header: BackupHeader; end: BackupEnd }> {
  await readBackup(path, () => undefined)
  const db = await openLevel(folder)
  try {
    let batch: Row[] = []
    const { header, end } = await readBackup(path, async (row) => {
      batch.push(...change(row))
      if (batch.length < rowsPerBatch) return
      await writeSynced(db, batch)
      batch = []
    })
    await writeSynced(db, batch)
    return { db, header, end }
  } catch (cause) {
    await db.close()
    throw cause
  }
}

/** Reads a file to its end and hands over each row. */
async function readBackup(
  path: string,
  onRow: (row: StoredRow) => Promise<void> | undefined,
): Promise<{ header: BackupHeader; end: BackupEnd }> {
  const stream = createReadStream(path, { highWaterMark: pieceBytes })
  try {
    const { header, rows } = await decodeBackup(stream)
    for (;;) {
      const next = await rows.next()
      if (next.done) return { header, end: next.value }
      await onRow(next.value)
    }
  } finally {
    stream.destroy()
  }
}

/** Checks what a backup was loaded into, and that its header told the truth about it. */
export async function checkLoaded(db: Database, header: BackupHeader): Promise<Checked> {
  assertFormat(header)
  const checked = await checkStore(db).catch((cause: unknown) => {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new BackupError(`the backup is damaged: ${reason}`, { cause })
  })
  const owner = readOwnership(db)
  const fault = owner ? ownershipFault(owner, header.owner) : 'belongs to nobody'
  if (fault !== undefined)
    throw new BackupError(`the backup says otherwise than its rows: it ${fault}`)
  const { number, hash } = header.newestGroup
  const newest = newestGroup.get(db, '')
  if ((newest?.number ?? 0n) !== number || (newest && newest.hash !== hash)) {
    throw new BackupError(`the backup says group ${number} is the newest; its rows say otherwise`)
  }
  return checked
}

function assertFormat({ owner: { format } }: BackupHeader) {
  if (format === dataFormat) return
  throw new BackupError(
    `the backup holds data of format ${format}, this program reads format ${dataFormat}`,
  )
}

/** Refuses data that is another hub's. */
export function assertOwner(found: Ownership, wanted: Partial<Ownership>, what: string): void {
  const fault = ownershipFault(found, wanted)
  if (fault !== undefined) throw new BackupError(`${what} ${fault}`)
}

/** Makes renames and new names in a folder survive a power cut. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

async function writePieces(
  pieces: AsyncIterable<Uint8Array>,
  path: string,
  onProgress: (bytes: number) => void,
): Promise<number> {
  const file = await open(path, 'w', 0o600)
  let bytes = 0
  try {
    for await (const piece of pieces) {
      await file.writeFile(piece)
      bytes += piece.length
      onProgress(bytes)
    }
    await file.sync()
  } finally {
    await file.close()
  }
  return bytes
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path)
    return true
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw cause
  }
}
