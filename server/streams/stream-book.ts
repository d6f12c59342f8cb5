// All open streams, in memory and on disk, and which roots were used. What was ticked counts as held on its channel.

import type { Hex } from 'viem'
import { hexToBytes } from 'viem'
import { HubError } from '#protocol/errors.ts'
import type { PackedTips } from '#protocol/packed-tips.ts'
import { unpackTips } from '#protocol/packed-tips.ts'
import type { TickCommitment } from '#protocol/tick.ts'
import { linksOf } from '#protocol/tick.ts'
import type { Tip } from '#protocol/tip.ts'
import type { ChannelRegistry } from '../channels/registry.ts'
import type { LateRow, LateRows } from '../store/late-rows.ts'
import { lateTicks } from '../store/start-up.ts'
import type { Database, Row } from '../store/table.ts'
import { bytesTable, sortable, table } from '../store/table.ts'
import type { OpenStream } from './stream.ts'
import { assertEnds, tickedTotal } from './stream.ts'

type StoredStream = Pick<OpenStream, 'number' | 'commitment' | 'signature' | 'session'> & {
  ticks: number
  preimage: Uint8Array
}

/** What became of a root: its stream, and, once that ended, with how many ticks and in which basket, if any. */
export type RootUse = { stream: number; ended: { ticks: number; basketId: Hex | null } | null }

/** Open streams by number. A row that follows from ticks is written late. */
const streamRows = table<StoredStream>('stream')
/** `<channelId>/<root>`: kept for good, so that no root is used twice and no stream charged twice. */
const rootRows = table<RootUse>('stream-root')
/** How many streams there ever were: under the empty key. */
const countRow = table<number>('stream-count')
/** The channels that ever had a stream: for all others no root needs to be looked up. */
const streamedRows = bytesTable('streamed-channel')

export type StreamBook = {
  all(): Iterable<OpenStream>
  count(): number
  /** @throws HubError `stream_closed` or `unknown_stream` */
  get(number: number): OpenStream
  onChannel(channelId: Hex): OpenStream | undefined
  useOf(channelId: Hex, root: Hex): RootUse | undefined
  /** Takes over a new stream; the rows must be committed in the same tick. */
  open(
    draft: Pick<OpenStream, 'commitment' | 'signature' | 'session'>,
    at: number,
  ): { stream: OpenStream; rows: Row[] }
  /** Takes over ticks that were checked, and holds their money. */
  advance(
    stream: OpenStream,
    paid: { ticks: number; preimage: Uint8Array; added: bigint; at: number },
  ): LateRow
  /** Forgets a stream and frees its money, which the same change charges; the rows must be committed in the same tick. */
  close(stream: OpenStream, basketId: Hex | null): Row[]
  /**
   * The open stream of a channel whose root one of the tips names.
   *
   * @throws HubError `stream_closed` for a root whose stream has ended: it was charged then
   */
  namedBy(channelId: Hex, tips: readonly Pick<Tip, 'ref'>[]): OpenStream | undefined
  /**
   * The open stream that a basket on a channel ends.
   *
   * @throws HubError as {@link StreamBook.namedBy}, and `stream_mismatch` for a tip of its root that is not what was ticked
   */
  endedBy(channelId: Hex, tips: PackedTips): OpenStream | undefined
}

