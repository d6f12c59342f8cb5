// A channel as the hub knows it, and what can happen to it. Pure: every transition returns the next channel.

import assert from 'node:assert/strict'
import type { Address, Hex } from 'viem'
import { larger, smaller } from '#protocol/amount.ts'
import type { ChannelConfig } from '#protocol/channel.ts'
import type { ErrorCode } from '#protocol/errors.ts'
import { HubError } from '#protocol/errors.ts'
import type { ChannelAmounts } from '#protocol/messages/tips.ts'
import type { TickCommitment, Ticks } from '#protocol/tick.ts'

/** The signature behind the ceiling: what a claim has to show. `maxClaimableAmount` is what it makes claimable in all. */
export type CeilingProof = VoucherProof | TicksProof

/** A tip voucher over tips that hash to `tipsHash`. */
export type VoucherProof = {
  kind: 'voucher'
  maxClaimableAmount: bigint
  tipsHash: Hex
  signature: Hex
}

/** A commitment, and the preimage for so many of its ticks. */
export type TicksProof = Ticks & {
  kind: 'ticks'
  maxClaimableAmount: bigint
  commitment: TickCommitment
  signature: Hex
}

/** A withdrawal that the payer side has begun. `finalizeAfter` is in Unix seconds. */
export type PendingWithdrawal = { amount: bigint; finalizeAfter: bigint }

/** The chain's word on a channel at one block, amounts in base units. */
export type ChannelOnChain = {
  balance: bigint
  totalClaimed: bigint
  pendingWithdrawal: PendingWithdrawal | undefined
  refundNonce: bigint
}

export type Channel = ChannelOnChain & {
  id: Hex
  contract: Address
  config: ChannelConfig
  refusal: ErrorCode | undefined
  proof: CeilingProof | undefined
  charged: bigint
  /** What of `charged` no known tip explains: it was claimed on chain above what the books knew. */
  unexplained: bigint
  held: bigint
}

/** What a hub asks of a channel before it gives credit on it (R7). Delays in seconds. */
export type ChannelTerms = {
  /** The one contract that the hub claims tip vouchers on. */
  contract: Address
  receiver: Address
  receiverAuthorizer: Address
  tokens: readonly Address[]
  withdrawDelay: { minimum: number; maximum: number }
}

const zeroAddress = `0x${'00'.repeat(20)}`

/** Why the hub gives no credit on channels with this configuration, or `undefined`. */
export function configRefusal(config: ChannelConfig, terms: ChannelTerms): ErrorCode | undefined {
  if (config.payerAuthorizer === zeroAddress) return 'authorizer_required'
  if (config.receiver !== terms.receiver) return 'wrong_receiver'
  if (config.receiverAuthorizer !== terms.receiverAuthorizer) return 'wrong_receiver_authorizer'
  if (!terms.tokens.includes(config.token)) return 'token_not_listed'
  const { minimum, maximum } = terms.withdrawDelay
  if (config.withdrawDelay < minimum || config.withdrawDelay > maximum)
    return 'withdraw_delay_out_of_range'
  return undefined
}

/** A channel of which nothing is known but its configuration. One that cannot be claimed on gets no credit. */
export function newChannel(
  id: Hex,
  { config, contract, terms }: { config: ChannelConfig; contract: Address; terms: ChannelTerms },
): Channel {
  return {
    id,
    contract,
    config,
    refusal: contract === terms.contract ? configRefusal(config, terms) : 'unknown_channel',
    balance: 0n,
    totalClaimed: 0n,
    pendingWithdrawal: undefined,
    refundNonce: 0n,
    proof: undefined,
    charged: 0n,
    unexplained: 0n,
    held: 0n,
  }
}

/** Deposited and not on its way out: the balance less the pending withdrawal, seen or about to be (R6). */
export function escrowCap({ balance, pendingWithdrawal }: Channel, earlyWithdrawal = 0n): bigint {
  const known = pendingWithdrawal?.amount ?? 0n
  const leaving = larger(known, earlyWithdrawal)
  return balance > leaving ? balance - leaving : 0n
}

/** The amounts that the rule for money compares, and what a new basket could at most be. */
export function channelAmounts(channel: Channel, earlyWithdrawal = 0n): ChannelAmounts {
  const cap = escrowCap(channel, earlyWithdrawal)
  const used = channel.charged + channel.held
  return {
    ceiling: channel.proof?.maxClaimableAmount ?? 0n,
    charged: channel.charged,
    held: channel.held,
    escrowCap: cap,
    available: cap > used ? cap - used : 0n,
  }
}

