// Who sends signatures that are not right pays for the time that they took: with waiting, by address.

/** How many bad signatures an address may send at once, and how many more each second. */
const allowance = { burst: 200, perSecond: 20 }

/** Addresses that are remembered at most; past this many, the one that was seen first is forgotten. */
const maxAddresses = 100_000

export type Penalties = {
  /** Whether an address has to wait before it is heard again. */
  isWaiting(address: string): boolean
  /** An address sent a signature that was not right. */
  blame(address: string): void
}

type Debt = { amount: number; at: number }

/** Bad signatures are a debt that time pays off. `now` is in milliseconds. */
export function createPenalties(now: () => number): Penalties {
  const debts = new Map<string, Debt>()
  const owed = ({ amount, at }: Debt) =>
    Math.max(0, amount - ((now() - at) / 1_000) * allowance.perSecond)

  return {
    isWaiting(address) {
      const debt = debts.get(address)
      if (!debt) return false
      const amount = owed(debt)
      if (amount === 0) debts.delete(address)
      return amount >= allowance.burst
    },
    blame(address) {
      const debt = debts.get(address)
      debts.set(address, { amount: (debt ? owed(debt) : 0) + 1, at: now() })
      if (debts.size <= maxAddresses) return
      const [oldest] = debts.keys()
      if (oldest !== undefined) debts.delete(oldest)
    },
  }
}
