// The WebSocket endpoint, `/v1/socket`: who may connect, who is still there, and an orderly end.

import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import { WebSocketServer } from 'ws'
import { HubError, toProblem } from '#protocol/errors.ts'
import { toJson } from '#protocol/messages/wire.ts'
import { assertHeard } from '../http/tips-route.ts'
import type { ConnectionDeps } from './connection.ts'
import { serveConnection } from './connection.ts'
import { socketLimits } from './limits.ts'

export type Sockets = {
  /** Takes over the upgrade requests of a server. */
  attach(server: Server): void
  count(): number
  /** Closes every connection; clients come back to the next hub. */
  close(): void
}

const goingAway = 1001

export function createSockets(deps: ConnectionDeps): Sockets {
  const endpoint = new WebSocketServer({
    noServer: true,
    maxPayload: socketLimits.frameBytes,
    perMessageDeflate: false,
  })
  const perAddress = new Map<string, number>()
  const silent = new WeakSet<WebSocket>()
  const heartbeat = setInterval(beat, socketLimits.heartbeatMs)
  heartbeat.unref()

  return {
    attach(server) {
      server.on('upgrade', (request, stream, head) => {
        try {
          admit(request)
        } catch (error) {
          if (!(error instanceof HubError)) throw error
          return turnAway(stream, error)
        }
        endpoint.handleUpgrade(request, stream, head, (socket) => {
          serve(socket, request.socket.remoteAddress ?? '')
        })
      })
    },
    count: () => endpoint.clients.size,
    close() {
      clearInterval(heartbeat)
      for (const socket of endpoint.clients) socket.close(goingAway, 'the hub is stopping')
    },
  }

  function admit({ url, socket: { remoteAddress = '' } }: IncomingMessage) {
    if (url !== '/v1/socket') throw new HubError('not_found', `there is no WebSocket at ${url}`)
    assertHeard(deps.penalties, remoteAddress)
    const mine = perAddress.get(remoteAddress) ?? 0
    if (mine >= socketLimits.perAddress || endpoint.clients.size >= socketLimits.connections) {
      throw new HubError('too_many_requests', `${mine} connections are open from this address`)
    }
  }

  function serve(socket: WebSocket, from: string) {
    perAddress.set(from, (perAddress.get(from) ?? 0) + 1)
    socket.on('pong', () => silent.delete(socket))
    socket.on('close', () => {
      const left = (perAddress.get(from) ?? 1) - 1
      if (left === 0) perAddress.delete(from)
      else perAddress.set(from, left)
    })
    serveConnection(socket, from, deps)
  }

  function beat() {
    for (const socket of endpoint.clients) {
      if (silent.has(socket)) socket.terminate()
      silent.add(socket)
      socket.ping()
    }
  }
}

function turnAway(stream: Duplex, refusal: HubError) {
  const problem = toProblem(refusal)
  const body = toJson(problem)
  stream.end(
    [
      `HTTP/1.1 ${problem.status} ${problem.title}`,
      'content-type: application/problem+json; charset=utf-8',
      `content-length: ${Buffer.byteLength(body)}`,
      'connection: close',
      '',
      body,
    ].join('\r\n'),
  )
}
