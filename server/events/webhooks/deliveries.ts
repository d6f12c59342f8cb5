// Deliveries: each endpoint gets its events one after the other and never waits for another endpoint. The event log is the
// queue; what is written here is how far each endpoint is in it.

import type { Address, Hex } from 'viem'
import { HubError } from '#protocol/errors.ts'
import type { Database, Row } from '../../store/table.ts'
import type { EventLog, ToldEvent } from '../event-log.ts'
import { endOfGroup } from '../event-log.ts'
import type { Clock } from './courier.ts'
import { createCourier } from './courier.ts'
import type { Endpoint, StretchRow } from './endpoint.ts'
import { deadRows, isFor, liveName, markRow, rowKey, rowsOf, stretchRows } from './endpoint.ts'
import type { Line } from './line.ts'
import { isIdle, lineView, openLine, resumeAll } from './line.ts'
import type { Outcome, Post } from './post.ts'
import { createProgress } from './progress.ts'
import type { RetryPolicy } from './retry.ts'
import type { Message } from './sender.ts'
import { createSender, isDelivered } from './sender.ts'
import { moveOn, offer, openStretch } from './stretch.ts'

/** What a group tells. */
type Told = { group: bigint; events: readonly ToldEvent[] }

/** After how many groups the mark of the idle is written, if nothing else is. A start reads this many again at most. */
const groupsPerMark = 1_000n

