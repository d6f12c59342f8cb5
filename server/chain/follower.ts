// Following the chain: blocks are followed by their hashes and booked at policy depth, once and in order; what a reorg takes back
// is undone. Money on its way out counts from the head.

import type { Hex } from 'viem'
import { larger, smaller } from '#protocol/amount.ts'
import type { Block } from './blocks.ts'
import { createBlockReader, ForkFound, RangeRefused } from './blocks.ts'
import type { BookedChain, BookedChainDeps, Undone } from './booked-chain.ts'
import { loadBookedChain } from './booked-chain.ts'
import type { Endpoint, Endpoints } from './endpoints.ts'
import { EndpointFault, isEndpointTrouble, reasonOf } from './endpoints.ts'
import { commonBlock, headsOf } from './fork.ts'
import { watchedBy } from './logs.ts'
import type { Header } from './rpc-reads.ts'

/** How many blocks are read at once at first, and at most. A provider that refuses gets asked for half. */
const firstSpan = 256n
const longestSpan = 1_024n

export type Follower = Pick<BookedChain, 'cursor' | 'taken' | 'hashOf'> & {
  /** The newest block that was seen; the books come to `confirmations` below it. */
  target(): bigint
  /** Reorgs that took back what was booked, since the start, and the blocks that they took. */
  reorgs(): { count: number; blocks: bigint }
  /**
   * Reads on until there is nothing new.
   *
   * @throws DeepReorgError, or what the last endpoint failed with.
   */
  tick(): Promise<void>
  /** Resolves when a block is booked; rejects when the hub stops first. */
  reached(block: bigint): Promise<void>
  /** Resolves when a block is booked and every deposit on a channel up to it counts; rejects when the hub stops first. */
  counted(channelId: Hex, block: bigint): Promise<void>
  stop(): void
}

export type FollowerDeps = BookedChainDeps & {
  endpoints: Endpoints
  onUndone?: (undone: Undone) => void
  onProgress?: (place: { block: bigint; target: bigint }) => void
}

/** What was booked lies deeper under another chain than the follower undoes. */
export class DeepReorgError extends Error {}

export function createFollower(deps: FollowerDeps): Follower {
  const { endpoints, confirmations } = deps
  const books = loadBookedChain(deps)
  const reading = createReading(deps, books)
  const waits = createWaits()
  const reorgs = { count: 0, blocks: 0n }
  let seen: Header | undefined
  /** Blocks above the cursor that were read. */
  let ahead: readonly Block[] = []

  return {
    cursor: books.cursor,
    taken: books.taken,
    hashOf: books.hashOf,
    target: () => seen?.number ?? books.cursor(),
    reorgs: () => reorgs,
    async tick() {
      let failure: unknown
      for (const { endpoint, head } of await headsOf(endpoints)) {
        try {
          await follow(endpoint, head)
          return
        } catch (cause) {
          if (!isEndpointTrouble(cause)) throw cause
          endpoints.putAside(endpoint, reasonOf(cause))
          failure = cause
        }
      }
      throw failure
    },
    reached: (block) => waits.until(() => books.cursor() >= block),
    counted: (channelId, block) =>
      waits.until(() => books.cursor() >= block && !books.deposits.isWaiting(channelId, block)),
    stop: waits.stop,
  }

  async function follow(endpoint: Endpoint, head: Header) {
    if (head.hash === seen?.hash && isComplete(head)) return
    await undoWhatIsGone(endpoint, head)
    seen = head
    const final = head.number - BigInt(confirmations)
    while (books.cursor() < final) {
      await books.book(await reading.next(endpoint, { to: final, known: ahead }))
      waits.release()
      deps.onProgress?.({ block: books.cursor(), target: final })
    }
    ahead = await reading.all(endpoint, { to: head.number, known: ahead })
    await books.lookAhead(ahead, head.number)
    waits.release()
    reading.judge(endpoint, endpoints)
  }

  /** Whether everything up to a block is either booked or known to come. */
  function isComplete({ number, hash }: Header) {
    return books.hashOf(number) === hash || ahead.at(-1)?.hash === hash
  }

  /** Finds out whether the chain still has what was booked last, and undoes what it has not. */
  async function undoWhatIsGone(endpoint: Endpoint, head: Header) {
    const block = books.cursor()
    const hash = books.hashOf(block)
    if (hash === undefined) return
    const others = endpoints.usable()
    const newest = { block, hash }
    const common = await commonBlock(endpoint, { head, newest, recent: books.recent, others })
    if (common === block) return
    const undone = await books.undoTo(groundOf(deps, books, common))
    ahead = []
    reorgs.count += 1
    reorgs.blocks += undone.from - undone.to
    deps.onUndone?.(undone)
  }
}

