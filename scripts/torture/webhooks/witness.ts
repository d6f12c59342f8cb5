// An endpoint that checks everything that comes: signature, order, and that an id always carries the same event.

import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Webhook } from 'standardwebhooks'

/** Answers, or fails in one way or another. */
export type Manner = (response: ServerResponse) => void

export type Witness = {
  url: string
  /** Which secret it expects from now on. */
  expect(secret: string): void
  /** How many different events came. */
  count(): number
  /** The refs of the tips that came, each once, with when they first came (Unix milliseconds). */
  refs: ReadonlyMap<string, number>
  /** How many messages came that had come before. */
  repeats(): number
  /** What was wrong. */
  faults: readonly string[]
  /** Resolves when so many different events came. */
  reached(count: number): Promise<void>
  close(): Promise<void>
}

const keptFaults = 20

export const answerAlways: Manner = (response) => response.writeHead(204).end()

export async function startWitness(name: string, manner: Manner = answerAlways): Promise<Witness> {
  const refs = new Map<string, number>()
  const waiting = new Map<() => void, number>()
  const faults: string[] = []
  let webhook: Webhook | undefined
  let last = ''
  let repeats = 0
  const server = createServer((request, response) => {
    read(request, response).catch((cause: unknown) => note(String(cause)))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo

  return {
    url: `http://127.0.0.1:${port}/${name}`,
    expect(secret) {
      webhook = new Webhook(secret)
    },
    count: () => refs.size,
    refs,
    repeats: () => repeats,
    faults,
    reached(count) {
      return new Promise((resolve) => {
        if (refs.size >= count) resolve()
        else waiting.set(resolve, count)
      })
    },
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }

  async function read(request: IncomingMessage, response: ServerResponse) {
    const chunks = await request.setEncoding('utf8').toArray()
    take(request, chunks.join(''))
    manner(response)
    for (const [resolve, count] of waiting) {
      if (refs.size < count) continue
      waiting.delete(resolve)
      resolve()
    }
  }

  function take({ headers }: IncomingMessage, body: string) {
    const id = String(headers['webhook-id'])
    const { data } = verified(headers, body) as { data: { ref: string } }
    if (id < last) note(`${id} came after ${last}`)
    if (id <= last && !refs.has(data.ref)) note(`${id} carried two events`)
    if (id > last && refs.has(data.ref)) note(`${data.ref} came under two ids`)
    if (refs.has(data.ref)) repeats += 1
    else refs.set(data.ref, Date.now())
    last = id > last ? id : last
  }

  function verified(headers: IncomingMessage['headers'], body: string): unknown {
    const texts = Object.entries(headers).map(([key, value]) => [key, String(value)])
    return webhook?.verify(body, Object.fromEntries(texts))
  }

  function note(fault: string) {
    if (faults.length < keptFaults) faults.push(`${name}: ${fault}`)
  }
}
