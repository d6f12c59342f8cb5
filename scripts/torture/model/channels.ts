// PaymentChannels, from the prose of IPaymentChannels.

import type { Address, Hex } from 'viem'
import { zeroAddress, zeroHash } from 'viem'
import { type ChannelConfig, channelId, withdrawDelayBounds } from '#protocol/channel.ts'
import { tipVoucherDigest } from '#protocol/tip.ts'
import { claimBatchDigest, refundDigest, voucherDigest } from '#protocol/voucher.ts'
import { type Authority, collect } from './collectors.ts'
import {
  idOf,
  raiseClaimed,
  requirePayerSide,
  requirePayerSignature,
  requireReceiverSide,
} from './sides.ts'
import {
  type Channel,
  type Context,
  channelOf,
  emit,
  heldBy,
  isKeySignature,
  isSignedBy,
  least,
  Refusal,
  receiverOf,
  type Signature,
  transfer,
  transferFrom,
} from './state.ts'
import { claimTicks, type TickClaim } from './ticks.ts'

/** A row of `claim`. */
export type ClaimRow = {
  config: ChannelConfig
  max: bigint
  total: bigint
  signature: Signature
}

/** A row of `claimPacked`; its receiver side, token and delay are the call's. */
export type PackedRow = ClaimRow & { tipsHash: Hex }

/** What can be asked of PaymentChannels. */
export type ChannelsCall =
  | { kind: 'depositDirect'; config: ChannelConfig; amount: bigint }
  | {
      kind: 'deposit'
      config: ChannelConfig
      amount: bigint
      /** Whether the collector that understands the authority is named, or none. */
      isCollectorNamed: boolean
      authority: Authority
    }
  | { kind: 'claim'; rows: ClaimRow[] }
  | { kind: 'claimWithSignature'; rows: ClaimRow[]; signature: Signature }
  | { kind: 'claimPacked'; shared: ChannelConfig; rows: PackedRow[]; isCut: boolean }
  | ({ kind: 'claimTicks' } & TickClaim)
  | { kind: 'settle'; receiver: Address; token: Address }
  | { kind: 'initiateWithdraw'; config: ChannelConfig; amount: bigint }
  | { kind: 'finalizeWithdraw'; config: ChannelConfig }
  | { kind: 'refund'; config: ChannelConfig; amount: bigint }
  | {
      kind: 'refundWithSignature'
      config: ChannelConfig
      amount: bigint
      nonce: bigint
      signature: Signature
    }

export function callChannels(context: Context, call: ChannelsCall): void {
  switch (call.kind) {
    case 'depositDirect':
      depositDirect(context, call)
      break
    case 'deposit':
      deposit(context, call)
      break
    case 'claim':
      claim(context, call.rows)
      break
    case 'claimWithSignature':
      claimWithSignature(context, call)
      break
    case 'claimPacked':
      claimPacked(context, call)
      break
    case 'claimTicks':
      claimTicks(context, call)
      break
    case 'settle':
      settle(context, call)
      break
    case 'initiateWithdraw':
      initiateWithdraw(context, call)
      break
    case 'finalizeWithdraw':
      finalizeWithdraw(context, call.config)
      break
    case 'refund':
      requireReceiverSide(context, call.config)
      if (call.amount === 0n) throw new Refusal('ZeroAmount')
      refund(context, call)
      break
    case 'refundWithSignature':
      refundWithSignature(context, call)
      break
  }
}

type Call<K extends ChannelsCall['kind']> = Extract<ChannelsCall, { kind: K }>

function depositDirect(context: Context, { config, amount }: Call<'depositDirect'>): void {
  requireDeposit(config, amount)
  addBalance(context, config, amount)
  const { sender, setting } = context
  const { channels } = setting
  const { token } = config
  transferFrom(context, { token, spender: channels, from: sender, to: channels, amount })
}

function deposit(context: Context, call: Call<'deposit'>): void {
  const { config, amount } = call
  requireDeposit(config, amount)
  if (!call.isCollectorNamed) throw new Refusal('ZeroCollector')
  addBalance(context, config, amount)
  collect({ ...context, sender: context.setting.channels }, call)
}

