import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import type { Hex } from 'viem'
import { concatBytes } from '#protocol/keccak.ts'
import { addresses, amounts, holds } from '#protocol/testing/arbitrary.ts'
import { leafAt, leavesPerRow, packLeaves, placeOf, rowsOf } from './leaves.ts'

const secret: Hex = `0x${'5e'.repeat(32)}`
const place = { group: 9n, token: `0x${'70'.repeat(20)}` } as const
const liabilities = fc.uniqueArray(
  fc.record({ account: addresses, owed: amounts, yours: amounts }),
  {
    minLength: 1,
    maxLength: 50,
    selector: ({ account }) => account,
  },
)

describe('packLeaves', () => {
  holds(
    'keeps every account once with its amounts, whatever the order (R31)',
    liabilities,
    async (given) => {
      const leaves = await packLeaves(given, { secret, randomBytes })
      assert.equal(leaves.count, given.length)
      for (const { account, owed, yours } of given) {
        const index = placeOf(leaves, account)
        assert.ok(index !== undefined)
        const { salt: _, ...leaf } = leafAt(leaves, index)
        assert.deepEqual(leaf, { index, account, owed, yours })
      }
      assert.equal(placeOf(leaves, `0x${'0123456789'.repeat(4)}`), undefined)
    },
  )

  it('draws the order by chance: each place is as likely (R31)', async () => {
    const [first, second, third] = ['a1', 'b1', 'c1'].map((byte): Hex => `0x${byte.repeat(20)}`)
    assert.ok(first && second && third)
    const given = [first, second, third].map((account) => ({ account, owed: 0n, yours: 0n }))
    const orders = new Map<string, number>()
    const draws = 6_000
    for (let draw = 0; draw < draws; draw += 1) {
      const leaves = await packLeaves(given, { secret, randomBytes })
      const order = [0, 1, 2].map((index) => leafAt(leaves, index).account.slice(2, 4)).join()
      orders.set(order, (orders.get(order) ?? 0) + 1)
    }
    assert.equal(orders.size, 6)
    for (const count of orders.values()) assert.ok(count > 800 && count < 1_200, `${count}`)
  })

  it('gives each account a salt of its own, and another under another secret (R31)', async () => {
    const given = ['a1', 'b1'].map((byte) => ({
      account: `0x${byte.repeat(20)}` as Hex,
      owed: 0n,
      yours: 0n,
    }))
    const leaves = await packLeaves(given, { secret, randomBytes })
    const again = { ...leaves, secret: `0x${'5f'.repeat(32)}` } as const
    const salts = [0, 1].flatMap((index) => [leafAt(leaves, index).salt, leafAt(again, index).salt])
    assert.equal(new Set(salts).size, 4)
  })
})

describe('rowsOf', () => {
  it('splits the leaves into rows of bounded size that put together are the leaves again', async () => {
    const count = leavesPerRow * 2 + 1
    const given = Array.from({ length: count }, (_, index) => ({
      account: `0x${index.toString(16).padStart(40, '0')}` as Hex,
      owed: BigInt(index),
      yours: 0n,
    }))
    const leaves = await packLeaves(given, { secret, randomBytes })
    const rows = rowsOf(leaves, place)
    assert.equal(rows.length, 3)
    const keys = rows.map(({ key }) => key)
    assert.deepEqual(keys, keys.toSorted())
    const parts = rows.map(({ value }) => (value instanceof Uint8Array ? value : new Uint8Array()))
    assert.deepEqual(concatBytes(parts), leaves.bytes)
  })
})
