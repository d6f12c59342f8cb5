// Randomness that a seed repeats (xorshift64*).

export type Random = {
  /** From 0 to `limit` − 1. */
  below(limit: number): number
  /** From `low` to `high`, both included. */
  between(low: bigint, high: bigint): bigint
  /** True once in `times` on average. */
  once(times: number): boolean
  pick<T>(values: readonly T[]): T
  /** Values around `edge`, where mistakes live, as often as any others below it. */
  near(edge: bigint): bigint
}

export function createRandom(seed: number): Random {
  const mask = (1n << 64n) - 1n
  let state = (BigInt(seed) * 0x9e3779b97f4a7c15n + 0x1234567890abcdefn) & mask || 1n

  function next(): bigint {
    state ^= state >> 12n
    state = (state ^ (state << 25n)) & mask
    state ^= state >> 27n
    return ((state * 0x2545f4914f6cdd1dn) & mask) >> 11n
  }

  const random: Random = {
    below: (limit) => Number(next() % BigInt(limit)),
    between: (low, high) => low + (next() % (high - low + 1n)),
    once: (times) => next() % BigInt(times) === 0n,
    pick(values) {
      const value = values[random.below(values.length)]
      if (value === undefined) throw new RangeError('nothing to pick from')
      return value
    },
    near(edge) {
      const top = edge > 0n ? edge : 0n
      const edges = [top + 1n, top, top > 0n ? top - 1n : 0n, random.between(0n, 2n)]
      return random.once(2) ? random.pick(edges) : random.between(0n, top)
    },
  }
  return random
}
