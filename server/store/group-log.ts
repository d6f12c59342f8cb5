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
import type { Balances, Entry } from '../ledger/entry.ts'
import { post } from '../ledger/entry.ts'
import { writeSynced } from './database.ts'
import type { EventDraft, HubEvent, StoredTip, TipNote } from './group-rows.ts'
import { balanceRows, entryRows, eventRows, groups, storedTips, tipRows } from './group-rows.ts'
import type { Database, Row } from './table.ts'
import { sortable } from './table.ts'

/** A tip on its way into a group: the leaf without what the group decides, and what is kept beside it. */
export type TipDraft = {
  leaf: Omit<ReceiptLeaf, 'salt' | 'epoch' | 'group' | 'index'>
  note: TipNote
}

/** All that one cause writes. `rows` may need the place of its tips, hence the function. */
export type Change = {
  rows?: readonly Row[]
  tips?: readonly TipDraft[]
  entries?: readonly Entry[]
  events?: readonly EventDraft[]
  rowsAt?: (place: { group: bigint; firstIndex: number }) => readonly Row[]
}

/** Where a change went: its group, and the proof of its tips. */
export type Committed = Pick<BasketReceipt, 'header' | 'headerSignature' | 'tips'>

export type GroupLog = {
  /** Refuses when too many changes wait for the disk. To be called before memory is changed. */
  assertRoom(): void
  /** Takes a change in call order. Resolves when it is on disk. */
  commit(change: Change): Promise<Committed>
  /** The newest group on disk: its number and header hash. */
  head(): { number: bigint; hash: Hex }
  /** Takes nothing more, and resolves when everything taken so far is on disk. */
  close(): Promise<void>
}

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
  entries: Entry[]
  events: EventDraft[]
  rows: Row[]
  touched: Set<string>
}

/**
 * Starts the log after the groups that are on disk.
 *
 * `onEvents` hears the events of each group after its sync. After a failed write nothing more is taken, because memory is
 * ahead of the disk: `onFailure` must end the process.
 */
export function createGroupLog({
  db,
  balances,
  last,
  epoch,
  separator,
  sign,
  now,
  randomBytes,
  maxWaiting,
  onEvents,
  onFailure,
}: {
  db: Database
  balances: Balances
  last: GroupHeader | undefined
  epoch: Hex
  separator: Hex
  sign: (digest: Hex) => Hex
  now: () => number
  randomBytes: (count: number) => Uint8Array
  maxWaiting: number
  onEvents: (events: readonly HubEvent[]) => void
  onFailure: (cause: unknown) => void
}): GroupLog {
  let head = { number: last?.number ?? 0n, hash: last ? headerHash(last) : zeroHash }
  let open = newGroup(head.number + 1n)
  let writing: Promise<void> | undefined
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
    head: () => head,
    async close() {
      failure ??= new HubError('stopping', 'the group log is closed')
      while (writing !== undefined) await writing
    },
  }

  function take(group: OpenGroup, { change, done, failed }: Omit<Waiting, 'firstIndex'>) {
    const firstIndex = group.tips.length
    for (const { leaf, note } of change.tips ?? []) {
      const place = {
        salt: bytesToHex(randomBytes(32)),
        epoch,
        group: group.number,
        index: group.tips.length,
      }
      group.tips.push({ leaf: { ...leaf, ...place }, note })
    }
    for (const entry of change.entries ?? []) {
      for (const key of post(balances, entry)) group.touched.add(key)
      group.entries.push(entry)
    }
    group.events.push(...(change.events ?? []))
    group.rows.push(
      ...(change.rows ?? []),
      ...(change.rowsAt?.({ group: group.number, firstIndex }) ?? []),
    )
    group.waiting.push({ change, firstIndex, done, failed })
  }

  async function writeAll() {
    await Promise.resolve()
    while (open.waiting.length > 0 && failure?.code !== 'storage_failed') {
      const group = open
      open = newGroup(group.number + 1n)
      await writeGroup(group)
    }
    writing = undefined
  }

  async function writeGroup(group: OpenGroup) {
    const levels = merkleLevels(group.tips.map(({ leaf }) => leafHash(leaf)))
    const entries = entryRows(group.number, group.entries)
    const header: GroupHeader = {
      epoch,
      number: group.number,
      previous: head.hash,
      tipsRoot: bytesToHex(levels.at(-1)?.[0] ?? new Uint8Array(32)),
      tipCount: group.tips.length,
      journalHash: journalHash(entries),
      closedAt: BigInt(now()),
    }
    const headerSignature = sign(headerDigest(header, separator))
    const events = eventRows(group.number, group.events)
    try {
      await writeSynced(db, [
        ...group.rows,
        ...tipRows(group.tips),
        ...entries,
        ...balanceRows(balances, group.touched),
        ...events.rows,
        groups.put(sortable(group.number), { header, headerSignature }),
      ])
    } catch (cause) {
      return fail(group, cause)
    }
    head = { number: header.number, hash: headerHash(header) }
    for (const { change, firstIndex, done } of group.waiting) {
      const tips = group.tips.slice(firstIndex, firstIndex + (change.tips?.length ?? 0))
      done({ header, headerSignature, tips: tips.map(({ leaf }) => proveLeaf(levels, leaf)) })
    }
    onEvents(events.events)
  }

  function fail(group: OpenGroup, cause: unknown) {
    failure = new HubError('storage_failed', `group ${group.number} could not be written`, {
      cause,
    })
    for (const { failed } of [...group.waiting, ...open.waiting]) failed(failure)
    onFailure(cause)
  }
}

/** The receipt parts of tips that were committed earlier, read back from disk. */
export async function readCommitted(
  db: Database,
  { group, firstIndex, count }: { group: bigint; firstIndex: number; count: number },
): Promise<Committed> {
  const stored = groups.get(db, sortable(group))
  if (!stored) throw new Error(`group ${group} is missing from the group log`)
  const leaves = (await storedTips.list(db, groupRange(group))).map(({ value }) => value.leaf)
  const levels = merkleLevels(leaves.map(leafHash))
  return {
    ...stored,
    tips: leaves.slice(firstIndex, firstIndex + count).map((leaf) => proveLeaf(levels, leaf)),
  }
}

/** The hash over the ledger entries of a group, as they stand on disk. */
export function journalHash(entries: readonly Row[]): Hex {
  const running = entries.reduce<Uint8Array>(
    (hash, { key, value }) =>
      keccakBytes(concatBytes([hash, stringToBytes(key), value ?? new Uint8Array()])),
    new Uint8Array(32),
  )
  return keccak(running)
}

/** The keys of a group's rows in tables that are keyed by group and place. */
export function groupRange(group: bigint): { after: string; before: string } {
  return { after: `${sortable(group)}/`, before: `${sortable(group)}0` }
}

function proveLeaf(levels: readonly Uint8Array[][], leaf: ReceiptLeaf) {
  return { leaf, path: merklePath(levels, leaf.index).map((node) => bytesToHex(node)) }
}

function newGroup(number: bigint): OpenGroup {
  return { number, waiting: [], tips: [], entries: [], events: [], rows: [], touched: new Set() }
}
