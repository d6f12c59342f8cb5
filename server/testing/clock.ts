// Time that stands still until it is moved.

export type MovedClock = {
  now: () => number
  after: (milliseconds: number, work: () => void) => () => void
  /** Moves time on, and calls what is due by then. */
  move(milliseconds: number): void
  /** When the next call is due, in milliseconds from now. */
  next(): number | undefined
}

export function createClock(start = Date.now()): MovedClock {
  let now = start
  const calls = new Set<{ at: number; work: () => void }>()
  return {
    now: () => now,
    after(milliseconds, work) {
      const call = { at: now + milliseconds, work }
      calls.add(call)
      return () => void calls.delete(call)
    },
    move(milliseconds) {
      now += milliseconds
      for (const call of calls) {
        if (call.at > now) continue
        calls.delete(call)
        call.work()
      }
    },
    next() {
      const times = [...calls].map(({ at }) => at - now)
      return times.length === 0 ? undefined : Math.min(...times)
    },
  }
}
