// The leaves of an audit as they are kept: packed, in an order drawn by chance, in rows of bounded size.

import type { Address, Hex } from 'viem'
import type { Liability, LiabilityLeaf } from '#protocol/audit.ts'
import { readAmount, readHex, writeAmount, writeHex } from '#protocol/hex.ts'
import { hashWords } from '#protocol/keccak.ts'
import type { Row } from '../store/table.ts'
import { bytesTable, sortable } from '../store/table.ts'
import { inTurns } from '../turns.ts'

/** An account and its two amounts. */
const leafBytes = 20 + 16 + 16

/** About 200 KiB a row, so that no write holds the next group up for long. */
export const leavesPerRow = 4_096

/** Of the newest audit, by group, token and number of the row. */
export const leafRows = bytesTable('audit-leaves')

/** Leaves without their salts, which follow from the audit's secret. */
export type PackedLeaves = { count: number; bytes: Uint8Array; secret: Hex }

/** In an order drawn by chance, so that a place tells nothing of whose it is, and neighbours change with every audit. */
export async function packLeaves(
  liabilities: readonly Liability[],
  { secret, randomBytes }: { secret: Hex; randomBytes: (count: number) => Uint8Array },
): Promise<PackedLeaves> {
  const count = liabilities.length
  const bytes = new Uint8Array(count * leafBytes)
  const view = new DataView(bytes.buffer)
  const places = shuffled(count, randomBytes)
  await inTurns(liabilities.entries(), ([at, { account, owed, yours }]) => {
    const start = (places[at] ?? 0) * leafBytes
    writeHex(bytes, start, account)
    writeAmount(view, start + 20, owed)
    writeAmount(view, start + 36, yours)
  })
  return { count, bytes, secret }
}

/** A leaf by its place. */
export function leafAt({ bytes, secret }: PackedLeaves, index: number): LiabilityLeaf {
  const start = index * leafBytes
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  const account = readHex(bytes, start, start + 20)
  return {
    index,
    salt: readHex(hashWords([secret, account])),
    account,
    owed: readAmount(view, start + 20),
    yours: readAmount(view, start + 36),
  }
}

/** Where an account's leaf is. */
export function placeOf({ count, bytes }: PackedLeaves, account: Address): number | undefined {
  const wanted = Buffer.alloc(20)
  writeHex(wanted, 0, account)
  for (let index = 0; index < count; index += 1) {
    const start = index * leafBytes
    if (wanted.compare(bytes, start, start + 20) === 0) return index
  }
  return undefined
}

/** The rows that keep the leaves, each with its number. */
export function rowsOf(leaves: PackedLeaves, { group, token }: { group: bigint; token: Address }) {
  const rows: Row[] = []
  const size = leavesPerRow * leafBytes
  for (let start = 0, number = 0; start < leaves.bytes.length; start += size, number += 1)
    rows.push(
      leafRows.put(rowKey({ group, token, number }), leaves.bytes.subarray(start, start + size)),
    )
  return rows
}

/** The range of an audit's rows of one token. */
export function rangeOf({ group, token }: { group: bigint; token: Address }) {
  return { after: `${sortable(group)}/${token}/`, before: `${sortable(group)}/${token}0` }
}

function rowKey({ group, token, number }: { group: bigint; token: Address; number: number }) {
  return `${sortable(group)}/${token}/${number.toString(16).padStart(8, '0')}`
}

/** The numbers from 0 to `count` − 1 in an order drawn by chance (Fisher and Yates). */
function shuffled(count: number, randomBytes: (count: number) => Uint8Array): Uint32Array {
  const places = Uint32Array.from({ length: count }, (_, at) => at)
  const drawn = randomBytes(count * 4)
  const view = new DataView(drawn.buffer, drawn.byteOffset)
  for (let at = count - 1; at > 0; at -= 1) {
    const other = Math.floor((view.getUint32(at * 4) / 2 ** 32) * (at + 1))
    const mine = places[at] ?? 0
    places[at] = places[other] ?? 0
    places[other] = mine
  }
  return places
}
