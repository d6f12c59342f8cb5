// Tables over one ordered key space. A row's key is `table/key`; values are structured clones, so bigint stays bigint, or
// bytes that their table's owner packs.

import { deserialize, serialize } from 'node:v8'
import type { Level } from 'level'

/** The key space itself. */
export type Database = Level<string, Uint8Array>

/** Whatever single rows can be read from: the key space, or a snapshot of it. */
export type Readable = { getSync(key: string): Uint8Array | undefined }

/** A value's bytes; a function is asked when the row is written, so that only the last of many changes is packed. */
type RowValue = Uint8Array | (() => Uint8Array) | undefined

/** One write of a batch; `undefined` deletes. The key is the full key. */
export type Row = { key: string; value: RowValue }

/** A row as it stands on disk. */
export type StoredRow = { key: string; value: Uint8Array }

/** Which part of a table to read, by key; both ends are exclusive. */
export type Range = { after?: string; before?: string; limit?: number; reverse?: boolean }

export type Table<T> = {
  /** The full key of a row. */
  keyOf(key: string): string
  put(key: string, value: T): Row
  /** As `put`, for who needs the bytes. */
  row(key: string, value: T): StoredRow
  /** As `put`, with the value taken when the row is written. */
  putLater(key: string, value: () => T): Row
  remove(key: string): Row
  get(db: Readable, key: string): T | undefined
  has(db: Readable, key: string): boolean
  list(db: Database, range?: Range): Promise<{ key: string; value: T }[]>
  /** As `list`, one after the other: for tables that are long. */
  each(db: Database): AsyncGenerator<{ key: string; value: T }, void>
  /** As `list`, as the bytes on disk with their full keys. */
  rows(db: Database, range?: Range): Promise<StoredRow[]>
}

/** Rows of a long table that are in memory at once. */
const atOnce = 1_000

/** A table of records of type `T` under a prefix of its own. The type is what this program wrote; the group log proves it. */
export function table<T>(name: string): Table<T> {
  return codedTable<T>(name, { encode: serialize, decode: (bytes) => deserialize(bytes) as T })
}

/** A table whose values are bytes. */
export function bytesTable(name: string): Table<Uint8Array> {
  return codedTable<Uint8Array>(name, { encode: (bytes) => bytes, decode: (bytes) => bytes })
}

/** A table whose records are packed by hand. */
export function codedTable<T>(
  name: string,
  { encode, decode }: { encode: (value: T) => Uint8Array; decode: (bytes: Uint8Array) => T },
): Table<T> {
  const prefix = `${name}/`
  const end = `${name}0`
  async function rows(
    db: Database,
    { after, before, limit = -1, reverse = false }: Range = {},
  ): Promise<StoredRow[]> {
    const gt = prefix + (after ?? '')
    const lt = before === undefined ? end : prefix + before
    const found = await db.iterator({ gt, lt, limit, reverse }).all()
    return found.map(([key, value]) => ({ key, value }))
  }
  return {
    rows,
    keyOf: (key) => prefix + key,
    put: (key, value) => ({ key: prefix + key, value: encode(value) }),
    row: (key, value) => ({ key: prefix + key, value: encode(value) }),
    putLater: (key, value) => ({ key: prefix + key, value: () => encode(value()) }),
    remove: (key) => ({ key: prefix + key, value: undefined }),
    get(db, key) {
      const bytes = db.getSync(prefix + key)
      return bytes && decode(bytes)
    },
    has: (db, key) => db.getSync(prefix + key) !== undefined,
    async *each(db) {
      const iterator = db.iterator({ gt: prefix, lt: end })
      try {
        for (
          let read = await iterator.nextv(atOnce);
          read.length > 0;
          read = await iterator.nextv(atOnce)
        )
          for (const [key, value] of read)
            yield { key: key.slice(prefix.length), value: decode(value) }
      } finally {
        await iterator.close()
      }
    },
    async list(db, range) {
      const found = await rows(db, range)
      return found.map(({ key, value }) => ({
        key: key.slice(prefix.length),
        value: decode(value),
      }))
    },
  }
}

/** Fixed-width hex of a counter, so that keys sort as numbers do. */
export function sortable(counter: bigint | number): string {
  return counter.toString(16).padStart(16, '0')
}
