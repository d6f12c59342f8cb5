// Everything that is signed, made by hand, so that a test can spoil any part of it.

import { randomBytes } from 'node:crypto'
import type { Address, Hex, PrivateKeyAccount } from 'viem'
import { bytesToHex } from 'viem'
import { createSiweMessage } from 'viem/siwe'
import type { ChannelConfig } from '#protocol/channel.ts'
import { channelId, channelsDomain, channelsDomainSeparator } from '#protocol/channel.ts'
import { creatorDomain, creatorTypes } from '#protocol/creator.ts'
import { depositNonce, receiveWithAuthorizationTypes, tokenDomain } from '#protocol/deposit.ts'
import type { DepositRequest, TipsRequest } from '#protocol/messages/tips.ts'
import { lowerCase } from '#protocol/signature.ts'
import type { Tip } from '#protocol/tip.ts'
import { tipsTotal, tipTo, tipVoucherTypes } from '#protocol/tip.ts'
import type { Answer } from './http.ts'
import { assertAnswer } from './http.ts'
import type { HubFixture } from './hub.ts'
import { newParty } from './hub.ts'

export const unit = 1_000_000n

export function randomHash(): Hex {
  return bytesToHex(randomBytes(32))
}

export function addressOf(account: PrivateKeyAccount): Address {
  return lowerCase(account.address)
}

/** A tip with a fresh ref. */
export function tipOf(to: PrivateKeyAccount | Address, amount: bigint): Tip {
  return { to: tipTo(typeof to === 'string' ? to : addressOf(to)), amount, ref: randomHash() }
}

/** The configuration that this hub gives credit on, with a fresh salt. */
export function configFor(
  { info, world }: HubFixture,
  payer: PrivateKeyAccount,
  changes: Partial<ChannelConfig> = {},
): ChannelConfig {
  return {
    payer: addressOf(payer),
    payerAuthorizer: addressOf(payer),
    receiver: info.receiver,
    receiverAuthorizer: info.receiverAuthorizer,
    token: world.token.address,
    withdrawDelay: info.withdrawDelay.minimum,
    salt: randomHash(),
    ...changes,
  }
}

/** The id of a channel on the hub's contract, or on another. */
export function channelIdOf(
  { info }: HubFixture,
  config: ChannelConfig,
  address: Address = info.channels.address,
): Hex {
  return channelId(config, channelsDomainSeparator({ chainId: info.chainId, address }))
}

/** What a voucher says, and under which domain and by whom it is signed when not by the rules. */
export type VoucherOrder = {
  channelId: Hex
  tips: readonly Tip[]
  /** The total of the tips, if not given. */
  maxClaimableAmount?: bigint
  by: PrivateKeyAccount
  chainId?: number
  contract?: Address
}

/** A signed basket as `POST /v1/tips` takes it. */
export async function signBasket(hub: HubFixture, order: VoucherOrder): Promise<TipsRequest> {
  const { channelId: id, by, chainId = hub.info.chainId } = order
  const tips = [...order.tips]
  const maxClaimableAmount = order.maxClaimableAmount ?? tipsTotal(tips)
  const signature = await by.signTypedData({
    domain: channelsDomain({ chainId, address: order.contract ?? hub.info.channels.address }),
    types: tipVoucherTypes,
    primaryType: 'TipVoucher',
    message: {
      channelId: id,
      maxClaimableAmount,
      tips: tips.map(({ to, amount, ref }) => ({ to, amount, ref })),
    },
  })
  return { channelId: id, maxClaimableAmount, tips, signature }
}

/** A signed deposit with the basket that pays for its relay, and what it is known by. */
export async function signDeposit(
  hub: HubFixture,
  {
    payer,
    amount,
    config = configFor(hub, payer),
    salt = BigInt(randomHash()),
    validAfter = 0n,
    validBefore = BigInt(Math.floor(Date.now() / 1_000) + 3_600),
    tips = [tipOf(hub.info.feeAccount, relayFeeOf(hub))],
    maxClaimableAmount,
  }: {
    payer: PrivateKeyAccount
    amount: bigint
    config?: ChannelConfig
    salt?: bigint
    validAfter?: bigint
    validBefore?: bigint
    tips?: readonly Tip[]
    maxClaimableAmount?: bigint
  },
): Promise<{ request: DepositRequest; depositId: Hex; channelId: Hex }> {
  const id = channelIdOf(hub, config)
  const nonce = depositNonce(id, salt)
  const signature = await payer.signTypedData({
    domain: tokenDomain(hub.world.token, hub.info.chainId),
    types: receiveWithAuthorizationTypes,
    primaryType: 'ReceiveWithAuthorization',
    message: {
      from: config.payer,
      to: hub.info.collectors.erc3009,
      value: amount,
      validAfter,
      validBefore,
      nonce,
    },
  })
  const { channelId: _named, ...basket } = await signBasket(hub, {
    channelId: id,
    tips,
    by: payer,
    ...(maxClaimableAmount === undefined ? {} : { maxClaimableAmount }),
  })
  const authorization = { validAfter, validBefore, salt, signature }
  return {
    request: { config, amount, authorization, basket },
    depositId: nonce,
    channelId: id,
  }
}

export function relayFeeOf({ info, world }: HubFixture): bigint {
  return info.tokens.find(({ address }) => address === world.token.address)?.relayFee ?? 0n
}

/** A creator's signed registration. */
export async function signRegistration(
  { info }: HubFixture,
  account: PrivateKeyAccount,
  { handle, displayName = handle }: { handle: string; displayName?: string },
) {
  const creator = { handle, account: addressOf(account), displayName }
  const signature = await account.signTypedData({
    domain: creatorDomain(info),
    types: creatorTypes,
    primaryType: 'Creator',
    message: creator,
  })
  return { ...creator, signature }
}

/** A wallet that can be tipped. */
export async function newCreator(hub: HubFixture, handle: string): Promise<PrivateKeyAccount> {
  const account = await newParty(hub)
  const body = await signRegistration(hub, account, { handle })
  assertAnswer(await hub.call({ path: '/v1/creators', body }), 201)
  return account
}

export type SignInChanges = {
  domain?: string
  uri?: string
  chainId?: number
  nonce?: string
  issuedAt?: Date
  expirationTime?: Date
  notBefore?: Date
  by?: PrivateKeyAccount
}

/** A signed EIP-4361 message for this hub, with a fresh nonce. */
export async function signInMessage(
  hub: HubFixture,
  account: PrivateKeyAccount,
  { by = account, ...changes }: SignInChanges = {},
): Promise<{ message: string; signature: Hex }> {
  const { origin, host } = new URL(hub.world.hub.url)
  const message = createSiweMessage({
    address: account.address,
    domain: host,
    uri: origin,
    chainId: hub.info.chainId,
    nonce: changes.nonce ?? (await newNonce(hub)),
    version: '1',
    issuedAt: new Date(),
    ...changes,
  })
  return { message, signature: await by.signMessage({ message }) }
}

export async function newNonce(hub: HubFixture): Promise<string> {
  const answer = await hub.call({ method: 'POST', path: '/v1/sessions/nonces' })
  return String(assertAnswer(answer, 201)['nonce'])
}

/** A bearer token of a wallet. */
export async function signIn(hub: HubFixture, account: PrivateKeyAccount): Promise<string> {
  const answer: Answer = await hub.call({
    path: '/v1/sessions',
    body: await signInMessage(hub, account),
  })
  return String(assertAnswer(answer, 201)['token'])
}
