// Live events: on disk with what they tell of, sent after the sync, and read again by who was away. What many follow is put
// into words once, and sent to them in short turns.

import type { ServerResponse } from 'node:http'
import type { Address } from 'viem'
import { HubError } from '#protocol/errors.ts'
import type { HubEvent } from '../store/group-rows.ts'
import { createPace, inTurns, nextTurn } from '../turns.ts'
import type { EventLog } from './event-log.ts'
import type { Telling } from './telling.ts'
import { createTelling } from './telling.ts'

/**
 * How many may follow one account, how much a listener may have unsent (bytes) before it is dropped, how many events may come
 * in while it is still being told what it missed, how many are told in one piece, and how often everybody gets a sign of life
 * (milliseconds). Who is dropped comes back with its last event id.
 */
export const liveLimits = {
  perAccount: 8_000,
  unsentBytes: 1024 * 1024,
  missed: 4_096,
  perPiece: 256,
  beatMs: 15_000,
} as const

/** So few are told at once, without a turn of their own. */
const fewFollowers = 32

/** Where events go: an event stream, or a WebSocket. */
export type Listener = {
  write(telling: Telling): void
  /** Resolves when what was written is on its way, or never will be. */
  drained(): Promise<'drained' | 'gone'>
  /** Sends something that means nothing, so that nobody in between thinks the connection dead. */
  beat(): void
  end(): void
  onClose(then: () => void): void
}

/** Whose events, from which event on, and under which session. */
export type Following = { address: Address; session: string; after: string | undefined }

export type LiveEvents = {
  /** Whether anybody listens. */
  isHeard(): boolean
  /** How many listen. */
  count(): number
  /** Sends what a group has to tell to whoever it is for. */
  publish(events: readonly HubEvent[]): void
  /**
   * Tells a listener all events of an address from now on, and before that those after an event that it has seen.
   *
   * @throws HubError `too_many_requests`
   */
  follow(following: Following, listener: Listener): Promise<void>
  /** Keeps a response open as an event stream that follows. @throws HubError `too_many_requests` */
  stream(response: ServerResponse, following: Following): Promise<void>
  /** Ends what a session follows that signed out. */
  endSession(session: string): void
  /** Ends all streams. */
  close(): void
}

/**
 * `missed` collects events that are committed while older ones are still being read from disk; what is not after `newest` was
 * sent before or is older than the listener.
 */
type Follower = {
  listener: Listener
  session: string
  newest: string
  missed: HubEvent[] | undefined
}

