// A stretch of the event log on its way to one endpoint: a few events in memory, the rest read from the log when they are due.

import type { EventLog, ToldEvent } from '../event-log.ts'
import { endOfGroup } from '../event-log.ts'
import type { Endpoint, StretchRow } from './endpoint.ts'
import { isFor } from './endpoint.ts'

/**
 * `queue` is what comes next, in order; everything up to `scanned` is in it or done. `complete`: there is nothing beyond
 * `scanned`, so that a stretch without end is handed new events as they are committed.
 */
export type Stretch = Omit<StretchRow, 'idle'> & {
  name: string
  queue: ToldEvent[]
  scanned: string
  complete: boolean
}

/** How many events of a stretch are held in memory. */
const maxQueued = 16

export function openStretch(
  name: string,
  { after, through, failures, nextAt }: Omit<StretchRow, 'idle'>,
  { complete }: { complete: boolean },
): Stretch {
  return { name, after, through, failures, nextAt, queue: [], scanned: after, complete }
}

export function hasWork({ queue, complete }: Stretch): boolean {
  return queue.length > 0 || !complete
}

/** Hands over a new event. One that finds no room is read from the log later. Answers whether it was taken. */
export function offer(stretch: Stretch, event: ToldEvent): boolean {
  if (!stretch.complete || event.id <= stretch.scanned) return false
  if (stretch.queue.length >= maxQueued) {
    stretch.complete = false
    return false
  }
  stretch.queue.push(event)
  stretch.scanned = event.id
  return true
}

/** Moves an idle stretch on to where it has everything. */
export function moveOn(stretch: Stretch, to: string) {
  if (to <= stretch.scanned) return
  stretch.after = to
  stretch.scanned = to
}

/**
 * Reads the next events of a stretch from the log. `published` is the newest group whose events are handed over; only a
 * stretch that has read that far is complete.
 */
export async function fill(
  stretch: Stretch,
  { endpoint, log, published }: { endpoint: Endpoint; log: EventLog; published: () => bigint },
) {
  for await (const { group, events } of log.from(stretch.scanned)) {
    const wanted = events.filter((event) => event.id > stretch.scanned && isFor(endpoint, event))
    if (takeAll(stretch, wanted) === 'full') return
    stretch.scanned = endOfGroup(group)
    if (stretch.through !== null && stretch.scanned > stretch.through) break
  }
  if (stretch.through !== null || stretch.scanned >= endOfGroup(published())) end(stretch)
}

/** Takes events up to the end of the stretch, as far as there is room. */
function takeAll(stretch: Stretch, events: readonly ToldEvent[]): 'full' | 'all' {
  for (const event of events) {
    if (stretch.through !== null && event.id > stretch.through) return 'all'
    if (stretch.queue.length >= maxQueued) return 'full'
    stretch.queue.push(event)
    stretch.scanned = event.id
  }
  return 'all'
}

/** An event is delivered or given up. */
export function finish(stretch: Stretch, { id }: ToldEvent) {
  if (stretch.queue[0]?.id === id) stretch.queue.shift()
  stretch.after = stretch.queue.length === 0 ? stretch.scanned : id
  stretch.failures = 0
  stretch.nextAt = 0
}

function end(stretch: Stretch) {
  stretch.complete = true
  if (stretch.queue.length === 0) stretch.after = stretch.scanned
}
