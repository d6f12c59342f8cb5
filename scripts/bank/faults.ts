// What the simulator can be told to do wrong, each for the next so many times. Faults are not kept over a restart, so that
// a restarted bank is an honest one.

import { z } from 'zod'

const count = z.number().int().min(0).max(1_000_000)

export const faultsSchema = z.strictObject({
  /** Files that are taken as always, and then the connection is cut instead of answering. */
  dropAnswer: count.optional(),
  /** Reports that never reach the customer; what they tell has happened all the same. */
  loseReports: count.optional(),
  /** Reports that come twice. */
  repeatReports: count.optional(),
  /** Reports that come after the next one. */
  delayReports: count.optional(),
  /** Files that rest after their receipt, before anybody looks at them, until `/resume` or a restart. */
  holdAtReceipt: count.optional(),
  /** Files that rest after their status report, before they are booked, until `/resume` or a restart. */
  holdAtStatus: count.optional(),
  /** Payments that are booked with one minor unit too much, on both sides. */
  misbook: count.optional(),
})

export type Fault = keyof z.infer<typeof faultsSchema>
export type Faults = ReturnType<typeof createFaults>

export function createFaults() {
  const left: Record<Fault, number> = {
    dropAnswer: 0,
    loseReports: 0,
    repeatReports: 0,
    delayReports: 0,
    holdAtReceipt: 0,
    holdAtStatus: 0,
    misbook: 0,
  }
  return {
    left: (): Readonly<Record<Fault, number>> => ({ ...left }),
    /** Sets the counts that are named, and leaves the others. */
    set(counts: z.infer<typeof faultsSchema>): void {
      Object.assign(left, counts)
    },
    /** Whether the fault strikes now, which uses it up once. */
    strikes(fault: Fault): boolean {
      if (left[fault] === 0) return false
      left[fault] -= 1
      return true
    },
  }
}
