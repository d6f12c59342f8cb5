// Money leaving the vault: the payment that an account's owner signs, and the hub's firm quote that its memo names.

import type { Address, Hex } from 'viem'
import { stringToBytes } from 'viem'
import { keccak, layWords, typedDigest, typeHash } from './keccak.ts'

/** A payment out of the vault, relayed by anyone. `deadline` is in Unix seconds; a nonce works once, in any order. */
export const paymentTypes = {
  Payment: [
    { name: 'account', type: 'address' },
    { name: 'token', type: 'address' },
    { name: 'to', type: 'address' },
    { name: 'amount', type: 'uint128' },
    { name: 'memo', type: 'bytes32' },
    { name: 'nonce', type: 'uint256' },
    { name: 'deadline', type: 'uint256' },
  ],
} as const

/** The EIP-712 domain of vault payments. */
export function vaultDomain({ chainId, vault }: { chainId: number; vault: Address }) {
  return { name: 'jandon CreatorVault', version: '1', chainId, verifyingContract: vault } as const
}

/** Where a payout goes, as text fields. Which fields there are depends on the rail. */
export type Destination = { [field: string]: string }

/**
 * What the hub offers, firm until `expiresAt` (Unix milliseconds): `gross` token base units from the account against `net`
 * minor units of `currency` at the destination.
 */
export type QuoteTerms = {
  quoteId: Hex
  account: Address
  token: Address
  gross: bigint
  rail: string
  currency: string
  net: bigint
  destination: Hex
  expiresAt: bigint
}

const quoteTypeHash = typeHash(
  'PayoutQuote(bytes32 quoteId,address account,address token,uint128 gross,string rail,string currency,uint128 net,bytes32 destination,uint64 expiresAt)',
)

/** The hash that the payment's memo carries, so that the wallet's signature covers every term. */
export function quoteHash(terms: QuoteTerms): Hex {
  return keccak(
    layWords([
      quoteTypeHash,
      terms.quoteId,
      terms.account,
      terms.token,
      terms.gross,
      keccak(stringToBytes(terms.rail)),
      keccak(stringToBytes(terms.currency)),
      terms.net,
      terms.destination,
      terms.expiresAt,
    ]),
  )
}

/** The digest that the hub's receipt key signs under a quote. */
export function quoteDigest(terms: QuoteTerms, hubSeparator: Hex): Hex {
  return typedDigest(hubSeparator, quoteHash(terms))
}

/** The commitment to a destination: keccak256 of the JSON list of its [name, value] pairs, sorted by name. */
export function destinationHash(destination: Destination): Hex {
  const fields = Object.entries(destination).sort(([a], [b]) => (a < b ? -1 : 1))
  return keccak(stringToBytes(JSON.stringify(fields)))
}
