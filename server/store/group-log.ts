// The one committing shell. Changes that arrive while the disk is busy form the next commit group; a group is one synced
// batch with a signed header that chains to the one before; nobody is answered before it is on disk (R5, I7).

import type { Hex } from 'viem'
import { bytesToHex } from 'viem'
import { HubError } from '#protocol/errors.ts'
import { merkleLevels, merklePath } from '#protocol/merkle.ts'
import type { BasketReceipt, GroupHeader } from '#protocol/receipt.ts'
import { headerDigest, headerHash, zeroHash } from '#protocol/receipt.ts'
import type { Balances, Entry, Leg } from '../ledger/entry.ts'
import { addLeg, assertBalanced, legsOf, post } from '../ledger/entry.ts'
import { writeSynced } from './database.ts'
import type { EventDraft, GroupHead, HubEvent } from './group-rows.ts'
import {
  balanceRow,
  entryRows,
  eventRows,
  groups,
  groupTicks,
  groupTips,
  newestGroup,
} from './group-rows.ts'
import type { GroupTicks } from './group-ticks.ts'
import { newTicks } from './group-ticks.ts'
import { journalHash } from './journal-hash.ts'
import type { LateRow, LateRows } from './late-rows.ts'
import { hashLeaves } from './leaves.ts'
import type { Database, Row, StoredRow } from './table.ts'
import { sortable } from './table.ts'
import type { StreamTicks } from './tick-codec.ts'
import { encodeTicks } from './tick-codec.ts'
import type { BasketDraft, OpenRow, PlacedBasket, ReadRow, StoredTip } from './tip-codec.ts'
import { decodeTips, openRow, saltBytes, unpackTipsOf } from './tip-codec.ts'
import type { TipIndex } from './tip-index.ts'

/**
 * All that one cause writes. `legs` are of its baskets and join the group's one entry of tips; `rowsAt` is told where their tips
 * came to stand; `late` rows follow from the tips.
 */
export type Change = {
  rows?: readonly Row[]
  late?: readonly LateRow[]
  baskets?: readonly BasketDraft[]
  legs?: readonly Leg[]
  entries?: readonly Entry[]
  events?: readonly EventDraft[]
  rowsAt?: (place: { group: bigint; firstIndex: number }) => readonly Row[]
  /** Told, before its group is written, when that takes nothing more: memory is then what groups up to it hold. Must not throw. */
  sealed?: (group: bigint) => void
}

/** A group that is on disk: the row of its tips, if it has any, with their salts and the levels of the tree over them. */
export type ClosedGroup = {
  header: GroupHeader
  headerSignature: Hex
  row: ReadRow | undefined
  salts: Uint8Array
  levels: readonly Uint8Array[]
}

/** Where a change went: its group, and which of the group's tips are its own; {@link committedTips} makes their proofs. */
export type Committed = { group: ClosedGroup; firstIndex: number; count: number }

/** What a group has to tell once it is on disk; its tips are unpacked for who asks. `closedAt` is its header's. */
export type Published = {
  group: bigint
  closedAt: bigint
  tips: () => readonly StoredTip[]
  baskets: readonly PlacedBasket[]
  events: readonly HubEvent[]
}

export type GroupLog = {
  /** Refuses when too many changes wait for the disk. To be called before memory is changed. */
  assertRoom(): void
  /** Takes a change in call order. Resolves when it is on disk. */
  commit(change: Change): Promise<Committed>
  /**
   * Takes ticks of a stream, in call order with changes; `row` follows from them. Resolves when they are on disk. Of many
   * ticks of one stream in a group the newest is written, and all of a group share one promise: ticks come by the thousand.
   */
  tick(ticks: StreamTicks, row: LateRow): Promise<void>
  /** The newest group on disk: its number and header hash. */
  head(): GroupHead
  /** Takes nothing more, and resolves when everything taken so far is on disk. */
  close(): Promise<void>
}

/** After a group of so many changes, the next waits so long for so many more, in milliseconds. */
const busyGroup = 16
const longestFillMs = 6
const fullGroup = 256

type Waiting = {
  change: Change
  firstIndex: number
  done: (committed: Committed) => void
  failed: (error: HubError) => void
}

type OpenGroup = {
  number: bigint
  waiting: Waiting[]
  row: OpenRow
  baskets: PlacedBasket[]
  ticks: GroupTicks | undefined
  tipLegs: Balances
  entries: Entry[]
  events: EventDraft[]
  rows: Row[]
}

/**
 * Starts the log after the groups that are on disk.
 *
 * `onCommitted` hears what each group has to tell after its sync. After a failed write nothing more is taken, because memory is
 * ahead of the disk: `onFailure` must end the process.
 */
