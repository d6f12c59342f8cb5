// Refunds: unspent money goes back to the payer by the receiver side's call. The amount is explicit and stays reserved in
// `held` until the chain has moved (R10).

import type { Address, Hex } from 'viem'
import { bytesToHex, encodeFunctionData } from 'viem'
import { hubAccountAbi, paymentChannelsAbi } from '#protocol/abi.ts'
import { HubError } from '#protocol/errors.ts'
import type { RefundView } from '#protocol/messages/tips.ts'
import { toJson } from '#protocol/messages/wire.ts'
import type { Consequence } from '../chain/bookings.ts'
import type { Follower } from '../chain/follower.ts'
import type { Transactions } from '../chain/transactions.ts'
import type { Change, GroupLog } from '../store/group-log.ts'
import type { Database } from '../store/table.ts'
import { table } from '../store/table.ts'
import type { Channel } from './channel.ts'
import { hold } from './channel.ts'
import type { ChannelRegistry } from './registry.ts'

const refundRows = table<RefundView>('refund')
/** The refund that a transaction ended, should a reorg take it back. */
const endedRows = table<Hex>('refund-ended')

const failures = {
  reverted: 'the transaction was reverted',
  cancelled: 'the transaction would have been reverted and was cancelled',
  displaced: 'another transaction took the place of this one',
} as const

export type Refunds = {
  /** Reserves and sends a refund of `amount`, or of all that is unspent. */
  start(channelId: Hex, amount: bigint | undefined): Promise<RefundView>
  /** @throws HubError `unknown_refund` */
  find(refundId: Hex): RefundView
  /** Ends a refund when its event is booked. */
  consequence: Consequence
  /** Reserves again what a reorg gave back: the transaction is mined once more, or refused. */
  reversal: Consequence
  /** Whether the money of a refund that was mined is still held for. */
  isHeldFor(refund: { channelId: Hex; transaction: Hex }): boolean
  /** Goes on with every refund that was under way when the hub stopped. */
  resume(): void
}

export type RefundDeps = {
  db: Database
  log: GroupLog
  channels: ChannelRegistry
  transactions: Transactions
  hubAccount: Address
  randomBytes: (count: number) => Uint8Array
  /** Refuses while money may not leave. */
  assertMoneyMayLeave: () => void
  follower: () => Follower
  background: (name: string, work: () => Promise<void>) => void
}

