import assert from 'node:assert/strict'
import type { Hex } from 'viem'
import type { Entry } from '../ledger/entry.ts'
import { balanceKey, move } from '../ledger/entry.ts'
import type { Disk } from '../testing/disk.ts'
import { draftBasket, jump, openDisk, openLog, randomHash } from '../testing/disk.ts'
import { writeSynced } from './database.ts'
import type { StoredGroup } from './group-rows.ts'
import {
  groups,
  groupTicks,
  groupTips,
  ledgerEntries,
  newestGroup,
  placeKey,
} from './group-rows.ts'
import { createLateRows } from './late-rows.ts'
import { lateGroups, loadBalances, walkedGroups, walkGroups } from './start-up.ts'
import type { Row } from './table.ts'
import { sortable, table } from './table.ts'
import { readRow } from './tip-codec.ts'

const notes = table<string>('note')

function entryOf(id: string, amount: bigint, credit = 'b'): Entry {
  const legs = move({ debit: 'a', credit }, { currency: 'KRW', amount })
  return { id, at: 0, reason: 'a test', reference: id, legs }
}

describe('walkGroups', () => {
  let disk: Disk
  beforeEach(async () => {
    disk = await openDisk()
    const { log } = await openLog(disk.db)
    await log.commit({ rows: [notes.put('a', 'x')] })
    await log.commit({ baskets: [1n, 2n].map(() => draftBasket(randomHash(), { message: 'hm' })) })
    await log.commit({ entries: [entryOf('c', 1n), entryOf('d', 2n)] })
    await Promise.all([
      log.commit({ baskets: [draftBasket(randomHash())], entries: [entryOf('e', 3n)] }),
      ...[1, 2].map((stream) => log.tick({ stream, ticks: 3, preimage }, stale)),
    ])
    await log.commit({ rows: [notes.put('b', 'x')] })
  })
  afterEach(() => disk.remove())

  const preimage = new Uint8Array(32).fill(9)
  const stale = { key: notes.keyOf('stale'), value: () => undefined }
  const last = 5
  const numbers = [1, 2, 3, 4, 5]

  function stored(number: number): StoredGroup {
    const group = groups.get(disk.db, sortable(number))
    assert.ok(group)
    return group
  }

  async function assertDamaged(group: number, rows: readonly Row[]) {
    await writeSynced(disk.db, rows)
    await assert.rejects(
      walkGroups(await disk.reopen()),
      new RegExp(`^Error: the data directory is damaged: group ${group}, `),
    )
  }

  it('returns the last header of what was written', async () => {
    const header = await walkGroups(await disk.reopen())
    assert.deepEqual(header, stored(last).header)
  })

  it('returns nothing for a new data directory', async () => {
    const fresh = await openDisk()
    assert.equal(await walkGroups(fresh.db), undefined)
    await fresh.remove()
  })

  for (const number of numbers) {
    it(`names group ${number} of ${last} when its header is gone (I7)`, async () => {
      await assertDamaged(number, [groups.remove(sortable(number))])
    })

    it(`names group ${number} of ${last} when any field of its header is another (I7)`, async () => {
      const { header, ...rest } = stored(number)
      const other: Hex = `0x${'99'.repeat(32)}`
      const changes = {
        epoch: other,
        number: header.number + 1n,
        previous: other,
        tipsRoot: other,
        tipCount: header.tipCount + 1,
        journalHash: other,
        closedAt: header.closedAt + 1n,
      }
      for (const [field, value] of Object.entries(changes)) {
        const changed = { ...header, [field]: value }
        await assertDamaged(number, [groups.put(sortable(number), { ...rest, header: changed })])
      }
    })

    it(`names group ${number} of ${last} when its header cannot be read (I7)`, async () => {
      const row = groups.row(sortable(number), stored(number))
      for (const value of [new Uint8Array(), row.value.subarray(0, 40), Buffer.from('junk')]) {
        await assertDamaged(number, [{ key: row.key, value }])
      }
    })

    it(`names group ${number} of ${last} when an entry is added to it (I7)`, async () => {
      const row = ledgerEntries.put(placeKey(BigInt(number), 7), entryOf('added', 1n))
      await assertDamaged(number, [row])
    })
  }

  for (const number of [2, 4]) {
    it(`names group ${number} when its tips are gone, or any byte of what they say is another (I7)`, async () => {
      const key = sortable(number)
      const row = groupTips.get(disk.db, key)
      assert.ok(row)
      await assertDamaged(number, [groupTips.remove(key)])
      const { placeOf, basketOf } = readRow(row, BigInt(number))
      const tip = placeOf(0)
      const basket = basketOf(tip)
      const inHead = [0, 1, 4, 8, basket - 64, basket - 1]
      const inBasket = [0, 31, 32, 63, 64, 128, 129, 144, 145, 192].map((at) => basket + at)
      const inTip = [0, 3, 4, 36, 68, 84, 100, 116, 131, 132].map((at) => tip + at)
      for (const offset of [...inHead, ...inBasket, ...inTip]) {
        const changed = Uint8Array.from(row)
        changed[offset] = (changed[offset] ?? 0) ^ 1
        await assertDamaged(number, [groupTips.put(key, changed)])
      }
      await assertDamaged(number, [groupTips.put(key, row.subarray(0, row.length - 200))])
    })

    it(`names group ${number} for each byte of its tips, messages too, that one bit is flipped in (I7)`, async () => {
      const key = sortable(number)
      const row = groupTips.get(disk.db, key)
      assert.ok(row)
      for (let offset = 0; offset < row.length; offset += 1) {
        const changed = Uint8Array.from(row)
        changed[offset] = (changed[offset] ?? 0) ^ (1 << (offset % 8))
        await assertDamaged(number, [groupTips.put(key, changed)])
      }
    })
  }

  it('names group 4 for each byte of its ticks that one bit is flipped in, and when they are cut or gone (I7)', async () => {
    const key = sortable(4)
    const row = groupTicks.get(disk.db, key)
    assert.equal(row?.length, 88)
    for (let offset = 0; offset < row.length; offset += 1) {
      const changed = Uint8Array.from(row)
      changed[offset] = (changed[offset] ?? 0) ^ (1 << (offset % 8))
      await assertDamaged(4, [groupTicks.put(key, changed)])
    }
    await assertDamaged(4, [groupTicks.put(key, row.subarray(0, 44))])
    await assertDamaged(4, [groupTicks.put(key, row.subarray(0, 50))])
    await assertDamaged(4, [groupTicks.remove(key)])
  })

  it('names a group to which ticks were added (I7)', async () => {
    const row = groupTicks.get(disk.db, sortable(4))
    assert.ok(row)
    await assertDamaged(3, [groupTicks.put(sortable(3), row)])
  })

  it('names a group to which tips were added (I7)', async () => {
    const row = groupTips.get(disk.db, sortable(4))
    assert.ok(row)
    await assertDamaged(3, [groupTips.put(sortable(3), row)])
  })

  for (const [number, place] of [
    [3, 0],
    [3, 1],
    [4, 0],
  ] as const) {
    it(`names group ${number} when its entry ${place} is gone or another by one unit (I7)`, async () => {
      const key = placeKey(BigInt(number), place)
      const entry = ledgerEntries.get(disk.db, key)
      assert.ok(entry)
      await assertDamaged(number, [ledgerEntries.remove(key)])
      const legs = entry.legs.map((leg) => ({
        ...leg,
        amount: leg.amount + (leg.amount > 0n ? 1n : -1n),
      }))
      await assertDamaged(number, [ledgerEntries.put(key, { ...entry, legs })])
    })
  }

  it('names a group whose entries changed places (I7)', async () => {
    const [first, second] = [0, 1].map((place) => ledgerEntries.get(disk.db, placeKey(3n, place)))
    assert.ok(first && second)
    const swapped = [
      ledgerEntries.put(placeKey(3n, 0), second),
      ledgerEntries.put(placeKey(3n, 1), first),
    ]
    await assertDamaged(3, swapped)
  })

  it('names the group after the last when rows stand beyond it (I7)', async () => {
    const tips = groupTips.get(disk.db, sortable(4))
    assert.ok(tips)
    const strays = {
      tips: groupTips.put(sortable(9), tips),
      ticks: groupTicks.put(sortable(7), new Uint8Array(44)),
      entry: ledgerEntries.put(placeKey(6n, 0), entryOf('x', 1n)),
      header: groups.put(sortable(6), stored(5)),
    }
    for (const stray of Object.values(strays)) {
      await assertDamaged(last + 1, [stray])
      await writeSynced(disk.db, [{ key: stray.key, value: undefined }])
    }
    await walkGroups(disk.db)
  })

  it('names a group when the newest ones are gone as a whole (I7)', async () => {
    await assertDamaged(5, [groups.remove(sortable(4)), groups.remove(sortable(5))])
  })

  it('refuses data whose newest group is not recorded, or is another (I7)', async () => {
    const head = newestGroup.get(disk.db, '')
    assert.ok(head)
    await assertDamaged(5, [newestGroup.put('', { ...head, hash: `0x${'99'.repeat(32)}` })])
    await assertDamaged(5, [newestGroup.put('', { ...head, number: 4n })])
    await assertDamaged(1, [newestGroup.remove('')])
  })

  it('walks as many groups as it says, and no further', async () => {
    const { log } = await openLog(disk.db)
    for (let number = last; number < walkedGroups + 2; number += 1) {
      await log.commit({ rows: [notes.put('a', 'x')] })
    }
    const total = walkedGroups + 2
    await writeSynced(disk.db, [groups.remove(sortable(total - walkedGroups))])
    assert.equal((await walkGroups(disk.db))?.number, BigInt(total))
    await assertDamaged(total - walkedGroups + 1, [
      groups.remove(sortable(total - walkedGroups + 1)),
    ])
  })
})

