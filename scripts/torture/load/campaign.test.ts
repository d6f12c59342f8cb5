// The short form of `npm run torture -- --only load`: what is right or wrong in it. How fast it was is for the long form.

import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { tortureLoad } from './campaign.ts'

const seed = Number(process.env['JANDON_SEED'] ?? randomInt(1_000_000_000))

describe(`a hub under load, seed ${seed}`, function () {
  this.timeout(180_000)

  for (const only of ['forgers', 'loris', 'crowd']) {
    it(`stays well and answers the honest beside ${only}`, async () => {
      const { operations, faults, failures } = await tortureLoad({
        seed,
        only,
        phaseSeconds: 1,
        rounds: 1,
        channels: 10,
        connections: 300,
        viewers: 200,
        judge: false,
      })
      assert.deepEqual(failures, [])
      assert.ok(operations > 0)
      assert.ok(faults > 0)
    })
  }
})