export function createGroupLog({
  db,
  balances,
  lateRows,
  tipIndex,
  last,
  first = (last?.number ?? 0n) + 1n,
  epoch,
  separator,
  sign,
  now,
  randomBytes,
  maxWaiting,
  onCommitted,
  onFailure,
}: {
  db: Database
  balances: Balances
  lateRows: LateRows
  tipIndex: TipIndex
  last: GroupHeader | undefined
  /** The number of the first group that it writes; after a restore it is far beyond the last. */
  first?: bigint
  epoch: Hex
  separator: Hex
  sign: (digest: Hex) => Hex
  now: () => number
  randomBytes: (count: number) => Uint8Array
  maxWaiting: number
  onCommitted: (published: Published) => void
  onFailure: (cause: unknown) => void
}): GroupLog {
  let head: GroupHead = {
    number: last?.number ?? 0n,
    hash: last ? headerHash(last) : zeroHash,
  }
  let open = newGroup(first)
  let writing: Promise<void> | undefined
  const balanceRows = new Map<string, LateRow>()
  let failure: HubError | undefined

  return {
    assertRoom() {
      if (failure) throw failure
      if (open.waiting.length < maxWaiting) return
      const detail = `${open.waiting.length} requests are waiting for the disk`
      throw new HubError('too_many_requests', detail, { values: { waiting: open.waiting.length } })
    },
    commit(change) {
      if (failure) return Promise.reject(failure)
      return new Promise((done, failed) => {
        take(open, { change, done, failed })
        writing ??= writeAll()
      })
    },
    tick(ticks, row) {
      if (failure) return Promise.reject(failure)
      open.ticks ??= newTicks()
      open.ticks.newest.set(ticks.stream, ticks)
      lateRows.touch(row, open.number)
      writing ??= writeAll()
      return open.ticks.written
    },
    head: () => head,
    async close() {
      failure ??= new HubError('stopping', 'the group log is closed')
      while (writing !== undefined) await writing
    },
  }

  function take(group: OpenGroup, { change, done, failed }: Omit<Waiting, 'firstIndex'>) {
    const { entries = [], events = [], rows = [], late = [], rowsAt } = change
    for (const entry of entries) assertBalanced(entry)
    const firstIndex = group.row.count()
    takeBaskets(group, change)
    takeEntries(group, entries)
    group.events.push(...events)
    group.rows.push(...rows)
    for (const row of late) lateRows.touch(row, group.number)
    if (rowsAt) group.rows.push(...rowsAt({ group: group.number, firstIndex }))
    group.waiting.push({ change, firstIndex, done, failed })
  }

  function takeBaskets(group: OpenGroup, { baskets = [], legs = [] }: Change) {
    for (const basket of baskets) addBasket(group, basket)
    for (const leg of legs) {
      touchBalance(group, addLeg(balances, leg))
      addLeg(group.tipLegs, leg)
    }
  }

  function takeEntries(group: OpenGroup, entries: readonly Entry[]) {
    for (const entry of entries) {
      for (const key of post(balances, entry)) touchBalance(group, key)
      group.entries.push(entry)
    }
  }

  function touchBalance({ number }: OpenGroup, key: string) {
    const row = balanceRows.get(key) ?? balanceRow(balances, key)
    balanceRows.set(key, row)
    lateRows.touch(row, number)
  }

  async function writeAll() {
    await Promise.resolve()
    let before = 0
    while ((open.waiting.length > 0 || open.ticks) && failure?.code !== 'storage_failed') {
      await fill(open, before)
      const group = open
      before = sizeOf(group)
      open = newGroup(group.number + 1n)
      for (const { change } of group.waiting) change.sealed?.(group.number)
      await writeGroup(group)
    }
    writing = undefined
  }

  /**
   * While many come at once, waits a moment for more: a group costs a signature and a sync, however many changes it holds.
   * Whoever comes alone never waits.
   */
  async function fill(group: OpenGroup, before: number) {
    if (before < busyGroup) return
    const until = performance.now() + longestFillMs
    while (sizeOf(group) < fullGroup && performance.now() < until && !failure) {
      await new Promise((resolve) => {
        setTimeout(resolve, 1)
      })
    }
  }

  async function writeGroup(group: OpenGroup) {
    const row = tipsRow(group, { epoch, secret: randomBytes(32) })
    const { read, hashes, salts } = hashLeaves(row?.value, group.number)
    const levels = merkleLevels(hashes)
    const at = now()
    const journal = [
      ...(row ? [row] : []),
      ...ticksRow(group),
      ...entryRows(group.number, [...tipsEntry(group, at), ...group.entries]),
    ]
    const header: GroupHeader = {
      epoch,
      number: group.number,
      previous: head.hash,
      tipsRoot: row ? bytesToHex(levels.at(-1) ?? hashes) : zeroHash,
      tipCount: group.row.count(),
      journalHash: journalHash(journal),
      closedAt: BigInt(at),
    }
    const headerSignature = sign(headerDigest(header, separator))
    const { baskets, number } = group
    const events = eventRows(number, { tipCount: header.tipCount, drafts: group.events })
    const stored = { header, headerSignature, eventCount: events.events.length }
    const next = { number, hash: headerHash(header) }
    for (const places of tipIndex.add(number, baskets)) lateRows.touch(places, number)
    const late = lateRows.due(number)
    try {
      await writeSynced(db, [
        ...group.rows,
        ...journal,
        ...events.rows,
        ...late.rows,
        groups.put(sortable(number), stored),
        newestGroup.put('', { ...next, replayFrom: late.replayFrom }),
      ])
    } catch (cause) {
      return fail(group, cause)
    }
    head = next
    late.written()
    const closed = { header, headerSignature, row: read, salts, levels }
    for (const { change, firstIndex, done } of group.waiting)
      done({ group: closed, firstIndex, count: tipCount(change) })
    group.ticks?.done()
    const unpacked = () => (row ? decodeTips(row.value, number) : [])
    const { closedAt } = header
    onCommitted({ group: number, closedAt, tips: unpacked, baskets, events: events.events })
  }

  function fail(group: OpenGroup, cause: unknown) {
    failure = new HubError('storage_failed', `group ${group.number} could not be written`, {
      cause,
    })
    for (const { failed } of [...group.waiting, ...open.waiting]) failed(failure)
    for (const { ticks } of [group, open]) ticks?.failed(failure)
    onFailure(cause)
  }
}

