// Writes how far deliveries are: many endpoints in one batch, without a sync. A process that is killed loses nothing of it; a
// power cut may, and then what it loses is delivered again. So no tip ever waits for a webhook.

import { writeUnsynced } from '../../store/database.ts'
import type { Database, Row } from '../../store/table.ts'

export type Progress = {
  /** To be written with the next batch; a function is asked when that is put together. */
  add(rows: () => Row[]): void
  /** Resolves when everything that was added is written. */
  flush(): Promise<void>
}

export function createProgress({
  db,
  onFailure,
}: {
  db: Database
  onFailure: (cause: unknown) => void
}): Progress {
  let added = new Set<() => Row[]>()
  let current = Promise.resolve()
  let queued: Promise<void> | undefined

  return {
    add: (rows) => void added.add(rows),
    flush() {
      queued ??= current.then(() => {
        queued = undefined
        current = write()
        return current
      })
      return queued
    },
  }

  async function write() {
    const rows = [...added].flatMap((each) => each())
    added = new Set()
    if (rows.length === 0) return
    try {
      await writeUnsynced(db, rows)
    } catch (cause) {
      onFailure(cause)
    }
  }
}
