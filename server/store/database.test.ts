import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Disk } from '../testing/disk.ts'
import { openDisk, owner } from '../testing/disk.ts'
import { dataFormat, openDatabase, writeSynced } from './database.ts'
import { table } from './table.ts'

const notes = table<string>('note')
const database = fileURLToPath(new URL('./database.ts', import.meta.url))

describe('openDatabase', () => {
  let disk: Disk
  beforeEach(async () => {
    disk = await openDisk()
  })
  afterEach(() => disk.remove())

  it('opens what the same hub wrote, with everything in it', async () => {
    await writeSynced(disk.db, [notes.put('a', 'x')])
    assert.equal(notes.get(await disk.reopen(), 'a'), 'x')
  })

  it('refuses a second process on the same folder, and the first goes on', async () => {
    const script = `
      import { openDatabase } from ${JSON.stringify(database)}
      await openDatabase(${JSON.stringify(disk.directory)}, ${JSON.stringify(owner)})`
    const args = ['--input-type=module', '--eval', script]
    const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
    assert.notEqual(status, 0)
    assert.match(stderr, /another process holds it; stop that one first/)
    await writeSynced(disk.db, [notes.put('a', 'x')])
    assert.equal(notes.get(disk.db, 'a'), 'x')
  })

  it('refuses a second opening in the same process', async () => {
    await assert.rejects(openDatabase(disk.directory, owner), /another process holds it/)
  })

  const others = {
    chainId: { ...owner, chainId: 1 },
    hubAccount: { ...owner, hubAccount: `0x${'d1'.repeat(20)}` },
    channels: { ...owner, channels: `0x${'d2'.repeat(20)}` },
    operator: { ...owner, operator: `0x${'d3'.repeat(20)}` },
    receiptSigner: { ...owner, receiptSigner: `0x${'d4'.repeat(20)}` },
  } as const
  for (const [field, other] of Object.entries(others)) {
    it(`refuses the folder of another ${field}, names both, and lets it go again`, async () => {
      await disk.db.close()
      const mine = owner[field as keyof typeof others]
      const wanted = other[field as keyof typeof others]
      await assert.rejects(
        openDatabase(disk.directory, other),
        new RegExp(`is of ${field} ${mine}, this hub of ${wanted}; use another directory`),
      )
      await disk.reopen()
    })
  }

  it('refuses another format', async () => {
    const format = dataFormat + 1
    const meta = table<object>('meta')
    await writeSynced(disk.db, [meta.put('owner', { ...owner, format })])
    await disk.db.close()
    await assert.rejects(
      openDatabase(disk.directory, owner),
      new RegExp(`is of format ${format}, this hub of ${dataFormat}`),
    )
    disk.db = await openDatabase(`${disk.directory}/another`, owner)
  })
})

describe('writeSynced', () => {
  let disk: Disk
  beforeEach(async () => {
    disk = await openDisk()
  })
  afterEach(() => disk.remove())

  it('puts, deletes, and of rows with one key writes the last', async () => {
    await writeSynced(disk.db, [notes.put('a', '1'), notes.put('b', '1')])
    await writeSynced(disk.db, [
      notes.put('a', '2'),
      notes.put('a', '3'),
      notes.remove('b'),
      notes.putLater('c', () => '4'),
    ])
    const rows = (await notes.list(disk.db)).map(({ key, value }) => key + value)
    assert.deepEqual(rows, ['a3', 'c4'])
  })

  it('writes all rows or none', async () => {
    const broken = notes.putLater('b', () => {
      throw new Error('cannot be packed')
    })
    await assert.rejects(writeSynced(disk.db, [notes.put('a', 'x'), broken]), /cannot be packed/)
    assert.deepEqual(await notes.list(disk.db), [])
  })
})
