// Contract, SDK and hub agree on what is a signature: what one of them takes, the others take.

import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { compilePlanted } from './compile.ts'
import { plants } from './plants.ts'
import { judgeSignatures } from './signatures.ts'

const seed = randomInt(1_000_000_000)

describe(`signatures, seed ${seed}`, () => {
  it('are taken by the contract, the SDK and the hub, or by none of them (R7)', async () => {
    const cases = Number(process.env['TORTURE_SIGNATURES'] ?? 2_000)
    const { taken, refused, disagreements } = await judgeSignatures({ seed, cases })
    assert.deepEqual(disagreements, [])
    assert((taken['good'] ?? 0) > 0)
    assert.equal(refused['good'], undefined)
    for (const sort of ['high s', 'zero r', 'zero s', 'v of 0 or 1', 'truncated', 'other domain']) {
      assert((refused[sort] ?? 0) > 0, sort)
      assert.equal(taken[sort], undefined, sort)
    }
  })

  for (const name of ['claim-unsigned', 'packed-unsigned']) {
    it(`are judged differently by a contract with ${name}`, async () => {
      const plant = plants[name]
      assert(plant)
      const { disagreements } = await judgeSignatures(
        { seed: 7, cases: 100 },
        compilePlanted(plant),
      )
      assert(disagreements.length > 0)
    })
  }
})