describe('loadBalances', () => {
  it('gives the sums of the entries, after any number of restarts (I4)', async () => {
    const disk = await openDisk()
    let db = disk.db
    for (let run = 0; run < 3; run += 1) {
      const { log, balances } = await openLog(db)
      const commits = Array.from({ length: 40 }, (_, index) =>
        log.commit({
          entries: [entryOf(`${run}/${index}`, BigInt(index * 7 + run), `b${index % 5}`)],
          legs: move({ debit: 'tips', credit: `b${index % 3}` }, { currency: 'USD', amount: 1n }),
        }),
      )
      await Promise.all(commits)
      db = await disk.reopen()
      const sums = new Map<string, bigint>()
      for (const { value } of await ledgerEntries.list(db)) {
        for (const { account, currency, amount } of value.legs) {
          const key = balanceKey(account, currency)
          sums.set(key, (sums.get(key) ?? 0n) + amount)
        }
      }
      const loaded = await loadBalances(db, createLateRows(lateGroups(db).from))
      assert.deepEqual(new Map([...loaded].sort()), new Map([...sums].sort()))
      assert.deepEqual(new Map([...loaded].sort()), new Map([...balances].sort()))
      assert.equal(
        [...loaded.values()].reduce((sum, amount) => sum + amount, 0n),
        0n,
      )
    }
    await disk.remove()
  })

  it('gives them when more rows lag behind a restore than one group writes (R22, I4)', async () => {
    const disk = await openDisk()
    const names = Array.from({ length: 1_500 }, (_, index) => `b${index}`)
    const first = await openLog(disk.db)
    await Promise.all(names.map((name) => first.log.commit({ entries: [entryOf(name, 3n, name)] })))
    const from = await jump(disk.db)
    const second = await openLog(await disk.reopen())
    const {
      group: { header },
    } = await second.log.commit({ entries: [entryOf('after', 5n, 'b7')] })
    assert.equal(header.number, from)
    const late = lateGroups(await disk.reopen())
    assert.ok(late.from < 10n && late.to === from, `replays from ${late.from} to ${late.to}`)
    const loaded = await loadBalances(disk.db, createLateRows(late.from))
    assert.deepEqual(new Map([...loaded].sort()), new Map([...second.balances].sort()))
    assert.equal(loaded.get(balanceKey('b7', 'KRW')), -8n)
    assert.equal(loaded.get(balanceKey('a', 'KRW')), 4_505n)
    await disk.remove()
  })
})