/** Takes up the deliveries to all endpoints where they were left. */
export async function loadDeliveries({
  db,
  log,
  endpoints,
  post,
  clock,
  random,
  policy,
  onGone,
  onFailure,
  onStorageFailure,
}: {
  db: Database
  log: EventLog
  endpoints: Iterable<Endpoint>
  post: Post
  clock: Clock
  /** From 0 to 1. */
  random: () => number
  policy: { retry: RetryPolicy; socketsPerLane: number }
  onGone: (webhookId: Hex) => Promise<void>
  onFailure: (cause: unknown) => void
  onStorageFailure: (cause: unknown) => void
}) {
  const lines = new Map<Hex, Line>()
  const byAccount = new Map<Address, Set<Line>>()
  const { retry, socketsPerLane } = policy
  const sender = createSender({ post, now: clock.now, socketsPerLane })
  const progress = createProgress({ db, onFailure: onStorageFailure })
  let mark = markRow.get(db, '') ?? endOfGroup(0n)
  let published = 0n
  let markedGroup = 0n
  const parts = { log, sender, progress, clock, random, retry, onGone, onFailure }
  const courier = createCourier({ ...parts, published: () => published })
  for (const endpoint of endpoints) register(await loadLine(db, { endpoint, mark }))
  await handUnread()

  return {
    isHeard: () => lines.size > 0,
    /** Takes over what a group tells. To be called for every group, in order, after its sync. */
    publish(told: Told) {
      hand(told)
      if (published - markedGroup < groupsPerMark || lines.size === 0) return
      markedGroup = published
      void progress.flush()
    },
    add(endpoint: Endpoint, group: bigint) {
      const live = openStretch(liveName, fromNowOn(group), { complete: true })
      register(openLine(endpoint, { replays: [], live }))
    },
    /** Its owner, or its own answer, changed an endpoint. */
    change(endpoint: Endpoint) {
      lineOf(endpoint.webhookId).endpoint = endpoint
    },
    /** Ends all deliveries to an endpoint and answers what removes its rows. */
    async remove(webhookId: Hex): Promise<Row[]> {
      await unregister(lineOf(webhookId))
      const range = rowsOf(webhookId)
      const stretches = await stretchRows.rows(db, range)
      const dead = await deadRows.rows(db, range)
      return [...stretches, ...dead].map(({ key }) => ({ key, value: undefined }))
    },
    /** Begins a replay whose row is on disk. */
    replay(webhookId: Hex, name: string, row: StretchRow) {
      const line = lines.get(webhookId)
      if (!line) return
      line.stretches.splice(-1, 0, openStretch(name, row, { complete: false }))
      courier.wake(line)
    },
    /** Sends something at once, outside of the order, and answers how that went. */
    async test(webhookId: Hex, message: Message): Promise<Outcome> {
      const line = lineOf(webhookId)
      if (line.testing) throw new HubError('too_many_requests', 'a test of it is under way')
      line.testing = true
      try {
        const outcome = await sender.send(line, message, new AbortController().signal)
        if (isDelivered(outcome)) resume(line)
        return outcome
      } finally {
        line.testing = false
      }
    },
    view: (webhookId: Hex) => lineView(lineOf(webhookId), mark),
    attempts: (webhookId: Hex) => lineOf(webhookId).attempts,
    start() {
      courier.start()
      for (const line of lines.values()) courier.wake(line)
    },
    /** Ends what is under way, to be done again, and writes how far everything is. */
    async stop() {
      courier.stop()
      await Promise.all([...lines.values()].map(courier.halt))
      if (lines.size > 0) progress.add(markRows)
      await progress.flush()
      sender.close()
    },
  }

  function lineOf(webhookId: Hex): Line {
    const line = lines.get(webhookId)
    if (!line) throw new Error(`webhook ${webhookId} has no deliveries`)
    return line
  }

  function register(line: Line) {
    const { webhookId, account } = line.endpoint
    lines.set(webhookId, line)
    byAccount.set(account, (byAccount.get(account) ?? new Set()).add(line))
  }

  async function unregister(line: Line) {
    const { webhookId, account } = line.endpoint
    line.removed = true
    lines.delete(webhookId)
    const others = byAccount.get(account)
    others?.delete(line)
    if (others?.size === 0) byAccount.delete(account)
    await courier.halt(line)
    await progress.flush()
  }

  /** Hands the idle what was committed since the mark was written. */
  async function handUnread() {
    const unread = [...lines.values()].filter(isIdle).map(({ live }) => live.after)
    const oldest = unread.toSorted()[0]
    if (oldest === undefined) return
    for await (const told of log.from(oldest)) hand(told)
  }

  /** Hands events to those they are for. How far those are is written in one batch with the mark, or the mark would pass them. */
  function hand({ group, events }: Told) {
    for (const event of events) {
      for (const address of event.audience) {
        for (const line of byAccount.get(address as Address) ?? []) handTo(line, event)
      }
    }
    published = group
    mark = endOfGroup(group)
    if (lines.size > 0) progress.add(markRows)
  }

  function handTo(line: Line, event: ToldEvent) {
    if (!isFor(line.endpoint, event) || line.endpoint.disabledAt !== null) return
    if (isIdle(line)) moveOn(line.live, mark)
    progress.add(line.rows)
    if (offer(line.live, event)) courier.wake(line)
  }

  function markRows(): Row[] {
    return [markRow.put('', mark)]
  }

  function resume(line: Line) {
    line.proven = true
    resumeAll(line)
    courier.wake(line)
  }
}

/** The row of a new endpoint that gets what comes after a group. */
export function firstRow(webhookId: Hex, group: bigint): Row {
  return stretchRows.put(rowKey(webhookId, liveName), { ...fromNowOn(group), idle: true })
}

async function loadLine(
  db: Database,
  { endpoint, mark }: { endpoint: Endpoint; mark: string },
): Promise<Line> {
  const { webhookId } = endpoint
  const rows = await stretchRows.list(db, rowsOf(webhookId))
  const stretches = rows.map(({ key, value }) => {
    const name = key.slice(webhookId.length + 1)
    const after = value.idle && mark > value.after ? mark : value.after
    return openStretch(name, { ...value, after }, { complete: value.idle })
  })
  const live = stretches.pop()
  if (live?.name !== liveName) throw new Error(`webhook ${webhookId} has no place in the log`)
  return openLine(endpoint, { replays: stretches, live })
}

function fromNowOn(group: bigint) {
  return { after: endOfGroup(group), through: null, failures: 0, nextAt: 0 }
}