export function createLiveEvents(
  log: Pick<EventLog, 'from'>,
  {
    isLive,
    onFailure,
  }: {
    /** Whether a session still is one. */
    isLive: (session: string) => boolean
    onFailure: (cause: unknown) => void
  },
): LiveEvents {
  const accounts = new Map<Address, Set<Follower>>()
  const sessions = new Map<string, Set<Follower>>()
  /** What accounts with many followers have not been told yet, and which of them is being told. */
  const untold = new Map<Address, HubEvent[]>()
  let told: Address | undefined
  let isTelling = false
  let newestPublished = ''
  const replays = createPace()
  const beats = setInterval(() => {
    inTurns(allFollowers(), beat).catch(onFailure)
  }, liveLimits.beatMs)
  beats.unref()

  return {
    isHeard: () => accounts.size > 0,
    count: () => [...accounts.values()].reduce((sum, { size }) => sum + size, 0),
    publish(events) {
      for (const event of events) {
        for (const address of event.audience) collect(address as Address, event)
        newestPublished = event.id
      }
      tellFew()
      if (untold.size > 0 && !isTelling) tellMany().catch(onFailure)
    },
    follow,
    async stream(response, following) {
      assertRoom(following.address)
      startStream(response)
      await follow(following, eventStream(response))
    },
    endSession(session) {
      for (const { listener } of sessions.get(session) ?? []) listener.end()
    },
    close() {
      clearInterval(beats)
      for (const { listener } of allFollowers()) listener.end()
    },
  }

  function collect(address: Address, event: HubEvent) {
    if (!accounts.has(address)) return
    const others = untold.get(address)
    if (others) others.push(event)
    else untold.set(address, [event])
  }

  /** Accounts with few followers, at once. */
  function tellFew() {
    for (const [address, events] of untold) {
      const followers = accounts.get(address) ?? new Set()
      if (address === told || followers.size > fewFollowers) continue
      untold.delete(address)
      const telling = createTelling(events)
      for (const follower of followers) tell(follower, telling)
    }
  }

  /** Accounts with many followers, one after the other; what is committed meanwhile is told in the next piece. */
  async function tellMany() {
    isTelling = true
    try {
      while (untold.size > 0) {
        await nextTurn()
        for (const [address, events] of untold) await tellAccount(address, events)
      }
    } finally {
      isTelling = false
    }
  }

  async function tellAccount(address: Address, events: readonly HubEvent[]) {
    untold.delete(address)
    if (events.length > liveLimits.perPiece) {
      untold.set(address, events.slice(liveLimits.perPiece))
    }
    told = address
    try {
      const telling = createTelling(events.slice(0, liveLimits.perPiece))
      await inTurns([...(accounts.get(address) ?? [])], (follower) => tell(follower, telling))
    } finally {
      told = undefined
    }
  }

  async function follow({ address, session, after }: Following, listener: Listener) {
    assertRoom(address)
    const missed: HubEvent[] | undefined = after === undefined ? undefined : []
    const follower: Follower = { listener, session, newest: newestPublished, missed }
    remember(address, follower)
    if (after === undefined) return
    follower.newest = await replay(listener, { address, after })
    follower.missed = undefined
    tell(follower, createTelling(missed ?? []))
  }

  function assertRoom(address: Address) {
    const following = accounts.get(address)?.size ?? 0
    if (following < liveLimits.perAccount) return
    const values = { following, maximum: liveLimits.perAccount }
    throw new HubError('too_many_requests', `${following} follow ${address} already`, { values })
  }

  function remember(address: Address, follower: Follower) {
    const forgetAccount = addTo(accounts, address, follower)
    const forgetSession = addTo(sessions, follower.session, follower)
    follower.listener.onClose(() => {
      forgetAccount()
      forgetSession()
    })
  }

  function allFollowers(): Follower[] {
    return [...accounts.values()].flatMap((set) => [...set])
  }

  /** A sign of life, or the end for whoever follows under a session that has run out. */
  function beat({ listener, session }: Follower) {
    if (isLive(session)) listener.beat()
    else listener.end()
  }

  /**
   * Tells what was missed, at the pace of the listener and of all who read at the same time, and returns the id of the newest
   * event that was looked at.
   */
  async function replay(
    listener: Listener,
    { address, after }: { address: Address; after: string },
  ) {
    let newest = after
    for await (const { events } of log.from(after)) {
      const unseen = events.filter(({ id }) => id > newest)
      newest = unseen.at(-1)?.id ?? newest
      const theirs = unseen.filter(({ audience }) => audience.includes(address))
      if (theirs.length > 0) listener.write(createTelling(theirs))
      if ((await listener.drained()) === 'gone') break
      await replays.step()
    }
    return newest
  }
}

/** Adds to the set at a key; the answer takes it out again. */
function addTo<K>(sets: Map<K, Set<Follower>>, key: K, follower: Follower): () => void {
  const others = sets.get(key) ?? new Set()
  sets.set(key, others.add(follower))
  return () => {
    others.delete(follower)
    if (others.size === 0 && sets.get(key) === others) sets.delete(key)
  }
}

function tell({ listener, newest, missed }: Follower, telling: Telling) {
  const { events } = telling
  const first = events[0]
  if (!first) return
  if (missed) {
    if (missed.length + events.length > liveLimits.missed) listener.end()
    else missed.push(...events)
  } else if (first.id > newest) listener.write(telling)
  else {
    const later = events.filter(({ id }) => id > newest)
    if (later.length > 0) listener.write(createTelling(later))
  }
}

/** An event stream ends with its connection, so that the same bytes can go to all listeners as they are. */
function startStream(response: ServerResponse) {
  response.useChunkedEncodingByDefault = false
  response.writeHead(200, {
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
    connection: 'close',
  })
  response.write(':\n\n')
}

function eventStream(response: ServerResponse): Listener {
  return {
    write(telling) {
      if (response.writableLength > liveLimits.unsentBytes) response.destroy()
      else response.write(telling.stream())
    },
    drained() {
      return new Promise((resolve) => {
        const gone = () => resolve('gone')
        if (response.destroyed) return gone()
        if (!response.writableNeedDrain) return resolve('drained')
        response.once('close', gone)
        response.once('drain', () => {
          response.off('close', gone)
          resolve('drained')
        })
      })
    },
    beat: () => response.write(':\n\n'),
    end: () => response.end(),
    onClose: (then) => response.on('close', then),
  }
}
