// Live events: on disk with what they tell of, sent after the sync, and read again by who was away.

import type { ServerResponse } from 'node:http'
import type { Address } from 'viem'
import type { HubEvent } from '../store/group-rows.ts'
import type { EventLog } from './event-log.ts'

/** A listener that has this many bytes unsent is dropped; it comes back with its last event id. */
const maxUnsentBytes = 1024 * 1024

const keepAliveMs = 15_000

export type LiveEvents = {
  /** Whether anybody listens. */
  isHeard(): boolean
  /** Sends what a group has to tell to whoever it is for. */
  publish(events: readonly HubEvent[]): void
  /** Keeps a response open as an event stream for an address, beginning after an event that it has seen. */
  stream(
    response: ServerResponse,
    listener: { address: Address; session: string; after: string | undefined },
  ): Promise<void>
  /** Ends the streams of a session that signed out. */
  endSession(session: string): void
  /** Ends all streams. */
  close(): void
}

/**
 * `waiting` collects events that are committed while older ones are still being read from disk; what was read there up to
 * `newest` is not sent again when it is published.
 */
type Listener = {
  response: ServerResponse
  session: string
  newest: string
  waiting: HubEvent[] | undefined
}

export function createLiveEvents(log: Pick<EventLog, 'from'>): LiveEvents {
  const listeners = new Map<Address, Set<Listener>>()
  const keepAlive = setInterval(() => {
    for (const { response } of allListeners()) response.write(':\n\n')
  }, keepAliveMs)
  keepAlive.unref()

  return {
    isHeard: () => listeners.size > 0,
    publish(events) {
      for (const event of events) {
        for (const address of event.audience) {
          for (const listener of listeners.get(address as Address) ?? []) deliver(listener, event)
        }
      }
    },
    async stream(response, { address, session, after }) {
      response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
      response.write(':\n\n')
      const listener: Listener = { response, session, newest: '', waiting: [] }
      listen(address, listener)
      if (after !== undefined) listener.newest = await replay(response, { address, after })
      const missed = listener.waiting ?? []
      listener.waiting = undefined
      for (const event of missed) deliver(listener, event)
    },
    endSession(session) {
      for (const listener of allListeners())
        if (listener.session === session) listener.response.end()
    },
    close() {
      clearInterval(keepAlive)
      for (const { response } of allListeners()) response.end()
    },
  }

  function listen(address: Address, listener: Listener) {
    const others = listeners.get(address) ?? new Set()
    listeners.set(address, others.add(listener))
    listener.response.on('close', () => {
      others.delete(listener)
      if (others.size === 0) listeners.delete(address)
    })
  }

  function allListeners(): Listener[] {
    return [...listeners.values()].flatMap((set) => [...set])
  }

  /** Sends what was missed and returns the id of the newest event that was looked at. */
  async function replay(
    response: ServerResponse,
    { address, after }: { address: Address; after: string },
  ) {
    let newest = after
    for await (const { events } of log.from(after)) {
      const unseen = events.filter(({ id }) => id > newest)
      for (const event of unseen) {
        newest = event.id
        if (event.audience.includes(address)) send(response, event)
      }
    }
    return newest
  }
}

function deliver({ response, newest, waiting }: Listener, event: HubEvent) {
  if (waiting) waiting.push(event)
  else if (event.id > newest) send(response, event)
}

function send(response: ServerResponse, { id, type, data }: HubEvent) {
  if (response.writableLength > maxUnsentBytes) response.destroy()
  else response.write(`id: ${id}\nevent: ${type}\ndata: ${data}\n\n`)
}
