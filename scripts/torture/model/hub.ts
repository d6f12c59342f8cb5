// CreatorVault and HubAccount, from the prose of their interfaces.

import type { Address, Hex } from 'viem'
import { zeroAddress } from 'viem'
import { type Payment, paymentDigest } from './authorization.ts'
import { type ChannelsCall, callChannels, settleFor } from './channels.ts'
import { type Collection, collect, collectorOf } from './collectors.ts'
import {
  accountOf,
  type Context,
  emit,
  heldBy,
  isSignedBy,
  owedIn,
  Refusal,
  receiverOf,
  type Signature,
  transfer,
} from './state.ts'

/** What can be asked of CreatorVault. */
export type VaultCall =
  | {
      kind: 'credit'
      token: Address
      rows: { account: Address; credited: bigint }[]
      journal: Hex
    }
  | { kind: 'pay'; token: Address; to: Address; amount: bigint; memo: Hex }
  | { kind: 'payWithSignature'; payment: Payment; signature: Signature }
  | { kind: 'cancel'; nonce: bigint }

/** What can be asked of HubAccount, and a plain transfer of tokens to anyone. */
export type HubCall =
  | { kind: 'run'; calls: (ChannelsCall | VaultCall | TokenCall)[] }
  | { kind: 'setOperator'; operator: Address }
  | { kind: 'setClaimer'; claimer: Address; allowed: boolean }

export type TokenCall = { kind: 'transfer'; token: Address; to: Address; amount: bigint }

/** A collector that is called by somebody else than its payment channels contract. */
export type CollectorCall = { kind: 'collect' } & Collection

export type Call = ChannelsCall | VaultCall | HubCall | TokenCall | CollectorCall

const claimerFunctions: readonly Call['kind'][] = [
  'claim',
  'claimWithSignature',
  'claimPacked',
  'claimTicks',
  'settle',
]

/** Does one call, whoever is asked. Throws a {@link Refusal}, and may leave its state half changed when it does. */
export function callModel(context: Context, call: Call): void {
  switch (call.kind) {
    case 'credit':
      credit(context, call)
      break
    case 'pay':
      requirePayable(context, call)
      sendOut(context, { ...call, account: context.sender })
      break
    case 'payWithSignature':
      payWithSignature(context, call)
      break
    case 'cancel':
      useNonce(context, context.sender, call.nonce)
      emit(context, 'NonceCancelled', context.sender, call.nonce)
      break
    case 'run':
      run(context, call.calls)
      break
    case 'setOperator':
      requireAdmin(context)
      emit(context, 'OperatorChanged', context.state.operator, call.operator)
      context.state.operator = call.operator
      break
    case 'setClaimer':
      requireAdmin(context)
      if (call.allowed) context.state.claimers.add(call.claimer)
      else context.state.claimers.delete(call.claimer)
      emit(context, 'ClaimerChanged', call.claimer, call.allowed)
      break
    case 'transfer':
      transfer(context, { ...call, from: context.sender })
      break
    case 'collect':
      collect(context, call)
      break
    case 'depositDirect':
    case 'deposit':
    case 'claim':
    case 'claimWithSignature':
    case 'claimPacked':
    case 'claimTicks':
    case 'settle':
    case 'initiateWithdraw':
    case 'finalizeWithdraw':
    case 'refund':
    case 'refundWithSignature':
      callChannels(context, call)
      break
  }
}

/** Whom a call is made to. */
export function targetOf(call: Call, setting: Context['setting']): Address {
  const { channels, vault, hub } = setting
  switch (call.kind) {
    case 'credit':
    case 'pay':
    case 'payWithSignature':
    case 'cancel':
      return vault
    case 'run':
    case 'setOperator':
    case 'setClaimer':
      return hub
    case 'transfer':
      return call.token
    case 'collect':
      return collectorOf(call.authority, setting)
    case 'depositDirect':
    case 'deposit':
    case 'claim':
    case 'claimWithSignature':
    case 'claimPacked':
    case 'claimTicks':
    case 'settle':
    case 'initiateWithdraw':
    case 'finalizeWithdraw':
    case 'refund':
    case 'refundWithSignature':
      return channels
  }
}

