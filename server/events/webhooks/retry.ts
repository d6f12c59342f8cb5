// When a delivery that failed is tried again.

/** `firstPauseMs` grows fourfold with each failure, up to `longestPauseMs`; after `attempts` there is none. */
export type RetryPolicy = { attempts: number; firstPauseMs: number; longestPauseMs: number }

const growth = 4

/**
 * The pause after a number of failures in milliseconds, or `undefined` after the last. Half of it is by chance (`fraction` from
 * 0 to 1), so that endpoints that failed together do not come back together.
 */
export function retryPause(
  failures: number,
  { policy, fraction }: { policy: RetryPolicy; fraction: number },
): number | undefined {
  const { attempts, firstPauseMs, longestPauseMs } = policy
  if (failures >= attempts) return undefined
  const full = Math.min(firstPauseMs * growth ** (failures - 1), longestPauseMs)
  return Math.round(full * (0.5 + fraction / 2))
}
