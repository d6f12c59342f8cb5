import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { Hex } from 'viem'
import { HubError } from '#protocol/errors.ts'
import type { GroupHeader } from '#protocol/receipt.ts'
import { headerHash, receiptFault, zeroHash } from '#protocol/receipt.ts'
import { holds } from '#protocol/testing/arbitrary.ts'
import { receiptOf } from '../channels/baskets.ts'
import type { Entry } from '../ledger/entry.ts'
import { balanceOf, move } from '../ledger/entry.ts'
import type { Disk } from '../testing/disk.ts'
import {
  draftBasket,
  heldDoor,
  identity,
  openDisk,
  openLog,
  randomHash,
  receiptSigner,
  settleTurns,
  withDoor,
} from '../testing/disk.ts'
import { committedTips, readCommitted } from './group-log.ts'
import { groups, groupTicks, ledgerEntries, readTips } from './group-rows.ts'
import type { LateRow } from './late-rows.ts'
import { sortable, table } from './table.ts'
import { decodeTicks } from './tick-codec.ts'

const notes = table<string>('note')

function entryOf(id: string, amount: bigint, credit = 'b'): Entry {
  const legs = move({ debit: 'a', credit }, { currency: 'KRW', amount })
  return { id, at: 0, reason: 'a test', reference: id, legs }
}

/** Whether a promise has an outcome yet. */
function watched<T>(promise: Promise<T>) {
  const watch = { settled: false }
  const mark = () => {
    watch.settled = true
  }
  promise.then(mark, mark)
  return watch
}

function isCode(code: string) {
  return (error: unknown) => error instanceof HubError && error.code === code
}

