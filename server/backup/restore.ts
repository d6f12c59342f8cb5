// A backup becomes a data directory: empty before, whole or unfinished after, and marked, so that the hub that starts on it
// knows that time has passed which the books do not know.

import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { loadChannels } from '../channels/registry.ts'
import { lockRow } from '../recovery/lock.ts'
import { lostChannels, restores } from '../recovery/records.ts'
import type { Ownership } from '../store/database.ts'
import { levelFolder, unfinishedFolder, writeSynced } from '../store/database.ts'
import { joints } from '../store/group-rows.ts'
import { createLateRows } from '../store/late-rows.ts'
import { lateGroups } from '../store/start-up.ts'
import type { Database, Row, StoredRow } from '../store/table.ts'
import { sortable } from '../store/table.ts'
import type { Checked } from './check.ts'
import { assertOwner, checkLoaded, loadBackup, syncFolder } from './file.ts'
import type { BackupHeader } from './format.ts'
import { BackupError } from './format.ts'

/** What was restored. `firstGroup` is the number of the first group that the restored hub writes. */
export type Restored = { header: BackupHeader; checked: Checked; firstGroup: bigint }

/**
 * Restores a backup into a directory that is empty or not there.
 *
 * `wanted` is the hub that is to run on it, as far as it is known; the hub's start compares everything once more.
 *
 * @throws BackupError for a directory that is not empty, a backup that is not whole, of a newer format, or another hub's.
 */
export async function restoreBackup({
  file,
  directory,
  wanted,
  now,
}: {
  file: string
  directory: string
  wanted: Partial<Ownership>
  now: () => number
}): Promise<Restored> {
  await assertEmpty(directory)
  const unfinished = join(directory, unfinishedFolder)
  try {
    const restored = await fill(unfinished, { file, wanted, now })
    await rename(unfinished, join(directory, levelFolder))
    await syncFolder(directory)
    return restored
  } catch (cause) {
    await rm(unfinished, { recursive: true, force: true })
    throw cause
  }
}

async function fill(
  folder: string,
  { file, wanted, now }: { file: string; wanted: Partial<Ownership>; now: () => number },
): Promise<Restored> {
  const { db, header, end } = await loadBackup(file, folder, rowsToKeep)
  try {
    assertOwner(header.owner, wanted, 'the backup')
    const checked = await checkLoaded(db, header)
    const restoredAt = now()
    const firstGroup = firstGroupAfter(header.newestGroup.number, restoredAt)
    await writeSynced(db, [
      ...(await chargedRows(db)),
      joints.put(sortable(firstGroup), { first: firstGroup, after: header.newestGroup.number }),
      restores.put(sortable(firstGroup), {
        backup: {
          createdAt: Number(header.createdAt),
          newestGroup: header.newestGroup.number,
          epoch: header.epoch,
          checksum: end.checksum,
        },
        restoredAt,
        firstGroup,
        reconciled: undefined,
      }),
      lockRow({
        reason: 'restored',
        since: restoredAt,
        asOf: Number(header.createdAt),
        transaction: undefined,
      }),
    ])
    return { header, checked, firstGroup }
  } finally {
    await db.close()
  }
}

/** How many group numbers are set aside for each second: more groups than any disk can sync. */
const groupsPerSecond = 2n ** 20n

/**
 * The first number that no hub can have given before: numbers after a restore begin at the time of the restore, counted in
 * seconds times 2^20, so neither the lost groups nor those of another restore of the same backup ever come to it.
 */
export function firstGroupAfter(last: bigint, restoredAt: number): bigint {
  const byTime = BigInt(Math.floor(restoredAt / 1_000)) * groupsPerSecond
  return byTime > last ? byTime : last + groupsPerSecond
}

/** Sessions are revoked by not being there. What an earlier restore noted of what was lost then is not of this one. */
const leftOut = ['session/', 'lost-channel/', 'lost-group/']

function rowsToKeep(row: StoredRow): readonly Row[] {
  return leftOut.some((prefix) => row.key.startsWith(prefix)) ? [] : [row]
}

/** What each channel was charged in the backup, with the tips that its row lacks. */
async function chargedRows(db: Database): Promise<Row[]> {
  const channels = await loadChannels(db, createLateRows(lateGroups(db).from))
  return [...channels.all()].map(({ id, charged }) =>
    lostChannels.put(id, { charged, seen: 0n, presented: 0n }),
  )
}

async function assertEmpty(directory: string) {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const [found] = await readdir(directory)
  if (found !== undefined) {
    throw new BackupError(
      `${directory} is not empty: it holds ${found}; a restore overwrites nothing`,
    )
  }
}
