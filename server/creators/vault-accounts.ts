// What the vault owes and paid per token and account, as its events told so far ("yours").

import type { Address } from 'viem'
import { larger } from '#protocol/amount.ts'
import type { Database, Row } from '../store/table.ts'
import { table } from '../store/table.ts'

/** Cumulative totals in base units. */
export type VaultAccount = { credited: bigint; paid: bigint }

const rows = table<VaultAccount>('vault-account')

export type VaultAccounts = {
  get(token: Address, account: Address): VaultAccount
  /** Everybody who was ever credited, as token/account. Totals are replaced, never changed. */
  all(): Iterable<[place: string, totals: VaultAccount]>
  /** Takes over new totals, which never fall; the row must be committed in the same tick. */
  raise(place: { token: Address; account: Address }, totals: Partial<VaultAccount>): Row
  /** Goes back to the totals before a block that the chain took back; the row must be committed in the same tick. */
  takeBack(place: { token: Address; account: Address }, totals: VaultAccount): Row
}

export async function loadVaultAccounts(db: Database): Promise<VaultAccounts> {
  const accounts = new Map((await rows.list(db)).map(({ key, value }) => [key, value]))
  const get = (token: Address, account: Address) =>
    accounts.get(`${token}/${account}`) ?? { credited: 0n, paid: 0n }
  return {
    get,
    all: () => accounts.entries(),
    raise({ token, account }, totals) {
      const before = get(token, account)
      const after = {
        credited: larger(before.credited, totals.credited ?? 0n),
        paid: larger(before.paid, totals.paid ?? 0n),
      }
      return remember(`${token}/${account}`, after)
    },
    takeBack: ({ token, account }, totals) => remember(`${token}/${account}`, totals),
  }

  function remember(key: string, totals: VaultAccount): Row {
    accounts.set(key, totals)
    return rows.put(key, totals)
  }
}
