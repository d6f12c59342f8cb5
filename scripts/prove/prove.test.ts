// The proofs about the vault, which take seconds, and one planted bug. All of them: `npm run prove`.

import assert from 'node:assert/strict'
import { plants } from '../torture/plants.ts'
import { isProved, prove } from './prove.ts'
import { readable } from './reading.ts'
import { requireZ3 } from './z3.ts'

const secondsPerQuery = 20

describe('CreatorVault, for any state and any arguments', () => {
  it('keeps I6 paid ≤ credited, I3 monotonicity and what is owed', () => {
    const proofs = prove({ subject: 'CreatorVault', z3: requireZ3().path, secondsPerQuery })
    const answers = Object.fromEntries(proofs.map(({ name, verdict }) => [name, verdict]))
    assert.equal(answers['pay: paid ≤ credited'], 'proved')
    assert.equal(answers['pay: paid never falls'], 'proved')
    assert.equal(answers['pay: owed falls by what is paid'], 'proved')
    assert.equal(answers['pay: reached'], 'reached')
    assert.deepEqual(
      proofs.filter((proof) => !isProved(proof)),
      [],
    )
  })

  it('does not with a planted bug', () => {
    const plant = plants['payment-uncounted']
    assert(plant)
    const proofs = prove({ subject: 'CreatorVault', z3: requireZ3().path, secondsPerQuery, plant })
    const violated = proofs.filter(({ verdict }) => verdict === 'violated')
    assert(violated.some(({ name }) => name === 'pay: paid rises by the amount, for the caller'))
  })
})

describe('readable', () => {
  const contract = (body: string) => `contract A {\n${body}\n}\n`

  it('writes storage pointers out, to the end of their block', () => {
    const source = contract(
      '    function f() {\n        T storage t = m[k];\n        t.a = u.t;\n    }',
    )
    assert.match(readable(source), /\n {8}m\[k\]\.a = u\.t;\n/)
  })

  it('refuses a pointer whose key changes', () => {
    const source = contract(
      '    function f() {\n        T storage t = m[k];\n        k += 1;\n    }',
    )
    assert.throws(() => readable(source), /t points to m\[k\], but k is written afterwards/)
  })

  it('refuses a storage parameter that is written', () => {
    const source = contract('    function f(T storage t) {\n        t.a = 1;\n    }')
    assert.throws(() => readable(source), /t is written as a parameter/)
  })
})
