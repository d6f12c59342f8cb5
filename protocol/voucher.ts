// The three plain signatures of a channel: a payer's voucher, and the receiver side's refund and claim batch.
// Source: x402 batch-settlement on EVM.

import type { Hex } from 'viem'
import { hexToBytes } from 'viem'
import { concatBytes, keccak, keccakBytes, layWords, typedDigest, typeHash } from './keccak.ts'

export const voucherTypes = {
  Voucher: [
    { name: 'channelId', type: 'bytes32' },
    { name: 'maxClaimableAmount', type: 'uint128' },
  ],
} as const

export const refundTypes = {
  Refund: [
    { name: 'channelId', type: 'bytes32' },
    { name: 'nonce', type: 'uint256' },
    { name: 'amount', type: 'uint128' },
  ],
} as const

export const claimBatchTypes = {
  ClaimBatch: [{ name: 'claims', type: 'ClaimEntry[]' }],
  ClaimEntry: [
    { name: 'channelId', type: 'bytes32' },
    { name: 'maxClaimableAmount', type: 'uint128' },
    { name: 'totalClaimed', type: 'uint128' },
  ],
} as const

/** A payer's promise: the receiver may claim up to `maxClaimableAmount` base units in all (cumulative). */
export type Voucher = { channelId: Hex; maxClaimableAmount: bigint }

/** The receiver side's leave to pay `amount` base units back to the payer; `nonce` is the channel's refund nonce. */
export type Refund = { channelId: Hex; nonce: bigint; amount: bigint }

/** One line of a claim batch: `totalClaimed` is cumulative and at most `maxClaimableAmount`. */
export type ClaimEntry = { channelId: Hex; maxClaimableAmount: bigint; totalClaimed: bigint }

const voucherTypeHash = typeHash('Voucher(bytes32 channelId,uint128 maxClaimableAmount)')
const refundTypeHash = typeHash('Refund(bytes32 channelId,uint256 nonce,uint128 amount)')
const claimEntryType =
  'ClaimEntry(bytes32 channelId,uint128 maxClaimableAmount,uint128 totalClaimed)'
const claimEntryTypeHash = typeHash(claimEntryType)
const claimBatchTypeHash = typeHash(`ClaimBatch(ClaimEntry[] claims)${claimEntryType}`)

/** The digest that the payer side signs for a plain voucher. */
export function voucherDigest(voucher: Voucher, separator: Hex): Hex {
  const words = layWords([voucherTypeHash, voucher.channelId, voucher.maxClaimableAmount])
  return typedDigest(separator, keccak(words))
}

/** The digest that the receiver side signs for a refund. */
export function refundDigest(refund: Refund, separator: Hex): Hex {
  const words = layWords([refundTypeHash, refund.channelId, refund.nonce, refund.amount])
  return typedDigest(separator, keccak(words))
}

/** The digest that the receiver side signs for a batch of claims. */
export function claimBatchDigest(claims: readonly ClaimEntry[], separator: Hex): Hex {
  const entries = claims.map((claim) =>
    keccakBytes(
      layWords([claimEntryTypeHash, claim.channelId, claim.maxClaimableAmount, claim.totalClaimed]),
    ),
  )
  const listHash = keccakBytes(concatBytes(entries))
  const structHash = keccak(concatBytes([hexToBytes(claimBatchTypeHash), listHash]))
  return typedDigest(separator, structHash)
}
