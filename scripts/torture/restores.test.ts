// The short form of `npm run torture -- --only restores`, and each planted bug.

import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { restorePlants, tortureRestores } from './restores.ts'

const seed = Number(process.env['JANDON_SEED'] ?? randomInt(1_000_000_000))

describe(`hubs lost and restored, seed ${seed}`, function () {
  this.timeout(300_000)

  it('lose and double nothing with backups of 10 s, 1 h and 24 h ago (R22, R23, R24)', async () => {
    const { operations, isIdle, failures } = await tortureRestores({ seed, runs: 1 })
    assert.deepEqual([failures, isIdle], [[], false])
    assert.ok(operations > 60)
  })

  for (const plant of Object.keys(restorePlants)) {
    it(`are found out with a planted bug: ${plant}`, async () => {
      const { failures } = await tortureRestores({ seed, runs: 1, plant })
      assert.notDeepEqual(failures, [])
    })
  }
})
