// One comparison: what it says, both sides as text, and whether they agree.

export type Check = { name: string; left: string; right: string; holds: boolean }

/** Two amounts that must be the same. */
export function same(name: string, left: bigint, right: bigint): Check {
  return { name, left: left.toString(), right: right.toString(), holds: left === right }
}

/** Adds to the sum under a key. */
export function add(sums: Map<string, bigint>, key: string, amount: bigint) {
  sums.set(key, (sums.get(key) ?? 0n) + amount)
}

export function sumOf(amounts: Iterable<bigint>): bigint {
  let sum = 0n
  for (const amount of amounts) sum += amount
  return sum
}
