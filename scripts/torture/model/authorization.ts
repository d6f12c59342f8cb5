// The digests that the protocol folder leaves to wallets: what tokens, Permit2 and the vault take signatures of.

import type { Address, Hex } from 'viem'
import { keccak, layWords, typedDigest, typeHash } from '#protocol/keccak.ts'

const receiveType = typeHash(
  'ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)',
)
const permitType = typeHash(
  'Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)',
)
const tokenPermissions = 'TokenPermissions(address token,uint256 amount)'
const depositWitness = 'DepositWitness(bytes32 channelId)'
const permit2Type = typeHash(
  `PermitWitnessTransferFrom(TokenPermissions permitted,address spender,uint256 nonce,uint256 deadline,DepositWitness witness)${depositWitness}${tokenPermissions}`,
)
const tokenPermissionsType = typeHash(tokenPermissions)
const depositWitnessType = typeHash(depositWitness)
const paymentType = typeHash(
  'Payment(address account,address token,address to,uint128 amount,bytes32 memo,uint256 nonce,uint256 deadline)',
)

/** What a payer signs for an ERC-3009 deposit. */
export function authorizationDigest(
  authorization: {
    from: Address
    to: Address
    value: bigint
    validAfter: bigint
    validBefore: bigint
    nonce: Hex
  },
  separator: Hex,
): Hex {
  const { from, to, value, validAfter, validBefore, nonce } = authorization
  const words = layWords([receiveType, from, to, value, validAfter, validBefore, nonce])
  return typedDigest(separator, keccak(words))
}

/** What a holder signs for an ERC-2612 permit. */
export function permitDigest(
  permit: { owner: Address; spender: Address; value: bigint; nonce: bigint; deadline: bigint },
  separator: Hex,
): Hex {
  const { owner, spender, value, nonce, deadline } = permit
  const words = layWords([permitType, owner, spender, value, nonce, deadline])
  return typedDigest(separator, keccak(words))
}

/** What a payer signs for a deposit by Permit2. */
export function permit2Digest(
  authorization: {
    channelId: Hex
    token: Address
    amount: bigint
    spender: Address
    nonce: bigint
    deadline: bigint
  },
  separator: Hex,
): Hex {
  const { channelId, token, amount, spender, nonce, deadline } = authorization
  const permitted = keccak(layWords([tokenPermissionsType, token, amount]))
  const witness = keccak(layWords([depositWitnessType, channelId]))
  const words = layWords([permit2Type, permitted, spender, nonce, deadline, witness])
  return typedDigest(separator, keccak(words))
}

/** What leaves the vault for an account. */
export type Payment = {
  account: Address
  token: Address
  to: Address
  amount: bigint
  memo: Hex
  nonce: bigint
  deadline: bigint
}

/** What an account signs for a payment that others relay. */
export function paymentDigest(payment: Payment, separator: Hex): Hex {
  const { account, token, to, amount, memo, nonce, deadline } = payment
  const words = layWords([paymentType, account, token, to, amount, memo, nonce, deadline])
  return typedDigest(separator, keccak(words))
}
