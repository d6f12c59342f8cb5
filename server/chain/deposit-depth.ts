// Money in late: how many blocks a deposit waits for before it gives credit, by its amount (R6).

import type { Address, Hex } from 'viem'

/** From this much of a token on, a deposit waits for so many blocks on top. Base units. */
export type DepositDepth = { token: Address; from: bigint; confirmations: number }

export type UncountedDeposit = {
  channelId: Hex
  block: bigint
  amount: bigint
  /** Blocks on top before it counts. */
  confirmations: number
}

/** The blocks that an amount waits for: the most that any step asks of it, and at least `least`. */
export function depthOf(
  { token, amount }: { token: Address; amount: bigint },
  { least, steps }: { least: number; steps: readonly DepositDepth[] },
): number {
  return steps
    .filter((step) => step.token === token && amount >= step.from)
    .reduce((most, { confirmations }) => Math.max(most, confirmations), least)
}

export type DepositQueue = {
  /** A deposit that was booked. It waits as long as all that waits on its channel asks for, so that nothing is won by splitting. */
  add(deposit: { channelId: Hex; token: Address; block: bigint; amount: bigint }): void
  /** Lets go of what counts under this head, and answers with the channels that it was on. */
  ripen(head: bigint): Hex[]
  /** Forgets deposits above a block, which the chain took back. */
  takeBack(block: bigint): void
  /** What does not count yet, by channel. */
  uncounted(): Map<Hex, bigint>
  /** The deposits of a channel up to a block that do not count yet. */
  isWaiting(channelId: Hex, block: bigint): boolean
}

export function createDepositQueue(policy: {
  least: number
  steps: readonly DepositDepth[]
}): DepositQueue {
  let waiting: UncountedDeposit[] = []
  const sumOn = (channelId: Hex) =>
    waiting.reduce((sum, one) => (one.channelId === channelId ? sum + one.amount : sum), 0n)

  return {
    add({ channelId, token, block, amount }) {
      const confirmations = depthOf({ token, amount: sumOn(channelId) + amount }, policy)
      if (confirmations <= policy.least) return
      waiting.push({ channelId, block, amount, confirmations })
    },
    ripen(head) {
      const ripe = waiting.filter(
        ({ block, confirmations }) => block + BigInt(confirmations) <= head,
      )
      if (ripe.length === 0) return []
      waiting = waiting.filter((one) => !ripe.includes(one))
      return [...new Set(ripe.map(({ channelId }) => channelId))]
    },
    takeBack(block) {
      waiting = waiting.filter((one) => one.block <= block)
    },
    uncounted() {
      const amounts = new Map<Hex, bigint>()
      for (const { channelId, amount } of waiting)
        amounts.set(channelId, (amounts.get(channelId) ?? 0n) + amount)
      return amounts
    },
    isWaiting: (channelId, block) =>
      waiting.some((one) => one.channelId === channelId && one.block <= block),
  }
}
