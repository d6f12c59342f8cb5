// Webhooks over a real disk and real receivers, with time moved by hand.

import assert from 'node:assert/strict'
import { Webhook } from 'standardwebhooks'
import type { Address } from 'viem'
import { HubError } from '#protocol/errors.ts'
import { createClock } from '../../testing/clock.ts'
import type { Disk } from '../../testing/disk.ts'
import { heldDoor, jump, openDisk, withDoor } from '../../testing/disk.ts'
import type { Answering, Receiver } from '../../testing/receivers.ts'
import { refsOf, signatureHeaders, startReceiver } from '../../testing/receivers.ts'
import type { Hooks } from '../../testing/webhooks.ts'
import { openHooks, tipped, usualTerms } from '../../testing/webhooks.ts'

const other: Address = `0x${'55'.repeat(20)}`

describe('webhooks over time', () => {
  let disk: Disk
  const open: Hooks[] = []
  const receivers: Receiver[] = []

  beforeEach(async () => {
    disk = await openDisk()
  })

  afterEach(async () => {
    for (const hooks of open) assert.deepEqual(hooks.failures, [])
    for (const hooks of open.splice(0)) await hooks.close()
    for (const receiver of receivers.splice(0)) await receiver.close()
    await disk.remove()
  })

  async function start(options: Parameters<typeof openHooks>[1] = {}): Promise<Hooks> {
    const hooks = await openHooks(disk.db, options)
    open.push(hooks)
    return hooks
  }

  async function receive(how?: Answering): Promise<Receiver> {
    const receiver = await startReceiver(how)
    receivers.push(receiver)
    return receiver
  }

  async function tips(hooks: Hooks, count: number): Promise<string[]> {
    const refs: string[] = []
    for (let sent = 0; sent < count; sent += 1) refs.push(await hooks.tip())
    return refs
  }

  /** Resolves when a look shows what it should; turns of the real loop are all it waits for. */
  async function until(isSo: () => boolean | Promise<boolean>) {
    for (let turns = 0; !(await isSo()); turns += 1) {
      assert.ok(turns < 5_000, 'it is still not so')
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
  }

  const isCode = (code: string) => (error: unknown) =>
    error instanceof HubError && error.code === code

  const viewOf = ({ webhooks }: Hooks, id: `0x${string}`) => webhooks.find(tipped, id).delivery
  const deadOf = async ({ webhooks }: Hooks, id: `0x${string}`) =>
    (await webhooks.dead(tipped, id, { limit: 100, cursor: undefined })).dead

  describe('a failure', () => {
    it('is tried again after pauses that grow fourfold, and is dead after the last', async () => {
      const receiver = await receive(() => 500)
      const hooks = await start()
      const { id } = await hooks.register(receiver.url)
      await hooks.tip()
      for (const [full, count] of [
        [1_000, 1],
        [4_000, 2],
        [10_000, 3],
      ] as const) {
        await until(() => hooks.clock.next() !== undefined)
        assert.equal(viewOf(hooks, id).failures, count)
        const pause = hooks.clock.next() ?? 0
        assert.ok(pause >= full / 2 && pause <= full, `a pause of ${pause} ms, not of ${full}`)
        hooks.clock.move(pause - 1)
        assert.equal(receiver.seen.length, count)
        hooks.clock.move(1)
        await receiver.until((seen) => seen.length === count + 1)
      }
      await until(async () => (await deadOf(hooks, id)).length === 1)
      const [dead] = await deadOf(hooks, id)
      assert.deepEqual([dead?.attempts, dead?.failure], [4, 'it answered 500'])
      assert.equal(hooks.clock.next(), undefined)
    })

    it('waits no longer once a test was delivered', async () => {
      const receiver = await receive(() => 500)
      const hooks = await start()
      const { id } = await hooks.register(receiver.url)
      await hooks.tip()
      await until(() => viewOf(hooks, id).failures === 1)
      receiver.answer(() => 200)
      await hooks.webhooks.test(tipped, id)
      await receiver.until((seen) => seen.length === 3)
      await until(() => viewOf(hooks, id).failures === 0)
    })

    it('of a replay does not hold up what is new', async () => {
      const receiver = await receive()
      const hooks = await start()
      const { id } = await hooks.register(receiver.url)
      await hooks.tip()
      await receiver.until((seen) => seen.length === 1)
      const old = receiver.seen[0]?.id ?? ''
      receiver.answer((received) => (received.id === old ? 500 : 204))
      await hooks.webhooks.replay(tipped, id, { eventId: old })
      await until(() => viewOf(hooks, id).failures === 1)
      const ref = await hooks.tip()
      await receiver.until((seen) => refsOf(seen).includes(ref))
    })
  })

  describe('an endpoint that is far behind', () => {
    it('gets everything in order, from the log', async () => {
      const receiver = await receive(() => undefined)
      const hooks = await start({ timeoutMs: 100 })
      await hooks.register(receiver.url)
      const refs = await tips(hooks, 100)
      receiver.answer(() => 204)
      await until(() => hooks.clock.next() !== undefined)
      hooks.clock.move(1_000)
      await receiver.until((seen) => seen.length === 101)
      assert.deepEqual(refsOf(receiver.seen.slice(1)), refs)
      const live = await hooks.tip()
      await receiver.until((seen) => refsOf(seen).at(-1) === live)
    })
  })

  describe('endpoints that hang', () => {
    it('take no place from those that work, however many they are', async () => {
      const hanging = await receive(() => undefined)
      const healthy = await receive()
      const hooks = await start({
        terms: { socketsPerLane: 2, room: { perAccount: 100, inAll: 100 } },
      })
      const { id } = await hooks.register(healthy.url)
      await hooks.webhooks.test(tipped, id)
      for (let count = 0; count < 20; count += 1) await hooks.register(hanging.url)
      const refs = await tips(hooks, 5)
      await healthy.until((seen) => refsOf(seen).length === 5)
      assert.deepEqual(refsOf(healthy.seen), refs)
      assert.equal(hanging.seen.length, 2)
    })
  })

  describe('a start', () => {
    it('after a stop sends what was committed since, and nothing twice', async () => {
      const receiver = await receive()
      const first = await start()
      const { id } = await first.register(receiver.url)
      const before = await tips(first, 3)
      await until(() => viewOf(first, id).doneThrough >= (receiver.seen[2]?.id ?? 'none'))
      await first.close()
      open.splice(0)
      const second = await start()
      const after = await tips(second, 3)
      await receiver.until((seen) => seen.length === 6)
      assert.deepEqual(refsOf(receiver.seen), [...before, ...after])
    })

    it('after a restore sends what comes then, and nothing from before once more (R22)', async () => {
      const receiver = await receive()
      const lost = await start()
      const { id } = await lost.register(receiver.url)
      const before = await tips(lost, 3)
      await until(() => viewOf(lost, id).doneThrough >= (receiver.seen[2]?.id ?? 'none'))
      await lost.close()
      open.splice(0)
      await jump(disk.db)
      const restored = await start()
      const after = await tips(restored, 3)
      await receiver.until((seen) => seen.length >= 6)
      assert.deepEqual(refsOf(receiver.seen), [...before, ...after])
    })

    it('after a crash sends what was never begun, though others were done with it', async () => {
      const [fast, slow] = [await receive(), await receive(() => undefined)]
      const crashed = await start()
      await crashed.register(fast.url)
      await crashed.register(slow.url)
      const refs = await tips(crashed, 30)
      await fast.until((seen) => seen.length === 30)
      const copy = await copyOf(disk)
      slow.answer(() => 204)
      const second = await openHooks(copy.db)
      await slow.until((seen) => seen.length === 31)
      assert.deepEqual(refsOf(slow.seen), [refs[0], ...refs])
      const live = await second.tip()
      await fast.until((seen) => refsOf(seen).includes(live))
      const again = refsOf(fast.seen.slice(30))
      assert.ok(again.length <= 2, `${again.length - 1} were repeated`)
      await second.close()
      await copy.remove()
    })

    it('goes on with a failure when it is due, and counts what was tried', async () => {
      const receiver = await receive(() => 500)
      const clock = createClock()
      const first = await start({ clock })
      const { id } = await first.register(receiver.url)
      await first.tip()
      await until(() => clock.next() !== undefined)
      const pause = clock.next() ?? 0
      await first.close()
      open.splice(0)
      const second = await start({ clock })
      assert.deepEqual([viewOf(second, id).failures, clock.next()], [1, pause])
      clock.move(pause)
      await receiver.until((seen) => seen.length === 2)
    })

    it('finds a replay that had not ended', async () => {
      const receiver = await receive()
      const first = await start()
      const { id } = await first.register(receiver.url)
      const refs = await tips(first, 3)
      await receiver.until((seen) => seen.length === 3)
      receiver.answer(() => undefined)
      const from = receiver.seen[0]?.id ?? ''
      await first.webhooks.replay(tipped, id, { from, to: undefined })
      await receiver.until((seen) => seen.length === 4)
      await first.close()
      open.splice(0)
      receiver.answer(() => 204)
      const second = await start()
      await receiver.until((seen) => seen.length === 7)
      assert.deepEqual(refsOf(receiver.seen.slice(4)), refs)
      await until(() => viewOf(second, id).replays === 0)
    })
  })

  describe('a disk that fails', () => {
    it('is told of, because a delivery that is not written down would be made for ever', async () => {
      const receiver = await receive()
      const full = new Error('no space left')
      const db = withDoor(disk.db, (write, options) =>
        (options as { sync: boolean }).sync ? write() : Promise.reject(full),
      )
      const hooks = await openHooks(db)
      await hooks.register(receiver.url)
      await hooks.tip()
      await until(() => hooks.failures.includes(full))
      await hooks.close()
    })

    it('holds up no tip: how far deliveries are is written beside the log, without a sync', async () => {
      const receiver = await receive()
      const held = heldDoor()
      const db = withDoor(disk.db, (write, options) =>
        (options as { sync: boolean }).sync ? write() : held.door(write, options),
      )
      const hooks = await openHooks(db)
      await hooks.register(receiver.url)
      await hooks.tip()
      await until(held.isHolding)
      await tips(hooks, 5)
      assert.equal(receiver.seen.length, 1)
      held.letGo()
      await receiver.until((seen) => seen.length === 6)
      assert.ok(held.written.length > 0)
      await hooks.close()
    })
  })

  describe('register', () => {
    it('takes as many as an account may have, and not one more, at once or in turn', async () => {
      const receiver = await receive()
      const hooks = await start()
      const { perAccount } = usualTerms.room
      const orders = Array.from({ length: perAccount + 2 }, () => hooks.register(receiver.url))
      const settled = await Promise.allSettled(orders)
      assert.equal(settled.filter(({ status }) => status === 'fulfilled').length, perAccount)
      await assert.rejects(hooks.register(receiver.url), isCode('too_many_webhooks'))
      const [first] = hooks.webhooks.ofAccount(tipped)
      assert.ok(first)
      await hooks.webhooks.remove(tipped, first.webhookId)
      await hooks.register(receiver.url)
    })

    it('takes as many as there may be in all, and not one more', async () => {
      const receiver = await receive()
      const hooks = await start({ terms: { room: { perAccount: 3, inAll: 4 } } })
      for (let count = 0; count < 3; count += 1) await hooks.register(receiver.url)
      await hooks.register(receiver.url, other)
      await assert.rejects(hooks.register(receiver.url, other), isCode('too_many_webhooks'))
    })
  })

  describe('remove', () => {
    it('leaves no row behind', async () => {
      const receiver = await receive(() => 500)
      const hooks = await start({ terms: { retry: { ...usualTerms.retry, attempts: 1 } } })
      const { id } = await hooks.register(receiver.url)
      await hooks.tip()
      await until(async () => (await deadOf(hooks, id)).length === 1)
      await hooks.webhooks.remove(tipped, id)
      const keys = await disk.db.keys().all()
      assert.deepEqual(
        keys.filter((key) => key.includes(id)),
        [],
      )
      assert.throws(() => hooks.webhooks.find(tipped, id), isCode('unknown_webhook'))
    })
  })

  describe('rotate', () => {
    it('signs with both secrets until the overlap ends, then with the new one', async () => {
      const receiver = await receive()
      const hooks = await start()
      const { id, secret } = await hooks.register(receiver.url)
      const { secret: next } = await hooks.webhooks.rotate(tipped, id)
      await hooks.tip()
      await receiver.until((seen) => seen.length === 1)
      hooks.clock.move(usualTerms.secretOverlapMs)
      await hooks.tip()
      await receiver.until((seen) => seen.length === 2)
      const [during, ended] = receiver.seen
      assert.ok(during && ended)
      new Webhook(secret).verify(during.body, signatureHeaders(during))
      new Webhook(next).verify(during.body, signatureHeaders(during))
      new Webhook(next).verify(ended.body, signatureHeaders(ended))
      assert.throws(() => new Webhook(secret).verify(ended.body, signatureHeaders(ended)))
    })
  })
})

/** What a crash would leave on disk in this moment. */
async function copyOf({ db }: Disk): Promise<Disk> {
  const rows = await db.iterator().all()
  const copy = await openDisk()
  await copy.db.batch(rows.map(([key, value]) => ({ type: 'put', key, value })))
  return copy
}
