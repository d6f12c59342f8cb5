// Endpoints of webhooks: real servers on the loopback that note what comes and answer as they are told.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { IncomingHttpHeaders, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

type Fields = { [name: string]: unknown }

export type Received = { id: string; headers: IncomingHttpHeaders; body: string; message: Fields }

/** Answers a request with a status, or by hand, or not at all. */
export type Answering = (received: Received, response: ServerResponse) => number | undefined

export type Receiver = {
  url: string
  /** All that came, in order, answered or not. */
  seen: readonly Received[]
  /** Changes how it answers from now on. */
  answer(how: Answering): void
  /** Resolves when what came so far satisfies; fails at the deadline. */
  until(isSo: (seen: readonly Received[]) => boolean): Promise<void>
  close(): Promise<void>
}

const deadlineMs = 15_000

export async function startReceiver(
  how: Answering = () => 204,
  { host = '127.0.0.1' }: { host?: string } = {},
): Promise<Receiver> {
  let answering = how
  const seen: Received[] = []
  const waiting = new Set<() => void>()
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
    const body = Buffer.concat(chunks).toString('utf8')
    const { headers } = request
    const id = String(headers['webhook-id'])
    const received = { id, headers, body, message: JSON.parse(body) as Fields }
    seen.push(received)
    const status = answering(received, response)
    if (status !== undefined) response.writeHead(status).end()
    for (const look of waiting) look()
  })
  server.listen(0, host)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `http://${host}:${port}/hook`,
    seen,
    answer(next) {
      answering = next
    },
    until(isSo) {
      return new Promise((resolve, reject) => {
        const late = () => reject(new Error(`after ${seen.length} messages it is still not so`))
        const timer = setTimeout(late, deadlineMs)
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
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

/** The refs of the tips among what came. */
export function refsOf(seen: readonly Received[]): unknown[] {
  const tips = seen.filter(({ message }) => message['type'] === 'tip')
  return tips.map(({ message }) => (message['data'] as Fields)['ref'])
}

/** The headers as the package of Standard Webhooks takes them. */
export function signatureHeaders({ headers }: Received): { [name: string]: string } {
  const names = ['webhook-id', 'webhook-timestamp', 'webhook-signature']
  return Object.fromEntries(
    names.map((name) => {
      const value = headers[name]
      assert.ok(typeof value === 'string', `${name} is missing`)
      return [name, value]
    }),
  )
}