function run(context: Context, calls: (ChannelsCall | VaultCall | TokenCall)[]): void {
  const { state, setting, sender } = context
  const isOperator = sender === state.operator
  if (!isOperator && !state.claimers.has(sender)) throw new Refusal('NotOperatorOrClaimer', sender)
  for (const [index, call] of calls.entries()) {
    requireAllowed(setting, { call, index: BigInt(index), isOperator })
    try {
      callModel({ ...context, sender: setting.hub }, call)
    } catch (cause) {
      if (!(cause instanceof Refusal)) throw cause
      throw new Refusal('CallFailed', BigInt(index), cause.said)
    }
  }
}

/** The operator may call the channels and the vault, a claimer the functions that move money to the receiver. */
function requireAllowed(
  setting: Context['setting'],
  { call, index, isOperator }: { call: Call; index: bigint; isOperator: boolean },
): void {
  const target = targetOf(call, setting)
  const isTarget = target === setting.channels || (isOperator && target === setting.vault)
  if (!isTarget) throw new Refusal('TargetNotAllowed', index, target)
  if (isOperator || claimerFunctions.includes(call.kind)) return
  throw new Refusal('SelectorNotAllowed', index, call.kind)
}

function credit(context: Context, call: Extract<VaultCall, { kind: 'credit' }>): void {
  const { state, setting, sender } = context
  if (sender !== setting.hub) throw new Refusal('NotHub', sender, setting.hub)
  const totals = receiverOf(state, setting.vault, call.token)
  if (totals.claimed > totals.settled) settleFor(context, setting.vault, call.token)

  const owedBefore = owedIn(state, call.token)
  for (const [index, { account, credited }] of call.rows.entries()) {
    if (account === zeroAddress || account === setting.vault) {
      throw new Refusal('AccountNotPayable', BigInt(index), account)
    }
    const of = accountOf(state, call.token, account)
    if (credited > of.credited) of.credited = credited
  }
  const owed = owedIn(state, call.token)
  const held = heldBy(state, call.token, setting.vault)
  if (owed > held) throw new Refusal('OwedAboveHeld', call.token, owed, held)
  emit(context, 'Journal', call.journal, call.token, owed - owedBefore, owed)
}

function payWithSignature(
  context: Context,
  { payment, signature }: Extract<VaultCall, { kind: 'payWithSignature' }>,
): void {
  requirePayable(context, payment)
  const { account, nonce, deadline } = payment
  if (context.time > deadline) throw new Refusal('PaymentExpired', deadline, context.time)
  useNonce(context, account, nonce)
  const digest = paymentDigest(payment, context.setting.separators.vault)
  if (!isSignedBy(context, { signer: account, digest, signature })) {
    throw new Refusal('InvalidPaymentSignature', account, digest)
  }
  sendOut(context, payment)
}

function useNonce({ state }: Context, account: Address, nonce: bigint): void {
  const use = `${account}:${nonce}`
  if (state.used.has(use)) throw new Refusal('NonceAlreadyUsed', account, nonce)
  state.used.add(use)
}

function requirePayable(
  { setting }: Context,
  { to, amount }: { to: Address; amount: bigint },
): void {
  if (amount === 0n) throw new Refusal('ZeroAmount')
  if (to === zeroAddress || to === setting.vault) throw new Refusal('InvalidRecipient', to)
}

function sendOut(
  context: Context,
  payment: { account: Address; token: Address; to: Address; amount: bigint; memo: Hex },
): void {
  const { account, token, to, amount, memo } = payment
  const totals = accountOf(context.state, token, account)
  const available = totals.credited - totals.paid
  if (amount > available) {
    throw new Refusal('InsufficientCredit', token, account, amount, available)
  }
  totals.paid += amount
  emit(context, 'Paid', token, account, to, amount, totals.paid, memo)
  transfer(context, { token, from: context.setting.vault, to, amount })
}

function requireAdmin({ sender, setting }: Context): void {
  if (sender !== setting.admin) throw new Refusal('NotAdmin', sender, setting.admin)
}
