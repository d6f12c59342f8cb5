// What was decided for tips of a group, packed as receipts are framed: of each its salt, then what its record ends with.

import { proofBytes } from '#protocol/frames.ts'
import { copyBytes } from '#protocol/hex.ts'
import type { ReadRow, TipRange } from './tip-codec.ts'
import { outcomeBytes, saltBytes, tipAt } from './tip-codec.ts'

/** @throws Error when the group has no such tips */
export function proofsOf(
  { row, salts }: { row: ReadRow; salts: Uint8Array },
  { first, count }: TipRange,
): Uint8Array {
  const proofs = new Uint8Array(count * proofBytes)
  const into = viewOf(proofs)
  const saltView = viewOf(salts)
  for (let index = 0; index < count; index += 1) {
    const at = index * proofBytes
    copyBytes({ into, at, length: saltBytes }, saltView, (first + index) * saltBytes)
    const outcome = { into, at: at + saltBytes, length: outcomeBytes }
    copyBytes(outcome, row.view, row.placeOf(first + index) + tipAt.fee)
  }
  return proofs
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength)
}
