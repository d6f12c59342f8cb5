// The receipt keys that a hub had before, as it keeps them and tells everybody.

import type { HandOver } from '#protocol/hand-over.ts'
import type { FormerSigner } from '#protocol/receipt.ts'
import type { Database, Row } from '../store/table.ts'
import { sortable, table } from '../store/table.ts'

/** By the last group of the former key. */
const handOverRows = table<HandOver>('hand-over')

/** Every change of the receipt key, oldest first. */
export async function loadHandOvers(db: Database): Promise<HandOver[]> {
  return (await handOverRows.list(db)).map(({ value }) => value)
}

export function handOverRow(handOver: HandOver): Row {
  return handOverRows.put(sortable(handOver.lastGroup), handOver)
}

/** The hub trusts its own store, also where a key was lost before it could vouch for the next. */
export function formerSignersOf(handOvers: readonly HandOver[]): FormerSigner[] {
  return handOvers.map(({ former: address, lastGroup }) => ({ address, lastGroup }))
}
