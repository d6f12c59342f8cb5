// The withdrawals that a tower has to be ahead of. The chain as it is now decides, never what an event said before: so a
// reorg, a repeated log, or a restart changes nothing, and a log that a node left out is made good by the next full look.

import type { Hex, PublicClient } from 'viem'
import { paymentChannelsAbi } from '#protocol/abi.ts'
import { larger, smaller } from '#protocol/amount.ts'
import type { Deployment } from '../chain/deployment.ts'
import type { CeilingProof } from '../channels/channel.ts'
import type { TowerRow } from './row.ts'
import { owedOn } from './row.ts'
import type { TowerStore } from './store.ts'

/** A claim that has to be mined before `finalizeAfter` (Unix seconds), up to `total`. */
export type DueClaim = {
  channelId: Hex
  config: TowerRow['config']
  proof: CeilingProof
  total: bigint
  finalizeAfter: bigint
}

export type Watch = {
  /** Hears of channels that are watched from now on, whose withdrawals may have begun long ago. */
  add(channelIds: readonly Hex[]): void
  /** Looks at the chain, and answers what has to be claimed now, the most urgent first. */
  look(): Promise<{ now: bigint; baseFee: bigint; due: DueClaim[] }>
  /** The newest block that was looked at. */
  block(): bigint
  /** How many withdrawals are under way. */
  pending(): number
}

/** How many blocks before the newest are read again each time, because a reorg may have changed them. */
const blocksReadAgain = 64n

const blocksPerRead = 1_000n

/** How many channels are asked for at once. */
const looksAtOnce = 500

/** A claim that is seen on the chain is looked at again after this long, because a reorg may undo it, in seconds. */
const lookAgainSeconds = 60n

export function createWatch({
  chain,
  deployment,
  store,
  marginSeconds,
  fullLookMs,
  now,
}: {
  chain: PublicClient
  deployment: Deployment
  store: Pick<TowerStore, 'get' | 'page'>
  /** How long before a withdrawal can be finalised its channel is claimed, in seconds. */
  marginSeconds: bigint
  /** How often every channel is looked at, whatever the logs say, in milliseconds. */
  fullLookMs: number
  now: () => number
}): Watch {
  /** Channels that may have a withdrawal under way, and when to look at them next, in Unix seconds. */
  const candidates = new Map<Hex, bigint>()
  let read: bigint | undefined
  let lookedAt: number | undefined

  return {
    add(channelIds) {
      for (const id of channelIds) candidates.set(id, 0n)
    },
    async look() {
      const { number, timestamp, baseFeePerGas } = await chain.getBlock()
      if (lookedAt === undefined || now() - lookedAt >= fullLookMs) await lookAtAll()
      await readLogs(number)
      // A chain that stands still says an old time; the block that goes on will say about this one.
      const time = larger(timestamp, BigInt(Math.floor(now() / 1_000)))
      const ids = [...candidates].flatMap(([id, at]) => (at <= time ? [id] : []))
      const due: DueClaim[] = []
      while (ids.length > 0) {
        const found = await Promise.all(ids.splice(0, looksAtOnce).map((id) => lookAt(id, time)))
        due.push(...found.filter((claim) => claim !== undefined))
      }
      due.sort((a, b) => Number(a.finalizeAfter - b.finalizeAfter))
      return { now: time, baseFee: baseFeePerGas ?? 0n, due }
    },
    block: () => read ?? 0n,
    pending: () => candidates.size,
  }

  async function lookAtAll() {
    const began = now()
    let page = await store.page(null)
    while (page.length > 0) {
      for (const { channelId } of page) addCandidate(channelId, 0n)
      page = await store.page(page.at(-1)?.channelId ?? null)
    }
    lookedAt = began
  }

  /** The first look was at every channel as it is now, so that logs count from there on. */
  async function readLogs(head: bigint) {
    let from = larger(0n, (read ?? head) - blocksReadAgain)
    while (from <= head) {
      const to = smaller(from + blocksPerRead, head)
      for (const { args } of await begun(from, to)) {
        const { channelId, finalizeAfter } = args
        if (channelId && finalizeAfter !== undefined && store.get(channelId))
          addCandidate(channelId, BigInt(finalizeAfter) - marginSeconds)
      }
      from = to + 1n
    }
    read = head
  }

  function begun(fromBlock: bigint, toBlock: bigint) {
    return chain.getContractEvents({
      address: deployment.channels,
      abi: paymentChannelsAbi,
      eventName: 'WithdrawInitiated',
      fromBlock,
      toBlock,
    })
  }

  function addCandidate(channelId: Hex, lookFrom: bigint) {
    if (!candidates.has(channelId)) candidates.set(channelId, lookFrom)
  }

  /** The claim that a channel needs now. One without a withdrawal is no candidate any more. */
  async function lookAt(channelId: Hex, time: bigint): Promise<DueClaim | undefined> {
    const at = { address: deployment.channels, abi: paymentChannelsAbi, args: [channelId] } as const
    const [[balance, totalClaimed], [amount, initiatedAt]] = await Promise.all([
      chain.readContract({ ...at, functionName: 'channels' }),
      chain.readContract({ ...at, functionName: 'pendingWithdrawals' }),
    ])
    const row = store.get(channelId)
    if (initiatedAt === 0 || !row) return void candidates.delete(channelId)
    const { config } = row
    const finalizeAfter = BigInt(initiatedAt + config.withdrawDelay)
    const begin = finalizeAfter - marginSeconds
    const owed = owedOn(row)
    const total = smaller(owed?.total ?? 0n, balance)
    const isAtRisk = total > totalClaimed && total > balance - amount
    if (owed && isAtRisk && begin <= time) {
      candidates.set(channelId, 0n)
      return { channelId, config, proof: owed.proof, total, finalizeAfter }
    }
    candidates.set(channelId, larger(begin, time + lookAgainSeconds))
    return undefined
  }
}
