// Creators who asked to be credited without waiting. A request holds until more is credited.

import type { Address } from 'viem'
import type { VaultAccounts } from '../creators/vault-accounts.ts'
import type { GroupLog } from '../store/group-log.ts'
import type { Database } from '../store/table.ts'
import { table } from '../store/table.ts'

/** What was credited in a token when the request was made, by `<token>/<account>`. */
const requestRows = table<bigint>('credit-request')

type Place = { token: Address; account: Address }

export type CreditRequests = {
  /** Reads what is on disk, once. */
  load(): Promise<void>
  has(place: Place): boolean
  add(place: Place): Promise<void>
}

export function createCreditRequests({
  db,
  log,
  vaultAccounts,
}: {
  db: Database
  log: GroupLog
  vaultAccounts: VaultAccounts
}): CreditRequests {
  const requests = new Map<string, bigint>()
  let loading: Promise<void> | undefined

  return {
    load() {
      loading ??= read()
      return loading
    },
    has: ({ token, account }) =>
      requests.get(`${token}/${account}`) === vaultAccounts.get(token, account).credited,
    async add({ token, account }) {
      const { credited } = vaultAccounts.get(token, account)
      requests.set(`${token}/${account}`, credited)
      await log.commit({ rows: [requestRows.put(`${token}/${account}`, credited)] })
    },
  }

  async function read() {
    for (const { key, value } of await requestRows.list(db)) requests.set(key, value)
  }
}
