import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { balanceKey, move } from '../ledger/entry.ts'
import { dataFormat, openDatabase, writeSynced } from '../store/database.ts'
import type { GroupLog } from '../store/group-log.ts'
import { groupTips, ledgerBalances } from '../store/group-rows.ts'
import { createLateRows } from '../store/late-rows.ts'
import { lateGroups, loadBalances, nextGroup, walkGroups } from '../store/start-up.ts'
import type { Database } from '../store/table.ts'
import { sortable, table } from '../store/table.ts'
import type { Disk } from '../testing/disk.ts'
import { draftBasket, openDisk, openLog, owner, randomHash } from '../testing/disk.ts'
import { verifyBackup, writeBackup } from './file.ts'
import { backupFormat, encodeBackup } from './format.ts'
import { firstGroupAfter, restoreBackup } from './restore.ts'

const notes = table<string>('note')
const sessions = table<object>('session')
const now = () => 1_800_000_000_000
const seed = Number(process.env['JANDON_SEED'] ?? randomInt(1_000_000_000))

let folder: string
let disk: Disk
let log: GroupLog
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'jandon-backup-'))
  disk = await openDisk()
  log = (await openLog(disk.db)).log
  await log.commit({ rows: [notes.put('a', 'before')] })
  await log.commit({ entries: [entryOf('one', 5n)] })
})
afterEach(async () => {
  await disk.remove()
  await rm(folder, { recursive: true, force: true })
})

function entryOf(id: string, amount: bigint) {
  const legs = move({ debit: 'a', credit: 'b' }, { currency: 'KRW', amount })
  return { id, at: 0, reason: 'a test', reference: id, legs }
}

const balancesOn = (db: Database) => loadBalances(db, createLateRows(lateGroups(db).from))

const backupPath = () => join(folder, 'one.backup')

async function backUp(path = backupPath()) {
  return writeBackup(encodeBackup(disk.db, now), path)
}

async function restored(directory = join(folder, 'restored')) {
  const result = await restoreBackup({ file: backupPath(), directory, wanted: owner, now })
  return { ...result, db: await openDatabase(directory, owner) }
}

describe('writeBackup', () => {
  it('writes every row as it is, and counts what it checked', async () => {
    const { header, end, checked } = await backUp()
    const rows = await disk.db.iterator().all()
    assert.equal(end.rows, BigInt(rows.length))
    assert.deepEqual(header.newestGroup, log.head())
    assert.deepEqual({ ...header.owner, format: undefined }, { ...owner, format: undefined })
    assert.equal(header.createdAt, BigInt(now()))
    assert.deepEqual(checked, { groups: 2n, tips: 0, entries: 1, channels: 0 })
  })

  it('holds the moment it began at, whatever is written while it is read', async () => {
    const pieces = encodeBackup(disk.db, now)
    const first = await pieces.next()
    await log.commit({ rows: [notes.put('a', 'after'), notes.put('b', 'after')] })
    await log.commit({ entries: [entryOf('two', 7n)] })
    const { header } = await writeBackup(
      andThen(first.value ?? new Uint8Array(), pieces),
      backupPath(),
    )
    assert.equal(header.newestGroup.number, 2n)
    const { db } = await restored()
    assert.deepEqual([notes.get(db, 'a'), notes.get(db, 'b')], ['before', undefined])
    assert.equal((await balancesOn(db)).get(balanceKey('a', 'KRW')), 5n)
    await db.close()
  })

  it('leaves nothing behind when what it was given is cut, and nothing under the name', async () => {
    const pieces = encodeBackup(disk.db, now)
    await assert.rejects(writeBackup(firstOf(pieces), backupPath()), /damaged: it ends too early/)
    await pieces.return()
    assert.deepEqual(await readdir(folder), [])
  })

  it('overwrites nothing', async () => {
    await backUp()
    await assert.rejects(backUp(), /one\.backup exists; a backup overwrites nothing/)
  })

  it('refuses to back up a balance that is not the sum of its entries (I4)', async () => {
    await writeSynced(disk.db, [
      ledgerBalances.put(balanceKey('a', 'KRW'), { amount: 6n, asOf: 2n }),
    ])
    await assert.rejects(backUp(), /the balance of KRW\|a is 6, its entries come to 5/)
    assert.equal(existsSync(backupPath()), false)
  })

  it('refuses to back up a group whose rows are not the ones that were committed (I7)', async () => {
    await writeSynced(disk.db, [groupTips.put(sortable(1n), new Uint8Array([1, 0, 0, 0, 0]))])
    await assert.rejects(backUp(), /damaged: .*group 1, its tips/)
  })
})

