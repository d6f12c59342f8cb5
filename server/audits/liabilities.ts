// What the hub owes to whom in one token at this moment: what is accepted and not yet in the vault, and what the vault keeps.

import type { Address } from 'viem'
import { larger } from '#protocol/amount.ts'
import type { Liability } from '#protocol/audit.ts'
import { nobody } from '#protocol/audit.ts'
import type { Creators } from '../creators/creators.ts'
import type { VaultAccounts } from '../creators/vault-accounts.ts'
import { accounts } from '../ledger/accounts.ts'
import type { Balances } from '../ledger/entry.ts'
import { balanceOf } from '../ledger/entry.ts'

export type LiabilityDeps = {
  balances: Balances
  creators: Pick<Creators, 'all'>
  vaultAccounts: Pick<VaultAccounts, 'ofToken'>
  feeAccount: Address
}

/** `lost` was credited for tips that the books lost: the reserves are short of the liabilities by it. Base units. */
export type Liabilities = { token: Address; liabilities: Liability[]; lost: bigint }

/**
 * Every registered creator, also one who is owed nothing, so that nobody can be left out unseen; the fee account; whoever else
 * has something; and nobody, for foreign money. Payers are not among them: what they did not spend lies in the channels
 * contract, which the hub cannot take it out of.
 */
export function collectLiabilities(deps: LiabilityDeps, token: Address): Liabilities {
  const { balances, feeAccount } = deps
  const found = new Map<Address, Liability>()
  const of = (account: Address) => {
    const known = found.get(account)
    if (known) return known
    const liability = { account, owed: 0n, yours: 0n }
    found.set(account, liability)
    return liability
  }
  for (const { account } of deps.creators.all()) of(account)
  const prefix = `${token}|${accounts.creator('0x')}`.slice(0, -2)
  const lostPrefix = `${token}|${accounts.suspenseOf('0x')}`.slice(0, -2)
  let suspense = -balanceOf(balances, accounts.suspense, token)
  for (const [key, amount] of balances) {
    if (key.startsWith(prefix)) of(key.slice(prefix.length) as Address).owed -= amount
    else if (key.startsWith(lostPrefix)) suspense -= amount
  }
  of(feeAccount).owed -= balanceOf(balances, accounts.fees, token)
  for (const { account, credited, paid } of deps.vaultAccounts.ofToken(token))
    of(account).yours += credited - paid
  of(nobody).owed += larger(suspense, 0n)
  return { token, liabilities: [...found.values()], lost: larger(-suspense, 0n) }
}
