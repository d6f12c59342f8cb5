import assert from 'node:assert/strict'
import type { Hex } from 'viem'
import type { Exchange, Said } from './explain.ts'
import { explain } from './explain.ts'
import type { ChannelState } from './model.ts'
import { amountsOf } from './model.ts'

const id: Hex = `0x${'01'.repeat(32)}`
const to: Hex = `0x${'02'.repeat(32)}`
const recipients = new Set([to])
const empty: ChannelState = {
  ceiling: 0n,
  charged: 0n,
  held: 0n,
  escrowCap: 100n,
  baskets: new Set(),
}

function basket(name: string, amount: bigint, { maximum, said }: { maximum: bigint; said: Said }) {
  const exchange: Exchange = {
    order: {
      kind: 'basket',
      channelId: id,
      basketId: named(name),
      tips: [{ to, amount, ref: named(name), isCommitted: true }],
      maximum,
      isSigned: true,
    },
    signature: named(name),
    said,
  }
  return exchange
}

function receipt(name: string, group: bigint, state: Partial<ChannelState>): Said {
  const amounts = amountsOf({ ...empty, ...state })
  return { kind: 'receipt', place: { group, firstIndex: 0, signature: named(name) }, amounts }
}

function refund(amount: bigint, said: Said): Exchange {
  return { order: { kind: 'refund', channelId: id, amount }, signature: undefined, said }
}

function named(name: string): Hex {
  return `0x${Buffer.from(name).toString('hex').padStart(64, '0')}`
}

function tooLow(state: Partial<ChannelState>, added: bigint): Said {
  const amounts = amountsOf({ ...empty, ...state })
  const needed = amounts.charged + amounts.held + added
  return { kind: 'refused', code: 'ceiling_too_low', values: { ...amounts, new: added, needed } }
}

function outcome(exchanges: Exchange[], reserved = 0n) {
  const model = { id, refusal: undefined, state: empty }
  return explain(model, exchanges, { recipients, reserved })
}

describe('explain', () => {
  const after = { charged: 10n, ceiling: 10n }

  it('finds the order in which two from one base were answered (R3)', () => {
    const first = basket('a', 10n, { maximum: 10n, said: receipt('a', 1n, after) })
    const second = basket('b', 10n, { maximum: 10n, said: tooLow(after, 10n) })
    const found = outcome([second, first])
    assert.ok('state' in found)
    assert.deepEqual([found.state.charged, found.state.ceiling], [10n, 10n])
  })

  it('takes a forged basket that is too dear for forged beside another, and only then (R13)', () => {
    const first = basket('a', 10n, { maximum: 10n, said: receipt('a', 1n, after) })
    const said: Said = { kind: 'refused', code: 'bad_signature', values: {} }
    const dear = basket('b', 101n, { maximum: 101n, said })
    const forged = { ...dear, order: { ...dear.order, isSigned: false } as Exchange['order'] }
    assert.ok('state' in outcome([first, forged]))
    assert.ok('fault' in outcome([forged]))
    assert.ok('fault' in outcome([first, dear]))
  })

  it('finds none when both were accepted (R1)', () => {
    const both = ['a', 'b'].map((name) =>
      basket(name, 10n, { maximum: 10n, said: receipt(name, 1n, after) }),
    )
    assert.ok('fault' in outcome(both))
  })

  it('finds none for a refusal with amounts that never were', () => {
    const refused = basket('b', 10n, { maximum: 9n, said: tooLow({ charged: 1n }, 10n) })
    assert.ok('fault' in outcome([refused]))
  })

  it('counts a refund without an answer when it is held in the end, and only then (R10)', () => {
    const lost = refund(30n, { kind: 'lost' })
    const held = outcome([lost], 30n)
    assert.ok('state' in held)
    assert.equal(held.state.held, 30n)
    const gone = outcome([lost], 0n)
    assert.ok('state' in gone)
    assert.equal(gone.state.held, 0n)
    assert.ok('fault' in outcome([lost], 29n))
  })

  it('does not forgive that a refund with an answer is not held in the end (R10)', () => {
    assert.ok('fault' in outcome([refund(30n, { kind: 'refund', amount: 30n })], 0n))
  })

  it('lets a refusal speak of what a kill took away, but not of anything else', () => {
    const refused = basket('b', 10n, { maximum: 10n, said: tooLow(after, 10n) })
    assert.ok(
      'state' in outcome([basket('a', 10n, { maximum: 10n, said: { kind: 'lost' } }), refused]),
    )
    assert.ok(
      'fault' in outcome([basket('a', 9n, { maximum: 10n, said: { kind: 'lost' } }), refused]),
    )
  })
})
