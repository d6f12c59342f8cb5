// The deposit collectors, from the prose of IDepositCollector and PROTOCOL.md, and Permit2 from its own documentation
// (docs.uniswap.org, Permit2, SignatureTransfer): a nonce works once and in any order, the deadline is the last second, the
// signature names token, amount, spender and witness.

import type { Address } from 'viem'
import type { ChannelConfig } from '#protocol/channel.ts'
import { depositNonce } from '#protocol/deposit.ts'
import { authorizationDigest, permit2Digest, permitDigest } from './authorization.ts'
import { idOf } from './sides.ts'
import {
  type Context,
  isKeySignature,
  isSignedBy,
  permitNonceOf,
  Refusal,
  type Setting,
  type Signature,
  transfer,
  transferFrom,
} from './state.ts'

/** The payer's leave to bring tokens, as one of the collectors takes it. */
export type Authority =
  | {
      kind: 'erc3009'
      validAfter: bigint
      validBefore: bigint
      salt: bigint
      signature: Signature
    }
  | {
      kind: 'permit2'
      nonce: bigint
      deadline: bigint
      signature: Signature
      permit: Permit | undefined
    }

/** An ERC-2612 permit toward Permit2. */
export type Permit = { value: bigint; deadline: bigint; signature: Signature }

/** What a collector is asked for. */
export type Collection = { config: ChannelConfig; amount: bigint; authority: Authority }

/** The collector that understands an authority. */
export function collectorOf({ kind }: Authority, { collectors }: Setting): Address {
  return collectors[kind]
}

/** Brings tokens, for the payment channels contract and nobody else. */
export function collect(context: Context, { config, amount, authority }: Collection): void {
  const { sender, setting } = context
  if (sender !== setting.channels) throw new Refusal('NotChannels', sender, setting.channels)
  switch (authority.kind) {
    case 'erc3009':
      collectErc3009(context, { config, amount, authority })
      break
    case 'permit2':
      collectPermit2(context, { config, amount, authority })
      break
  }
}

type Of<K extends Authority['kind']> = Omit<Collection, 'authority'> & {
  authority: Extract<Authority, { kind: K }>
}

function collectErc3009(context: Context, { config, amount, authority }: Of<'erc3009'>): void {
  const { state, setting, time } = context
  const { validAfter, validBefore, salt, signature } = authority
  const { payer, token } = config
  const nonce = depositNonce(idOf(context, config), salt)
  const to = setting.collectors.erc3009
  const digest = authorizationDigest(
    { from: payer, to, value: amount, validAfter, validBefore, nonce },
    setting.separators.token(token),
  )
  if (!isSignedBy(context, { signer: payer, digest, signature })) {
    throw new Refusal('ERC3009InvalidSignature')
  }
  if (time <= validAfter || time >= validBefore) {
    throw new Refusal('ERC3009InvalidAuthorizationTime', validAfter, validBefore)
  }
  const use = `${token}:${payer}:${nonce}`
  if (state.used.has(use)) throw new Refusal('ERC3009UsedAuthorization', payer, nonce)
  state.used.add(use)
  transfer(context, { token, from: payer, to: setting.channels, amount })
}

function collectPermit2(context: Context, { config, amount, authority }: Of<'permit2'>): void {
  const { state, setting, time } = context
  const { nonce, deadline, signature, permit } = authority
  const { payer, token } = config
  if (permit) usePermit(context, config, permit)
  if (time > deadline) throw new Refusal('SignatureExpired', deadline)
  const use = `permit2:${payer}:${nonce}`
  if (state.used.has(use)) throw new Refusal('InvalidNonce')
  state.used.add(use)
  const channelId = idOf(context, config)
  const spender = setting.collectors.permit2
  const digest = permit2Digest(
    { channelId, token, amount, spender, nonce, deadline },
    setting.separators.permit2,
  )
  requirePermit2Signature(context, { payer, digest, signature })
  try {
    transferFrom(context, {
      token,
      spender: setting.permit2,
      from: payer,
      to: setting.channels,
      amount,
    })
  } catch (cause) {
    // Permit2 says the same of everything that tokens refuse.
    if (cause instanceof Refusal) throw new Refusal('Error', 'TRANSFER_FROM_FAILED')
    throw cause
  }
}

/** Permit2 asks wallets; of keys it takes what ecrecover takes, which is a high s too. */
function requirePermit2Signature(
  context: Context,
  {
    payer,
    digest,
    signature,
  }: { payer: Address; digest: Signature['digest']; signature: Signature },
): void {
  if (context.setting.owners.has(payer)) {
    if (isSignedBy(context, { signer: payer, digest, signature })) return
    throw new Refusal('InvalidContractSignature')
  }
  const isRecoverable = signature.flaw === 'none' || signature.flaw === 'high s'
  if (!isRecoverable) throw new Refusal('InvalidSignature')
  if (isKeySignature({ signer: payer, digest, signature: { ...signature, flaw: 'none' } })) return
  throw new Refusal('InvalidSigner')
}

/** Allows Permit2 by the payer's ERC-2612 permit, if it is good; a bad one is let pass, since it may have been used before. */
function usePermit(context: Context, { payer, token }: ChannelConfig, permit: Permit): void {
  const { state, setting, time } = context
  const { value, deadline, signature } = permit
  const nonce = permitNonceOf(state, token, payer)
  const digest = permitDigest(
    { owner: payer, spender: setting.permit2, value, nonce, deadline },
    setting.separators.token(token),
  )
  if (time > deadline || !isKeySignature({ signer: payer, digest, signature })) return
  state.permitNonces.set(`${token}:${payer}`, nonce + 1n)
  state.allowances.set(`${token}:${payer}:${setting.permit2}`, value)
}
