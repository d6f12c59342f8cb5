// The short form of `npm run torture -- --only chain`, and some of the bugs that it must find.

import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { shortEffort, tortureFollowing, tortureFollowingPlanted } from './following.ts'

const seed = Number(process.env['JANDON_SEED'] ?? randomInt(100_000))

describe(`following the chain under torture, seed ${seed}`, function () {
  this.timeout(240_000)

  it('misses and doubles nothing through reorgs and lying endpoints', async () => {
    const { isIdle, failures } = await tortureFollowing({
      chainKind: 'edr',
      seed,
      seeds: 1,
      effort: shortEffort,
    })
    assert.deepEqual([isIdle, failures], [false, []])
  })

  for (const plant of ['entries-stay', 'logs-unproved']) {
    it(`finds ${plant} when it is planted`, async () => {
      const { failures } = await tortureFollowingPlanted(plant, { chainKind: 'edr', seed })
      assert.notEqual(failures.length, 0)
    })
  }
})
