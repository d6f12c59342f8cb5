// Putting money in without gas: the payer signs, the hub relays, and the bundled basket pays the relay fee.

import type { Address, Hex } from 'viem'
import { bytesToBigInt } from 'viem'
import type { ChannelConfig } from '#protocol/channel.ts'
import { channelId, channelsDomainSeparator, withdrawDelayBounds } from '#protocol/channel.ts'
import { depositNonce, receiveWithAuthorizationTypes, tokenDomain } from '#protocol/deposit.ts'
import type { HubInfo, TokenInfo } from '#protocol/messages/hub.ts'
import type { DepositRequest } from '#protocol/messages/tips.ts'
import { lowerCase } from '#protocol/signature.ts'
import { tipsTotal } from '#protocol/tip.ts'
import { makeTip, signBasket } from './baskets.ts'
import { findOpenChannel, requireChannel, saveChannel } from './channels.ts'
import type { Context } from './context.ts'
import { connect, randomHash, tokenOf } from './context.ts'
import type { Resumed } from './delivery.ts'
import { deliver, resumeFirst } from './delivery.ts'
import { ClientError } from './errors.ts'
import type { ChannelRecord, HubPin } from './records.ts'
import type { DepositStep } from './sending.ts'

/** `deposit` and `maxRelayFee` in base units; without `maxRelayFee` a tenth of the deposit is the most that is paid. */
export type DepositOrder = {
  deposit: bigint
  token?: Address | undefined
  maxRelayFee?: bigint | undefined
  onProgress?: ((step: DepositStep) => void) | undefined
}

/** A deposit that is in: `relayFee` of it is spent already. Base units. */
export type Deposited = {
  channelId: Hex
  token: TokenInfo
  deposit: bigint
  relayFee: bigint
  basketId: Hex
}

const authorizationSeconds = 3_600

/**
 * Opens a channel with a first deposit.
 *
 * Throws `channel_exists` when one is open in this token. An opening that was begun earlier is finished instead.
 */
export async function openChannel(context: Context, order: DepositOrder): Promise<Deposited> {
  const { info, wallet } = await connect(context)
  const token = tokenOf(info, order.token)
  const resumed = await resumeFirst(context, order.onProgress)
  if (resumed?.deposit) return depositedBy(info, resumed)
  const open = await findOpenChannel(context, token)
  if (open) {
    throw new ClientError(
      'channel_exists',
      `channel ${open.channelId} is open in ${token.symbol} already`,
      { values: { channelId: open.channelId } },
    )
  }
  const config = newConfig(context, { info, token })
  const { chainId, channels: address } = wallet.hub
  const id = channelId(config, channelsDomainSeparator({ chainId, address }))
  const nothing = { charged: 0n, proven: 0n, signed: 0n }
  return deposit(context, { channelId: id, config, status: 'opening', ...nothing }, order)
}

/** Adds to the open channel of a token. Throws `no_channel` when there is none. */
export async function topUp(context: Context, order: DepositOrder): Promise<Deposited> {
  const { info } = await connect(context)
  const resumed = await resumeFirst(context, order.onProgress)
  if (resumed?.deposit?.amount === order.deposit) return depositedBy(info, resumed)
  const channel = await requireChannel(context, tokenOf(info, order.token))
  return deposit(context, channel, order)
}

async function deposit(
  context: Context,
  channel: ChannelRecord,
  order: DepositOrder,
): Promise<Deposited> {
  const { info, wallet } = await connect(context)
  const token = tokenOf(info, channel.config.token)
  const fee = relayFee(token, order)
  const tips = [{ name: null, tip: makeTip(context, info.feeAccount, { amount: fee }) }]
  const { hub } = wallet
  const basket = await signBasket(context, {
    hub,
    channel: { channelId: channel.channelId, base: channel.charged },
    tips,
  })
  const authorization = await authorize(context, { hub, token, channel, amount: order.deposit })
  const request = { config: channel.config, amount: order.deposit, authorization }
  await saveChannel(context, channel)
  const accepted = await deliver(context, {
    pending: { basket, deposit: request },
    uncertain: false,
    onProgress: order.onProgress,
  })
  return depositedBy(info, { ...accepted, deposit: request })
}

function depositedBy(info: HubInfo, { basket, deposit }: Resumed): Deposited {
  return {
    channelId: basket.channelId,
    token: tokenOf(info, deposit?.config.token),
    deposit: deposit?.amount ?? 0n,
    relayFee: tipsTotal(basket.tips),
    basketId: basket.basketId,
  }
}

/** A basket needs a tip of at least one unit, so that is what a hub without a relay fee gets. */
function relayFee(token: TokenInfo, { deposit, maxRelayFee }: DepositOrder): bigint {
  const fee = token.relayFee > 0n ? token.relayFee : 1n
  const most = maxRelayFee ?? deposit / 10n
  if (deposit <= 0n) throw new ClientError('invalid_amount', `a deposit of ${deposit} is none`)
  if (fee <= most || deposit < token.minimumDeposit) return fee
  throw new ClientError('fee_too_high', `the relay fee of ${fee} is above the allowed ${most}`, {
    values: { fee, most },
  })
}

/** A fresh salt makes a fresh channel: vouchers of an old one could revive with a new deposit under the old id. */
function newConfig(
  context: Context,
  { info, token }: { info: HubInfo; token: TokenInfo },
): ChannelConfig {
  const withdrawDelay = Math.max(info.withdrawDelay.minimum, withdrawDelayBounds.minimum)
  return {
    payer: lowerCase(context.account.address),
    payerAuthorizer: lowerCase(context.voucherKey.address),
    receiver: info.receiver,
    receiverAuthorizer: info.receiverAuthorizer,
    token: token.address,
    withdrawDelay,
    salt: randomHash(context),
  }
}

async function authorize(
  context: Context,
  {
    hub,
    token,
    channel,
    amount,
  }: { hub: HubPin; token: TokenInfo; channel: ChannelRecord; amount: bigint },
): Promise<DepositRequest['authorization']> {
  const salt = bytesToBigInt(context.random(32))
  const validAfter = 0n
  const validBefore = BigInt(Math.floor(context.now() / 1_000) + authorizationSeconds)
  const signature = await context.account.signTypedData({
    domain: tokenDomain(token, hub.chainId),
    types: receiveWithAuthorizationTypes,
    primaryType: 'ReceiveWithAuthorization',
    message: {
      from: context.account.address,
      to: hub.collector,
      value: amount,
      validAfter,
      validBefore,
      nonce: depositNonce(channel.channelId, salt),
    },
  })
  return { validAfter, validBefore, salt, signature: lowerCase(signature) }
}
