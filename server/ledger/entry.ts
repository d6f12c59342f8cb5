// Double entry: an entry moves amounts between accounts, and adds up to zero in every currency.

import assert from 'node:assert/strict'

/** A token's address in lower case, or an ISO 4217 code. */
export type CurrencyId = string

/** One side of an entry. Debits are positive, credits negative, in base or minor units. */
export type Leg = { account: string; currency: CurrencyId; amount: bigint }

/** Why and when money moved. `id` is derived from the cause, so that the same cause can book only once. */
export type Entry = {
  id: string
  at: number
  reason: string
  reference: string
  legs: readonly Leg[]
}

/** The sum of each account in each currency; a missing one is zero. */
export type Balances = Map<string, bigint>

/** A move of `amount` from the credited to the debited account. */
export function move(
  { debit, credit }: { debit: string; credit: string },
  { currency, amount }: { currency: CurrencyId; amount: bigint },
): Leg[] {
  return [
    { account: debit, currency, amount },
    { account: credit, currency, amount: -amount },
  ]
}

/** Applies an entry to balances and returns the keys that changed. An unbalanced entry is a bug. */
export function post(balances: Balances, entry: Entry): string[] {
  assertBalanced(entry)
  return entry.legs.map((leg) => addLeg(balances, leg))
}

/** Adds one side of an entry to balances and returns the key that changed. The other sides must follow. */
export function addLeg(balances: Balances, { account, currency, amount }: Leg): string {
  const key = balanceKey(account, currency)
  balances.set(key, (balances.get(key) ?? 0n) + amount)
  return key
}

/** Balances as the legs that lead to them. */
export function legsOf(balances: Balances): Leg[] {
  return [...balances].map(([key, amount]) => {
    const cut = key.indexOf('|')
    return { account: key.slice(cut + 1), currency: key.slice(0, cut), amount }
  })
}

/** What an account holds: positive for a debit balance, negative for a credit balance. */
export function balanceOf(balances: Balances, account: string, currency: CurrencyId): bigint {
  return balances.get(balanceKey(account, currency)) ?? 0n
}

export function balanceKey(account: string, currency: CurrencyId): string {
  const known = keys.get(currency)?.get(account)
  if (known !== undefined) return known
  const key = `${currency}|${account}`
  const ofCurrency = keys.get(currency) ?? new Map<string, string>()
  keys.set(currency, ofCurrency.set(account, key))
  return key
}

/** Every tip names some accounts, so that their keys are made once. There are as many as there are balances. */
const keys = new Map<CurrencyId, Map<string, string>>()

/** An entry that does not add up to zero in each currency is a bug. */
export function assertBalanced({ id, legs }: Pick<Entry, 'id' | 'legs'>): void {
  const sums = new Map<CurrencyId, bigint>()
  for (const { currency, amount } of legs) sums.set(currency, (sums.get(currency) ?? 0n) + amount)
  for (const [currency, sum] of sums)
    assert.equal(sum, 0n, `entry ${id} is off by ${sum} ${currency}`)
}
