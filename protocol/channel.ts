// A channel: one payer's deposit toward one receiver, named by the hash of its configuration.
// Source: x402 batch-settlement on EVM.

import type { Address, Hex } from 'viem'
import { domainSeparator } from 'viem'
import { keccak, layWords, typedDigest, typeHash } from './keccak.ts'

/** The shortest and longest withdraw delay that the contract takes, in seconds. */
export const withdrawDelayBounds = { minimum: 900, maximum: 2_592_000 } as const

export const channelConfigTypes = {
  ChannelConfig: [
    { name: 'payer', type: 'address' },
    { name: 'payerAuthorizer', type: 'address' },
    { name: 'receiver', type: 'address' },
    { name: 'receiverAuthorizer', type: 'address' },
    { name: 'token', type: 'address' },
    { name: 'withdrawDelay', type: 'uint40' },
    { name: 'salt', type: 'bytes32' },
  ],
} as const

/** What a channel id commits to. `withdrawDelay` is in seconds; `payerAuthorizer` signs the vouchers. */
export type ChannelConfig = {
  payer: Address
  payerAuthorizer: Address
  receiver: Address
  receiverAuthorizer: Address
  token: Address
  withdrawDelay: number
  salt: Hex
}

/** Where a channel lives: its id and every signature about it bind this chain and this contract. */
export type ChannelsContract = { chainId: number; address: Address }

/** The EIP-712 domain of vouchers, tip vouchers, refunds and claim batches. */
export function channelsDomain({ chainId, address }: ChannelsContract) {
  return {
    name: 'x402 Batch Settlement',
    version: '1',
    chainId,
    verifyingContract: address,
  } as const
}

/** The separator of {@link channelsDomain}, to be computed once per contract. */
export function channelsDomainSeparator(contract: ChannelsContract): Hex {
  return domainSeparator({ domain: channelsDomain(contract) })
}

const configTypeHash = typeHash(
  'ChannelConfig(address payer,address payerAuthorizer,address receiver,address receiverAuthorizer,address token,uint40 withdrawDelay,bytes32 salt)',
)

/** The id of the channel that `config` describes under a domain. */
export function channelId(config: ChannelConfig, separator: Hex): Hex {
  const structHash = keccak(
    layWords([
      configTypeHash,
      config.payer,
      config.payerAuthorizer,
      config.receiver,
      config.receiverAuthorizer,
      config.token,
      BigInt(config.withdrawDelay),
      config.salt,
    ]),
  )
  return typedDigest(separator, structHash)
}
