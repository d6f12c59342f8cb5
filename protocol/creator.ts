// A creator's registration: the address that is paid signs for the handle that people see.

import type { Address } from 'viem'

/** Handles are 2 to 30 of a–z, 0–9, `_` and `-`, and begin with a letter or digit. */
export const handlePattern = /^[a-z0-9][a-z0-9_-]{1,29}$/

export const creatorTypes = {
  Creator: [
    { name: 'handle', type: 'string' },
    { name: 'account', type: 'address' },
    { name: 'displayName', type: 'string' },
  ],
} as const

/** The EIP-712 domain in which creators register with a hub. */
export function creatorDomain({ chainId, hubAccount }: { chainId: number; hubAccount: Address }) {
  return { name: 'jandon', version: '1', chainId, verifyingContract: hubAccount } as const
}