describe('createGroupLog', () => {
  let disk: Disk
  beforeEach(async () => {
    disk = await openDisk()
  })
  afterEach(() => disk.remove())

  describe('commit', () => {
    it('resolves when its rows are in a synced batch on disk, and not before (R5)', async () => {
      const { door, isHolding, letGo, written } = heldDoor()
      const { log } = await openLog(withDoor(disk.db, door))
      const committed = log.commit({ rows: [notes.put('a', 'x')] })
      const watch = watched(committed)
      await settleTurns()
      assert.ok(isHolding(), 'the batch is on its way')
      assert.equal(watch.settled, false)
      assert.equal(log.head().number, 0n)
      letGo()
      await committed
      assert.equal(notes.get(disk.db, 'a'), 'x')
      assert.deepEqual(written, [{ sync: true }])
      assert.equal(log.head().number, 1n)
    })

    it('resolves no change of a group before the group is on disk (R5)', async () => {
      const { door, letGo } = heldDoor()
      const { log } = await openLog(withDoor(disk.db, door))
      const all = Array.from({ length: 50 }, (_, index) =>
        log.commit({ rows: [notes.put(String(index), 'x')] }),
      )
      await settleTurns()
      const late = Array.from({ length: 50 }, () =>
        log.commit({ baskets: [draftBasket(randomHash())] }),
      )
      const watches = [...all, ...late].map(watched)
      await settleTurns()
      assert.equal(watches.filter(({ settled }) => settled).length, 0)
      letGo()
      await Promise.all([...all, ...late])
    })

    it('tells of tips and events after the sync only (R5)', async () => {
      const { door, letGo } = heldDoor()
      const told: bigint[] = []
      const { log } = await openLog(withDoor(disk.db, door), {
        onCommitted: ({ group, tips, events }) => {
          assert.equal(tips().length, 1)
          assert.deepEqual(
            events.map(({ type }) => type),
            ['refund'],
          )
          told.push(group)
        },
      })
      const events = [{ audience: ['x'], type: 'refund', data: '{}' }]
      const committed = log.commit({ baskets: [draftBasket(randomHash())], events })
      await settleTurns()
      assert.deepEqual(told, [])
      letGo()
      await committed
      assert.deepEqual(told, [1n])
    })

    it('tells a change when its group is sealed: memory then holds what groups up to it hold (R31)', async () => {
      const { door, isHolding, letGo } = heldDoor()
      const { log, balances } = await openLog(withDoor(disk.db, door))
      const seen: { group: bigint; held: bigint }[] = []
      const sealed = (group: bigint) => seen.push({ group, held: balanceOf(balances, 'a', 'KRW') })
      const first = [
        log.commit({ entries: [entryOf('1', 1n)] }),
        log.commit({ sealed }),
        log.commit({ entries: [entryOf('2', 2n)] }),
      ]
      while (!isHolding()) await settleTurns()
      const later = log.commit({ entries: [entryOf('3', 4n)], sealed })
      assert.deepEqual(seen, [{ group: 1n, held: 3n }])
      letGo()
      await Promise.all([...first, later])
      assert.deepEqual(seen.slice(1), [{ group: 2n, held: 7n }])
    })

    it('chains the groups: each header holds the hash of the one before (I7)', async () => {
      const { log } = await openLog(disk.db)
      const headers: GroupHeader[] = []
      for (const id of ['a', 'b', 'c']) {
        headers.push((await log.commit({ entries: [entryOf(id, 1n)] })).group.header)
      }
      assert.deepEqual(
        headers.map(({ number }) => number),
        [1n, 2n, 3n],
      )
      assert.deepEqual(
        headers.map(({ previous }) => previous),
        [zeroHash, ...headers.slice(0, 2).map(headerHash)],
      )
      const [, , last] = headers
      assert.ok(last)
      assert.deepEqual(log.head(), { number: 3n, hash: headerHash(last) })
    })

    it('goes on with the chain after a restart, in another epoch (I7)', async () => {
      const { log } = await openLog(disk.db)
      const {
        group: { header: first },
      } = await log.commit({ entries: [entryOf('a', 1n)] })
      const { log: next } = await openLog(await disk.reopen())
      const {
        group: { header: second },
      } = await next.commit({ entries: [entryOf('b', 1n)] })
      assert.equal(second.number, 2n)
      assert.equal(second.previous, headerHash(first))
      assert.notEqual(second.epoch, first.epoch)
    })

    it('puts 1,000 changes that come while the disk is busy into one group', async () => {
      const { door, letGo, written } = heldDoor()
      const { log } = await openLog(withDoor(disk.db, door), { maxWaiting: 2_000 })
      const first = log.commit({ rows: [notes.put('a', 'x')] })
      await settleTurns()
      const rest = Array.from({ length: 1_000 }, (_, index) =>
        log.commit({ rows: [notes.put(String(index), 'x')] }),
      )
      letGo()
      const all = await Promise.all([first, ...rest])
      assert.deepEqual(new Set(all.map(({ group }) => group.header.number)), new Set([1n, 2n]))
      assert.equal(written.length, 2)
    })

    it('keeps the order of calls: tips, entries, and the last of rows with one key', async () => {
      const { door, letGo } = heldDoor()
      const { log } = await openLog(withDoor(disk.db, door))
      const places: { group: bigint; firstIndex: number }[] = []
      const committed = Array.from({ length: 100 }, (_, index) =>
        log.commit({
          rows: [notes.put('last', String(index))],
          baskets: [1n, 2n].map((amount) =>
            draftBasket(randomHash(), { amount: amount + 2n * BigInt(index) }),
          ),
          entries: [entryOf(String(index).padStart(3, '0'), 1n)],
          rowsAt: (place) => {
            places.push(place)
            return [notes.put(`at/${index}`, String(place.firstIndex))]
          },
        }),
      )
      letGo()
      const all = await Promise.all(committed)
      assert.equal(notes.get(disk.db, 'last'), '99')
      const amounts = readTips(disk.db, 1n).map(({ leaf }) => leaf.amount)
      assert.deepEqual(
        amounts,
        Array.from({ length: 200 }, (_, index) => BigInt(index + 1)),
      )
      const ids = (await ledgerEntries.list(disk.db)).map(({ value }) => value.id)
      assert.deepEqual(ids, [...ids].sort())
      for (const [index, committed] of all.entries()) {
        assert.deepEqual(
          committedTips(committed).map(({ leaf }) => leaf.index),
          [2 * index, 2 * index + 1],
        )
        assert.deepEqual(places[index], { group: 1n, firstIndex: 2 * index })
        assert.equal(notes.get(disk.db, `at/${index}`), String(2 * index))
      }
    })

    holds(
      'answers with receipts that verify, and that read back the same after a restart',
      fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 20 }),
      async (counts) => {
        const { log } = await openLog(disk.db)
        const baskets = await Promise.all(
          counts.map(async (count) => {
            const hashOfTips = randomHash()
            const draft = draftBasket(hashOfTips, { count, message: '🎺' })
            const committed = await log.commit({ baskets: [draft] })
            return receiptOf(draft.basketId, committed)
          }),
        )
        const db = await disk.reopen()
        for (const receipt of baskets) {
          assert.equal(await receiptFault(receipt, { hub: identity, receiptSigner }), undefined)
          const [first] = receipt.tips
          assert.ok(first)
          const place = {
            group: first.leaf.group,
            firstIndex: first.leaf.index,
            count: receipt.tips.length,
          }
          assert.deepEqual(receiptOf(receipt.basketId, readCommitted(db, place)), receipt)
        }
      },
      15,
    )

    it('gives every tip a salt of its own, which no other group has', async () => {
      const { log } = await openLog(disk.db)
      const salts: Hex[] = []
      for (let group = 0; group < 5; group += 1) {
        const committed = await log.commit({
          baskets: [1n, 2n, 3n].map(() => draftBasket(randomHash())),
        })
        salts.push(...committedTips(committed).map(({ leaf }) => leaf.salt))
      }
      assert.equal(new Set(salts).size, 15)
    })

    it('takes an unbalanced entry for a bug, and writes nothing of its change (I4)', async () => {
      const { log, balances } = await openLog(disk.db)
      const wrong: Entry = {
        ...entryOf('wrong', 1n),
        legs: [{ account: 'a', currency: 'KRW', amount: 1n }],
      }
      const change = {
        rows: [notes.put('a', 'x')],
        baskets: [draftBasket(randomHash())],
        entries: [entryOf('good', 5n), wrong],
      }
      await assert.rejects(log.commit(change), /entry wrong is off by 1 KRW/)
      await log.commit({ entries: [entryOf('next', 7n)] })
      assert.equal(notes.get(disk.db, 'a'), undefined)
      assert.deepEqual(readTips(disk.db, 1n), [])
      assert.deepEqual(
        (await ledgerEntries.list(disk.db)).map(({ value }) => value.id),
        ['next'],
      )
      assert.equal(balanceOf(balances, 'a', 'KRW'), 7n)
    })
  })

  describe('tick', () => {
    const ticksOf = (stream: number, ticks: number) => ({
      stream,
      ticks,
      preimage: new Uint8Array(32).fill(ticks),
    })

    it('writes the newest ticks of each stream of a group, and resolves after the sync (R5, R27)', async () => {
      const { door, isHolding, letGo } = heldDoor()
      const { log } = await openLog(withDoor(disk.db, door))
      const taken = [ticksOf(7, 1), ticksOf(2 ** 40, 3), ticksOf(7, 2)].map((ticks) =>
        log.tick(ticks, noteRow(String(ticks.stream))),
      )
      const watches = taken.map(watched)
      await settleTurns()
      assert.ok(isHolding())
      assert.ok(watches.every(({ settled }) => !settled))
      const later = log.tick(ticksOf(7, 5), noteRow('7'))
      letGo()
      await Promise.all([...taken, later])
      const rows = [1, 2].map((group) => groupTicks.get(disk.db, sortable(group)))
      const [first, second] = rows.map((row) => row && decodeTicks(row))
      assert.deepEqual(first, [ticksOf(7, 2), ticksOf(2 ** 40, 3)])
      assert.deepEqual(second, [ticksOf(7, 5)])
    })

    it('shares a group with changes', async () => {
      const { log } = await openLog(disk.db)
      const [
        ,
        {
          group: { header },
        },
      ] = await Promise.all([
        log.tick(ticksOf(1, 1), noteRow('1')),
        log.commit({ baskets: [draftBasket(randomHash())], entries: [entryOf('a', 1n)] }),
      ])
      assert.equal(header.number, 1n)
      assert.equal(log.head().number, 1n)
    })

    it('writes the row that follows from ticks some groups late', async () => {
      const { log } = await openLog(disk.db)
      await log.tick(ticksOf(1, 1), noteRow('late'))
      assert.equal(notes.get(disk.db, 'late'), undefined)
      for (let group = 0; group < 260; group += 1) await log.commit({})
      assert.equal(notes.get(disk.db, 'late'), 'late')
    })

    it('removes a late row that has no value by the time that it is written', async () => {
      const { log } = await openLog(disk.db)
      await log.commit({ rows: [notes.put('gone', 'x')] })
      await log.tick(ticksOf(1, 1), { key: notes.keyOf('gone'), value: () => undefined })
      for (let group = 0; group < 260; group += 1) await log.commit({})
      assert.equal(notes.has(disk.db, 'gone'), false)
    })

    it('rejects what a failed write holds, what waits behind it, and what comes after (R5)', async () => {
      let fail = () => undefined as unknown
      const holding = new Promise<void>((_, reject) => {
        fail = () => reject(new Error('EIO'))
      })
      const { log } = await openLog(withDoor(disk.db, () => holding))
      const taken = log.tick(ticksOf(1, 1), noteRow('1'))
      await settleTurns()
      const behind = log.tick(ticksOf(1, 2), noteRow('1'))
      fail()
      await assert.rejects(taken, isCode('storage_failed'))
      await assert.rejects(behind, isCode('storage_failed'))
      await assert.rejects(log.tick(ticksOf(1, 3), noteRow('1')), isCode('storage_failed'))
    })

    function noteRow(text: string): LateRow {
      return { key: notes.keyOf(text), value: () => notes.row(text, text).value }
    }
  })

  describe('commit, when a write fails', () => {
    const eio = Object.assign(new Error('input/output error'), { code: 'EIO' })

    it('rejects everything of the group and everything behind it, and says so once (R5)', async () => {
      const failures: unknown[] = []
      let fail = () => undefined as unknown
      const holding = new Promise<void>((_, reject) => {
        fail = () => reject(eio)
      })
      const { log } = await openLog(
        withDoor(disk.db, () => holding),
        { onFailure: (cause) => failures.push(cause) },
      )
      const group = [1, 2, 3].map((index) => log.commit({ rows: [notes.put(`g${index}`, 'x')] }))
      await settleTurns()
      const behind = [1, 2].map((index) => log.commit({ rows: [notes.put(`b${index}`, 'x')] }))
      fail()
      const outcomes = await Promise.allSettled([...group, ...behind])
      for (const outcome of outcomes) {
        assert.equal(outcome.status, 'rejected')
        assert.ok(isCode('storage_failed')(outcome.reason))
      }
      assert.deepEqual(failures, [eio])
      assert.deepEqual(await notes.list(disk.db), [])
      assert.deepEqual(await groups.list(disk.db), [])
    })

    it('takes nothing more, though the disk would work again (R5)', async () => {
      let failing = true
      const { log } = await openLog(
        withDoor(disk.db, (write) => (failing ? Promise.reject(eio) : write())),
      )
      await assert.rejects(log.commit({ rows: [notes.put('a', 'x')] }), isCode('storage_failed'))
      failing = false
      assert.throws(() => log.assertRoom(), isCode('storage_failed'))
      await assert.rejects(log.commit({ rows: [notes.put('b', 'x')] }), isCode('storage_failed'))
      assert.deepEqual(await notes.list(disk.db), [])
    })

    it('keeps what was on disk before, and a restart goes on from there (I7)', async () => {
      let failing = false
      const { log } = await openLog(
        withDoor(disk.db, (write) => (failing ? Promise.reject(eio) : write())),
      )
      await log.commit({ entries: [entryOf('kept', 3n)] })
      failing = true
      await assert.rejects(log.commit({ entries: [entryOf('lost', 5n)] }))
      const { log: next, balances } = await openLog(await disk.reopen())
      assert.equal(next.head().number, 1n)
      assert.equal(balanceOf(balances, 'a', 'KRW'), 3n)
    })
  })

  describe('assertRoom', () => {
    it('lets the limit wait for the disk and refuses one more', async () => {
      const { door, letGo } = heldDoor()
      const { log } = await openLog(withDoor(disk.db, door), { maxWaiting: 3 })
      const committed = [log.commit({ rows: [] })]
      await settleTurns()
      for (let waiting = 0; waiting < 3; waiting += 1) {
        log.assertRoom()
        committed.push(log.commit({ rows: [] }))
      }
      assert.throws(
        () => log.assertRoom(),
        (error) =>
          isCode('too_many_requests')(error) && (error as HubError).values['waiting'] === 3,
      )
      letGo()
      await Promise.all(committed)
      log.assertRoom()
    })
  })

  describe('close', () => {
    it('resolves when all that was taken is on disk, and takes nothing more', async () => {
      const { door, letGo } = heldDoor()
      const { log } = await openLog(withDoor(disk.db, door))
      const taken = log.commit({ rows: [notes.put('a', 'x')] })
      await settleTurns()
      const behind = log.commit({ rows: [notes.put('b', 'x')] })
      const closed = log.close()
      const watch = watched(closed)
      await assert.rejects(log.commit({ rows: [notes.put('c', 'x')] }), isCode('stopping'))
      await settleTurns()
      assert.equal(watch.settled, false)
      letGo()
      await closed
      await Promise.all([taken, behind])
      assert.deepEqual(
        (await notes.list(disk.db)).map(({ key }) => key),
        ['a', 'b'],
      )
    })
  })
})
