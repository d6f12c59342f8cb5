import assert from 'node:assert/strict'
import type { Address } from 'viem'
import type { HubEvent } from '../store/group-rows.ts'
import type { Listener, LiveEvents } from './live.ts'
import { createLiveEvents, liveLimits } from './live.ts'

const star: Address = `0x${'aa'.repeat(20)}`
const other: Address = `0x${'bb'.repeat(20)}`

describe('createLiveEvents', () => {
  let live: LiveEvents
  let stored: { group: bigint; events: (HubEvent & { at: number })[] }[]
  let over: Set<string>

  beforeEach(() => {
    stored = []
    over = new Set()
    live = createLiveEvents(
      {
        async *from() {
          yield* stored
        },
      },
      { isLive: (session) => !over.has(session), onFailure: (cause) => assert.fail(String(cause)) },
    )
  })
  afterEach(() => live.close())

  const idOf = (number: number) => `${String(number).padStart(16, '0')}/00000000`

  const eventOf = (number: number, audience: Address[] = [star]) =>
    ({ id: idOf(number), type: 'tip', data: `{"n":${number}}`, audience }) as HubEvent

  /** A listener that keeps what it is told. */
  function newListener() {
    const ids: string[] = []
    const pieces: Buffer[] = []
    let then = () => undefined as unknown
    const listener: Listener = {
      write(telling) {
        ids.push(...telling.events.map(({ id }) => id))
        pieces.push(telling.stream())
      },
      drained: async () => 'drained',
      beat: () => undefined,
      end: () => then(),
      onClose: (next) => {
        then = next
      },
    }
    return { listener, ids, pieces }
  }

  async function followers(count: number, address = star) {
    const all = Array.from({ length: count }, newListener)
    for (const { listener } of all)
      await live.follow({ address, session: 's', after: undefined }, listener)
    return all
  }

  const turn = () => new Promise((resolve) => setImmediate(resolve))

  it('tells few followers at once', async () => {
    const [one] = await followers(1)
    live.publish([eventOf(1), eventOf(2)])
    assert.deepEqual(one?.ids, [idOf(1), idOf(2)])
  })

  it('tells 3,000 followers everything once and in order, whatever is published meanwhile', async () => {
    const crowd = await followers(3_000)
    const [lonely] = await followers(1, other)
    for (let number = 1; number <= 50; number += 1) {
      live.publish([eventOf(number), eventOf(number + 0.5, [other])])
      assert.equal(lonely?.ids.length, number, 'a small account waits for no crowd')
      if (number % 7 === 0) await turn()
    }
    const wanted = Array.from({ length: 50 }, (_, at) => idOf(at + 1))
    while (crowd.some(({ ids }) => ids.length < 50)) await turn()
    for (const { ids } of crowd) assert.deepEqual(ids, wanted)
  })

  it('keeps the order for who stays when a crowd leaves while it is being told', async () => {
    const crowd = await followers(60)
    for (const { listener } of crowd) {
      const { write } = listener
      listener.write = (telling) => {
        for (const until = performance.now() + 1; performance.now() < until; );
        write(telling)
      }
    }
    live.publish([eventOf(1)])
    while (crowd[0]?.ids.length === 0) await turn()
    const last = crowd.splice(-1)[0]
    for (const { listener } of crowd) listener.end()
    live.publish([eventOf(2)])
    while (last && last.ids.length < 2) await turn()
    assert.deepEqual(last?.ids, [idOf(1), idOf(2)])
  })

  it('puts an event into words once for all of them', async () => {
    const crowd = await followers(100)
    live.publish([eventOf(1)])
    while (crowd.some(({ ids }) => ids.length < 1)) await turn()
    assert.equal(new Set(crowd.flatMap(({ pieces }) => pieces)).size, 1)
  })

  it('tells who joins of what comes later, and not of what others are still being told', async () => {
    const crowd = await followers(100)
    live.publish([eventOf(1)])
    const [late] = await followers(1)
    live.publish([eventOf(2)])
    while (crowd.some(({ ids }) => ids.length < 2)) await turn()
    assert.deepEqual(late?.ids, [idOf(2)])
  })

  it('tells who was away what is stored, and then what was committed meanwhile, each once', async () => {
    await followers(100)
    stored = [1, 2, 3].map((number) => ({
      group: BigInt(number),
      events: [{ ...eventOf(number), at: 0 }],
    }))
    const { listener, ids } = newListener()
    const following = live.follow({ address: star, session: 's', after: idOf(1) }, listener)
    live.publish([eventOf(3), eventOf(4)])
    await following
    live.publish([eventOf(5)])
    while (ids.length < 4) await turn()
    assert.deepEqual(ids, [2, 3, 4, 5].map(idOf))
  })

  it('drops a listener for whom too much is committed while it is told what it missed', async () => {
    const { listener } = newListener()
    stored = [{ group: 1n, events: [{ ...eventOf(1), at: 0 }] }]
    let resume = () => undefined as unknown
    const slow = {
      ...listener,
      drained: () =>
        new Promise<'drained'>((resolve) => {
          resume = () => resolve('drained')
        }),
    }
    const following = live.follow({ address: star, session: 's', after: idOf(0) }, slow)
    await turn()
    live.publish(Array.from({ length: liveLimits.missed + 1 }, (_, at) => eventOf(at + 2)))
    assert.equal(live.count(), 0)
    resume()
    await following
  })

  it('refuses one follower of an account more than its limit, and forgets who leaves', async () => {
    const all = await followers(liveLimits.perAccount)
    await assert.rejects(followers(1), { code: 'too_many_requests' })
    await followers(1, other)
    all[0]?.listener.end()
    await followers(1)
  })

  it('ends what a session follows when it signs out, and nothing else', async () => {
    const { listener } = newListener()
    await live.follow({ address: star, session: 'mine', after: undefined }, listener)
    await followers(2)
    live.endSession('mine')
    assert.equal(live.count(), 2)
  })
})
