import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Disk } from '../testing/disk.ts'
import { draftBasket, openDisk, openLog, owner, randomHash } from '../testing/disk.ts'
import { openDatabase } from './database.ts'
import { damagedGroup } from './log-check.ts'

const seed = Number(process.env['JANDON_SEED'] ?? randomInt(1, 2 ** 31 - 1))

describe(`damagedGroup, seed ${seed}`, () => {
  let disk: Disk
  let name: string
  let bytes: Buffer
  /** How long the log was when each group was acknowledged; the first is before any. */
  const lengths: number[] = []

  before(async () => {
    disk = await openDisk()
    const folder = join(disk.directory, 'level')
    name = (await readdir(folder)).find((one) => one.endsWith('.log')) ?? ''
    const { log } = await openLog(disk.db)
    lengths.push((await readFile(join(folder, name))).length)
    for (let group = 1; group <= 40; group += 1) {
      const count = group % 7 === 0 ? 150 : 3
      await log.commit({ baskets: Array.from({ length: count }, () => draftBasket(randomHash())) })
      lengths.push((await readFile(join(folder, name))).length)
    }
    bytes = await readFile(join(folder, name))
  })
  after(() => disk.remove())

  function flipped(at: number, bit: number): Buffer {
    const copy = Buffer.from(bytes)
    copy[at] = (copy[at] ?? 0) ^ (1 << bit)
    return copy
  }

  it('finds nothing in a log as it was written, of which the last batch spans blocks or not', () => {
    for (const length of lengths) assert.equal(damagedGroup(bytes.subarray(0, length)), undefined)
  })

  it('finds nothing in a log that ends anywhere, with or without zeros after it', () => {
    for (let cut = 0; cut < 400; cut += 1) {
      const length = (seed * 31 + cut * 997) % bytes.length
      assert.equal(damagedGroup(bytes.subarray(0, length)), undefined, `cut at ${length}`)
      const zeros = Buffer.concat([bytes.subarray(0, length), Buffer.alloc(100)])
      assert.equal(damagedGroup(zeros), undefined, `zeros from ${length}`)
    }
  })

  it('names the group that a flipped bit hit, wherever in the log, but for the last (I7)', () => {
    const end = lengths.at(-2) ?? 0
    for (let flip = 0; flip < 400; flip += 1) {
      const at = (seed * 17 + flip * 7_919) % end
      const group = lengths.findIndex((length) => at < length)
      const named = damagedGroup(flipped(at, flip % 8))
      const mayBePadding = at % 32_768 > 32_768 - 7 && bytes[at] === 0
      if (mayBePadding && named === undefined) continue
      const isBeforeTheFirst = group === 0 && named === 1n
      if (isBeforeTheFirst) continue
      assert.equal(named, BigInt(group), `bit ${flip % 8} of byte ${at}`)
    }
  })

  it('finds nothing when the last batch cannot be read: it may be one that was never synced', () => {
    const from = lengths.at(-2) ?? 0
    for (let at = from; at < bytes.length; at += 13) {
      assert.equal(damagedGroup(flipped(at, at % 8)), undefined)
    }
  })

  it('stops the opening of a damaged directory before anything in it is changed (I7)', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'jandon-damaged-'))
    const first = await openDatabase(directory, owner)
    await first.close()
    const path = join(directory, 'level', name)
    await writeFile(path, flipped((lengths[20] ?? 0) + 40, 3))
    const before = await readdir(join(directory, 'level'))
    await assert.rejects(openDatabase(directory, owner), /is damaged: group 21, its batch in /)
    assert.deepEqual(await readdir(join(directory, 'level')), before)
    await rm(directory, { recursive: true })
  })
})
