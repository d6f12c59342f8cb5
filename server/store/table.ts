// Tables over one ordered key space. A row's key is `table/key`; values are structured clones, so bigint stays bigint.

import { deserialize, serialize } from 'node:v8'
import type { Level } from 'level'

/** The key space itself. */
export type Database = Level<string, Uint8Array>

/** One write of a batch; `undefined` deletes. The key is the full key. */
export type Row = { key: string; value: Uint8Array | undefined }

/** Which part of a table to read, by key; both ends are exclusive. */
export type Range = { after?: string; before?: string; limit?: number; reverse?: boolean }

export type Table<T> = {
  put(key: string, value: T): Row
  remove(key: string): Row
  get(db: Database, key: string): T | undefined
  list(db: Database, range?: Range): Promise<{ key: string; value: T }[]>
  /** As `list`, as the bytes on disk with their full keys. */
  rows(db: Database, range?: Range): Promise<Row[]>
}

/** A table of records of type `T` under a prefix of its own. The type is what this program wrote; the group log proves it. */
export function table<T>(name: string): Table<T> {
  const prefix = `${name}/`
  const end = `${name}0`
  async function rows(db: Database, { after, before, limit = -1, reverse = false }: Range = {}) {
    const gt = prefix + (after ?? '')
    const lt = before === undefined ? end : prefix + before
    const found = await db.iterator({ gt, lt, limit, reverse }).all()
    return found.map(([key, value]) => ({ key, value }))
  }
  return {
    rows,
    put: (key, value) => ({ key: prefix + key, value: serialize(value) }),
    remove: (key) => ({ key: prefix + key, value: undefined }),
    get(db, key) {
      const bytes = db.getSync(prefix + key)
      return bytes && (deserialize(bytes) as T)
    },
    async list(db, range) {
      const found = await rows(db, range)
      return found.map(({ key, value }) => ({
        key: key.slice(prefix.length),
        value: deserialize(value) as T,
      }))
    },
  }
}

/** Fixed-width hex of a counter, so that keys sort as numbers do. */
export function sortable(counter: bigint | number): string {
  return counter.toString(16).padStart(16, '0')
}
