// Who speaks for a channel, and what its claimed total means to its receiver.

import type { Address, Hex } from 'viem'
import { zeroAddress } from 'viem'
import { type ChannelConfig, channelId } from '#protocol/channel.ts'
import {
  type Context,
  channelOf,
  emit,
  isKeySignature,
  isSignedBy,
  Refusal,
  receiverOf,
  type Signature,
} from './state.ts'

export function idOf({ setting }: Pick<Context, 'setting'>, config: ChannelConfig): Hex {
  return channelId(config, setting.separators.channels)
}

export function requireReceiverSide({ sender }: Context, config: ChannelConfig): void {
  const { receiver, receiverAuthorizer } = config
  if (sender === receiver || sender === receiverAuthorizer) return
  throw new Refusal('NotReceiverSide', sender, receiver, receiverAuthorizer)
}

export function requirePayerSide(
  { sender }: Context,
  { payer, payerAuthorizer }: { payer: Address; payerAuthorizer: Address },
): void {
  if (sender === payer || sender === payerAuthorizer) return
  throw new Refusal('NotPayerSide', sender, payer, payerAuthorizer)
}

/** A voucher or a commitment is signed by the payer authorizer's key; where none is named by the payer (ERC-1271 too). */
export function requirePayerSignature(
  context: Context,
  config: ChannelConfig,
  { digest, signature }: { digest: Hex; signature: Signature },
): void {
  const byPayer = config.payerAuthorizer === zeroAddress
  const signer = byPayer ? config.payer : config.payerAuthorizer
  const isSigned = byPayer
    ? isSignedBy(context, { signer, digest, signature })
    : isKeySignature({ signer, digest, signature })
  if (!isSigned) throw new Refusal('InvalidVoucherSignature', idOf(context, config), signer)
}

/** Raises what was claimed in total, which was less. */
export function raiseClaimed(context: Context, config: ChannelConfig, total: bigint): void {
  const id = idOf(context, config)
  const channel = channelOf(context.state, id)
  const added = total - channel.claimed
  channel.claimed = total
  receiverOf(context.state, config.receiver, config.token).claimed += added
  emit(context, 'Claimed', id, context.sender, added, total)
}
