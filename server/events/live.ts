// Live events: on disk with what they tell of, sent after the sync, and read again by who was away. A tip is its own event;
// the outbox holds the others.

import type { ServerResponse } from 'node:http'
import type { Address } from 'viem'
import { larger } from '#protocol/amount.ts'
import type { Published } from '../store/group-log.ts'
import type { EventDraft, HubEvent, StoredGroup } from '../store/group-rows.ts'
import { groupRange, groups, outbox, placeKey, readTips } from '../store/group-rows.ts'
import type { Database } from '../store/table.ts'
import { sortable } from '../store/table.ts'
import type { StoredTip } from '../store/tip-codec.ts'

/** A listener that has this many bytes unsent is dropped; it comes back with its last event id. */
const maxUnsentBytes = 1024 * 1024

const keepAliveMs = 15_000

export type LiveEvents = {
  /** Sends what a group has to tell to whoever it is for. */
  publish(published: Published): void
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

const groupsPerRead = 500

export function createLiveEvents({
  db,
  tipEvent,
}: {
  db: Database
  /** A committed tip as an event. */
  tipEvent: (tip: StoredTip) => EventDraft
}): LiveEvents {
  const listeners = new Map<Address, Set<Listener>>()
  const keepAlive = setInterval(() => {
    for (const { response } of allListeners()) response.write(':\n\n')
  }, keepAliveMs)
  keepAlive.unref()

  return {
    publish({ group, tips, events }) {
      if (listeners.size === 0) return
      for (const event of [...tipEvents(group, tips), ...events]) {
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
    for await (const event of eventsFrom(BigInt(`0x${after.slice(0, 16)}`))) {
      if (event.id <= newest) continue
      newest = event.id
      if (event.audience.includes(address)) send(response, event)
    }
    return newest
  }

  /** All events of a group and of those after it. */
  async function* eventsFrom(group: bigint) {
    let after = sortable(larger(group, 1n) - 1n)
    for (;;) {
      const rows = await groups.list(db, { after, limit: groupsPerRead })
      for (const { value } of rows) yield* await readEvents(value)
      const last = rows.at(-1)
      if (!last) return
      after = last.key
    }
  }

  async function readEvents({ header, eventCount }: StoredGroup): Promise<HubEvent[]> {
    const { number, tipCount } = header
    const tips = tipCount === 0 ? [] : tipEvents(number, readTips(db, number))
    const others = eventCount === 0 ? [] : await outbox.list(db, groupRange(number))
    return [...tips, ...others.map(({ key, value }) => ({ ...value, id: key }))]
  }

  function tipEvents(group: bigint, tips: readonly StoredTip[]): HubEvent[] {
    return tips.map((tip, index) => ({ ...tipEvent(tip), id: placeKey(group, index) }))
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
