// The HTTP server with its limits: what is slow, broken or too much ends here, before any route.

import type { RequestListener, Server } from 'node:http'
import { createServer } from 'node:http'
import type { Socket } from 'node:net'
import { HubError } from '#protocol/errors.ts'
import type { ConnectionLimits, Connections } from './connections.ts'
import { createConnections } from './connections.ts'
import { sayFarewell } from './farewell.ts'
import { perConnection } from './limits.ts'
import type { Senders } from './sender.ts'

/** How long a request may take to come in, in milliseconds: its headers, and all of it. */
export type Patience = { headersMs: number; requestMs: number }

/** A server that does not listen yet, and its connections. */
export function createHttpServer(
  listener: RequestListener,
  { limits, patience, senders }: { limits: ConnectionLimits; patience: Patience; senders: Senders },
): { server: Server; connections: Connections } {
  const { headerBytes, headers, idleMs, stuckMs, checkMs } = perConnection
  const server = createServer({
    headersTimeout: patience.headersMs,
    requestTimeout: patience.requestMs,
    connectionsCheckingInterval: checkMs,
    keepAliveTimeout: idleMs,
    maxHeaderSize: headerBytes,
  })
  server.maxHeadersCount = headers
  server.timeout = stuckMs
  const connections = createConnections({
    limits,
    senders,
    closeIdle: () => server.closeIdleConnections(),
  })
  server.on('connection', connections.admit)
  server.on('request', (request, response) => {
    if (connections.take(request, response)) listener(request, response)
  })
  server.on('timeout', (socket: Socket) => {
    if (socket.writableLength > 0) socket.destroy()
  })
  server.on('clientError', (error: Error & { code?: string }, socket: Socket) => {
    if (socket.writable && connections.isQuiet(socket)) sayFarewell(socket, brokenRequest(error))
    else socket.destroy()
  })
  return { server, connections }
}

/** What is wrong with a request that is none, by Node's code for it. */
function brokenRequest({ code }: { code?: string }): HubError {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return new HubError('request_timeout', 'the request did not come in within its time')
  if (code === 'HPE_HEADER_OVERFLOW') {
    const maximum = perConnection.headerBytes
    const values = { maximum }
    return new HubError('headers_too_large', `the headers have more than ${maximum} bytes`, {
      values,
    })
  }
  return new HubError('malformed_http', 'the request cannot be read as HTTP/1.1')
}
