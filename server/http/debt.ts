// What somebody owes for work that was made for nothing. Time pays it off.

export type Debt = {
  add(amount: number): void
  owed(): number
}

/** `now` in milliseconds; `perSecond` is forgiven. */
export function createDebt({ now, perSecond }: { now: () => number; perSecond: number }): Debt {
  let amount = 0
  let at = now()

  function owed(): number {
    return Math.max(0, amount - ((now() - at) / 1_000) * perSecond)
  }

  return {
    owed,
    add(more) {
      amount = owed() + more
      at = now()
    },
  }
}
