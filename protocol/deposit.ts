// A gasless deposit: the payer signs an ERC-3009 authorization, and whoever relays it pays the gas.

import type { Address, Hex } from 'viem'
import { encodeAbiParameters } from 'viem'
import { keccak, layWords } from './keccak.ts'

export const receiveWithAuthorizationTypes = {
  ReceiveWithAuthorization: [
    { name: 'from', type: 'address' },
    { name: 'to', type: 'address' },
    { name: 'value', type: 'uint256' },
    { name: 'validAfter', type: 'uint256' },
    { name: 'validBefore', type: 'uint256' },
    { name: 'nonce', type: 'bytes32' },
  ],
} as const

/** The payer's leave to pull tokens. Times are in Unix seconds; `salt` makes the nonce unique per deposit. */
export type DepositAuthorization = {
  validAfter: bigint
  validBefore: bigint
  salt: bigint
  signature: Hex
}

/** The ERC-3009 nonce of a deposit, which ties the authorization to one channel: keccak256(abi.encode(channelId, salt)). */
export function depositNonce(channelId: Hex, salt: bigint): Hex {
  return keccak(layWords([channelId, salt]))
}

/** What the ERC-3009 collector takes as its data. */
export function collectorData({
  validAfter,
  validBefore,
  salt,
  signature,
}: DepositAuthorization): Hex {
  return encodeAbiParameters(
    [{ type: 'uint256' }, { type: 'uint256' }, { type: 'uint256' }, { type: 'bytes' }],
    [validAfter, validBefore, salt, signature],
  )
}

/** The EIP-712 domain of a token that takes ERC-3009 authorizations. */
export function tokenDomain(
  token: { name: string; version: string; address: Address },
  chainId: number,
) {
  return {
    name: token.name,
    version: token.version,
    chainId,
    verifyingContract: token.address,
  } as const
}
