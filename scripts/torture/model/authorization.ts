// The digests that the protocol folder leaves to wallets: a token's ERC-3009 authorization and a vault payment.

import type { Address, Hex } from 'viem'
import { keccak, layWords, typedDigest, typeHash } from '#protocol/keccak.ts'

const receiveType = typeHash(
  'ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)',
)
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
