// EIP-712 domain separators of channel contracts, each computed once.

import type { Address, Hex } from 'viem'
import { channelsDomainSeparator } from '#protocol/channel.ts'

/** The separator of a contract on a chain, by its address. */
export function separators(chainId: number) {
  const known = new Map<Address, Hex>()
  return (address: Address): Hex => {
    const separator = known.get(address) ?? channelsDomainSeparator({ chainId, address })
    known.set(address, separator)
    return separator
  }
}
