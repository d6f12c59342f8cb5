// Which tips are on a channel and which are to a recipient. New places wait in memory and become rows some groups late.

import type { Hex } from 'viem'
import { placeKey } from './group-rows.ts'
import type { LateRow, LateRows } from './late-rows.ts'
import { lateTips } from './start-up.ts'
import type { Database, Table } from './table.ts'
import { bytesTable } from './table.ts'
import type { PlacedBasket, StoredTip } from './tip-codec.ts'

/** Where a tip stands in the group log. */
export type Place = { group: bigint; index: number }

/** The two lists that a tip is in. */
export type TipOwner = { list: 'channel' | 'recipient'; owner: Hex }

export type TipIndex = {
  /** Takes up the baskets of a group that is being written, and returns the rows that are new. */
  add(group: bigint, baskets: readonly PlacedBasket[]): LateRow[]
  /** The places of an owner's tips before a place, or all, newest first. */
  places(db: Database, of: TipOwner, before?: Place): AsyncGenerator<Place>
}

/** Each row is keyed by its owner and its first place: `<owner>/<group>/<index>`. */
const tables: { [list in TipOwner['list']]: Table<Uint8Array> } = {
  channel: bytesTable('tip-by-channel'),
  recipient: bytesTable('tip-by-recipient'),
}

const placesPerRow = 1_024
const rowsPerRead = 50
const placeBytes = 8
const furthestGroup = 0xffff_ffffn

/** Places that are not yet a row on disk. Once packed, a list takes nothing more. */
type Waiting = { key: string; places: Place[]; isPacked: boolean }

/** Opens the index, and takes up the late tips that are on disk without their places. */
export async function loadTipIndex(db: Database, lateRows: LateRows): Promise<TipIndex> {
  const waiting = { channel: new Map<Hex, Waiting[]>(), recipient: new Map<Hex, Waiting[]>() }
  const newestOnDisk = new Map<string, Place | undefined>()
  for await (const { number, tips } of lateTips(db)) {
    for (const [index, tip] of tips.entries()) await takeUp(tip, { group: number, index })
  }

  return {
    add(group, baskets) {
      const rows: LateRow[] = []
      for (const { channelId, recipients, firstIndex } of baskets) {
        let index = firstIndex
        for (const recipient of recipients) {
          const place = { group, index }
          index += 1
          append({ list: 'channel', owner: channelId }, place, rows)
          append({ list: 'recipient', owner: recipient }, place, rows)
        }
      }
      return rows
    },
    async *places(from, of, before) {
      let last = before
      for await (const place of candidates(from, of, before)) {
        if (last && !isBefore(place, last)) continue
        last = place
        yield place
      }
    },
  }

  /** Newest first; a row that is written meanwhile comes twice, once from memory and once from disk. */
  async function* candidates(from: Database, of: TipOwner, before: Place | undefined) {
    const inMemory = (waiting[of.list].get(of.owner) ?? []).flatMap(({ places }) => places)
    yield* inMemory.reverse()
    yield* placesOnDisk(from, of, before)
  }

  /** Adds a place to the list that its owner's next row is made of, and that row to `rows` when it is new. */
  function append({ list, owner }: TipOwner, place: Place, rows: LateRow[]) {
    const lists = waiting[list].get(owner) ?? []
    const open = lists.at(-1)
    if (open && hasRoom(open, place)) {
      open.places.push(place)
      return
    }
    const next: Waiting = {
      key: `${owner}/${placeKey(place.group, place.index)}`,
      places: [place],
      isPacked: false,
    }
    waiting[list].set(owner, [...lists, next])
    rows.push(lateRow({ list, owner }, next))
  }

  function lateRow({ list, owner }: TipOwner, of: Waiting): LateRow {
    return {
      key: tables[list].keyOf(of.key),
      value() {
        of.isPacked = true
        return packPlaces(of.places)
      },
      written() {
        const left = (waiting[list].get(owner) ?? []).filter((other) => other !== of)
        if (left.length > 0) waiting[list].set(owner, left)
        else waiting[list].delete(owner)
      },
    }
  }

  /** A late tip may be in a row already: one of its owners may have been written after the other. */
  async function takeUp(tip: StoredTip, place: Place) {
    for (const of of ownersOf(tip)) {
      const newest = await newestRow(of)
      if (newest && !isBefore(newest, place)) continue
      const rows: LateRow[] = []
      append(of, place, rows)
      for (const row of rows) lateRows.replayed(row)
    }
  }

  async function newestRow(of: TipOwner): Promise<Place | undefined> {
    const name = `${of.list}/${of.owner}`
    if (newestOnDisk.has(name)) return newestOnDisk.get(name)
    const newest = await placesOnDisk(db, of, undefined).next()
    newestOnDisk.set(name, newest.value)
    return newest.value
  }
}

/** The places of an owner that are on disk, newest first, beginning with the row that holds a place. */
async function* placesOnDisk(
  db: Database,
  { list, owner }: TipOwner,
  from: Place | undefined,
): AsyncGenerator<Place, undefined> {
  let before = from ? `${owner}/${placeKey(from.group, from.index)}` : `${owner}0`
  for (;;) {
    const range = { after: `${owner}/`, before, limit: rowsPerRead, reverse: true }
    const rows = await tables[list].list(db, range)
    for (const { key, value } of rows) yield* unpackPlaces(firstPlace(key, owner), value).reverse()
    const last = rows.at(-1)
    if (!last) return undefined
    before = last.key
  }
}

function ownersOf({ leaf }: StoredTip): TipOwner[] {
  return [
    { list: 'channel', owner: leaf.channelId },
    { list: 'recipient', owner: leaf.to },
  ]
}

function isBefore(place: Place, other: Place): boolean {
  return place.group < other.group || (place.group === other.group && place.index < other.index)
}

function firstPlace(key: string, owner: Hex): Place {
  const [group = '', index = ''] = key.slice(owner.length + 1).split('/')
  return { group: BigInt(`0x${group}`), index: Number.parseInt(index, 16) }
}

/** Whether a list takes one more place. One that begins before a restore takes none after it: numbers jump too far. */
function hasRoom({ places, isPacked }: Waiting, { group }: Place): boolean {
  const first = places[0]?.group ?? group
  return !isPacked && places.length < placesPerRow && group - first <= furthestGroup
}

/** Each place in 8 bytes: its group less the first one's, and its index. */
function packPlaces(places: readonly Place[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(places.length * placeBytes))
  const first = places[0]?.group ?? 0n
  for (const [at, { group, index }] of places.entries()) {
    view.setUint32(at * placeBytes, Number(group - first))
    view.setUint32(at * placeBytes + 4, index)
  }
  return new Uint8Array(view.buffer)
}

function unpackPlaces(first: Place, row: Uint8Array): Place[] {
  const view = new DataView(row.buffer, row.byteOffset, row.byteLength)
  return Array.from({ length: row.byteLength / placeBytes }, (_, at) => ({
    group: first.group + BigInt(view.getUint32(at * placeBytes)),
    index: view.getUint32(at * placeBytes + 4),
  }))
}
