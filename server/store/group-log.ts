// The one committing shell. Changes that arrive while the disk is busy form the next commit group; a group is one synced
// batch with a signed header that chains to the one before; nobody is answered before it is on disk (R5, I7).

import type { Hex } from 'viem'
import { bytesToHex, stringToBytes } from 'viem'
import { HubError } from '#protocol/errors.ts'
import { concatBytes, keccak, keccakBytes } from '#protocol/keccak.ts'
import type { BasketReceipt, GroupHeader, ReceiptLeaf } from '#protocol/receipt.ts'
import {
  headerDigest,
  headerHash,
  leafHash,
  merkleLevels,
  merklePath,
  zeroHash,
} from '#protocol/receipt.ts'
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
  readTips,
} from './group-rows.ts'
import type { GroupTicks } from './group-ticks.ts'
import { newTicks } from './group-ticks.ts'
import type { LateRow, LateRows } from './late-rows.ts'
import type { Database, Row, StoredRow } from './table.ts'
import { sortable } from './table.ts'
import type { StreamTicks } from './tick-codec.ts'
import { encodeTicks } from './tick-codec.ts'
import type { StoredTip, TipNote } from './tip-codec.ts'
import { encodeTips, saltOf } from './tip-codec.ts'
import type { TipIndex } from './tip-index.ts'

/** A tip on its way into a group: the leaf without what the group decides, and what is kept beside it. */
export type TipDraft = {
  leaf: Omit<ReceiptLeaf, 'salt' | 'epoch' | 'group' | 'index'>
  note: TipNote
}

/**
 * All that one cause writes. `legs` are of its tips and join the group's one entry of tips; `rowsAt` is told where the tips
 * came to stand; `late` rows follow from the tips.
 */
export type Change = {
  rows?: readonly Row[]
  late?: readonly LateRow[]
  tips?: readonly TipDraft[]
  legs?: readonly Leg[]
  entries?: readonly Entry[]
  events?: readonly EventDraft[]
  rowsAt?: (place: { group: bigint; firstIndex: number }) => readonly Row[]
  /** Told, before its group is written, when that takes nothing more: memory is then what groups up to it hold. Must not throw. */
  sealed?: (group: bigint) => void
}

/** A group that is on disk, with the tree over its tips. */
export type ClosedGroup = {
  header: GroupHeader
  headerSignature: Hex
  tips: readonly StoredTip[]
  levels: readonly Uint8Array[][]
}

/** Where a change went: its group, and which of the group's tips are its own, with their proofs when they are asked for. */
export type Committed = Pick<BasketReceipt, 'header' | 'headerSignature' | 'tips'> & {
  group: ClosedGroup
  firstIndex: number
  count: number
}

/** What a group has to tell once it is on disk. `closedAt` is its header's. */
export type Published = {
  group: bigint
  closedAt: bigint
  tips: readonly StoredTip[]
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
  tips: StoredTip[]
  ticks: GroupTicks | undefined
  secret: Hex
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
  const randomHash = () => bytesToHex(randomBytes(32))
  let head: GroupHead = {
    number: last?.number ?? 0n,
    hash: last ? headerHash(last) : zeroHash,
  }
  let open = newGroup(first, randomHash())
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
    const { entries = [] } = change
    for (const entry of entries) assertBalanced(entry)
    const firstIndex = group.tips.length
    takeTips(group, change)
    takeEntries(group, entries)
    group.events.push(...(change.events ?? []))
    group.rows.push(...(change.rows ?? []))
    for (const row of change.late ?? []) lateRows.touch(row, group.number)
    if (change.rowsAt) group.rows.push(...change.rowsAt({ group: group.number, firstIndex }))
    group.waiting.push({ change, firstIndex, done, failed })
  }

  function takeTips(group: OpenGroup, { tips = [], legs = [] }: Change) {
    for (const { leaf, note } of tips) {
      const index = group.tips.length
      const place = { salt: saltOf(group.secret, index), epoch, group: group.number, index }
      group.tips.push({ leaf: { ...leaf, ...place }, note })
    }
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
      open = newGroup(group.number + 1n, randomHash())
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
    const levels = merkleLevels(group.tips.map(({ leaf }) => leafHash(leaf)))
    const at = now()
    const journal = [
      ...tipsRow(group, epoch),
      ...ticksRow(group),
      ...entryRows(group.number, [...tipsEntry(group, at), ...group.entries]),
    ]
    const header: GroupHeader = {
      epoch,
      number: group.number,
      previous: head.hash,
      tipsRoot: bytesToHex(levels.at(-1)?.[0] ?? new Uint8Array(32)),
      tipCount: group.tips.length,
      journalHash: journalHash(journal),
      closedAt: BigInt(at),
    }
    const headerSignature = sign(headerDigest(header, separator))
    const { tips, number } = group
    const events = eventRows(number, { tipCount: tips.length, drafts: group.events })
    const stored = { header, headerSignature, eventCount: events.events.length }
    const next = { number, hash: headerHash(header) }
    for (const row of tipIndex.add(number, tips)) lateRows.touch(row, number)
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
    const closed = { header, headerSignature, tips, levels }
    for (const { change, firstIndex, done } of group.waiting)
      done(committedIn(closed, { firstIndex, count: change.tips?.length ?? 0 }))
    group.ticks?.done()
    onCommitted({ group: number, closedAt: header.closedAt, tips, events: events.events })
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
  const tips = readTips(db, group)
  const levels = merkleLevels(tips.map(({ leaf }) => leafHash(leaf)))
  const { header, headerSignature } = stored
  return committedIn({ header, headerSignature, tips, levels }, { firstIndex, count })
}

/** The hash over a group's row of tips and row of ticks, if it has any, and its ledger entries, as they stand on disk. */
export function journalHash(rows: readonly StoredRow[]): Hex {
  const running = rows.reduce<Uint8Array>(
    (hash, { key, value }) => keccakBytes(concatBytes([hash, stringToBytes(key), value])),
    new Uint8Array(32),
  )
  return keccak(running)
}

/** The proofs are made when they are asked for: not everybody wants them as paths. */
function committedIn(
  group: ClosedGroup,
  { firstIndex, count }: { firstIndex: number; count: number },
): Committed {
  const { header, headerSignature, tips, levels } = group
  return {
    header,
    headerSignature,
    group,
    firstIndex,
    count,
    get tips() {
      return tips.slice(firstIndex, firstIndex + count).map(({ leaf }) => ({
        leaf,
        path: merklePath(levels, leaf.index).map((node) => bytesToHex(node)),
      }))
    },
  }
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

function tipsRow({ number, tips, secret }: OpenGroup, epoch: Hex): StoredRow[] {
  if (tips.length === 0) return []
  return [groupTips.row(sortable(number), encodeTips(tips, { epoch, secret }))]
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

function newGroup(number: bigint, secret: Hex): OpenGroup {
  return {
    number,
    secret,
    waiting: [],
    tips: [],
    ticks: undefined,
    tipLegs: new Map(),
    entries: [],
    events: [],
    rows: [],
  }
}
