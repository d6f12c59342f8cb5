// The short form of `npm run torture -- --only chain`, and some of its planted bugs; `--plant all` tries every one.

import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { torturePlantedTransactions, tortureTransactions } from './transactions.ts'

const seed = Number(process.env['JANDON_SEED'] ?? randomInt(1_000_000_000))

describe(`transactions under torture, seed ${seed}`, function () {
  this.timeout(300_000)

  it('have each effect once and leave no hole, whatever is lost, and poison holds up nothing (R4, R12)', async () => {
    const { operations, isIdle, failures } = await tortureTransactions({
      seed,
      seeds: 1,
      isShort: true,
    })
    assert.deepEqual([failures, isIdle], [[], false])
    assert.ok(operations > 0)
  })

  for (const plant of ['nonce-of-the-chain', 'trial-ignored']) {
    it(`are found out with ${plant}`, async () => {
      const { failures } = await torturePlantedTransactions(plant, seed)
      assert.notDeepEqual(failures, [])
    })
  }
})
