// What the contract tests share: one chain, its parties, a funded channel, and the signatures of each party.

import assert from 'node:assert/strict'
import { network } from 'hardhat'
import { type Address, concatHex, getAddress, type Hex, maxUint128, toHex } from 'viem'
import {
  generatePrivateKey,
  type HDAccount,
  type LocalAccount,
  mnemonicToAccount,
  privateKeyToAccount,
} from 'viem/accounts'
import { type ChannelConfig, channelsDomain } from '#protocol/channel.ts'
import { collectorData, depositNonce, receiveWithAuthorizationTypes } from '#protocol/deposit.ts'
import { packClaims } from '#protocol/packed-claim.ts'
import { type Tip, tipsHash, tipVoucherTypes } from '#protocol/tip.ts'
import { claimBatchTypes, refundTypes, voucherTypes } from '#protocol/voucher.ts'

export const { viem, networkHelpers } = await network.create()

export const day = 86_400
export const noTips: Hex = toHex(0, { size: 32 })
export const anyTips: readonly Tip[] = [
  { to: toHex(1, { size: 32 }), amount: 30n, ref: toHex(2, { size: 32 }) },
  { to: toHex(3, { size: 32 }), amount: 70n, ref: toHex(4, { size: 32 }) },
]

/** What a payer signed on a channel, and what is claimed of it. */
type Claim = { config: ChannelConfig; max: bigint; totalClaimed: bigint; signature: Hex }

/** The key behind the wallet client with this index: 0 payer, 1 receiver, 2 authorizer, 3 stranger. */
export function keyOf(addressIndex: number): HDAccount {
  return mnemonicToAccount('test test test test test test test test test test test junk', {
    addressIndex,
  })
}

/** Fails the test when a value is missing. */
export function present<T>(value: T | undefined): T {
  assert(value !== undefined)
  return value
}

/** A chain with the contracts and one channel of 1,000 base units, whose vouchers `voucherKey` signs. */
export async function openChannel() {
  const clients = await viem.getWalletClients()
  const parties = {
    payer: present(clients[0]),
    receiver: present(clients[1]),
    authorizer: present(clients[2]),
    stranger: present(clients[3]),
  }
  const voucherKey = privateKeyToAccount(generatePrivateKey())
  const token = await viem.deployContract('TestToken')
  const channels = await viem.deployContract('PaymentChannels')
  const collector = await viem.deployContract('Erc3009DepositCollector', [channels.address])
  const config: ChannelConfig = {
    payer: getAddress(parties.payer.account.address),
    payerAuthorizer: voucherKey.address,
    receiver: getAddress(parties.receiver.account.address),
    receiverAuthorizer: getAddress(parties.authorizer.account.address),
    token: getAddress(token.address),
    withdrawDelay: day,
    salt: toHex(1, { size: 32 }),
  }
  const channelId = await channels.read.getChannelId([config])
  const chain = await viem.getPublicClient()
  const domain = channelsDomain({ chainId: await chain.getChainId(), address: channels.address })
  await token.write.mint([config.payer, 1_000_000n])
  await token.write.approve([channels.address, maxUint128])
  await channels.write.depositDirect([config, 1_000n])
  return { ...parties, voucherKey, token, channels, collector, config, channelId, chain, domain }
}

export type Domain = ReturnType<typeof channelsDomain>

type Signer = Pick<LocalAccount, 'signTypedData'>

export function signVoucher(
  signer: Signer,
  domain: Domain,
  voucher: { channelId: Hex; maxClaimableAmount: bigint },
): Promise<Hex> {
  return signer.signTypedData({
    domain,
    types: voucherTypes,
    primaryType: 'Voucher',
    message: voucher,
  })
}

export function signTipVoucher(
  signer: Signer,
  domain: Domain,
  voucher: { channelId: Hex; maxClaimableAmount: bigint; tips: readonly Tip[] },
): Promise<Hex> {
  return signer.signTypedData({
    domain,
    types: tipVoucherTypes,
    primaryType: 'TipVoucher',
    message: voucher,
  })
}

export function signRefund(
  signer: Signer,
  domain: Domain,
  refund: { channelId: Hex; nonce: bigint; amount: bigint },
): Promise<Hex> {
  return signer.signTypedData({
    domain,
    types: refundTypes,
    primaryType: 'Refund',
    message: refund,
  })
}

export function signBatch(
  signer: Signer,
  domain: Domain,
  claims: readonly { channelId: Hex; maxClaimableAmount: bigint; totalClaimed: bigint }[],
): Promise<Hex> {
  return signer.signTypedData({
    domain,
    types: claimBatchTypes,
    primaryType: 'ClaimBatch',
    message: { claims },
  })
}

/** The rows of `claim`. */
export function claimRows(...claims: Claim[]) {
  return claims.map(({ config, max, totalClaimed, signature }) => ({
    voucher: { channel: config, maxClaimableAmount: max },
    signature,
    totalClaimed,
  }))
}

/** The rows of `claimPacked`. */
export function packedRows(...claims: (Claim & { tips?: readonly Tip[] })[]): Hex {
  return packClaims(
    claims.map(({ config, max, totalClaimed, signature, tips }) => ({
      payer: config.payer,
      payerAuthorizer: config.payerAuthorizer,
      maxClaimableAmount: max,
      claim: totalClaimed,
      salt: config.salt,
      tipsHash: tips ? tipsHash(tips) : noTips,
      signature,
    })),
  )
}

/** The arguments of `claimPacked` for channels that agree with `config`. */
export function packedArguments(config: ChannelConfig, rows: Hex) {
  const { receiver, receiverAuthorizer, token, withdrawDelay } = config
  return [receiver, receiverAuthorizer, token, withdrawDelay, rows] as const
}

/** The entries of `ClaimedPacked`. */
export function packedEntries(...entries: [channelId: Hex, totalClaimed: bigint][]): Hex {
  return concatHex(entries.flatMap(([id, total]) => [id, toHex(total, { size: 16 })]))
}

/** A payer's ERC-3009 authorization of a deposit and what the collector makes of it. */
export async function authorizeDeposit(
  signer: Signer,
  deposit: {
    token: { address: Address; chainId: number }
    from: Address
    collector: Address
    channelId: Hex
    amount: bigint
    validAfter?: bigint
    validBefore?: bigint
  },
): Promise<Hex> {
  const { from, collector, channelId, amount } = deposit
  const { validAfter = 0n, validBefore = 1n << 40n } = deposit
  const salt = 7n
  const signature = await signer.signTypedData({
    domain: {
      name: 'Jandon Test Dollar',
      version: '1',
      chainId: deposit.token.chainId,
      verifyingContract: deposit.token.address,
    },
    types: receiveWithAuthorizationTypes,
    primaryType: 'ReceiveWithAuthorization',
    message: {
      from,
      to: collector,
      value: amount,
      validAfter,
      validBefore,
      nonce: depositNonce(channelId, salt),
    },
  })
  return collectorData({ validAfter, validBefore, salt, signature })
}

/** Token balances in the order of the holders. */
export function balances(
  token: { read: { balanceOf: (args: readonly [Address]) => Promise<bigint> } },
  ...holders: Address[]
): Promise<bigint[]> {
  return Promise.all(holders.map((holder) => token.read.balanceOf([holder])))
}

/** By how much balances changed. */
export function difference(before: bigint[], after: bigint[]): bigint[] {
  return after.map((amount, index) => amount - present(before[index]))
}
