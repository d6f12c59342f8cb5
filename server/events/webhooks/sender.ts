// Sends one message to one endpoint: signed anew for each attempt, and only as many at once as there are places for.

import type { ToldEvent } from '../event-log.ts'
import { createLane } from './lane.ts'
import type { Line } from './line.ts'
import { noteAttempt } from './line.ts'
import type { Outcome, Post } from './post.ts'
import { signedHeaders } from './signature.ts'

/** What is sent to an endpoint: `data` is JSON text. */
export type Message = Pick<ToldEvent, 'id' | 'type' | 'data' | 'at'>

export type Sender = {
  /** Waits for a place, sends, and notes how it went. Ends at once when the signal says so. */
  send(line: Line, message: Message, signal: AbortSignal): Promise<Outcome>
  close(): void
}

/**
 * `socketsPerLane` requests at once go to endpoints whose last attempt succeeded, and as many to all others, so that those that
 * hang wait for each other only. Each endpoint has one place in its line, which makes first come, first served fair.
 */
export function createSender({
  post,
  now,
  socketsPerLane,
}: {
  post: Post
  now: () => number
  socketsPerLane: number
}): Sender {
  const proven = createLane(socketsPerLane)
  const others = createLane(socketsPerLane)

  return {
    async send(line, message, signal) {
      const leave = await (line.proven ? proven : others).enter()
      try {
        if (signal.aborted) return { failure: 'it was ended before it began' }
        const { url, secrets } = line.endpoint
        const body = bodyOf(message)
        const at = now()
        const headers = {
          'content-type': 'application/json',
          'user-agent': 'jandon-webhooks/1',
          ...signedHeaders({ id: message.id, body }, { secrets, now: at }),
        }
        const outcome = await post.send({ url, headers, body, signal })
        noteAttempt(line, attemptOf(message, { at, outcome }))
        return outcome
      } finally {
        leave()
      }
    },
    close: post.close,
  }
}

export function isDelivered(outcome: Outcome): boolean {
  return 'status' in outcome && outcome.status >= 200 && outcome.status < 300
}

/** The bytes that are signed and sent. */
function bodyOf({ type, at, data }: Message): string {
  const timestamp = new Date(at).toISOString()
  return `{"type":${JSON.stringify(type)},"timestamp":"${timestamp}","data":${data}}`
}

function attemptOf({ id, type }: Message, { at, outcome }: { at: number; outcome: Outcome }) {
  const status = 'status' in outcome ? outcome.status : null
  const failure = 'failure' in outcome ? outcome.failure : null
  return { eventId: id, type, at: BigInt(at), status, failure }
}
