// The bytes of a backup: every row of the store as it stood at one moment, in key order, between a header that says whose it is
// and an end record with a checksum over everything before.
//
//   "jandon backup\0\0\0"                       16 bytes
//   length of the header 4, header              JSON: format, owner, newest group, epoch, time
//   for each row: length of the key 4 (never 0), length of the value 4, key, value
//   end: 0 (4 bytes), number of rows 8, SHA-256 of all bytes before this one 32
//
// Numbers are big-endian. A cut at any place lacks the end record; a changed bit anywhere changes the checksum or is in it.

import type { Hash } from 'node:crypto'
import { createHash } from 'node:crypto'
import type { Hex } from 'viem'
import { z } from 'zod'
import { address, hash, toJson, uint64 } from '#protocol/messages/wire.ts'
import { zeroHash } from '#protocol/receipt.ts'
import { readOwnership } from '../store/database.ts'
import { groups, newestGroup } from '../store/group-rows.ts'
import type { Database, Readable, StoredRow } from '../store/table.ts'
import { sortable } from '../store/table.ts'

export const backupFormat = 1

const magic = Buffer.from('jandon backup\0\0\0')
const rowsPerRead = 1_000
const chunkBytes = 256 * 1024

/** More than any row needs; a length beyond it is damage, not a reason to ask for that much memory. */
const maxRowBytes = 256 * 1024 * 1024
const maxHeaderBytes = 64 * 1024

const backupHeader = z.object({
  format: z.int().positive(),
  owner: z.object({
    format: z.int(),
    chainId: z.int(),
    hubAccount: address,
    channels: address,
    operator: address,
    receiptSigner: address,
  }),
  newestGroup: z.object({ number: uint64, hash }),
  epoch: hash,
  createdAt: uint64,
})

/** Whose backup it is and up to where it goes. `epoch` is that of the newest group, `createdAt` in Unix milliseconds. */
export type BackupHeader = z.output<typeof backupHeader>

/** What the end record says, after it was found to be true. */
export type BackupEnd = { rows: bigint; checksum: Hex }

/** A file that is no whole backup, or not one that may be used here. */
export class BackupError extends Error {}

/**
 * A backup of the store as it is now, in pieces, while the store goes on. Everything is read from one snapshot.
 *
 * @throws BackupError when the store belongs to nobody yet.
 */
export async function* encodeBackup(
  db: Database,
  now: () => number,
): AsyncGenerator<Uint8Array, void> {
  const snapshot = db.snapshot()
  try {
    const digest = createHash('sha256')
    const frozen: Readable = {
      getSync: (key) => db.getSync<string, Uint8Array>(key, { snapshot, valueEncoding: 'view' }),
    }
    const header = Buffer.from(toJson(headerOf(frozen, now)))
    yield hashed(digest, Buffer.concat([magic, uint32(header.length), header]))
    const iterator = db.iterator({ snapshot })
    let rows = 0n
    try {
      for (;;) {
        const read = await iterator.nextv(rowsPerRead)
        if (read.length === 0) break
        rows += BigInt(read.length)
        for (const chunk of chunksOf(read)) yield hashed(digest, chunk)
      }
    } finally {
      await iterator.close()
    }
    yield endRecord(digest, rows)
  } finally {
    await snapshot.close()
  }
}

/**
 * Reads a backup to its end, piece by piece.
 *
 * `header` is the first thing that is known and the last that may be believed: only when `rows` has come to its end is the
 * checksum known to hold.
 *
 * @throws BackupError that says what is wrong: another file, a newer format, a cut, a changed byte.
 */
