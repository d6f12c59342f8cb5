import assert from 'node:assert/strict'
import type { Hex } from 'viem'
import type { Disk } from '../testing/disk.ts'
import { draftBasket, jump, openDisk, openLog, randomHash } from '../testing/disk.ts'
import type { Database } from './table.ts'
import type { Place, TipIndex } from './tip-index.ts'

type Log = Awaited<ReturnType<typeof openLog>>

describe('the index of tips', () => {
  let disk: Disk
  beforeEach(async () => {
    disk = await openDisk()
  })
  afterEach(() => disk.remove())

  const { channelId, recipients } = draftBasket(randomHash())
  const [to = '0x'] = recipients

  async function tipGroups({ log }: Log, count: number) {
    for (let group = 0; group < count; group += 1)
      await log.commit({ baskets: [draftBasket(randomHash()), draftBasket(randomHash())] })
  }

  async function listed(
    index: TipIndex,
    db: Database,
    of: { list: 'channel' | 'recipient'; owner: Hex },
    before?: Place,
  ): Promise<string[]> {
    const names: string[] = []
    for await (const { group, index: at } of index.places(db, of, before))
      names.push(`${group}/${at}`)
    return names
  }

  /** Two tips in each group, newest first. */
  function expected(groups: number, before = 0n): string[] {
    return Array.from({ length: groups }, (_, at) => before + BigInt(groups - at)).flatMap(
      (group) => [`${group}/1`, `${group}/0`],
    )
  }

  it('lists the tips of a channel and of a recipient, newest first, in memory or on disk', async () => {
    const first = await openLog(disk.db)
    await tipGroups(first, 300)
    for (const of of [
      { list: 'channel', owner: channelId },
      { list: 'recipient', owner: to },
    ] as const)
      assert.deepEqual(await listed(first.tipIndex, disk.db, of), expected(300))
    assert.deepEqual(
      await listed(first.tipIndex, disk.db, { list: 'channel', owner: to }),
      [],
      'somebody else has none',
    )
  })

  it('goes on after a place, wherever that place is', async () => {
    const log = await openLog(disk.db)
    await tipGroups(log, 300)
    const all = expected(300)
    const of = { list: 'channel', owner: channelId } as const
    for (const place of [
      { group: 300n, index: 1 },
      { group: 299n, index: 0 },
      { group: 44n, index: 1 },
      { group: 43n, index: 0 },
      { group: 1n, index: 0 },
    ]) {
      const after = all.slice(all.indexOf(`${place.group}/${place.index}`) + 1)
      assert.deepEqual(await listed(log.tipIndex, disk.db, of, place), after)
    }
  })

  for (const groups of [1, 255, 256, 257, 258, 300, 600]) {
    it(`lists the same after restarts in the middle of ${groups} groups`, async () => {
      const log = await openLog(disk.db)
      await tipGroups(log, groups)
      const of = { list: 'recipient', owner: to } as const
      for (let restart = 0; restart < 2; restart += 1) {
        const db = await disk.reopen()
        const { tipIndex } = await openLog(db)
        assert.deepEqual(await listed(tipIndex, db, of), expected(groups))
      }
      const again = await openLog(await disk.reopen())
      await tipGroups(again, 5)
      assert.deepEqual(await listed(again.tipIndex, disk.db, of), expected(groups + 5))
    })
  }

  for (const groups of [1, 5, 300]) {
    it(`lists what came before a restore and after it, ${groups} groups each (R22)`, async () => {
      await tipGroups(await openLog(disk.db), groups)
      const first = await jump(disk.db)
      const all = [...expected(groups, first - 1n), ...expected(groups)]
      await tipGroups(await openLog(await disk.reopen()), groups)
      const of = { list: 'channel', owner: channelId } as const
      for (let restart = 0; restart < 2; restart += 1) {
        const { tipIndex } = await openLog(await disk.reopen())
        assert.deepEqual(await listed(tipIndex, disk.db, of), all)
        const after = all.slice(all.indexOf(`${first}/1`) + 1)
        assert.deepEqual(await listed(tipIndex, disk.db, of, { group: first, index: 1 }), after)
      }
      const again = await openLog(await disk.reopen())
      for (let group = 0; group < 300; group += 1) await again.log.commit({})
      assert.deepEqual(await listed(again.tipIndex, disk.db, of), all, 'when all are rows')
    })
  }
})