/** Loads the open streams with the ticks that their rows lack. `at` is now, in Unix milliseconds. */
export async function loadStreamBook({
  db,
  lateRows,
  channels,
  at,
}: {
  db: Database
  lateRows: LateRows
  channels: ChannelRegistry
  at: number
}): Promise<StreamBook> {
  const streams = new Map<number, OpenStream>()
  const rows = new Map<number, LateRow>()
  const onChannel = new Map<Hex, OpenStream>()
  const streamed = new Set((await streamedRows.list(db)).map(({ key }) => key))
  let count = countRow.get(db, '') ?? 0
  for (const { value } of await streamRows.list(db)) remember(value, at).isOnDisk = true
  for await (const { stream: number, ticks, preimage } of lateTicks(db)) {
    const stream = streams.get(number)
    if (!stream || ticks <= stream.ticks) continue
    stream.ticks = ticks
    stream.preimage = preimage
    lateRows.replayed(rowOf(stream))
  }
  for (const stream of streams.values()) {
    channels.reserve(stream.commitment.channelId, tickedTotal(stream))
  }

  return {
    all: () => streams.values(),
    count: () => streams.size,
    get(number) {
      const stream = streams.get(number)
      if (stream?.isOnDisk) return stream
      const isEnded = !stream && Number.isInteger(number) && number > 0 && number <= count
      throw isEnded
        ? new HubError('stream_closed', `stream ${number} has ended`, { values: { number } })
        : new HubError('unknown_stream', `stream ${number} is not known`, { values: { number } })
    },
    onChannel: (channelId) => onChannel.get(channelId),
    useOf,
    open(draft, openedAt) {
      count += 1
      const { channelId, root } = draft.commitment
      const stored = { ...draft, number: count, ticks: 0, preimage: hexToBytes(root) }
      const stream = remember(stored, openedAt)
      const isFirst = !streamed.has(channelId)
      streamed.add(channelId)
      return {
        stream,
        rows: [
          streamRows.put(sortable(count), stored),
          rootRows.put(rootKey(channelId, root), { stream: count, ended: null }),
          countRow.put('', count),
          ...(isFirst ? [streamedRows.put(channelId, new Uint8Array())] : []),
        ],
      }
    },
    advance(stream, paid) {
      stream.ticks = paid.ticks
      stream.preimage = paid.preimage
      stream.usedAt = paid.at
      channels.reserve(stream.commitment.channelId, paid.added)
      return rowOf(stream)
    },
    close(stream, basketId) {
      const { number, ticks, commitment } = stream
      const { channelId, root } = commitment
      streams.delete(number)
      rows.delete(number)
      onChannel.delete(channelId)
      channels.release(channelId, tickedTotal(stream))
      const use = { stream: number, ended: { ticks, basketId } }
      return [streamRows.remove(sortable(number)), rootRows.put(rootKey(channelId, root), use)]
    },
    namedBy,
    endedBy(channelId, packed) {
      if (!streamed.has(channelId)) return undefined
      const tips = unpackTips(packed)
      const stream = namedBy(channelId, tips)
      if (stream) assertEnds(stream, tips)
      return stream
    },
  }

  function namedBy(channelId: Hex, tips: readonly Pick<Tip, 'ref'>[]): OpenStream | undefined {
    if (!streamed.has(channelId)) return undefined
    const stream = onChannel.get(channelId)
    for (const { ref } of tips) {
      if (ref === stream?.commitment.root) return stream
      const use = useOf(channelId, ref)
      if (use) throw streamClosed(ref, use)
    }
    return undefined
  }

  function useOf(channelId: Hex, root: Hex): RootUse | undefined {
    if (!streamed.has(channelId)) return undefined
    return rootRows.get(db, rootKey(channelId, root))
  }

  function remember(stored: StoredStream, usedAt: number): OpenStream {
    const stream = { ...stored, isOnDisk: false, usedAt, follow: linksOf(stored.commitment) }
    streams.set(stream.number, stream)
    onChannel.set(stream.commitment.channelId, stream)
    return stream
  }

  /** A stream that has ended by the time its row is written has none. */
  function rowOf({ number }: OpenStream): LateRow {
    const known = rows.get(number)
    if (known) return known
    const key = sortable(number)
    const row: LateRow = {
      key: streamRows.keyOf(key),
      value() {
        const stream = streams.get(number)
        return stream && streamRows.row(key, storedOf(stream)).value
      },
    }
    rows.set(number, row)
    return row
  }
}

/** The refusal of what names a root whose stream has ended, or is just being ended. */
export function streamClosed(root: Hex, { stream, ended }: RootUse): HubError {
  const values = { stream, root, ...(ended && endOf(ended)) }
  return new HubError('stream_closed', `stream ${stream} has ended`, { values })
}

/** Whether two commitments, and with them their roots, are one. */
export function isSameCommitment(one: TickCommitment, other: TickCommitment): boolean {
  const fields = ['channelId', 'to', 'baseAmount', 'tickAmount', 'maxTicks', 'root'] as const
  return fields.every((field) => one[field] === other[field])
}

function endOf({ ticks, basketId }: NonNullable<RootUse['ended']>) {
  return basketId === null ? { ticks } : { ticks, basketId }
}

function storedOf(stream: OpenStream): StoredStream {
  const { number, commitment, signature, session, ticks, preimage } = stream
  return { number, commitment, signature, session, ticks, preimage }
}

function rootKey(channelId: Hex, root: Hex): string {
  return `${channelId}/${root}`
}
