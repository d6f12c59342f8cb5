// Following the chain: blocks at policy depth are booked once and in order; money on its way out counts from the head.

import type { Address, Hex, PublicClient } from 'viem'
import { paymentChannelsAbi } from '#protocol/abi.ts'
import type { ChannelOnChain } from '../channels/channel.ts'
import type { GroupLog } from '../store/group-log.ts'
import type { Database } from '../store/table.ts'
import { table } from '../store/table.ts'
import type { BookingDeps } from './bookings.ts'
import { bookEvents, touchedChannels } from './bookings.ts'
import type { Deployment } from './deployment.ts'
import { readEvents } from './logs.ts'

type Cursor = { block: bigint; hash: Hex }

const cursorRows = table<Cursor>('chain-cursor')

/** How many blocks are read in one request. */
const blocksPerRead = 1_000n

/** The cursor is written with events, and at least this often without. */
const blocksPerCursor = 100n

export type Follower = {
  /** The block up to which everything is booked and on disk. */
  cursor(): bigint
  /** The block up to which the books in memory go: the cursor, or what is being written at this moment. */
  taken(): bigint
  /** Reads on until there is nothing new. */
  tick(): Promise<void>
  /** Resolves when a block is booked; rejects when the hub stops first. */
  reached(block: bigint): Promise<void>
  stop(): void
}

export type FollowerDeps = BookingDeps & {
  db: Database
  log: GroupLog
  chain: PublicClient
  deployment: Deployment
  confirmations: number
}

/** The block at the cursor is no longer on the chain: what was booked as final is not. */
export class DeepReorgError extends Error {}

export function createFollower(deps: FollowerDeps): Follower {
  const { db, log, chain, deployment, channels, confirmations } = deps
  const stored = cursorRows.get(db, 'cursor')
  let cursor = stored?.block ?? BigInt(deployment.startBlock) - 1n
  let taken = cursor
  let written = stored
  const waiting = new Set<{ block: bigint; done: () => void; failed: (error: Error) => void }>()

  return {
    cursor: () => cursor,
    taken: () => taken,
    async tick() {
      if (written) await assertOnChain(chain, written)
      const head = await chain.getBlockNumber({ cacheTime: 0 })
      const final = head - BigInt(confirmations)
      while (cursor < final) {
        const to = cursor + blocksPerRead < final ? cursor + blocksPerRead : final
        await bookRange(to)
        release()
      }
      await lookAhead(head)
    },
    reached(block) {
      if (cursor >= block) return Promise.resolve()
      return new Promise((done, failed) => waiting.add({ block, done, failed }))
    },
    stop() {
      for (const { failed } of waiting) failed(new Error('the hub is stopping'))
      waiting.clear()
    },
  }

  async function bookRange(to: bigint) {
    const events = await readEvents(chain, deployment, { from: cursor + 1n, to })
    const touched = touchedChannels(events, deps)
    const snapshots = await readChannels(chain, touched, {
      block: to,
      withdrawDelays: delaysOf(events),
    })
    const due = events.length > 0 || to - (written?.block ?? 0n) >= blocksPerCursor
    if (due) {
      const { hash } = await chain.getBlock({ blockNumber: to })
      const change = bookEvents(deps, events, snapshots)
      taken = to
      const next = { block: to, hash }
      await log.commit({
        ...change,
        rows: [...(change.rows ?? []), cursorRows.put('cursor', next)],
      })
      written = next
    }
    taken = to
    cursor = to
  }

  /** Withdrawals that are mined but not yet at policy depth lower escrowCap at once. */
  async function lookAhead(head: bigint) {
    const early = new Map<Hex, bigint>()
    if (cursor < head) {
      for (const event of await readEvents(chain, deployment, { from: cursor + 1n, to: head })) {
        if (event.kind === 'withdraw-initiated') early.set(event.channelId, event.amount)
      }
    }
    channels.setEarlyWithdrawals(early)
  }

  function release() {
    for (const waiter of waiting) {
      if (cursor < waiter.block) continue
      waiting.delete(waiter)
      waiter.done()
    }
  }

  /** The delays of known and of new channels, to say when a withdrawal can be finalised. */
  function delaysOf(events: Awaited<ReturnType<typeof readEvents>>) {
    const created = new Map<Hex, number>()
    for (const event of events) {
      if (event.kind === 'channel-created') created.set(event.channelId, event.config.withdrawDelay)
    }
    return (id: Hex) => channels.find(id)?.config.withdrawDelay ?? created.get(id) ?? 0
  }
}

async function readChannels(
  chain: PublicClient,
  touched: ReadonlyMap<Hex, Address>,
  { block, withdrawDelays }: { block: bigint; withdrawDelays: (id: Hex) => number },
): Promise<Map<Hex, ChannelOnChain>> {
  const read = [...touched].map(async ([id, address]): Promise<[Hex, ChannelOnChain]> => {
    const at = { address, abi: paymentChannelsAbi, args: [id], blockNumber: block } as const
    const [[balance, totalClaimed], [amount, initiatedAt], refundNonce] = await Promise.all([
      chain.readContract({ ...at, functionName: 'channels' }),
      chain.readContract({ ...at, functionName: 'pendingWithdrawals' }),
      chain.readContract({ ...at, functionName: 'refundNonce' }),
    ])
    const finalizeAfter = BigInt(initiatedAt + withdrawDelays(id))
    const pendingWithdrawal = initiatedAt > 0 ? { amount, finalizeAfter } : undefined
    return [id, { balance, totalClaimed, pendingWithdrawal, refundNonce }]
  })
  return new Map(await Promise.all(read))
}

async function assertOnChain(chain: PublicClient, { block, hash }: Cursor) {
  const found = await chain.getBlock({ blockNumber: block })
  if (found.hash !== hash) {
    throw new DeepReorgError(
      `block ${block} was ${hash} and is now ${found.hash}: a reorg deeper than the policy`,
    )
  }
}
