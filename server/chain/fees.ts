// What a transaction offers for its gas: the market's price at first, then more, toward a budget that it reaches by a deadline.
// Pure. All amounts are wei for one unit of gas.

import { larger, smaller } from '#protocol/amount.ts'

/** EIP-1559: at most `maxFeePerGas` in all, of which at most `maxPriorityFeePerGas` beside the base fee. */
export type Bid = { maxFeePerGas: bigint; maxPriorityFeePerGas: bigint }

/**
 * How much a transaction may offer: from `first`, which it began with, in a line to `budget` at `deadline`. Times in Unix
 * milliseconds.
 */
export type Ramp = { first: bigint; budget: bigint; begun: number; deadline: number }

/** Nodes take a replacement only for an eighth more of both, rounded up here; geth asks for a tenth. */
const replacementRaise = { numerator: 9n, denominator: 8n }

/** What to offer at first: the market's price, within the budget. */
export function firstBid(market: Bid, budget: bigint): Bid {
  return within(market, budget)
}

/** The most that may be offered at a time. */
export function ceilingAt({ first, budget, begun, deadline }: Ramp, now: number): bigint {
  if (budget <= first) return first
  if (now >= deadline) return budget
  const passed = BigInt(Math.max(0, Math.floor(now - begun)))
  return first + ((budget - first) * passed) / BigInt(Math.ceil(deadline - begun))
}

/**
 * The bid that replaces another: the market's price, but at least an eighth more than before, because nodes drop anything
 * less. Nothing when the ceiling does not allow that.
 */
export function nextBid(
  last: Bid,
  { market, ceiling }: { market: Bid; ceiling: bigint },
): Bid | undefined {
  const least = {
    maxFeePerGas: raised(last.maxFeePerGas),
    maxPriorityFeePerGas: raised(last.maxPriorityFeePerGas),
  }
  if (least.maxFeePerGas > ceiling) return undefined
  const wanted = within(market, ceiling)
  const maxFeePerGas = larger(least.maxFeePerGas, wanted.maxFeePerGas)
  const maxPriorityFeePerGas = larger(least.maxPriorityFeePerGas, wanted.maxPriorityFeePerGas)
  return { maxFeePerGas: larger(maxFeePerGas, maxPriorityFeePerGas), maxPriorityFeePerGas }
}

function raised(fee: bigint): bigint {
  const { numerator, denominator } = replacementRaise
  return larger(fee + 1n, (fee * numerator + denominator - 1n) / denominator)
}

function within({ maxFeePerGas, maxPriorityFeePerGas }: Bid, ceiling: bigint): Bid {
  return {
    maxFeePerGas: smaller(maxFeePerGas, ceiling),
    maxPriorityFeePerGas: smaller(maxPriorityFeePerGas, ceiling),
  }
}