/** The receipt parts of tips that were committed earlier, read back from disk. */
export function readCommitted(
  db: Database,
  { group, firstIndex, count }: { group: bigint; firstIndex: number; count: number },
): Committed {
  const stored = groups.get(db, sortable(group))
  if (!stored) throw new Error(`group ${group} is missing from the group log`)
  const { read: row, hashes, salts } = hashLeaves(groupTips.get(db, sortable(group)), group)
  const { header, headerSignature } = stored
  const levels = merkleLevels(hashes)
  return { group: { header, headerSignature, row, salts, levels }, firstIndex, count }
}

/** The tips of a change with their proofs: not everybody wants them, and not as paths. */
export function committedTips({ group, firstIndex, count }: Committed): BasketReceipt['tips'] {
  const { header, row, levels } = group
  const salts = group.salts.subarray(firstIndex * saltBytes)
  const range = { group: header.number, first: firstIndex, count, salts }
  const tips = row ? unpackTipsOf(row, range) : []
  return tips.map(({ leaf }) => ({
    leaf,
    path: merklePath(levels, leaf.index).map((node) => bytesToHex(node)),
  }))
}

/** The one entry of all tips of a group: what channels owe more, and to whom. */
function tipsEntry({ number, tipLegs }: OpenGroup, at: number): Entry[] {
  if (tipLegs.size === 0) return []
  const entry = {
    id: `tips:${number}`,
    at,
    reason: 'tips accepted',
    reference: `group ${number}`,
    legs: legsOf(tipLegs),
  }
  assertBalanced(entry)
  return [entry]
}

function addBasket({ row, baskets }: OpenGroup, basket: BasketDraft) {
  const { channelId, recipients, outcomes } = basket
  const firstIndex = row.count()
  row.add(basket)
  const chargedAfter = outcomes.at(-1)?.chargedAfter ?? 0n
  baskets.push({ channelId, recipients, firstIndex, chargedAfter })
}

function tipCount({ baskets = [] }: Change): number {
  return baskets.reduce((count, { outcomes }) => count + outcomes.length, 0)
}

function tipsRow(
  { number, row }: OpenGroup,
  shared: { epoch: Hex; secret: Uint8Array },
): StoredRow | undefined {
  return row.count() === 0 ? undefined : groupTips.row(sortable(number), row.close(shared))
}

function ticksRow({ number, ticks }: OpenGroup): StoredRow[] {
  if (!ticks) return []
  const { newest } = ticks
  return [groupTicks.row(sortable(number), encodeTicks(newest.values(), newest.size))]
}

/** How many wait for a group: changes, and streams that ticked. */
function sizeOf({ waiting, ticks }: OpenGroup): number {
  return waiting.length + (ticks?.newest.size ?? 0)
}

function newGroup(number: bigint): OpenGroup {
  return {
    number,
    waiting: [],
    row: openRow(),
    baskets: [],
    ticks: undefined,
    tipLegs: new Map(),
    entries: [],
    events: [],
    rows: [],
  }
}
