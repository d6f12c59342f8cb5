// The operator's own money at the bank, from which payouts are sent before their tokens are sold.

import type { Currency } from '#protocol/amount.ts'
import { accounts } from '../ledger/accounts.ts'
import type { Balances } from '../ledger/entry.ts'
import { balanceOf, move } from '../ledger/entry.ts'
import type { GroupLog } from '../store/group-log.ts'

/** Books what the operator put into the bank account before the hub's first start, once. */
export async function bookBankFloat(
  float: { currency: Currency; amount: bigint } | undefined,
  { log, balances, now }: { log: GroupLog; balances: Balances; now: () => number },
) {
  if (!float || balanceOf(balances, accounts.capital, float.currency) !== 0n) return
  const legs = move({ debit: accounts.bank, credit: accounts.capital }, float)
  const id = `bank-float:${float.currency}`
  await log.commit({ entries: [{ id, at: now(), reason: 'bank float', reference: id, legs }] })
}
