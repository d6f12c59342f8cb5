// What a group's header says of its rows: SHA-256, because it is the hub's own affair and no contract has to compute it.

import { createHash } from 'node:crypto'
import type { Hex } from 'viem'
import type { StoredRow } from './table.ts'

/**
 * The hash over a group's row of tips and row of ticks, if it has any, and its ledger entries, as they stand on disk: of each, the
 * lengths of its key and its value (4 bytes each, big-endian), the key and the value.
 */
export function journalHash(rows: readonly StoredRow[]): Hex {
  const hash = createHash('sha256')
  for (const { key, value } of rows) {
    const lengths = Buffer.allocUnsafe(8)
    lengths.writeUInt32BE(Buffer.byteLength(key))
    lengths.writeUInt32BE(value.length, 4)
    hash.update(lengths).update(key).update(value)
  }
  return `0x${hash.digest('hex')}`
}
