// The short form of the withdrawal windows of `npm run torture -- --only chain`, and each planted bug.

import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { tortureWindows, windowPlants } from './windows.ts'

const seed = Number(process.env['JANDON_SEED'] ?? randomInt(1_000_000_000))
const short = { chainKind: 'edr', seed, seeds: 1, windows: 8, blocks: 16 } as const

describe(`withdrawal windows without the hub, seed ${seed}`, function () {
  this.timeout(240_000)

  it('are all claimed in time, and lock no money (R30)', async () => {
    const { operations, failures } = await tortureWindows(short)
    assert.deepEqual([failures, operations], [[], short.windows])
  })

  for (const plant of Object.keys(windowPlants)) {
    it(`are found late with a planted bug: ${plant}`, async () => {
      const { failures } = await tortureWindows({ ...short, plant })
      assert.notDeepEqual(failures, [])
    })
  }
})