/**
 * The one rule for money (R1): `charged + held + added ≤ min(max(ceiling, offered), escrowCap)`.
 *
 * @throws HubError `deposit_exceeded` or `ceiling_too_low`, with every amount that was compared.
 */
export function assertCovered(
  amounts: ChannelAmounts,
  { added, offered }: { added: bigint; offered: bigint },
) {
  const needed = amounts.charged + amounts.held + added
  const values = { ...amounts, new: added, needed }
  if (needed > amounts.escrowCap) {
    throw new HubError(
      'deposit_exceeded',
      `${added} more does not fit into the ${amounts.available} available`,
      { values },
    )
  }
  const ceiling = larger(offered, amounts.ceiling)
  if (needed > ceiling) {
    throw new HubError(
      'ceiling_too_low',
      `the voucher allows ${ceiling}, charged and new come to ${needed}`,
      { values },
    )
  }
}

/** Charges a basket that is covered, and keeps its voucher if it is the highest so far. */
export function charge(
  channel: Channel,
  { added, proof }: { added: bigint; proof: CeilingProof },
): Channel {
  const next = { ...raiseCeiling(channel, proof), charged: channel.charged + added }
  assertOrder(channel, next)
  return next
}

/** Takes `amount` of what was claimed above the books as explained by tips that came to light. */
export function explain(
  channel: Channel,
  { amount, proof }: { amount: bigint; proof: CeilingProof },
): Channel {
  const unexplained = channel.unexplained - amount
  assert.ok(unexplained >= 0n, `channel ${channel.id}: unexplained would be ${unexplained}`)
  return { ...raiseCeiling(channel, proof), unexplained }
}

/** Reserves money for a refund (R10), or frees it with a negative amount. */
export function hold(channel: Channel, amount: bigint): Channel {
  const next = { ...channel, held: channel.held + amount }
  assert.ok(next.held >= 0n, `channel ${channel.id}: held would be ${next.held}`)
  return next
}

/** Takes over what the chain says. A claim above what was charged (a stolen key) raises charged with it. */
export function observe(channel: Channel, seen: ChannelOnChain): Channel {
  const charged = larger(seen.totalClaimed, channel.charged)
  const unexplained = channel.unexplained + charged - channel.charged
  const next = { ...channel, ...seen, charged, unexplained }
  assert.ok(next.totalClaimed >= channel.totalClaimed, `channel ${channel.id}: totalClaimed fell`)
  return next
}

/**
 * Goes back to what the chain said before a block that it took back. `foreign` was charged by a claim in that block that no tip
 * explained; what of it has come to light since stays charged. Accepted tips stay, whatever is left in escrow for them.
 */
export function takeBack(
  channel: Channel,
  { before, foreign }: { before: ChannelOnChain; foreign: bigint },
): Channel {
  const unclaimed = smaller(foreign, channel.unexplained)
  return {
    ...channel,
    ...before,
    charged: channel.charged - unclaimed,
    unexplained: channel.unexplained - unclaimed,
  }
}

/** Refuses a channel whose numbers contradict each other: monotonic amounts are checked on write and on load. */
export function assertSound({ id, charged, totalClaimed, held, balance }: Channel) {
  assert.ok(held >= 0n && totalClaimed >= 0n, `channel ${id}: negative amount`)
  assert.ok(
    totalClaimed <= charged,
    `channel ${id}: claimed ${totalClaimed} above charged ${charged}`,
  )
  assert.ok(
    totalClaimed <= balance,
    `channel ${id}: claimed ${totalClaimed} above balance ${balance}`,
  )
}

function raiseCeiling(channel: Channel, proof: CeilingProof): Channel {
  const raised = proof.maxClaimableAmount > (channel.proof?.maxClaimableAmount ?? 0n)
  return raised ? { ...channel, proof } : channel
}

function assertOrder(before: Channel, after: Channel) {
  assert.ok(after.charged >= before.charged, `channel ${before.id}: charged fell`)
  const ceiling = after.proof?.maxClaimableAmount ?? 0n
  assert.ok(
    ceiling >= (before.proof?.maxClaimableAmount ?? 0n),
    `channel ${before.id}: ceiling fell`,
  )
  assert.ok(
    after.charged <= ceiling,
    `channel ${before.id}: charged ${after.charged} above ceiling ${ceiling}`,
  )
}
