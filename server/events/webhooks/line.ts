// All that is on its way to one endpoint: what is new, before it the replays that were asked for, and how attempts went.

import type { AttemptView, WebhookView } from '#protocol/messages/webhooks.ts'
import type { Row } from '../../store/table.ts'
import type { Endpoint } from './endpoint.ts'
import { liveName, rowKey, stretchRows } from './endpoint.ts'
import type { Stretch } from './stretch.ts'
import { hasWork } from './stretch.ts'

/**
 * `stretches` in the order in which they are due, what is new last. `proven`: the newest attempt succeeded. `turning` while it
 * is looked after, `turn` until that has ended. `inFlight` ends the attempt under way.
 */
export type Line = {
  endpoint: Endpoint
  stretches: Stretch[]
  live: Stretch
  proven: boolean
  removed: boolean
  turning: boolean
  turn: Promise<void>
  inFlight: AbortController | undefined
  testing: boolean
  cancelTimer: (() => void) | undefined
  attempts: AttemptView[]
  /** What of it is to be written: how far it is. */
  rows: () => Row[]
}

/** Attempts that are remembered for their owner to see. */
const keptAttempts = 20

export function openLine(
  endpoint: Endpoint,
  { replays, live }: { replays: readonly Stretch[]; live: Stretch },
): Line {
  const line: Line = {
    endpoint,
    stretches: [...replays, live],
    live,
    proven: false,
    removed: false,
    turning: false,
    turn: Promise.resolve(),
    inFlight: undefined,
    testing: false,
    cancelTimer: undefined,
    attempts: [],
    rows: () => (line.removed ? [] : line.stretches.map((stretch) => stretchRow(line, stretch))),
  }
  return line
}

/** Nothing is on its way and nothing is unread. */
export function isIdle({ stretches, live }: Line): boolean {
  return stretches.length === 1 && !hasWork(live)
}

/** The stretch whose turn it is, or when the first will be due (Unix milliseconds), or nothing. */
export function nextStretch(
  { stretches }: Line,
  now: number,
): { stretch: Stretch } | { at: number } | undefined {
  const working = stretches.filter(hasWork)
  const stretch = working.find(({ nextAt }) => nextAt <= now)
  if (stretch) return { stretch }
  return working.length === 0 ? undefined : { at: Math.min(...working.map(({ nextAt }) => nextAt)) }
}

/** After a success nothing waits for its next attempt. */
export function resumeAll({ stretches }: Line) {
  for (const stretch of stretches) stretch.nextAt = 0
}

export function noteAttempt(line: Line, attempt: AttemptView) {
  line.attempts.unshift(attempt)
  line.attempts.length = Math.min(line.attempts.length, keptAttempts)
}

/** How far an endpoint is. `mark` is up to where every idle one has everything. */
export function lineView(line: Line, mark: string): WebhookView['delivery'] {
  const { live, stretches } = line
  const waiting = stretches.filter(({ nextAt }) => nextAt > 0)
  const nextAt = waiting.length === 0 ? null : Math.min(...waiting.map((each) => each.nextAt))
  return {
    doneThrough: isIdle(line) && mark > live.after ? mark : live.after,
    failures: Math.max(...stretches.map(({ failures }) => failures)),
    nextAttemptAt: nextAt === null ? null : BigInt(nextAt),
    replays: stretches.length - 1,
  }
}

/** The row of a stretch that is over is removed instead; what is new is never over. */
export function isOver(stretch: Stretch): boolean {
  return stretch.name !== liveName && !hasWork(stretch)
}

function stretchRow(line: Line, { name, after, through, failures, nextAt }: Stretch): Row {
  const idle = isIdle(line)
  const row = { after, through, failures, nextAt, idle }
  return stretchRows.put(rowKey(line.endpoint.webhookId, name), row)
}
