// The newest ticks of each stream that a commit group took, in one row, packed.
//
// Row: for each stream its number 8 bytes, ticks 4, preimage 32.

/** Ticks of a stream as they are committed: all up to `ticks` are paid by the preimage (32 bytes). */
export type StreamTicks = { stream: number; ticks: number; preimage: Uint8Array }

const entryBytes = 44

/** Packs the newest ticks of a group's streams. */
export function encodeTicks(entries: Iterable<StreamTicks>, count: number): Uint8Array {
  const row = Buffer.allocUnsafe(count * entryBytes)
  let at = 0
  for (const { stream, ticks, preimage } of entries) {
    at = row.writeBigUInt64BE(BigInt(stream), at)
    at = row.writeUInt32BE(ticks, at)
    row.set(preimage, at)
    at += 32
  }
  return row
}

/** The ticks of a row, in the order in which their streams first came. @throws Error when the row is cut. */
export function decodeTicks(row: Uint8Array): StreamTicks[] {
  if (row.length % entryBytes !== 0) throw new Error(`a row of ticks of ${row.length} bytes`)
  const bytes = Buffer.from(row.buffer, row.byteOffset, row.byteLength)
  return Array.from({ length: row.length / entryBytes }, (_, index) => {
    const at = index * entryBytes
    return {
      stream: Number(bytes.readBigUInt64BE(at)),
      ticks: bytes.readUInt32BE(at + 8),
      preimage: Uint8Array.from(bytes.subarray(at + 12, at + entryBytes)),
    }
  })
}
