// Live events: on disk with what they tell of, sent after the sync, and read again by who was away.

import type { ServerResponse } from 'node:http'
import type { Address } from 'viem'
import type { HubEvent } from '../store/group-rows.ts'
import type { EventLog } from './event-log.ts'

/** A listener that has this many bytes unsent is dropped; it comes back with its last event id. */
const maxUnsentBytes = 1024 * 1024

/** Where events go: an event stream, or a WebSocket. */
export type Listener = {
  write(event: HubEvent): void
  /** Sends something that means nothing, so that nobody in between thinks the connection dead. */
  beat(): void
  end(): void
  onClose(then: () => void): void
}

/** Whose events, from which event on, and under which session. */
export type Following = { address: Address; session: string; after: string | undefined }

const keepAliveMs = 15_000

export type LiveEvents = {
  /** Whether anybody listens. */
  isHeard(): boolean
  /** Sends what a group has to tell to whoever it is for. */
  publish(events: readonly HubEvent[]): void
  /** Tells a listener all events of an address from now on, and before that those after an event that it has seen. */
  follow(following: Following, listener: Listener): Promise<void>
  /** Keeps a response open as an event stream that follows. */
  stream(response: ServerResponse, following: Following): Promise<void>
  /** Ends what a session follows that signed out. */
  endSession(session: string): void
  /** Ends all streams. */
  close(): void
}

/**
 * `waiting` collects events that are committed while older ones are still being read from disk; what was read there up to
 * `newest` is not sent again when it is published.
 */
type Follower = {
  listener: Listener
  session: string
  newest: string
  waiting: HubEvent[] | undefined
}

export function createLiveEvents(log: Pick<EventLog, 'from'>): LiveEvents {
  const followers = new Map<Address, Set<Follower>>()
  const keepAlive = setInterval(() => {
    for (const { listener } of allFollowers()) listener.beat()
  }, keepAliveMs)
  keepAlive.unref()

  return {
    isHeard: () => followers.size > 0,
    publish(events) {
      for (const event of events) {
        for (const address of event.audience) {
          for (const follower of followers.get(address as Address) ?? []) deliver(follower, event)
        }
      }
    },
    follow,
    async stream(response, following) {
      response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
      response.write(':\n\n')
      await follow(following, eventStream(response))
    },
    endSession(session) {
      for (const follower of allFollowers())
        if (follower.session === session) follower.listener.end()
    },
    close() {
      clearInterval(keepAlive)
      for (const { listener } of allFollowers()) listener.end()
    },
  }

  async function follow({ address, session, after }: Following, listener: Listener) {
    const follower: Follower = { listener, session, newest: '', waiting: [] }
    remember(address, follower)
    if (after !== undefined) follower.newest = await replay(listener, { address, after })
    const missed = follower.waiting ?? []
    follower.waiting = undefined
    for (const event of missed) deliver(follower, event)
  }

  function remember(address: Address, follower: Follower) {
    const others = followers.get(address) ?? new Set()
    followers.set(address, others.add(follower))
    follower.listener.onClose(() => {
      others.delete(follower)
      if (others.size === 0) followers.delete(address)
    })
  }

  function allFollowers(): Follower[] {
    return [...followers.values()].flatMap((set) => [...set])
  }

  /** Sends what was missed and returns the id of the newest event that was looked at. */
  async function replay(
    listener: Listener,
    { address, after }: { address: Address; after: string },
  ) {
    let newest = after
    for await (const { events } of log.from(after)) {
      const unseen = events.filter(({ id }) => id > newest)
      for (const event of unseen) {
        newest = event.id
        if (event.audience.includes(address)) listener.write(event)
      }
    }
    return newest
  }
}

function deliver({ listener, newest, waiting }: Follower, event: HubEvent) {
  if (waiting) waiting.push(event)
  else if (event.id > newest) listener.write(event)
}

function eventStream(response: ServerResponse): Listener {
  return {
    write({ id, type, data }) {
      if (response.writableLength > maxUnsentBytes) response.destroy()
      else response.write(`id: ${id}\nevent: ${type}\ndata: ${data}\n\n`)
    },
    beat: () => response.write(':\n\n'),
    end: () => response.end(),
    onClose: (then) => response.on('close', then),
  }
}
