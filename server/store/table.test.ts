import assert from 'node:assert/strict'
import fc from 'fast-check'
import { holds } from '#protocol/testing/arbitrary.ts'
import type { Disk } from '../testing/disk.ts'
import { openDisk } from '../testing/disk.ts'
import { writeSynced } from './database.ts'
import { bytesTable, sortable, table } from './table.ts'

const counters = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  fc.bigInt({ min: 0n, max: 300n }),
  fc.constantFrom(0n, 9n, 10n, 15n, 16n, 2n ** 32n, 2n ** 40n - 1n, 2n ** 40n, 2n ** 64n - 1n),
)

describe('sortable', () => {
  holds('orders keys as their numbers', fc.tuple(counters, counters), ([a, b]) => {
    assert.equal(sortable(a) < sortable(b), a < b)
    assert.equal(sortable(a) === sortable(b), a === b)
  })

  it('is the same for a number and a bigint', () => {
    assert.equal(sortable(2 ** 40), sortable(2n ** 40n))
    assert.equal(sortable(2n ** 40n), '0000010000000000')
  })
})

describe('table', () => {
  let disk: Disk
  const numbers = table<bigint>('n')
  before(async () => {
    disk = await openDisk()
    const places = [1n, 2n, 9n, 10n, 16n, 255n, 256n, 2n ** 32n, 2n ** 40n, 2n ** 40n + 1n]
    await writeSynced(
      disk.db,
      [...places].reverse().map((place) => numbers.put(sortable(place), place)),
    )
    const neighbours = ['m', 'n0', 'na', 'nn'].map((name) => table<string>(name))
    await writeSynced(
      disk.db,
      neighbours.map((other) => other.put('x', 'a neighbour')),
    )
  })
  after(() => disk.remove())

  const values = async (range: Parameters<typeof numbers.list>[1]) =>
    (await numbers.list(disk.db, range)).map(({ value }) => value)

  it('lists its own rows in the order of their counters, up to 2^40 and past it', async () => {
    const all = [1n, 2n, 9n, 10n, 16n, 255n, 256n, 2n ** 32n, 2n ** 40n, 2n ** 40n + 1n]
    assert.deepEqual(await values({}), all)
    assert.deepEqual(await values({ reverse: true }), [...all].reverse())
  })

  it('leaves out both ends of a range', async () => {
    assert.deepEqual(await values({ after: sortable(9n), before: sortable(255n) }), [10n, 16n])
    assert.deepEqual(
      await values({ after: sortable(2n ** 32n), before: sortable(2n ** 40n + 1n) }),
      [2n ** 40n],
    )
    assert.deepEqual(await values({ after: sortable(10n), before: sortable(16n) }), [])
  })

  it('takes as many as the limit, from the end that is asked for', async () => {
    assert.deepEqual(await values({ limit: 2 }), [1n, 2n])
    assert.deepEqual(await values({ limit: 1, reverse: true, before: sortable(2n ** 40n) }), [
      2n ** 32n,
    ])
    assert.deepEqual(await values({ limit: 0 }), [])
  })

  it('reads nothing of its neighbours, and they nothing of it', async () => {
    assert.equal(numbers.get(disk.db, 'x'), undefined)
    for (const name of ['m', 'n0', 'na', 'nn']) {
      const rows = await table<string>(name).list(disk.db)
      assert.deepEqual(rows, [{ key: 'x', value: 'a neighbour' }])
    }
  })

  it('gives the bytes on disk with their full keys', async () => {
    const [row] = await numbers.rows(disk.db, { limit: 1 })
    assert.deepEqual(row, numbers.row(sortable(1n), 1n))
  })

  holds(
    'gives back what was put, bigint and bytes as they were',
    fc.record(
      { amount: counters, text: fc.string(), nothing: fc.constant(undefined) },
      { noNullPrototype: true },
    ),
    async (value) => {
      const records = table<typeof value>('record')
      const raw = bytesTable('raw')
      const bytes = Buffer.from(value.text)
      await writeSynced(disk.db, [records.put('k', value), raw.put('k', bytes)])
      assert.deepEqual(records.get(disk.db, 'k'), value)
      assert.deepEqual(Buffer.from(raw.get(disk.db, 'k') ?? []), bytes)
    },
    50,
  )
})
