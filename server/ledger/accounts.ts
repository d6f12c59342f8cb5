// The names of the hub's accounts. PROTOCOL.md §9 says what each one holds.

import type { Address, Hex } from 'viem'

export const accounts = {
  channels: 'channels',
  claimed: 'claimed',
  vault: 'vault',
  fees: 'fees',
  suspense: 'suspense',
  /** What the chain credited to a recipient for tips that the books lost. */
  suspenseOf: (account: Address) => `suspense:${account}`,
  treasury: 'treasury',
  treasurySuspense: 'treasury-suspense',
  fx: 'fx',
  payoutFees: 'payout-fees',
  bank: 'bank',
  capital: 'capital',
  creator: (account: Address) => `creator:${account}`,
  payout: (payoutId: Hex) => `payout:${payoutId}`,
} as const