export async function decodeBackup(source: AsyncIterable<Uint8Array>): Promise<{
  header: BackupHeader
  rows: AsyncGenerator<StoredRow, BackupEnd>
}> {
  const digest = createHash('sha256')
  const bytes = createByteReader(source)
  const take = async (count: number) => hashed(digest, await bytes.take(count))
  if (!magic.equals(await take(magic.length))) throw new BackupError('this is not a backup')
  const length = (await take(4)).readUInt32BE()
  if (length > maxHeaderBytes) throw damaged('its header has no sensible length')
  const header = parseHeader((await take(length)).toString('utf8'))
  return { header, rows: decodeRows() }

  async function* decodeRows(): AsyncGenerator<StoredRow, BackupEnd> {
    let rows = 0n
    let previous: Uint8Array = new Uint8Array()
    for (;;) {
      const keyLength = (await take(4)).readUInt32BE()
      if (keyLength === 0) return readEnd(rows)
      const valueLength = (await take(4)).readUInt32BE()
      if (keyLength + valueLength > maxRowBytes) throw damaged('a row has no sensible length')
      const key = await take(keyLength)
      if (Buffer.compare(key, previous) <= 0) throw damaged('its rows are not in order')
      previous = key
      rows += 1n
      yield { key: key.toString('utf8'), value: await take(valueLength) }
    }
  }

  async function readEnd(rows: bigint): Promise<BackupEnd> {
    const counted = (await take(8)).readBigUInt64BE()
    const expected = digest.digest()
    const found = await bytes.take(expected.length)
    if (!expected.equals(found)) throw damaged('its checksum does not hold')
    if (counted !== rows) throw damaged(`it says ${counted} rows and holds ${rows}`)
    if (!(await bytes.isAtEnd())) throw damaged('something follows its end')
    return { rows, checksum: `0x${found.toString('hex')}` }
  }
}

function headerOf(rows: Readable, now: () => number): BackupHeader {
  const owner = readOwnership(rows)
  if (!owner) throw new BackupError('there is nothing to back up: the data belongs to no hub yet')
  const { number, hash } = newestGroup.get(rows, '') ?? { number: 0n, hash: zeroHash }
  const epoch = groups.get(rows, sortable(number))?.header.epoch ?? zeroHash
  return {
    format: backupFormat,
    owner,
    newestGroup: { number, hash },
    epoch,
    createdAt: BigInt(now()),
  }
}

function parseHeader(text: string): BackupHeader {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw damaged('its header cannot be read', cause)
  }
  const format = (value as { format?: unknown } | null)?.format
  if (typeof format === 'number' && format > backupFormat) {
    throw new BackupError(
      `the backup is of format ${format}, this program reads up to ${backupFormat}`,
    )
  }
  const parsed = backupHeader.safeParse(value)
  if (!parsed.success) throw damaged('its header cannot be read', parsed.error)
  return parsed.data
}

function* chunksOf(rows: readonly (readonly [string, Uint8Array])[]): Generator<Buffer> {
  let parts: Uint8Array[] = []
  let bytes = 0
  for (const [name, value] of rows) {
    const key = Buffer.from(name)
    parts.push(uint32(key.length), uint32(value.length), key, value)
    bytes += 8 + key.length + value.length
    if (bytes < chunkBytes) continue
    yield Buffer.concat(parts)
    parts = []
    bytes = 0
  }
  if (bytes > 0) yield Buffer.concat(parts)
}

function endRecord(digest: Hash, rows: bigint): Buffer {
  const count = Buffer.alloc(8)
  count.writeBigUInt64BE(rows)
  const end = hashed(digest, Buffer.concat([uint32(0), count]))
  return Buffer.concat([end, digest.digest()])
}

function hashed(digest: Hash, bytes: Buffer): Buffer {
  digest.update(bytes)
  return bytes
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

function damaged(what: string, cause?: unknown): BackupError {
  return new BackupError(`the backup is damaged: ${what}`, { cause })
}

/** Takes exact numbers of bytes off a stream. */
function createByteReader(source: AsyncIterable<Uint8Array>) {
  const pieces = source[Symbol.asyncIterator]()
  let left: Buffer = Buffer.alloc(0)

  return {
    async take(count: number): Promise<Buffer> {
      const parts = [left]
      let length = left.length
      while (length < count) {
        const { done, value } = await pieces.next()
        if (done) throw damaged('it ends too early')
        parts.push(Buffer.from(value.buffer, value.byteOffset, value.byteLength))
        length += value.length
      }
      const all = parts.length === 1 ? left : Buffer.concat(parts)
      left = all.subarray(count)
      return all.subarray(0, count)
    },
    async isAtEnd(): Promise<boolean> {
      return left.length === 0 && (await pieces.next()).done === true
    },
  }
}
