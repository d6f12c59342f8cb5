// Settlements that were sent: what each holds, which are on their way, and how they ended.

import type { Address, Hex, PublicClient, TransactionReceipt } from 'viem'
import { parseEventLogs } from 'viem'
import { paymentChannelsAbi } from '#protocol/abi.ts'
import type { GroupLog } from '../store/group-log.ts'
import type { Database } from '../store/table.ts'
import { sortable, table } from '../store/table.ts'
import type { Consequence } from './bookings.ts'
import type { Follower } from './follower.ts'
import type { ClaimReason } from './settlement-policy.ts'
import type { Transactions } from './transactions.ts'

export type Credit = { account: Address; amount: bigint }

/**
 * How many channels a settlement claims, for which reasons, what they add up to, and whom it credits. `transaction` is the hash
 * that was mined, or that it was sent with; `gasUsed` and `fee` (wei) are known at its end. `skipped` are channels that the
 * contract left out.
 */
export type Settlement = {
  transaction: Hex
  token: Address
  channels: number
  claimed: bigint
  credited: Credit[]
  reasons: { [R in ClaimReason]?: number }
  at: number
  state: 'sent' | 'done' | 'failed'
  gasUsed: bigint | null
  fee: bigint | null
  skipped: Hex[]
}

/** A settlement on its way: `done` resolves at its end, when it is booked. */
export type InFlight = { settlement: Settlement; channels: Hex[]; done: Promise<Settlement> }

/** Keys are times and hashes, so that the newest come last. */
const settlementRows = table<Settlement>('settlement')
/** The channels that each claims. */
const channelRows = table<Hex[]>('settlement-channels')
/** Those without an end. */
const openRows = table<true>('settlement-open')
/** Their keys, by the hash that each was first sent with. */
const keyByHash = table<string>('settlement-hash')

export type SettlementDraft = Pick<
  Settlement,
  'token' | 'channels' | 'claimed' | 'credited' | 'reasons'
>

export type Settlements = {
  /** Takes up what was on its way when the hub stopped, once. */
  resume(): Promise<void>
  send(
    draft: SettlementDraft,
    call: { channels: Hex[]; to: Address; data: Hex; deadline: number | undefined },
  ): Promise<InFlight>
  inFlight(): InFlight[]
  /** A settlement that a reorg takes back is on its way again, with what it claims and credits: its transaction is. */
  reversal: Consequence
  list(limit: number): Promise<Settlement[]>
}

export type SettlementDeps = {
  db: Database
  log: GroupLog
  chain: PublicClient
  transactions: Transactions
  follower: Follower
  now: () => number
  /** Runs work that outlives the request, again for as long as it fails. */
  background: (name: string, work: () => Promise<void>) => void
  /** Hears of each end. */
  onEnd: (settlement: Settlement) => void
}

export function createSettlements(deps: SettlementDeps): Settlements {
  const { db, transactions, now } = deps
  const flying = new Map<string, InFlight>()
  let resuming: Promise<void> | undefined

  return {
    resume() {
      resuming ??= takeUp()
      return resuming
    },
    async send(draft, { channels, to, data, deadline }) {
      const at = now()
      const { length: count } = draft.credited
      const purpose = `settle ${draft.channels} channels, credit ${count} accounts`
      const call = { to, data, purpose, ...(deadline === undefined ? {} : { deadline }) }
      const begun = { ...draft, at, state: 'sent', gasUsed: null, fee: null, skipped: [] } as const
      const transaction = await transactions.send(call, (hash) => {
        const place = placeOf(at, hash)
        const settlement: Settlement = { ...begun, skipped: [], transaction: hash }
        return [
          settlementRows.put(place, settlement),
          channelRows.put(place, channels),
          openRows.put(place, true),
          keyByHash.put(hash, place),
        ]
      })
      const settlement: Settlement = { ...begun, skipped: [], transaction }
      return follow(placeOf(at, transaction), settlement, channels)
    },
    inFlight: () => [...flying.values()],
    reversal(event) {
      const sent = transactions.firstHash(event.transaction)
      const place = sent === undefined ? undefined : keyByHash.get(db, sent)
      const ended = place === undefined ? undefined : settlementRows.get(db, place)
      if (place === undefined || ended === undefined || flying.has(place)) return {}
      const settlement: Settlement = {
        ...ended,
        state: 'sent',
        gasUsed: null,
        fee: null,
        skipped: [],
      }
      follow(place, settlement, channelRows.get(db, place) ?? [])
      return { rows: [settlementRows.put(place, settlement), openRows.put(place, true)] }
    },
    async list(limit) {
      return (await settlementRows.list(db, { limit, reverse: true })).map(({ value }) => value)
    },
  }

  async function takeUp() {
    for (const { key } of await openRows.list(db)) {
      const settlement = settlementRows.get(db, key)
      if (!settlement) throw new Error(`settlement ${key} is on its way but not there`)
      if (!flying.has(key)) follow(key, settlement, channelRows.get(db, key) ?? [])
    }
  }

  function follow(place: string, settlement: Settlement, channels: Hex[]): InFlight {
    const { promise, resolve, reject } = Promise.withResolvers<Settlement>()
    const flight = { settlement, channels, done: promise }
    promise.catch(() => undefined)
    flying.set(place, flight)
    deps.background(`settlement ${settlement.transaction}`, async () => {
      try {
        const ended = await finish(deps, place, settlement)
        flying.delete(place)
        resolve(ended)
        deps.onEnd(ended)
      } catch (cause) {
        reject(cause)
        throw cause
      }
    })
    return flight
  }
}

/** Waits for the end of a settlement and until it is booked. */
async function finish(
  { log, chain, transactions, follower }: SettlementDeps,
  place: string,
  settlement: Settlement,
): Promise<Settlement> {
  const { status, hash, blockNumber } = await transactions.mined(settlement.transaction)
  await follower.reached(blockNumber)
  const isMined = status === 'success' || status === 'reverted'
  const receipt = isMined ? await chain.getTransactionReceipt({ hash }) : undefined
  const ended: Settlement = {
    ...settlement,
    transaction: hash,
    state: status === 'success' ? 'done' : 'failed',
    gasUsed: receipt?.gasUsed ?? null,
    fee: receipt ? receipt.gasUsed * receipt.effectiveGasPrice : null,
    skipped: receipt ? skippedIn(receipt) : [],
  }
  await log.commit({ rows: [settlementRows.put(place, ended), openRows.remove(place)] })
  return ended
}

function skippedIn({ logs }: TransactionReceipt): Hex[] {
  const skipped = parseEventLogs({ abi: paymentChannelsAbi, eventName: 'ClaimSkipped', logs })
  return skipped.map(({ args }) => args.channelId)
}

function placeOf(at: number, hash: Hex): string {
  return `${sortable(at)}/${hash}`
}
