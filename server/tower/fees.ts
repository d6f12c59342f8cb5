// What a claim may cost. Waiting is cheap at first and dear at last: the limit rises from a calm price, when the margin
// begins, to the highest, when half of it is gone. Pure; wei per gas, seconds.

import { larger, smaller } from '#protocol/amount.ts'

/** From which price to which the limit rises. */
export type FeeTerms = { calm: bigint; highest: bigint; marginSeconds: bigint }

export type Fees = { maxFeePerGas: bigint; maxPriorityFeePerGas: bigint }

/** What miners are offered for a claim in the first place. */
const firstTip = 1_000_000_000n

/** The most that a gas may cost with so many seconds left until the withdrawal can be finalised. */
export function feeLimit({ calm, highest, marginSeconds }: FeeTerms, secondsLeft: bigint): bigint {
  const half = marginSeconds / 2n
  const gone = larger(0n, marginSeconds - secondsLeft)
  if (gone >= half || calm >= highest) return highest
  return calm + ((highest - calm) * gone) / half
}

/**
 * What to offer now: twice the base fee, within the limit. To take the place of an earlier offer every part of it must be an
 * eighth more, as nodes ask; `undefined` when that is above the limit, or the earlier offer is good enough.
 */
export function nextFees({
  baseFee,
  limit,
  before,
}: {
  baseFee: bigint
  limit: bigint
  before: Fees | undefined
}): Fees | undefined {
  const wanted = smaller(limit, baseFee * 2n + firstTip)
  if (!before) return { maxFeePerGas: wanted, maxPriorityFeePerGas: smaller(firstTip, wanted) }
  const maxFeePerGas = larger(wanted, anEighthMore(before.maxFeePerGas))
  if (maxFeePerGas > limit) return undefined
  const maxPriorityFeePerGas = anEighthMore(before.maxPriorityFeePerGas)
  return { maxFeePerGas, maxPriorityFeePerGas: smaller(maxPriorityFeePerGas, maxFeePerGas) }
}

/** Rounded up. */
function anEighthMore(fee: bigint): bigint {
  return fee + (fee + 7n) / 8n
}