/** The block to undo to: the highest common one, or the one before the first when all that was ever booked is gone. */
function groundOf(
  { deployment, reorgLimit }: Pick<FollowerDeps, 'deployment' | 'reorgLimit'>,
  { cursor, hashOf, recent }: Pick<BookedChain, 'cursor' | 'hashOf' | 'recent'>,
  common: bigint | undefined,
): bigint {
  const oldest = recent.all()[0]?.block ?? cursor()
  const first = BigInt(deployment.startBlock)
  const ground = common ?? (oldest === first ? first - 1n : undefined)
  if (ground !== undefined && cursor() - ground <= BigInt(reorgLimit)) return ground
  const gone = ground === undefined ? oldest : ground + 1n
  throw new DeepReorgError(
    `block ${gone} was ${hashOf(gone)} and is not on the chain any more: that is deeper below block ${cursor()} than the ` +
      `${reorgLimit} blocks that are undone (JANDON_REORG_LIMIT)`,
  )
}

/** Reading what follows on the books, in pieces that the endpoint gives. */
function createReading({ deployment, endpoints }: FollowerDeps, { cursor, hashOf }: BookedChain) {
  let span = firstSpan
  let doubted: bigint | undefined
  const reader = createBlockReader(watchedBy(deployment), {
    onWrongLogs(block) {
      doubted ??= block
    },
  })

  async function piece(
    endpoint: Endpoint,
    place: { above: bigint; to: bigint; parent: Hex | undefined; known: readonly Block[] },
  ): Promise<Block[]> {
    const { above, parent } = place
    const range = { from: above + 1n, to: smaller(above + span, place.to), parent }
    const known = new Map(place.known.map((block) => [block.hash, block]))
    try {
      const witness = endpoints.usable().find((other) => other !== endpoint)?.client
      const blocks = await reader.read(endpoint.client, { ...range, known, witness })
      span = smaller(span * 2n, longestSpan)
      return blocks
    } catch (cause) {
      span = larger(span / 2n, 1n)
      if (cause instanceof RangeRefused) return piece(endpoint, place)
      throw cause instanceof ForkFound ? new EndpointFault(cause.message, { cause }) : cause
    }
  }

  return {
    /** The blocks above the cursor, as many as are given at once. */
    next: (endpoint: Endpoint, { to, known }: { to: bigint; known: readonly Block[] }) =>
      piece(endpoint, { above: cursor(), to, parent: hashOf(cursor()), known }),
    /** All blocks above the cursor. */
    async all(
      endpoint: Endpoint,
      { to, known }: { to: bigint; known: readonly Block[] },
    ): Promise<Block[]> {
      const blocks: Block[] = []
      for (let above = cursor(); above < to; above = blocks.at(-1)?.number ?? to) {
        const parent = blocks.at(-1)?.hash ?? hashOf(above)
        blocks.push(...(await piece(endpoint, { above, to, parent, known })))
      }
      return blocks
    },
    /** Whether the endpoint did well. One whose logs were not those of a block is put aside, although the block was proved. */
    judge(endpoint: Endpoint, { putAside, worked }: Endpoints) {
      if (doubted === undefined) worked(endpoint)
      else putAside(endpoint, `its logs of block ${doubted} are not those of the block`)
      doubted = undefined
    },
  }
}

/** Promises that are kept when the books have come far enough. */
function createWaits() {
  const waiting = new Set<{ isOver: () => boolean; done: () => void; failed: (e: Error) => void }>()
  return {
    until(isOver: () => boolean): Promise<void> {
      if (isOver()) return Promise.resolve()
      return new Promise((done, failed) => waiting.add({ isOver, done, failed }))
    },
    release() {
      for (const waiter of waiting) {
        if (!waiter.isOver()) continue
        waiting.delete(waiter)
        waiter.done()
      }
    },
    stop() {
      for (const { failed } of waiting) failed(new Error('the hub is stopping'))
      waiting.clear()
    },
  }
}
