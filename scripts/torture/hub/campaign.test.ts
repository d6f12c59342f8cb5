// The short form of `npm run torture -- --only hub`, and some of its planted bugs; `--plant all` tries every one.

import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { tortureHub, torturePlantedHub } from './campaign.ts'

const seed = Number(process.env['JANDON_SEED'] ?? randomInt(1_000_000_000))

describe(`a hub under torture, seed ${seed}`, function () {
  this.timeout(300_000)

  it('answers, recovers and refuses to start as the rules say, whatever happens to it (R1, R2, R3, R5, R6, R7, R8, R9, R10, R13, I7)', async () => {
    const { operations, faults, failures } = await tortureHub({ seed, seeds: 1, isShort: true })
    assert.deepEqual(failures, [])
    assert.ok(operations > 0)
    assert.ok(faults > 0)
  })

  for (const plant of ['held-uncounted', 'unsynced', 'log-unread']) {
    it(`is found out with ${plant}`, async () => {
      const { failures } = await torturePlantedHub(plant, seed)
      assert.notDeepEqual(failures, [])
    })
  }
})
