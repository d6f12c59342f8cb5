// The byte layouts of `claimPacked`: the rows that go in and the entries that its event brings out.

import type { Address, Hex } from 'viem'
import {
  concatHex,
  hexToBigInt,
  numberToHex,
  parseSignature,
  serializeCompactSignature,
  signatureToCompactSignature,
  size,
  sliceHex,
} from 'viem'

/** One channel in a packed claim. `claim` is the cumulative amount to reach; a zero `tipsHash` means a plain voucher. */
export type PackedClaim = {
  payer: Address
  payerAuthorizer: Address
  maxClaimableAmount: bigint
  claim: bigint
  salt: Hex
  tipsHash: Hex
  signature: Hex
}

/** What was claimed on one channel: its cumulative total after the batch, in base units. */
export type ClaimedEntry = { channelId: Hex; totalClaimed: bigint }

const rowBytes = 200
const entryBytes = 48

/**
 * The rows of `claimPacked`, 200 bytes each. The 65-byte signature becomes its compact form (EIP-2098). Throws when a field
 * has the wrong length.
 */
export function packClaims(claims: readonly PackedClaim[]): Hex {
  return concatHex(claims.map(packRow))
}

/** Reads the `entries` of a `ClaimedPacked` event: 48 bytes each, channel id then cumulative total. */
export function unpackClaimed(entries: Hex): ClaimedEntry[] {
  const count = size(entries) / entryBytes
  if (!Number.isInteger(count)) throw new RangeError(`${size(entries)} bytes are not whole entries`)
  return Array.from({ length: count }, (_, index) => {
    const entry = sliceHex(entries, index * entryBytes, (index + 1) * entryBytes)
    return { channelId: sliceHex(entry, 0, 32), totalClaimed: hexToBigInt(sliceHex(entry, 32)) }
  })
}

function packRow(claim: PackedClaim): Hex {
  const row = concatHex([
    claim.payer,
    claim.payerAuthorizer,
    numberToHex(claim.maxClaimableAmount, { size: 16 }),
    numberToHex(claim.claim, { size: 16 }),
    claim.salt,
    claim.tipsHash,
    serializeCompactSignature(signatureToCompactSignature(parseSignature(claim.signature))),
  ])
  if (size(row) !== rowBytes) throw new RangeError(`a row of ${size(row)} bytes, not ${rowBytes}`)
  return row
}
