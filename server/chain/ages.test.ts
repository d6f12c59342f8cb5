import assert from 'node:assert/strict'
import type { Disk } from '../testing/disk.ts'
import { openDisk, openLog } from '../testing/disk.ts'
import { createAges } from './ages.ts'

describe('createAges', () => {
  let disk: Disk
  let time: number

  beforeEach(async () => {
    disk = await openDisk()
    time = 1_000_000
  })
  afterEach(() => disk.remove())

  async function start() {
    const { log } = await openLog(disk.db)
    return createAges({ db: disk.db, log, now: () => time })
  }

  it('answers since when something waits, from the first look on', async () => {
    const ages = await start()
    await ages.look('t', new Map([['a', 0n]]))
    time += 5_000
    const since = await ages.look(
      't',
      new Map([
        ['a', 0n],
        ['b', 0n],
      ]),
    )
    assert.deepEqual([since('a'), since('b')], [1_000_000, 1_005_000])
  })

  it('lets what was settled in part wait anew', async () => {
    const ages = await start()
    await ages.look('t', new Map([['a', 0n]]))
    time += 5_000
    const since = await ages.look('t', new Map([['a', 7n]]))
    assert.equal(since('a'), 1_005_000)
  })

  it('forgets what waits no more', async () => {
    const ages = await start()
    await ages.look('t', new Map([['a', 0n]]))
    time += 60_000
    await ages.look('t', new Map([['a', 0n]]))
    await ages.look('t', new Map())
    await disk.reopen()
    const since = await (await start()).look('t', new Map([['a', 0n]]))
    assert.equal(since('a'), 1_060_000)
  })

  it('remembers across a restart what waited for a minute, by scope', async () => {
    const ages = await start()
    const waiting = new Map([['a', 0n]])
    await ages.look('t', waiting)
    await ages.look('u', waiting)
    time += 59_999
    await ages.look('u', waiting)
    time += 1
    await ages.look('t', waiting)
    await disk.reopen()
    time += 10_000
    const again = await start()
    assert.equal((await again.look('t', waiting))('a'), 1_000_000)
    assert.equal((await again.look('u', waiting))('a'), time)
  })
})
