// All channels that pay the hub's vault, in memory and on disk. The only place that changes a channel.

import assert from 'node:assert/strict'
import type { Address, Hex } from 'viem'
import { HubError } from '#protocol/errors.ts'
import type { ChannelAmounts, ChannelView } from '#protocol/messages/tips.ts'
import type { LateRow, LateRows } from '../store/late-rows.ts'
import { lateTips } from '../store/start-up.ts'
import type { Database, Row } from '../store/table.ts'
import { table } from '../store/table.ts'
import type { StoredTip } from '../store/tip-codec.ts'
import type { CeilingProof, Channel } from './channel.ts'
import { assertSound, channelAmounts, charge } from './channel.ts'

const channelRows = table<Channel>('channel')
/** The group up to which a channel's row held every tip when the chain took a claim back, and `charged` fell with it. */
const heldTips = table<bigint>('channel-held-tips')

export type ChannelRegistry = {
  find(id: Hex): Channel | undefined
  /** @throws HubError `unknown_channel` */
  get(id: Hex): Channel
  /** Takes over the next state of a channel; the row must be committed in the same tick. */
  update(channel: Channel): Row
  /** Rows that say so of channels whose `charged` falls in this group: it cannot tell any more which tips the row holds. */
  holdTips(ids: readonly Hex[], group: bigint): Row[]
  /** As `update`, when the tips of the same commit tell how the channel came there. */
  charge(channel: Channel): LateRow
  all(): Iterable<Channel>
  count(): number
  /** The channels of which more was accepted than is in escrow, because a deposit or more is not there any more. */
  overcharged(): Channel[]
  /** The channels of which an address is payer or payerAuthorizer, oldest first. */
  ofMember(address: Address): Channel[]
  amounts(channel: Channel): ChannelAmounts
  /** Sets money aside for a basket that comes with a deposit under way; it counts as held (R20). */
  reserve(id: Hex, amount: bigint): void
  /** Frees what was set aside; whoever is to use it must do so in the same tick. */
  release(id: Hex, amount: bigint): void
  /** Withdrawals seen at the head of the chain but not yet at policy depth, which count at once (R6). */
  setEarlyWithdrawals(amounts: ReadonlyMap<Hex, bigint>): void
  /** What of the balances gives no credit: deposits that still wait for blocks, refunds seen at the head (R6). */
  setUncounted(amounts: ReadonlyMap<Hex, bigint>): void
}

/**
 * Loads every channel, takes up the late tips that its row does not hold, and refuses one whose numbers contradict each
 * other.
 */
