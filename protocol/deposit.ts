// A gasless deposit: the payer signs an ERC-3009 authorization, and whoever relays it pays the gas.

import type { Address, Hex } from 'viem'
import { encodeAbiParameters, parseSignature } from 'viem'
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

/** Permit2, at the same address on every chain; its EIP-712 domain has no version. */
export const permit2: Address = '0x000000000022D473030F116dDEE9F6B43aC78BA3'

/** What a payer signs for a deposit by Permit2: token and exact amount for one collector, and the channel as witness. */
export const permit2DepositTypes = {
  PermitWitnessTransferFrom: [
    { name: 'permitted', type: 'TokenPermissions' },
    { name: 'spender', type: 'address' },
    { name: 'nonce', type: 'uint256' },
    { name: 'deadline', type: 'uint256' },
    { name: 'witness', type: 'DepositWitness' },
  ],
  TokenPermissions: [
    { name: 'token', type: 'address' },
    { name: 'amount', type: 'uint256' },
  ],
  DepositWitness: [{ name: 'channelId', type: 'bytes32' }],
} as const

/** A payer's leave toward Permit2. `deadline` is in Unix seconds; a nonce works once, in any order. */
export type Permit2Authorization = { nonce: bigint; deadline: bigint; signature: Hex }

/** An ERC-2612 permit that allows Permit2 to spend `value`, for payers who have not approved it yet. */
export type Permit2Approval = { value: bigint; deadline: bigint; signature: Hex }

/** What the Permit2 collector takes as its data. */
export function permit2CollectorData(
  { nonce, deadline, signature }: Permit2Authorization,
  approval?: Permit2Approval,
): Hex {
  return encodeAbiParameters(
    [{ type: 'uint256' }, { type: 'uint256' }, { type: 'bytes' }, { type: 'bytes' }],
    [nonce, deadline, signature, approval ? encodeApproval(approval) : '0x'],
  )
}

function encodeApproval({ value, deadline, signature }: Permit2Approval): Hex {
  const { r, s, yParity } = parseSignature(signature)
  return encodeAbiParameters(
    [
      { type: 'uint256' },
      { type: 'uint256' },
      { type: 'uint8' },
      { type: 'bytes32' },
      { type: 'bytes32' },
    ],
    [value, deadline, 27 + yParity, r, s],
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
