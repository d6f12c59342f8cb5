// What the commit groups have to tell, in order: live as each is committed, or read again from disk. A tip is its own event;
// the outbox holds the others.

import type { Published } from '../store/group-log.ts'
import type { EventDraft, HubEvent, StoredGroup } from '../store/group-rows.ts'
import { groupRange, groups, outbox, placeKey, readTips } from '../store/group-rows.ts'
import type { Database } from '../store/table.ts'
import { sortable } from '../store/table.ts'
import type { StoredTip } from '../store/tip-codec.ts'

/** An event with when its group was closed, in Unix milliseconds. */
export type ToldEvent = HubEvent & { at: number }

export type EventLog = {
  /** The events of a group that was just committed. */
  of(published: Published): ToldEvent[]
  /** Each group from that of an event id on, with its events; ends with the newest on disk. */
  from(id: string): AsyncGenerator<{ group: bigint; events: ToldEvent[] }>
  /** The event with an id, if there is one. */
  find(id: string): Promise<ToldEvent | undefined>
}

/** Comes after all events of a group and before those of the next. */
export function endOfGroup(group: bigint): string {
  return `${sortable(group)}/ffffffff`
}

/** Comes before an event and after all that are earlier. */
export function justBefore(id: string): string {
  const group = groupOf(id)
  const place = Number.parseInt(id.slice(17), 16)
  return place > 0 ? placeKey(group, place - 1) : endOfGroup(group > 0n ? group - 1n : 0n)
}

const groupsPerRead = 100

export function createEventLog({
  db,
  tipEvent,
}: {
  db: Database
  /** A committed tip as an event. */
  tipEvent: (tip: StoredTip) => EventDraft
}): EventLog {
  return {
    of({ group, closedAt, tips, events }) {
      const at = Number(closedAt)
      return [...tipEvents(group, tips()), ...events].map((event) => ({ ...event, at }))
    },
    async *from(id) {
      const first = groupOf(id)
      let after = sortable(first > 0n ? first - 1n : 0n)
      for (;;) {
        const rows = await groups.list(db, { after, limit: groupsPerRead })
        for (const { value } of rows) {
          yield { group: value.header.number, events: await readEvents(value) }
        }
        const last = rows.at(-1)
        if (!last) return
        after = last.key
      }
    },
    async find(id) {
      const stored = groups.get(db, sortable(groupOf(id)))
      const events = stored ? await readEvents(stored) : []
      return events.find((event) => event.id === id)
    },
  }

  async function readEvents({ header, eventCount }: StoredGroup): Promise<ToldEvent[]> {
    const { number, tipCount, closedAt } = header
    const tips = tipCount === 0 ? [] : tipEvents(number, readTips(db, number))
    const others = eventCount === 0 ? [] : await outbox.list(db, groupRange(number))
    const events = [...tips, ...others.map(({ key, value }) => ({ ...value, id: key }))]
    return events.map((event) => ({ ...event, at: Number(closedAt) }))
  }

  function tipEvents(group: bigint, tips: readonly StoredTip[]): HubEvent[] {
    return tips.map((tip, index) => ({ ...tipEvent(tip), id: placeKey(group, index) }))
  }
}

function groupOf(id: string): bigint {
  return BigInt(`0x${id.slice(0, 16)}`)
}
