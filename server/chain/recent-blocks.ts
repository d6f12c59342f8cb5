// The newest booked blocks with their hashes and what was booked of each: as far back as a reorg is undone. On disk they are
// written with the cursor.

import type { Hex } from 'viem'
import type { Database, Row } from '../store/table.ts'
import { sortable, table } from '../store/table.ts'
import type { Booked } from './bookings.ts'

export type RecentBlock = { block: bigint; hash: Hex; booked: readonly Booked[] }

const recentRows = table<RecentBlock>('recent-block')

export type RecentBlocks = {
  newest(): RecentBlock | undefined
  at(block: bigint): RecentBlock | undefined
  /** Oldest first. */
  all(): readonly RecentBlock[]
  /** Takes the next blocks on, oldest first, and lets go of what lies too far back. */
  add(blocks: readonly RecentBlock[]): void
  /** Takes off what lies above a block; answers newest first. */
  takeBack(block: bigint): RecentBlock[]
  /** The rows that bring the disk to what is in memory, to be committed with the cursor. */
  rows(): Row[]
}

/** Loads the blocks up to the cursor; `kept` is how many are remembered. */
export function loadRecentBlocks(
  db: Database,
  { cursor, kept }: { cursor: bigint; kept: number },
): RecentBlocks {
  let blocks: RecentBlock[] = []
  for (let number = cursor; ; number -= 1n) {
    const stored = recentRows.get(db, sortable(number))
    if (!stored) break
    blocks.unshift(stored)
  }
  const onDisk = new Map(blocks.map((one) => [one.block, one]))

  return {
    newest: () => blocks.at(-1),
    at(block) {
      const first = blocks[0]
      return first ? blocks[Number(block - first.block)] : undefined
    },
    all: () => blocks,
    add(more) {
      blocks = [...blocks, ...more].slice(-kept)
    },
    takeBack(block) {
      const undone = blocks.filter((one) => one.block > block)
      blocks = blocks.filter((one) => one.block <= block)
      return undone.reverse()
    },
    rows() {
      const wanted = new Map(blocks.map((one) => [one.block, one]))
      const rows: Row[] = []
      for (const [number, one] of wanted) {
        if (onDisk.get(number) !== one) rows.push(recentRows.put(sortable(number), one))
        onDisk.set(number, one)
      }
      for (const number of [...onDisk.keys()]) {
        if (wanted.has(number)) continue
        rows.push(recentRows.remove(sortable(number)))
        onDisk.delete(number)
      }
      return rows
    },
  }
}
