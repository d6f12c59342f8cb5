// Looks after the endpoints that have something due: one event of each at a time, until it is delivered, put off or given up.

import type { Hex } from 'viem'
import type { EventLog, ToldEvent } from '../event-log.ts'
import { deadRows, rowKey, stretchRows } from './endpoint.ts'
import { createLane } from './lane.ts'
import type { Line } from './line.ts'
import { isOver, nextStretch, resumeAll } from './line.ts'
import type { Outcome } from './post.ts'
import type { Progress } from './progress.ts'
import type { RetryPolicy } from './retry.ts'
import { retryPause } from './retry.ts'
import type { Sender } from './sender.ts'
import { isDelivered } from './sender.ts'
import type { Stretch } from './stretch.ts'
import { fill, finish } from './stretch.ts'

/** Time, so that it can be moved. `after` calls back once, and answers how to prevent it. */
export type Clock = {
  now: () => number
  after: (milliseconds: number, work: () => void) => () => void
}

export type Courier = {
  /** Looks after a line, unless that is going on. Nothing happens before {@link start}. */
  wake(line: Line): void
  /** Ends what is under way for a line, to be done again if it goes on. Resolves when it has ended. */
  halt(line: Line): Promise<void>
  start(): void
  stop(): void
}

type Due = { stretch: Stretch; event: ToldEvent }

/** Reads of the event log for endpoints that are behind: few at once, so that they do not hold up the rest. */
const readers = 2

const gone = 410

export function createCourier({
  log,
  sender,
  progress,
  published,
  clock,
  random,
  retry,
  onGone,
  onFailure,
}: {
  log: EventLog
  sender: Sender
  progress: Progress
  /** The newest group whose events were handed over. */
  published: () => bigint
  clock: Clock
  /** From 0 to 1. */
  random: () => number
  retry: RetryPolicy
  /** An endpoint said that it is gone: it is to be disabled. */
  onGone: (webhookId: Hex) => Promise<void>
  onFailure: (cause: unknown) => void
}): Courier {
  const reading = createLane(readers)
  let running = false

  return {
    wake,
    async halt(line) {
      line.cancelTimer?.()
      line.inFlight?.abort()
      await line.turn
    },
    start() {
      running = true
    },
    stop() {
      running = false
    },
  }

  function wake(line: Line) {
    line.cancelTimer?.()
    line.cancelTimer = undefined
    if (!line.turning && isWorking(line)) line.turn = takeTurn(line).catch(onFailure)
  }

  function isWorking({ removed, endpoint }: Line): boolean {
    return running && !removed && endpoint.disabledAt === null
  }

  /** Delivers until nothing is due. Whether it goes on is decided in one tick with saying so, so that no call is lost. */
  async function takeTurn(line: Line) {
    line.turning = true
    try {
      while (isWorking(line)) {
        const next = nextStretch(line, clock.now())
        if (!next) return
        if ('at' in next) return sleep(line, next.at)
        await advance(line, next.stretch)
      }
    } finally {
      line.turning = false
    }
  }

  function sleep(line: Line, until: number) {
    line.cancelTimer = clock.after(until - clock.now(), () => wake(line))
  }

  /** One step of a stretch: its next event is tried, or more of it is read. It is written before the next step. */
  async function advance(line: Line, stretch: Stretch) {
    const event = stretch.queue[0]
    if (event) await attempt(line, { stretch, event })
    else await read(line, stretch)
    if (isOver(stretch)) {
      line.stretches = line.stretches.filter((each) => each !== stretch)
      const key = rowKey(line.endpoint.webhookId, stretch.name)
      progress.add(() => [stretchRows.remove(key)])
    }
    progress.add(line.rows)
    await progress.flush()
  }

  async function read({ endpoint }: Line, stretch: Stretch) {
    const leave = await reading.enter()
    try {
      await fill(stretch, { endpoint, log, published })
    } finally {
      leave()
    }
  }

  async function attempt(line: Line, due: Due) {
    const ending = new AbortController()
    line.inFlight = ending
    const outcome = await sender.send(line, due.event, ending.signal)
    line.inFlight = undefined
    if (ending.signal.aborted) return
    line.proven = isDelivered(outcome)
    if (line.proven) delivered(line, due)
    else if ('status' in outcome && outcome.status === gone) await onGone(line.endpoint.webhookId)
    else failed(line, { ...due, reason: reasonOf(outcome) })
  }

  function delivered(line: Line, { stretch, event }: Due) {
    finish(stretch, event)
    resumeAll(line)
    if (stretch === line.live) return
    const key = rowKey(line.endpoint.webhookId, event.id)
    progress.add(() => [deadRows.remove(key)])
  }

  function failed(line: Line, { stretch, event, reason }: Due & { reason: string }) {
    stretch.failures += 1
    const { failures } = stretch
    const at = clock.now()
    const pause = retryPause(failures, { policy: retry, fraction: random() })
    if (pause !== undefined) {
      stretch.nextAt = at + pause
      return
    }
    const letter = { type: event.type, attempts: failures, failure: reason, at }
    const key = rowKey(line.endpoint.webhookId, event.id)
    progress.add(() => [deadRows.put(key, letter)])
    finish(stretch, event)
  }
}

function reasonOf(outcome: Outcome): string {
  return 'status' in outcome ? `it answered ${outcome.status}` : outcome.failure
}
