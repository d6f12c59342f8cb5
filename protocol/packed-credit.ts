// The byte layout of the vault's `CreditedPacked` event: which accounts a batch credited, and up to what total.

import type { Address, Hex } from 'viem'
import { hexToBigInt, size, sliceHex } from 'viem'

/** What an account has been credited in total (cumulative, base units) after the batch. */
export type CreditedEntry = { account: Address; credited: bigint }

const entryBytes = 36

/** Reads the `entries` of a `CreditedPacked` event: 36 bytes each, account then cumulative total. */
export function unpackCredited(entries: Hex): CreditedEntry[] {
  const count = size(entries) / entryBytes
  if (!Number.isInteger(count)) throw new RangeError(`${size(entries)} bytes are not whole entries`)
  return Array.from({ length: count }, (_, index) => {
    const entry = sliceHex(entries, index * entryBytes, (index + 1) * entryBytes)
    return { account: sliceHex(entry, 0, 20), credited: hexToBigInt(sliceHex(entry, 20)) }
  })
}