describe(`verifyBackup, seed ${seed}`, () => {
  it('finds a changed bit at any place', async () => {
    await backUp()
    const whole = await readFile(backupPath())
    const random = randomFrom(seed)
    const spoiled = join(folder, 'spoiled')
    const ends = Array.from({ length: 60 }, (_, index) => index)
    const places = [...ends, ...ends.map((index) => whole.length - 1 - index)]
    while (places.length < 400) places.push(random(whole.length))
    for (const place of places) {
      const bytes = Buffer.from(whole)
      const bit = random(8)
      bytes[place] = (bytes[place] ?? 0) ^ (1 << bit)
      await writeFile(spoiled, bytes)
      await assert.rejects(verifyBackup(spoiled), `bit ${bit} of byte ${place}`)
    }
  })

  it('finds a cut at any place, and something that follows the end', async () => {
    await backUp()
    const whole = await readFile(backupPath())
    const cut = join(folder, 'cut')
    for (let length = 0; length < whole.length; length += 1 + Math.floor(whole.length / 300)) {
      await writeFile(cut, whole)
      await truncate(cut, length)
      await assert.rejects(verifyBackup(cut), /damaged: it ends too early/, `cut to ${length}`)
    }
    await writeFile(cut, Buffer.concat([whole, Buffer.from([0])]))
    await assert.rejects(verifyBackup(cut), /something follows its end/)
  })

  it('refuses what is no backup, and a backup of a newer format by both numbers', async () => {
    await backUp()
    const file = join(folder, 'other')
    await writeFile(file, 'a text that is much longer than the sixteen bytes')
    await assert.rejects(verifyBackup(file), /this is not a backup/)
    const newer = (await readFile(backupPath())).toString('latin1')
    await writeFile(file, newer.replace('{"format":1,', '{"format":2,'), 'latin1')
    const [found, known] = [backupFormat + 1, backupFormat]
    await assert.rejects(
      verifyBackup(file),
      new RegExp(`is of format ${found}, this program reads up to ${known}`),
    )
  })

  it('leaves no trace', async () => {
    await backUp()
    await verifyBackup(backupPath())
    assert.deepEqual(await readdir(folder), ['one.backup'])
  })
})

describe('restoreBackup', () => {
  it('brings everything back but the sessions (R22)', async () => {
    await writeSynced(disk.db, [sessions.put('token', { address: '0x' })])
    await backUp()
    const { db } = await restored()
    assert.equal(notes.get(db, 'a'), 'before')
    assert.equal(sessions.get(db, 'token'), undefined)
    await db.close()
  })

  it('goes on in the chain of groups under a number that was never given (R22, I7)', async () => {
    await backUp()
    const last = log.head()
    await log.commit({ baskets: [draftBasket(randomHash())] })
    const { db, firstGroup } = await restored()
    assert.equal(await nextGroup(db), firstGroup)
    const { log: again } = await openLog(db)
    const {
      group: { header },
    } = await again.commit({ rows: [notes.put('c', 'x')] })
    assert.equal(header.number, firstGroup)
    assert.equal(header.previous, last.hash)
    assert.ok(firstGroup > 2n ** 40n)
    await again.commit({ rows: [notes.put('d', 'x')] })
    assert.equal((await walkGroups(db))?.number, firstGroup + 1n)
    assert.equal(await nextGroup(db), firstGroup + 2n)
    await db.close()
  })

  it('refuses a folder that is not empty, and names what it holds', async () => {
    await backUp()
    await writeFile(join(folder, 'x'), '')
    await assert.rejects(restored(folder), /is not empty: it holds one\.backup/)
  })

  const others = {
    chainId: { chainId: 1 },
    hubAccount: { hubAccount: `0x${'d1'.repeat(20)}` },
    channels: { channels: `0x${'d2'.repeat(20)}` },
    operator: { operator: `0x${'d3'.repeat(20)}` },
    receiptSigner: { receiptSigner: `0x${'d4'.repeat(20)}` },
  } as const
  for (const [field, other] of Object.entries(others)) {
    it(`refuses the backup of another ${field}, names both, and leaves the folder empty`, async () => {
      await backUp()
      const directory = join(folder, 'restored')
      const wanted = { ...owner, ...other }
      const mine = owner[field as keyof typeof others]
      const theirs = wanted[field as keyof typeof others]
      await assert.rejects(
        restoreBackup({ file: backupPath(), directory, wanted, now }),
        new RegExp(`the backup is of ${field} ${mine}, this hub of ${theirs}`),
      )
      assert.deepEqual(await readdir(directory), [])
    })
  }

  for (const format of [dataFormat - 1, dataFormat + 1]) {
    it(`refuses data of format ${format}, and names both`, async () => {
      const meta = table<object>('meta')
      await writeSynced(disk.db, [meta.put('owner', { ...owner, format })])
      await writeFile(backupPath(), encodeBackup(disk.db, now))
      const both = `data of format ${format}, this program reads format ${dataFormat}`
      await assert.rejects(restored(), new RegExp(both))
      await assert.rejects(verifyBackup(backupPath()), new RegExp(both))
    })
  }

  it('leaves a folder that no hub takes when it is cut off', async () => {
    await backUp()
    const { db } = await restored()
    await db.close()
    const directory = join(folder, 'restored')
    await rename(join(directory, 'level'), join(directory, 'level.partial'))
    await assert.rejects(openDatabase(directory, owner), /a restore into it did not finish/)
  })
})

describe('firstGroupAfter', () => {
  it('is above the backup, and above what an earlier restore of it can have written (R22)', () => {
    const earlier = firstGroupAfter(7n, now() - 1_000)
    assert.ok(firstGroupAfter(7n, now()) > earlier + 1_000_000n)
    const last = firstGroupAfter(7n, now()) + 5n
    assert.ok(firstGroupAfter(last, now() - 86_400_000) > last)
  })
})

async function* firstOf(pieces: AsyncGenerator<Uint8Array>) {
  const first = await pieces.next()
  if (first.value) yield first.value.subarray(0, 40)
}

async function* andThen(first: Uint8Array, rest: AsyncIterable<Uint8Array>) {
  yield first
  yield* rest
}

/** A small generator of whole numbers below a bound, the same for the same seed. */
function randomFrom(start: number): (bound: number) => number {
  let state = start >>> 0
  return (bound) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * bound)
  }
}
