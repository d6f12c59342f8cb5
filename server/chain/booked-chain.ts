// The chain as far as it is in the books: blocks are booked in order and, when the chain takes them back, undone. Cursor, hashes and
// bookings go to disk in one commit.

import type { Hex } from 'viem'
import type { GroupLog } from '../store/group-log.ts'
import type { Database, Row } from '../store/table.ts'
import { table } from '../store/table.ts'
import type { Block } from './blocks.ts'
import type { BookingDeps } from './bookings.ts'
import { bookEvents, channelsIn, tellChannels } from './bookings.ts'
import type { Deployment } from './deployment.ts'
import type { DepositDepth, DepositQueue } from './deposit-depth.ts'
import { createDepositQueue } from './deposit-depth.ts'
import type { ChainEvent } from './logs.ts'
import { eventsOf } from './logs.ts'
import type { RecentBlocks } from './recent-blocks.ts'
import { loadRecentBlocks } from './recent-blocks.ts'
import { undoBookings } from './reversals.ts'

type Cursor = { block: bigint; hash: Hex }

const cursorRows = table<Cursor>('chain-cursor')
/** How often an event was taken back, by its cause. */
const undoneRows = table<number>('undone-event')

/** The cursor is written with events, and at least this often without. */
const blocksPerCursor = 100n

/** What was taken back: the blocks above `to`, so many events in them, and the channels that these were about. */
export type Undone = { from: bigint; to: bigint; events: number; channels: Hex[] }

export type BookedChain = {
  /** The block up to which everything is booked and on disk. */
  cursor(): bigint
  /** The block up to which the books in memory go: the cursor, or what is being written at this moment. */
  taken(): bigint
  /** The hash of a block that was booked lately. */
  hashOf(block: bigint): Hex | undefined
  recent: Pick<RecentBlocks, 'at' | 'all'>
  deposits: Pick<DepositQueue, 'isWaiting'>
  /** Books the blocks that follow on the cursor. */
  book(blocks: readonly Block[]): Promise<void>
  /** Undoes every block above `ground`. */
  undoTo(ground: bigint): Promise<Undone>
  /** Takes in what is mined above the cursor: money going out counts at once, deposits when they have waited long enough. */
  lookAhead(blocks: readonly Block[], head: bigint): Promise<void>
}

export type BookedChainDeps = Omit<BookingDeps, 'timesUndone'> & {
  db: Database
  log: GroupLog
  deployment: Deployment
  /** Blocks on top before anything is booked, and the steps for deposits beyond that. */
  confirmations: number
  depositDepths: readonly DepositDepth[]
  /** How many blocks can be undone. */
  reorgLimit: number
  /** Whether a refund that was mined is held for on its channel already. */
  isHeldFor: (refund: ChainEvent & { kind: 'refunded' }) => boolean
}

export function loadBookedChain(deps: BookedChainDeps): BookedChain {
  const { db, log, deployment, channels, confirmations, depositDepths } = deps
  let written = cursorRows.get(db, 'cursor')
  let cursor = written?.block ?? BigInt(deployment.startBlock) - 1n
  let taken = cursor
  const booking = { ...deps, timesUndone: (cause: string) => undoneRows.get(db, cause) ?? 0 }
  const kept = 1 + Math.max(deps.reorgLimit, deepestOf(deps))
  const recent = loadRecentBlocks(db, { cursor, kept })
  const deposits = createDepositQueue({ least: confirmations, steps: depositDepths })
  for (const { booked } of recent.all()) queue(booked.map(({ event }) => event))
  deposits.ripen(cursor + BigInt(confirmations))
  channels.setUncounted(deposits.uncounted())

  return {
    cursor: () => cursor,
    taken: () => taken,
    hashOf: (block) =>
      recent.at(block)?.hash ?? (written?.block === block ? written.hash : undefined),
    recent,
    deposits,
    async book(blocks) {
      const last = blocks.at(-1)
      if (!last) return
      const events = eventsIn(blocks)
      const isDue = events.length > 0 || last.number - (written?.block ?? 0n) >= blocksPerCursor
      queue(events)
      channels.setUncounted(deposits.uncounted())
      const { change, booked } = bookEvents(booking, events)
      const byBlock = Map.groupBy(booked, ({ event }) => event.block)
      recent.add(
        blocks.slice(-kept).map(({ number, hash }) => {
          return { block: number, hash, booked: byBlock.get(number) ?? [] }
        }),
      )
      taken = last.number
      if (isDue) {
        const place = { block: last.number, hash: last.hash }
        await log.commit({ ...change, rows: [...(change.rows ?? []), ...rowsAt(place)] })
        written = place
      }
      cursor = last.number
    },
    async undoTo(ground) {
      const from = cursor
      const gone = recent.takeBack(ground)
      deposits.takeBack(ground)
      channels.setUncounted(deposits.uncounted())
      const booked = gone.flatMap((block) => [...block.booked].reverse())
      const { change, causes } = undoBookings(booking, booked)
      const hash = recent.at(ground)?.hash
      const place = hash && { block: ground, hash }
      const counts = causes.map((cause) => undoneRows.put(cause, booking.timesUndone(cause) + 1))
      taken = ground
      const ids = channelsIn(booked)
      await log.commit({
        ...change,
        rows: [...(change.rows ?? []), ...counts, ...rowsAt(place)],
        rowsAt: ({ group }) => channels.holdTips(ids, group),
      })
      written = place
      cursor = ground
      return { from, to: ground, events: causes.length, channels: ids }
    },
    async lookAhead(blocks, head) {
      const ripe = deposits.ripen(head).filter((id) => channels.find(id))
      const events = eventsIn(blocks)
      channels.setEarlyWithdrawals(withdrawalsIn(events))
      channels.setUncounted(withRefunds(events))
      if (ripe.length > 0) await log.commit(tellChannels(booking, ripe))
    },
  }

  /** The rows that bring the disk to where memory is; without a place, to before the first block. */
  function rowsAt(place: Cursor | undefined): Row[] {
    const row = place ? cursorRows.put('cursor', place) : cursorRows.remove('cursor')
    return [...recent.rows(), row]
  }

  function eventsIn(blocks: readonly Block[]): ChainEvent[] {
    return eventsOf(
      blocks.flatMap(({ logs }) => logs),
      deployment,
    )
  }

  function queue(events: readonly ChainEvent[]) {
    const created = new Map(
      events.flatMap((event) =>
        event.kind === 'channel-created' ? [[event.channelId, event.config.token]] : [],
      ),
    )
    for (const event of events) {
      if (event.kind !== 'deposited') continue
      const token = channels.find(event.channelId)?.config.token ?? created.get(event.channelId)
      if (token) deposits.add({ ...event, token })
    }
  }

  function withRefunds(events: readonly ChainEvent[]): Map<Hex, bigint> {
    const uncounted = deposits.uncounted()
    for (const event of events) {
      if (event.kind !== 'refunded' || deps.isHeldFor(event)) continue
      uncounted.set(event.channelId, (uncounted.get(event.channelId) ?? 0n) + event.amount)
    }
    return uncounted
  }
}

function withdrawalsIn(events: readonly ChainEvent[]): Map<Hex, bigint> {
  return new Map(
    events.flatMap((event) =>
      event.kind === 'withdraw-initiated' ? [[event.channelId, event.amount]] : [],
    ),
  )
}

function deepestOf({ confirmations, depositDepths }: BookedChainDeps): number {
  return depositDepths.reduce((most, step) => Math.max(most, step.confirmations), confirmations)
}
