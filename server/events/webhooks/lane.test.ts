import assert from 'node:assert/strict'
import { createLane } from './lane.ts'

describe('enter', () => {
  it('lets in as many as there are places for, and the others in the order in which they came', async () => {
    const lane = createLane(2)
    const entered: number[] = []
    const leaves = new Map<number, () => void>()
    const visits = [1, 2, 3, 4].map(async (visitor) => {
      leaves.set(visitor, await lane.enter())
      entered.push(visitor)
    })
    await Promise.all(visits.slice(0, 2))
    assert.deepEqual(entered, [1, 2])
    leaves.get(2)?.()
    await visits[2]
    assert.deepEqual(entered, [1, 2, 3])
    leaves.get(1)?.()
    await visits[3]
    assert.deepEqual(entered, [1, 2, 3, 4])
  })

  it('lets in again whoever comes when a place was given back to nobody', async () => {
    const lane = createLane(1)
    const leave = await lane.enter()
    leave()
    assert.ok(await lane.enter())
  })
})
