import assert from 'node:assert/strict'
import { createLateRows } from './late-rows.ts'

const bytes = (text: string) => Buffer.from(text)

describe('createLateRows', () => {
  it('writes a row once for all the groups that changed it, with its newest value', () => {
    const late = createLateRows(1n)
    let value = 0
    for (let group = 1n; group <= 256n; group += 1n) {
      value += 1
      late.touch({ key: 'a', value: () => bytes(String(value)) }, group)
      assert.deepEqual(late.due(group).rows, [], `group ${group}`)
    }
    const { rows } = late.due(257n)
    assert.deepEqual(rows, [{ key: 'a', value: bytes('256') }])
    assert.deepEqual(late.due(258n).rows, [], 'and not again before it changes again')
  })

  it('tells a row the group that it is as of', () => {
    const late = createLateRows(1n)
    late.touch({ key: 'a', value: (asOf) => bytes(String(asOf)) }, 3n)
    assert.deepEqual(late.due(259n).rows, [{ key: 'a', value: bytes('259') }])
  })

  it('names the first group that a row on disk may lack', () => {
    const late = createLateRows(1n)
    assert.equal(late.due(1n).replayFrom, 2n)
    late.touch({ key: 'a', value: () => bytes('a') }, 2n)
    late.touch({ key: 'b', value: () => bytes('b') }, 5n)
    assert.equal(late.due(5n).replayFrom, 2n)
    assert.equal(late.due(258n).replayFrom, 5n, 'a is written with this group')
    assert.equal(late.due(261n).replayFrom, 262n)
  })

  it('keeps what a start took up from the groups until it is written', () => {
    const late = createLateRows(7n)
    late.replayed({ key: 'a', value: () => bytes('a') })
    late.touch({ key: 'b', value: () => bytes('b') }, 20n)
    assert.equal(late.due(20n).replayFrom, 7n)
    assert.deepEqual(
      late.due(263n).rows.map(({ key }) => key),
      ['a'],
    )
  })

  it('brings at most 1,000 rows along with one group, the oldest first', () => {
    const late = createLateRows(1n)
    for (let row = 0; row < 1_500; row += 1)
      late.touch({ key: String(row), value: () => bytes('x') }, 1n)
    const first = late.due(300n)
    assert.equal(first.rows.length, 1_000)
    assert.equal(first.rows[0]?.key, '0')
    assert.equal(first.replayFrom, 1n)
    assert.equal(late.due(301n).rows.length, 500)
  })

  it('tells a row when it is on disk, and not before', () => {
    const late = createLateRows(1n)
    let told = 0
    late.touch(
      {
        key: 'a',
        value: () => bytes('a'),
        written: () => {
          told += 1
        },
      },
      1n,
    )
    const { written } = late.due(300n)
    assert.equal(told, 0)
    written()
    assert.equal(told, 1)
  })
})