function requireDeposit(config: ChannelConfig, amount: bigint): void {
  if (config.payer === zeroAddress) throw new Refusal('ZeroPayer')
  if (config.receiver === zeroAddress) throw new Refusal('ZeroReceiver')
  if (config.receiverAuthorizer === zeroAddress) throw new Refusal('ZeroReceiverAuthorizer')
  if (config.token === zeroAddress) throw new Refusal('ZeroToken')
  const { minimum, maximum } = withdrawDelayBounds
  if (config.withdrawDelay < minimum || config.withdrawDelay > maximum) {
    throw new Refusal('WithdrawDelayOutOfRange', config.withdrawDelay)
  }
  if (amount === 0n) throw new Refusal('ZeroAmount')
}

function addBalance(context: Context, config: ChannelConfig, amount: bigint): void {
  const id = idOf(context, config)
  const channel = channelOf(context.state, id)
  if (channel.balance + amount >= 1n << 128n) {
    throw new Refusal('BalanceOverflow', id, channel.balance, amount)
  }
  if (isEmpty(channel)) emit(context, 'ChannelCreated', id, config)
  channel.balance += amount
  emit(context, 'Deposited', id, context.sender, amount, channel.balance)
}

function claim(context: Context, rows: ClaimRow[]): void {
  if (rows.length === 0) throw new Refusal('EmptyBatch')
  for (const row of rows) {
    requireReceiverSide(context, row.config)
    claimRow(context, row)
  }
}

function claimWithSignature(context: Context, call: Call<'claimWithSignature'>): void {
  const [first] = call.rows
  if (first === undefined) throw new Refusal('EmptyBatch')
  const signer = first.config.receiverAuthorizer
  for (const [index, { config }] of call.rows.entries()) {
    if (config.receiverAuthorizer === signer) continue
    throw new Refusal('MixedAuthorizers', BigInt(index), signer, config.receiverAuthorizer)
  }
  const digest = batchDigest(context, call.rows)
  if (!isSignedBy(context, { signer, digest, signature: call.signature })) {
    throw new Refusal('InvalidAuthorizerSignature', signer, digest)
  }
  for (const row of call.rows) claimRow(context, row)
}

/** What the receiver authorizer signs for a batch. */
export function batchDigest(context: Pick<Context, 'setting'>, rows: ClaimRow[]): Hex {
  return claimBatchDigest(
    rows.map(({ config, max, total }) => ({
      channelId: idOf(context, config),
      maxClaimableAmount: max,
      totalClaimed: total,
    })),
    context.setting.separators.channels,
  )
}

function claimRow(context: Context, { config, max, total, signature }: ClaimRow): void {
  const id = idOf(context, config)
  const channel = channelOf(context.state, id)
  if (total <= channel.claimed) return
  if (total > max) throw new Refusal('ClaimAboveMaximum', id, total, max)
  if (total > channel.balance) {
    throw new Refusal('ClaimAboveBalance', id, total, channel.balance)
  }
  const digest = voucherDigest(
    { channelId: id, maxClaimableAmount: max },
    context.setting.separators.channels,
  )
  requirePayerSignature(context, config, { digest, signature })
  raiseClaimed(context, config, total)
}

function claimPacked(context: Context, { shared, rows, isCut }: Call<'claimPacked'>): void {
  requireReceiverSide(context, shared)
  if (rows.length === 0) throw new Refusal('EmptyBatch')
  if (isCut) throw new Refusal('MalformedRows', BigInt(rows.length * 200 - 1))

  const claimed: { channelId: Hex; totalClaimed: bigint }[] = []
  for (const [index, row] of rows.entries()) {
    const id = idOf(context, row.config)
    const channel = channelOf(context.state, id)
    const verdict = packedVerdict(context, row, channel)
    if (verdict === undefined) continue
    if (typeof verdict === 'number') {
      emit(context, 'ClaimSkipped', id, BigInt(index), verdict)
      continue
    }
    receiverOf(context.state, shared.receiver, shared.token).claimed += verdict - channel.claimed
    channel.claimed = verdict
    claimed.push({ channelId: id, totalClaimed: verdict })
  }
  if (claimed.length === 0) return
  emit(context, 'ClaimedPacked', shared.receiver, shared.token, context.sender, claimed)
}

/** The new claimed total of a row, the number of the reason to skip it, or nothing when it adds nothing. */
function packedVerdict(
  { setting }: Context,
  { config, max, total, tipsHash, signature }: PackedRow,
  { balance, claimed }: Channel,
): bigint | number | undefined {
  if (config.payerAuthorizer === zeroAddress) return 0
  if (total > max) return 1
  if (balance === 0n) return 2
  const reached = least(total, balance)
  if (reached <= claimed) return undefined
  const id = channelId(config, setting.separators.channels)
  const voucher = { channelId: id, maxClaimableAmount: max }
  const digest =
    tipsHash === zeroHash
      ? voucherDigest(voucher, setting.separators.channels)
      : tipVoucherDigest({ ...voucher, tipsHash }, setting.separators.channels)
  return isKeySignature({ signer: config.payerAuthorizer, digest, signature }) ? reached : 3
}

