// The short form of `npm run torture -- --only contracts`, and each planted bug.

import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { differPlanted, fuzz } from './contracts.ts'
import { differ } from './differential.ts'
import { planted, plants } from './plants.ts'
import { projectRoot, withCopy } from './workshop.ts'

const seed = Number(process.env['JANDON_SEED'] ?? randomInt(1_000_000_000))

describe(`contracts under torture, seed ${seed}`, () => {
  it('keep I1, I2, I3, I6 and I8, and every exit open, after random calls', async () => {
    const results = await withCopy(undefined, (root) =>
      fuzz({ root, seed, runs: 5, compile: 'draft' }),
    )
    assert.deepEqual(
      results.map(({ name, calls, failure }) => ({ name, calls, failure })).sort(byName),
      invariants.map((name) => ({ name, calls: 500, failure: undefined })),
    )
  })

  it('agree with the model on every event, error and balance', async () => {
    const sequences = Number(process.env['TORTURE_SEQUENCES'] ?? 100)
    const done = await differ({ seed, sequences })
    assert.equal(done.difference, undefined)
    assert.equal(done.sequences, sequences)
    assert(done.calls > 0)
  })

  it('answer claims of ticks, and deposits by Permit2, in every way that there is', async () => {
    const { answers, difference } = await differ({ seed: 7, sequences: 80 })
    assert.equal(difference, undefined)
    for (const [kind, expected] of Object.entries(answersOfTicksAndPermit2)) {
      const got = answers[kind] ?? {}
      assert.deepEqual(
        expected.filter((answer) => !got[answer]),
        [],
        kind,
      )
    }
  })

  it('fail in Solidity with a planted bug', async () => {
    const plant = plants['settled-uncounted']
    assert(plant)
    const results = await withCopy(plant, (root) =>
      fuzz({ root, seed: 7, runs: 5, compile: 'draft' }),
    )
    assert(results.some(({ name, failure }) => name === 'I1_solvency' && failure !== undefined))
  })

  for (const name of Object.keys(plants)) {
    it(`differ from the model with ${name}`, async () => {
      const { difference } = await differPlanted(name, 7)
      assert(difference !== undefined)
    })
  }
})

describe('a planted bug', () => {
  for (const [name, plant] of Object.entries(plants)) {
    it(`has its place exactly once: ${name}`, () => {
      const source = readFileSync(join(projectRoot, 'contracts', plant.file), 'utf8')
      assert.notEqual(planted(source, plant), source)
    })
  }

  it('must have its place exactly once', () => {
    const plant = { file: 'A.sol', find: /b/, put: 'c' }
    assert.equal(planted('abd', plant), 'acd')
    assert.throws(() => planted('abba', plant), /occurs 2 times in A.sol/)
    assert.throws(() => planted('aa', plant), /occurs 0 times in A.sol/)
  })
})

const invariants = [
  'I1_solvency',
  'I2_channels',
  'I3_monotonicity',
  'I6_vault',
  'I8_conservation',
  'I8_exits',
]

const answersOfTicksAndPermit2 = {
  claimTicks: [
    'done',
    'silent',
    'NotReceiverSide',
    'TooManyTicks',
    'TicksAboveMaximum',
    'ClaimAboveMaximum',
    'ClaimAboveBalance',
    'InvalidVoucherSignature',
    'WrongPreimage',
  ],
  deposit: [
    'done',
    'BalanceOverflow',
    'SignatureExpired',
    'InvalidNonce',
    'InvalidSignature',
    'InvalidSigner',
    'InvalidContractSignature',
    // What Permit2 says of an allowance or a balance that is too small.
    'Error',
  ],
  collect: ['NotChannels'],
}

function byName(a: { name: string }, b: { name: string }): number {
  return a.name < b.name ? -1 : 1
}
