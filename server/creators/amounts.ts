// How far each creator's money is, token by token: accepted → claimed → yours → paid.

import type { Address } from 'viem'
import type { Deployment } from '../chain/deployment.ts'
import type { TipLists } from '../channels/tip-list.ts'
import { accounts } from '../ledger/accounts.ts'
import type { Balances } from '../ledger/entry.ts'
import { balanceOf } from '../ledger/entry.ts'
import type { VaultAccounts } from './vault-accounts.ts'

type Deps = {
  deployment: Pick<Deployment, 'tokens'>
  balances: Balances
  tipLists: Pick<TipLists, 'claimedTo'>
  vaultAccounts: Pick<VaultAccounts, 'get'>
}

/** Base units of each token; each amount includes those after it. */
export function createCreatorAmounts({ deployment, balances, tipLists, vaultAccounts }: Deps) {
  return async (account: Address) => {
    const owedIn = (token: Address) => -balanceOf(balances, accounts.creator(account), token)
    const owed = new Map(deployment.tokens.map(({ address }) => [address, owedIn(address)]))
    const claimed = await tipLists.claimedTo(account, owed)
    return [...owed].map(([token, amount]) => {
      const { credited, paid } = vaultAccounts.get(token, account)
      const onItsWay = claimed.get(token) ?? 0n
      const accepted = credited + amount
      return { token, accepted, claimed: credited + onItsWay, yours: credited, paid }
    })
  }
}
