// LevelDB drops in silence what it cannot read of its log, and everything after it in the same block: one flipped bit and groups
// that were acknowledged are gone. So the log is read here first, and a start on such a one is refused before anything is
// changed. Source: log_format.md of LevelDB.

import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

const blockBytes = 32_768
const headerBytes = 7
const types = { full: 1, first: 2, middle: 3, last: 4 } as const

type Fragment = { type: number; payload: Uint8Array; end: number }

const table = crcTable()

/**
 * Reads the logs of a database that is not open.
 *
 * A log may end in the middle of its last batch, which was never synced. @throws Error that names the group when a batch
 * that begins later is still there: then it is damage.
 */
export async function assertLogIntact(directory: string): Promise<void> {
  const names = await readdir(directory).catch(ifMissing)
  for (const name of names.filter((one) => one.endsWith('.log'))) {
    const group = damagedGroup(await readFile(join(directory, name)))
    if (group === undefined) continue
    throw new Error(
      `the data directory is damaged: group ${group}, its batch in ${name} cannot be read. Nothing was changed; restore a backup or ask for help.`,
    )
  }
}

/** The group after the last one that can be read, if that is not where the log ends. */
export function damagedGroup(log: Uint8Array): bigint | undefined {
  let newest = 0n
  let batch: Uint8Array[] = []
  for (let offset = 0; offset < log.length; ) {
    const fragment = fragmentAt(log, offset)
    if (!fragment) return laterGroup(log, { from: offset + 1, newest })
    if (begins(fragment)) batch = []
    batch.push(fragment.payload)
    if (ends(fragment)) newest = groupIn(Buffer.concat(batch)) ?? newest
    offset = place(fragment.end)
  }
  return undefined
}

/** Only a batch of its own proves damage: parts of one that was never synced may stand there without its beginning. */
function laterGroup(
  log: Uint8Array,
  { from, newest }: { from: number; newest: bigint },
): bigint | undefined {
  for (let offset = from; offset + headerBytes < log.length; offset += 1) {
    const fragment = fragmentAt(log, offset)
    if (!fragment || fragment.payload.length === 0 || !begins(fragment)) continue
    const later = groupIn(fragment.payload)
    return newest > 0n || later === undefined ? newest + 1n : later - 1n
  }
  return undefined
}

function begins({ type }: Fragment): boolean {
  return type === types.full || type === types.first
}

function ends({ type }: Fragment): boolean {
  return type === types.full || type === types.last
}

/** Where the next fragment begins: a block ends with zeros when no header fits. */
function place(offset: number): number {
  const left = blockBytes - (offset % blockBytes)
  return left < headerBytes ? offset + left : offset
}

function fragmentAt(log: Uint8Array, offset: number): Fragment | undefined {
  const left = Math.min(blockBytes - (offset % blockBytes), log.length - offset)
  if (left < headerBytes) return undefined
  const view = new DataView(log.buffer, log.byteOffset + offset, left)
  const type = view.getUint8(6)
  const end = headerBytes + view.getUint16(4, true)
  if (type < types.full || type > types.last || end > left) return undefined
  const checked = log.subarray(offset + 6, offset + end)
  if (masked(crc32c(checked)) !== view.getUint32(0, true)) return undefined
  return { type, payload: checked.subarray(1), end: offset + end }
}

/** The group whose header a batch writes. */
function groupIn(batch: Uint8Array): bigint | undefined {
  const text = Buffer.from(batch.buffer, batch.byteOffset, batch.byteLength).toString('latin1')
  const [, number] = /[^-]group\/([0-9a-f]{16})/.exec(text) ?? []
  return number === undefined ? undefined : BigInt(`0x${number}`)
}

function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) crc = (crc >>> 8) ^ (table[(crc ^ byte) & 0xff] ?? 0)
  return (crc ^ 0xffffffff) >>> 0
}

/** LevelDB rotates and shifts what it stores, because a log may hold checksums of its own. */
function masked(crc: number): number {
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0
}

function crcTable(): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, index) => {
    let value = index
    for (let bit = 0; bit < 8; bit += 1)
      value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1
    return value
  })
}

function ifMissing(cause: unknown): string[] {
  if ((cause as { code?: unknown }).code === 'ENOENT') return []
  throw cause
}