export async function loadChannels(db: Database, lateRows: LateRows): Promise<ChannelRegistry> {
  const channels = new Map<Hex, Channel>()
  const members = new Map<Address, Hex[]>()
  const addresses = new Map<Address, Address>()
  const lateOf = new Map<Hex, LateRow>()
  const reserved = new Map<Hex, bigint>()
  let early: ReadonlyMap<Hex, bigint> = new Map()
  let uncounted: ReadonlyMap<Hex, bigint> = new Map()
  for await (const { value } of channelRows.each(db)) remember(value)
  for await (const { tips } of lateTips(db)) for (const tip of tips) takeUp(tip)
  for (const channel of channels.values()) assertSound(channel)

  return {
    find: (id) => channels.get(id),
    get(id) {
      const channel = channels.get(id)
      if (!channel)
        throw new HubError('unknown_channel', `channel ${id} is not known here`, {
          values: { channelId: id },
        })
      return channel
    },
    update(channel) {
      remember(channel)
      return channelRows.putLater(channel.id, () => channels.get(channel.id) ?? channel)
    },
    holdTips: (ids, group) => ids.map((id) => heldTips.put(id, group)),
    charge: chargeLate,
    all: () => channels.values(),
    count: () => channels.size,
    overcharged: () => [...channels.values()].filter(({ charged, balance }) => charged > balance),
    ofMember: (address) =>
      [...(members.get(address) ?? [])].flatMap((id) => channels.get(id) ?? []),
    amounts(channel) {
      const { id } = channel
      const inAdvance = reserved.get(id)
      const notYet = uncounted.get(id)
      if (inAdvance === undefined && notYet === undefined)
        return channelAmounts(channel, early.get(id))
      const held = channel.held + (inAdvance ?? 0n)
      const balance = channel.balance - (notYet ?? 0n)
      return channelAmounts({ ...channel, held, balance }, early.get(id))
    },
    reserve(id, amount) {
      reserved.set(id, (reserved.get(id) ?? 0n) + amount)
    },
    release(id, amount) {
      const left = (reserved.get(id) ?? 0n) - amount
      assert.ok(left >= 0n, `channel ${id}: ${-left} more is released than was reserved`)
      if (left === 0n) reserved.delete(id)
      else reserved.set(id, left)
    },
    setEarlyWithdrawals(amounts) {
      early = amounts
    },
    setUncounted(amounts) {
      uncounted = amounts
    },
  }

  /**
   * Charges a tip that was committed after the channel’s row was written: `charged` never falls, so it tells which, unless a
   * reorg took a claim back. The tip of a stream is never among them, because the row is written in its own group.
   */
  function takeUp({ leaf, note }: StoredTip) {
    const channel = channels.get(leaf.channelId)
    assert.ok(channel, `channel ${leaf.channelId} has tips, but no row`)
    if (leaf.chargedAfter <= channel.charged) return
    if (leaf.group <= (heldTips.get(db, leaf.channelId) ?? 0n)) return
    const { maxClaimableAmount, tipsHash } = note
    const voucher = { maxClaimableAmount, tipsHash, signature: leaf.voucherSignature }
    const proof: CeilingProof = { kind: 'voucher', ...voucher }
    lateRows.replayed(chargeLate(charge(channel, { added: leaf.amount, proof })))
  }

  function chargeLate(channel: Channel): LateRow {
    channels.set(channel.id, channel)
    return rowOf(channel.id)
  }

  /** Made once for each channel that is charged: its key is long, and every tip names it. */
  function rowOf(id: Hex): LateRow {
    const known = lateOf.get(id)
    if (known) return known
    const row = {
      key: channelRows.keyOf(id),
      value: () => {
        const channel = channels.get(id)
        assert.ok(channel, `channel ${id} is gone`)
        return channelRows.row(id, channel).value
      },
    }
    lateOf.set(id, row)
    return row
  }

  function remember(channel: Channel) {
    channels.set(channel.id, channels.has(channel.id) ? channel : firstSeen(channel))
  }

  /** Hub and token are the same in nearly every channel, so their addresses are in memory once. */
  function firstSeen(channel: Channel): Channel {
    const { id, config } = channel
    const payer = config.payer
    const payerAuthorizer = config.payerAuthorizer === payer ? payer : config.payerAuthorizer
    for (const member of new Set([payer, payerAuthorizer])) {
      const ids = members.get(member)
      if (ids) ids.push(id)
      else members.set(member, [id])
    }
    const [receiver, receiverAuthorizer] = [once(config.receiver), once(config.receiverAuthorizer)]
    const own = {
      ...config,
      payerAuthorizer,
      receiver,
      receiverAuthorizer,
      token: once(config.token),
    }
    return { ...channel, contract: once(channel.contract), config: own }
  }

  function once(address: Address): Address {
    const known = addresses.get(address)
    if (known === undefined) addresses.set(address, address)
    return known ?? address
  }
}

/** Whether an address may read a channel and ask for its refund. */
export function isPayerSide({ config }: Channel, address: Address): boolean {
  return address === config.payer || address === config.payerAuthorizer
}

/** A channel as the payer side sees it. */
export function channelView(channel: Channel, amounts: ChannelAmounts): ChannelView {
  const { id, config, balance, totalClaimed, pendingWithdrawal, refundNonce, refusal } = channel
  return {
    channelId: id,
    config,
    balance,
    totalClaimed,
    pendingWithdrawal: pendingWithdrawal ?? null,
    refundNonce,
    amounts,
    refusal: refusal ?? null,
  }
}
