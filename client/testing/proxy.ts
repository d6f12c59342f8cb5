// A hub's address with a faulty line behind it: requests go through, answers to tips may be lost or never come.

import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import { buffer } from 'node:stream/consumers'

export type FaultyLine = {
  url: string
  /** Where the hub really is. */
  target: string
  /** What becomes of the answer to a tip. */
  fault: 'none' | 'lost' | 'late'
  /** Resolves when the next tip has reached the hub. */
  reached(): Promise<void>
  close(): void
}

export async function openFaultyLine(): Promise<FaultyLine> {
  const server = createServer((request, response) => {
    carry(line, request, response).then(
      (isTip) => isTip && server.emit('tip'),
      () => response.destroy(),
    )
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : undefined
  const line: FaultyLine = {
    url: `http://127.0.0.1:${port}`,
    target: '',
    fault: 'none',
    reached: async () => {
      await once(server, 'tip')
    },
    close: () => {
      server.close()
      server.closeAllConnections()
    },
  }
  return line
}

async function carry(
  { target, fault }: FaultyLine,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<boolean> {
  const { method = 'GET', url = '/' } = request
  const body = method === 'GET' ? null : await buffer(request)
  const headers = new Headers({ accept: 'application/json' })
  for (const name of ['content-type', 'authorization']) {
    const value = request.headers[name]
    if (typeof value === 'string') headers.set(name, value)
  }
  const answer = await fetch(`${target}${url}`, { method, headers, body })
  const text = await answer.text()
  const isTip = url === '/v1/tips'
  if (isTip && fault === 'lost') response.destroy()
  if (isTip && fault !== 'none') return true
  response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' })
  response.end(text)
  return isTip
}
