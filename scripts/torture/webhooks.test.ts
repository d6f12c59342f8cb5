// The short form of `npm run torture -- --only webhooks`.

import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { createRandom } from './random.ts'
import { surviveKills } from './webhooks/kills.ts'

const seed = Number(process.env['JANDON_SEED'] ?? randomInt(1_000_000_000))

describe(`webhooks under torture, seed ${seed}`, function () {
  this.timeout(120_000)

  it('lose nothing and overtake nothing when the hub is killed twice among 500 events', async () => {
    const { operations, failures } = await surviveKills(createRandom(seed), {
      events: 500,
      kills: 2,
    })
    assert.deepEqual([operations, failures], [500, []])
  })
})
