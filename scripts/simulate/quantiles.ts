// Quantiles of many numbers, by counting or by sorting.

/** How long things waited, counted by whole hours. */
export type Waits = {
  add(hours: number, count: number): void
  /** The hours within which a share of all waited, and the longest of all; zero where nothing did. */
  quantile(share: number): number
  count(): number
}

/** `longest` hours at most. */
export function createWaits(longest: number): Waits {
  const counts = new Float64Array(longest + 1)
  let total = 0
  return {
    add(hours, count) {
      counts[hours] = (counts[hours] ?? 0) + count
      total += count
    },
    quantile(share) {
      let left = share * total
      for (const [hours, count] of counts.entries()) {
        left -= count
        if (count > 0 && left <= 0) return hours
      }
      return 0
    },
    count: () => total,
  }
}

/** The median, the 95th percentile and the largest. */
export function spreadOf(values: readonly number[]): { p50: number; p95: number; max: number } {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number) => sorted[Math.ceil(share * sorted.length) - 1] ?? 0
  return { p50: at(0.5), p95: at(0.95), max: at(1) }
}
