// Rows that follow from the groups: running balances, channels, lists of tips. They are written some groups late, so that a
// row that changes with every group costs one write in many. A start takes up what they lack from the groups themselves.

import type { Row } from './table.ts'

/** How many groups a row may lag behind; a start replays at most about this many. */
const latestBy = 256n

/** How many late rows one group may bring along, so that no group takes long. */
const rowsPerGroup = 1_000

/** `value` is asked when the row is written, and is told the group that it then is as of; `undefined` removes the row. */
export type LateRow = {
  key: string
  value: (asOf: bigint) => Uint8Array | undefined
  /** Told when the row is on disk. */
  written?: () => void
}

export type LateRows = {
  /** A group that is not written yet changes a row. Later changes before it is written are part of it. */
  touch(row: LateRow, group: bigint): void
  /** At the start: a row lacks what groups hold that are on disk. To be told before anything is touched. */
  replayed(row: LateRow): void
  /** What is to be written with a group, and from which group on a start has to replay once it is. */
  due(group: bigint): { rows: Row[]; replayFrom: bigint; written: () => void }
}

type Touched = { row: LateRow; since: bigint }

/** `replayFrom` is the first group that rows on disk may lack. */
export function createLateRows(replayFrom: bigint): LateRows {
  /** In the order of `since`, as a row that was written leaves and comes back at the end. */
  const touched = new Map<string, Touched>()

  const touch = (row: LateRow, since: bigint) => {
    if (!touched.has(row.key)) touched.set(row.key, { row, since })
  }

  return {
    touch,
    replayed: (row) => touch(row, replayFrom),
    due(group) {
      const taken = takeDue(group)
      const [oldest] = touched.values()
      return {
        rows: taken.map(({ key, value }) => ({ key, value: value(group) })),
        replayFrom: oldest?.since ?? group + 1n,
        written() {
          for (const { written } of taken) written?.()
        },
      }
    },
  }

  function takeDue(group: bigint): LateRow[] {
    const taken: LateRow[] = []
    for (const [key, { row, since }] of touched) {
      if (since + latestBy > group || taken.length === rowsPerGroup) break
      touched.delete(key)
      taken.push(row)
    }
    return taken
  }
}
