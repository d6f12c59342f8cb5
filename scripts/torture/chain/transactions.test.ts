// The short form of `npm run torture -- --only chain`, and some of its planted bugs; `--plant all` tries every one.

import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { chainKinds } from '../../world/chains.ts'
import { torturePlantedTransactions, tortureTransactions } from './transactions.ts'

const seed = Number(process.env['JANDON_SEED'] ?? randomInt(1_000_000_000))

describe(`transactions under torture, seed ${seed}`, function () {
  this.timeout(300_000)

  for (const chainKind of chainKinds) {
    it(`have each effect once on ${chainKind} and leave no hole, whatever is lost, and poison holds up nothing (R4, R12)`, async () => {
      const plan = { chainKind, seed, seeds: 1, isShort: true }
      const { operations, isIdle, failures } = await tortureTransactions(plan)
      assert.deepEqual([failures, isIdle], [[], false])
      assert.ok(operations > 0)
    })
  }

  for (const plant of ['nonce-of-the-chain', 'trial-ignored']) {
    it(`are found out with ${plant}`, async () => {
      const { failures } = await torturePlantedTransactions(plant, { chainKind: 'edr', seed })
      assert.notDeepEqual(failures, [])
    })
  }
})