function settle(context: Context, { receiver, token }: Call<'settle'>): void {
  const totals = receiverOf(context.state, receiver, token)
  const amount = totals.claimed - totals.settled
  if (amount === 0n) return
  totals.settled = totals.claimed
  emit(context, 'Settled', receiver, token, context.sender, amount)
  transfer(context, { token, from: context.setting.channels, to: receiver, amount })
}

/** Settles as part of another contract's call. */
export function settleFor(context: Context, receiver: Address, token: Address): void {
  settle({ ...context, sender: receiver }, { kind: 'settle', receiver, token })
}

function initiateWithdraw(context: Context, call: Call<'initiateWithdraw'>): void {
  const { config, amount } = call
  requirePayerSide(context, config)
  if (amount === 0n) throw new Refusal('ZeroAmount')
  const id = idOf(context, config)
  const channel = channelOf(context.state, id)
  if (channel.pending) {
    const { amount: pending, initiatedAt } = channel.pending
    throw new Refusal('WithdrawalPending', id, pending, initiatedAt)
  }
  const available = channel.balance - channel.claimed
  if (amount > available) throw new Refusal('WithdrawalAboveAvailable', id, amount, available)
  channel.pending = { amount, initiatedAt: context.time }
  emit(context, 'WithdrawInitiated', id, amount, context.time + BigInt(config.withdrawDelay))
}

function finalizeWithdraw(context: Context, config: ChannelConfig): void {
  requirePayerSide(context, config)
  const id = idOf(context, config)
  const channel = channelOf(context.state, id)
  if (!channel.pending) throw new Refusal('NoWithdrawalPending', id)
  const after = channel.pending.initiatedAt + BigInt(config.withdrawDelay)
  if (context.time < after) throw new Refusal('WithdrawalTooEarly', id, after, context.time)
  const available = channel.balance - channel.claimed
  const amount = least(channel.pending.amount, available)
  channel.pending = undefined
  channel.balance -= amount
  emit(context, 'WithdrawFinalized', id, context.sender, amount)
  if (isEmpty(channel)) emit(context, 'ChannelClosed', id, config)
  sendBack(context, config, amount)
}

function refundWithSignature(context: Context, call: Call<'refundWithSignature'>): void {
  const { config, amount, nonce, signature } = call
  if (amount === 0n) throw new Refusal('ZeroAmount')
  const id = idOf(context, config)
  const expected = channelOf(context.state, id).nonce
  if (nonce !== expected) throw new Refusal('RefundNonceMismatch', id, expected, nonce)
  const digest = refundDigest({ channelId: id, nonce, amount }, context.setting.separators.channels)
  const signer = config.receiverAuthorizer
  if (!isSignedBy(context, { signer, digest, signature })) {
    throw new Refusal('InvalidAuthorizerSignature', signer, digest)
  }
  refund(context, call)
}

function refund(
  context: Context,
  { config, amount: most }: { config: ChannelConfig; amount: bigint },
): void {
  const id = idOf(context, config)
  const channel = channelOf(context.state, id)
  channel.nonce += 1n
  const available = channel.balance - channel.claimed
  const amount = least(most, available)
  if (amount === 0n) return
  channel.balance -= amount
  if (channel.pending) {
    const left = channel.pending.amount - amount
    channel.pending = left > 0n ? { ...channel.pending, amount: left } : undefined
  }
  emit(context, 'Refunded', id, context.sender, amount)
  if (isEmpty(channel)) emit(context, 'ChannelClosed', id, config)
  sendBack(context, config, amount)
}

function sendBack(context: Context, { token, payer }: ChannelConfig, amount: bigint): void {
  if (heldBy(context.state, token, context.setting.channels) < amount) {
    throw new Error(`the model owes ${amount} that it does not hold`)
  }
  transfer(context, { token, from: context.setting.channels, to: payer, amount })
}

/** A channel that never paid and holds nothing is as good as never opened. */
function isEmpty({ balance, claimed }: Channel): boolean {
  return balance === 0n && claimed === 0n
}
