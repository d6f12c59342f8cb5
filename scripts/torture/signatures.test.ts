// Contract, SDK and hub agree on what is a signature: what one of them takes, the others take.

import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { compilePlanted } from './compile.ts'
import { plants } from './plants.ts'
import { judgeSignatures } from './signatures.ts'

const wrong = ['high s', 'zero r', 'zero s', 'v of 0 or 1', 'truncated', 'other domain']
const seed = Number(process.env['JANDON_SEED'] ?? randomInt(1_000_000_000))

describe(`signatures, seed ${seed}`, () => {
  it('are taken by the contract, the SDK and the hub, or by none of them (R7)', async () => {
    const cases = Number(process.env['TORTURE_SIGNATURES'] ?? 2_000)
    const { taken, refused, disagreements } = await judgeSignatures({ seed, cases })
    assert.deepEqual(disagreements, [])
    for (const message of ['voucher', 'commitment']) {
      assert((taken[`${message}, good`] ?? 0) > 0)
      assert.equal(refused[`${message}, good`], undefined)
      for (const sort of wrong) {
        assert((refused[`${message}, ${sort}`] ?? 0) > 0, `${message}, ${sort}`)
        assert.equal(taken[`${message}, ${sort}`], undefined, `${message}, ${sort}`)
      }
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