export async function loadRefunds(deps: RefundDeps): Promise<Refunds> {
  const { db, log, channels, background } = deps
  const rows = await refundRows.list(db)
  const active = new Map(
    rows.flatMap(({ key, value }) => (value.state === 'sending' ? [[key, value] as const] : [])),
  )

  return {
    async start(channelId, amount) {
      const channel = channels.get(channelId)
      deps.assertMoneyMayLeave()
      const refund = draft(deps, channel, amount)
      log.assertRoom()
      active.set(refund.refundId, refund)
      const held = channels.update(hold(channel, refund.amount))
      await log.commit({ rows: [held, refundRows.put(refund.refundId, refund)] })
      background(`refund ${refund.refundId}`, () => send(refund.refundId))
      return refund
    },
    find(refundId) {
      const refund = refundRows.get(db, refundId)
      if (!refund)
        throw new HubError('unknown_refund', `refund ${refundId} is not known here`, {
          values: { refundId },
        })
      return refund
    },
    consequence(event) {
      if (event.kind !== 'refunded') return {}
      const { transaction } = event
      const refund = [...active.values()].find((one) => isEnded(one, event))
      if (!refund) return {}
      const change = end({ ...refund, transaction, state: 'done' })
      const ended = endedRows.put(endKey(event), refund.refundId)
      return { ...change, rows: [...(change.rows ?? []), ended] }
    },
    reversal(event) {
      if (event.kind !== 'refunded') return {}
      const refundId = endedRows.get(db, endKey(event))
      const refund = refundId === undefined ? undefined : refundRows.get(db, refundId)
      if (refund?.state !== 'done') return {}
      const again: RefundView = { ...refund, state: 'sending' }
      active.set(refund.refundId, again)
      background(`refund ${refund.refundId}`, () => send(refund.refundId))
      return {
        rows: [
          channels.update(hold(channels.get(refund.channelId), refund.amount)),
          refundRows.put(refund.refundId, again),
          endedRows.remove(endKey(event)),
        ],
      }
    },
    isHeldFor: ({ channelId, transaction }) =>
      [...active.values()].some(
        (one) =>
          one.channelId === channelId &&
          one.transaction !== null &&
          nameOf(one.transaction) === nameOf(transaction),
      ),
    resume() {
      for (const refund of active.values())
        background(`refund ${refund.refundId}`, () => send(refund.refundId))
    },
  }

  function endKey({ channelId, transaction }: { channelId: Hex; transaction: Hex }) {
    return `${transaction}/${channelId}`
  }

  /** A transaction may have been replaced since: what was sent first is its name. One of another data directory has none here. */
  function nameOf(transaction: Hex): Hex {
    return deps.transactions.firstHash(transaction) ?? transaction
  }

  /** One whose transaction was sent in a time that the books lost is known by its channel and amount. */
  function isEnded(
    { channelId, transaction, amount }: RefundView,
    event: { channelId: Hex; transaction: Hex; amount: bigint },
  ): boolean {
    if (channelId !== event.channelId) return false
    if (!deps.transactions.isOurs(event.transaction)) return amount === event.amount
    return transaction !== null && nameOf(transaction) === nameOf(event.transaction)
  }

  /** Brings a refund to its end, from wherever it is. */
  async function send(refundId: Hex): Promise<void> {
    const refund = active.get(refundId)
    if (!refund) return
    const sent = refund.transaction ? refund : await submit(refund)
    if (!sent?.transaction) return
    const { status, blockNumber } = await deps.transactions.mined(sent.transaction)
    await deps.follower().reached(blockNumber)
    if (status !== 'success' && active.has(refundId)) await fail(sent, failures[status])
  }

  async function submit(refund: RefundView): Promise<RefundView | undefined> {
    const { contract, config } = channels.get(refund.channelId)
    const data = encodeFunctionData({
      abi: paymentChannelsAbi,
      functionName: 'refund',
      args: [config, refund.amount],
    })
    const run = encodeFunctionData({
      abi: hubAccountAbi,
      functionName: 'run',
      args: [[{ target: contract, data }]],
    })
    const call = { to: deps.hubAccount, data: run, purpose: `refund ${refund.refundId}` }
    try {
      let sent = refund
      await deps.transactions.send(call, (transaction) => {
        sent = { ...refund, transaction }
        active.set(refund.refundId, sent)
        return [refundRows.put(refund.refundId, sent)]
      })
      return sent
    } catch (cause) {
      if (!(cause instanceof HubError) || cause.code !== 'chain_refused') throw cause
      await fail(refund, cause.message)
      return undefined
    }
  }

  async function fail(refund: RefundView, failure: string) {
    await log.commit(end({ ...refund, state: 'failed', failure }))
  }

  /** Frees the reservation with the last word on the refund, in one change. */
  function end(refund: RefundView): Change {
    active.delete(refund.refundId)
    const channel = channels.get(refund.channelId)
    const { payer, payerAuthorizer } = channel.config
    return {
      rows: [
        channels.update(hold(channel, -refund.amount)),
        refundRows.put(refund.refundId, refund),
      ],
      events: [
        { audience: [...new Set([payer, payerAuthorizer])], type: 'refund', data: toJson(refund) },
      ],
    }
  }
}

/** A refund of `amount`, or of all that is unspent, that nothing was done for yet. */
function draft(
  { channels, randomBytes }: RefundDeps,
  channel: Channel,
  amount: bigint | undefined,
): RefundView {
  const { available } = channels.amounts(channel)
  if (available === 0n) {
    throw new HubError('nothing_to_refund', `channel ${channel.id} has nothing unspent`, {
      values: { available },
    })
  }
  if (amount !== undefined && amount > available) {
    const values = { amount, available }
    throw new HubError('refund_too_large', `${amount} is asked back, ${available} is unspent`, {
      values,
    })
  }
  const refundId = bytesToHex(randomBytes(32))
  return {
    refundId,
    channelId: channel.id,
    amount: amount ?? available,
    state: 'sending',
    transaction: null,
    failure: null,
  }
}
