import assert from 'node:assert/strict'
import type { Address, Hex } from 'viem'
import { createDepositQueue, depthOf } from './deposit-depth.ts'

const token: Address = `0x${'aa'.repeat(20)}`
const other: Address = `0x${'bb'.repeat(20)}`
const channelId: Hex = `0x${'11'.repeat(32)}`
const policy = {
  least: 2,
  steps: [
    { token, from: 100n, confirmations: 5 },
    { token, from: 1_000n, confirmations: 20 },
  ],
}

describe('depthOf', () => {
  it('is the most that any step asks, at its edge too, and at least the least', () => {
    const depths = [0n, 99n, 100n, 999n, 1_000n].map((amount) => depthOf({ token, amount }, policy))
    assert.deepEqual(depths, [2, 2, 5, 5, 20])
  })

  it('is the least for a token without steps', () => {
    assert.equal(depthOf({ token: other, amount: 10n ** 30n }, policy), 2)
  })
})

describe('createDepositQueue', () => {
  it('lets a deposit wait for its depth, and no longer', () => {
    const queue = createDepositQueue(policy)
    queue.add({ channelId, token, block: 10n, amount: 100n })
    assert.deepEqual(queue.ripen(14n), [])
    assert.deepEqual([...queue.uncounted()], [[channelId, 100n]])
    assert.deepEqual(queue.ripen(15n), [channelId])
    assert.deepEqual([...queue.uncounted()], [])
  })

  it('does not hold what counts at the least depth', () => {
    const queue = createDepositQueue(policy)
    queue.add({ channelId, token, block: 10n, amount: 99n })
    assert.equal(queue.uncounted().size, 0)
  })

  it('asks of a deposit what all that waits on its channel asks', () => {
    const queue = createDepositQueue(policy)
    queue.add({ channelId, token, block: 10n, amount: 500n })
    queue.add({ channelId, token, block: 11n, amount: 500n })
    queue.ripen(16n)
    assert.equal(queue.isWaiting(channelId, 10n), false)
    assert.equal(queue.isWaiting(channelId, 11n), true)
    queue.ripen(31n)
    assert.equal(queue.isWaiting(channelId, 11n), false)
  })

  it('forgets what the chain took back', () => {
    const queue = createDepositQueue(policy)
    queue.add({ channelId, token, block: 10n, amount: 100n })
    queue.add({ channelId, token, block: 11n, amount: 200n })
    queue.takeBack(10n)
    assert.deepEqual([...queue.uncounted()], [[channelId, 100n]])
  })
})
