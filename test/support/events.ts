// A listener to the hub's server-sent events, which waits for what it is told to expect.

import assert from 'node:assert/strict'
import type { ClientRequest } from 'node:http'
import { get } from 'node:http'
import type { Fields } from './http.ts'
import type { HubFixture } from './hub.ts'

export type SeenEvent = { id: string; type: string; data: Fields }

export type Listener = {
  /** What came so far, in order. */
  seen: readonly SeenEvent[]
  /** Resolves when what came so far satisfies; fails at the deadline. */
  until(isSo: (seen: readonly SeenEvent[]) => boolean): Promise<void>
  /** Resolves when the hub ends the stream. */
  ended: Promise<void>
  close(): void
}

const deadlineMs = 10_000

/** Opens the stream of a session. Resolves when the hub has taken the listener on. */
export function listen(hub: HubFixture, token: string, lastEventId?: string): Promise<Listener> {
  const headers = {
    authorization: `Bearer ${token}`,
    ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }),
  }
  return new Promise((resolve, reject) => {
    const request = get(new URL('/v1/events', hub.world.hub.url), { headers, agent: false })
    request.on('error', reject)
    request.on('response', (response) => {
      assert.equal(response.statusCode, 200)
      assert.equal(response.headers['content-type'], 'text/event-stream')
      resolve(follow(request, response))
    })
  })
}

function follow(request: ClientRequest, response: NodeJS.ReadableStream): Listener {
  const seen: SeenEvent[] = []
  const waiting = new Set<() => void>()
  let unread = ''
  const ended = new Promise<void>((resolve) => response.on('close', resolve))
  response.on('error', () => undefined)
  request.on('error', () => undefined)
  response.on('data', (chunk: Buffer) => {
    const blocks = (unread + chunk.toString('utf8')).split('\n\n')
    unread = blocks.pop() ?? ''
    seen.push(...blocks.filter((block) => block !== ':').map(parseEvent))
    for (const look of waiting) look()
  })
  return {
    seen,
    ended,
    close: () => void request.destroy(),
    until(isSo) {
      return new Promise((resolve, reject) => {
        const last = () => reject(new Error(`not among ${JSON.stringify(seen)}`))
        const timer = setTimeout(last, deadlineMs)
        const look = () => {
          if (!isSo(seen)) return
          clearTimeout(timer)
          waiting.delete(look)
          resolve()
        }
        waiting.add(look)
        look()
      })
    },
  }
}

function parseEvent(block: string): SeenEvent {
  const fields = Object.fromEntries(
    block.split('\n').map((line) => {
      const [name = '', ...rest] = line.split(': ')
      return [name, rest.join(': ')]
    }),
  )
  const { id = '', event = '', data = '' } = fields
  return { id, type: event, data: JSON.parse(data) as Fields }
}
