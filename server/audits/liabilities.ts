// What the hub owes to whom in one token at this moment: what is accepted and not yet in the vault, and what the vault keeps.

import type { Address } from 'viem'
import { larger } from '#protocol/amount.ts'
import type { Liability } from '#protocol/audit.ts'
import { nobody } from '#protocol/audit.ts'
import type { CreatorView } from '#protocol/messages/hub.ts'
import type { Creators } from '../creators/creators.ts'
import type { VaultAccount, VaultAccounts } from '../creators/vault-accounts.ts'
import { accounts } from '../ledger/accounts.ts'
import type { Balances } from '../ledger/entry.ts'
import { balanceKey } from '../ledger/entry.ts'
import { inTurns } from '../turns.ts'

export type LiabilityDeps = {
  balances: Balances
  creators: Pick<Creators, 'all'>
  vaultAccounts: Pick<VaultAccounts, 'all'>
}

/** All of it at one moment. Copying is quick, so that nobody waits; what it comes to is reckoned later. */
export type CapturedBooks = {
  balances: [key: string, amount: bigint][]
  creators: CreatorView[]
  vault: [place: string, totals: VaultAccount][]
}

/** `lost` was credited for tips that the books lost: the reserves are short of the liabilities by it. Base units. */
export type Liabilities = { token: Address; liabilities: Liability[]; lost: bigint }

export function captureBooks({ balances, creators, vaultAccounts }: LiabilityDeps): CapturedBooks {
  return {
    balances: [...balances],
    creators: [...creators.all()],
    vault: [...vaultAccounts.all()],
  }
}

/**
 * Every registered creator, also one who is owed nothing, so that nobody can be left out unseen; the fee account; whoever else
 * has something; and nobody, for foreign money. Payers are not among them: what they did not spend lies in the channels
 * contract, which the hub cannot take it out of.
 */
export async function collectLiabilities(
  { balances, creators, vault }: CapturedBooks,
  { token, feeAccount }: { token: Address; feeAccount: Address },
): Promise<Liabilities> {
  const found = new Map<Address, Liability>()
  const of = (account: Address) => {
    const known = found.get(account)
    if (known) return known
    const liability = { account, owed: 0n, yours: 0n }
    found.set(account, liability)
    return liability
  }
  let suspense = 0n
  const owed = startsOf(token)
  await inTurns(creators, ({ account }) => void of(account))
  await inTurns(balances, ([key, amount]) => {
    if (key.startsWith(owed.creator)) of(key.slice(owed.creator.length) as Address).owed -= amount
    else if (key === owed.fees) of(feeAccount).owed -= amount
    else if (key === owed.suspense || key.startsWith(owed.lost)) suspense -= amount
  })
  await inTurns(vault, ([place, { credited, paid }]) => {
    if (place.startsWith(owed.vault))
      of(place.slice(owed.vault.length) as Address).yours += credited - paid
  })
  of(feeAccount)
  of(nobody).owed += larger(suspense, 0n)
  return { token, liabilities: [...found.values()], lost: larger(-suspense, 0n) }
}

/** How the keys of a token begin, or what they are. */
function startsOf(token: Address) {
  return {
    creator: balanceKey(accounts.creator('0x'), token).slice(0, -2),
    lost: balanceKey(accounts.suspenseOf('0x'), token).slice(0, -2),
    fees: balanceKey(accounts.fees, token),
    suspense: balanceKey(accounts.suspense, token),
    vault: `${token}/`,
  }
}
