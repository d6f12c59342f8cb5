// The WebSocket endpoint, `/v1/socket`: who may connect, who is still there, and an orderly end.

import type { Server } from 'node:http'
import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import { WebSocketServer } from 'ws'
import { HubError } from '#protocol/errors.ts'
import type { Connections } from '../http/connections.ts'
import { sayFarewell } from '../http/farewell.ts'
import { heldBackMs } from '../http/limits.ts'
import type { Senders } from '../http/sender.ts'
import { inTurns } from '../turns.ts'
import type { ConnectionDeps } from './connection.ts'
import { serveConnection } from './connection.ts'
import { socketLimits } from './limits.ts'

export type Sockets = {
  /** Takes over the upgrade requests of a server. */
  attach(server: Server, connections: Pick<Connections, 'keep'>): void
  count(): number
  /** Closes every connection; clients come back to the next hub. */
  close(): void
}

const goingAway = 1001

export function createSockets({
  senders,
  ...deps
}: ConnectionDeps & { senders: Senders }): Sockets {
  const endpoint = new WebSocketServer({
    noServer: true,
    maxPayload: socketLimits.frameBytes,
    perMessageDeflate: false,
    autoPong: false,
  })
  const perSender = new Map<string, number>()
  const silent = new WeakSet<WebSocket>()
  const heartbeat = setInterval(() => {
    inTurns([...endpoint.clients], beat).catch((cause: unknown) =>
      deps.logFailure('heartbeat', cause),
    )
  }, socketLimits.heartbeatMs)
  heartbeat.unref()

  return {
    attach(server, connections) {
      server.on('upgrade', (request, stream, head) => {
        const sender = senders.of(request)
        try {
          admit(request.url, sender)
        } catch (error) {
          if (!(error instanceof HubError)) throw error
          return turnAway(stream, { refusal: error, isHeldBack: deps.admission.owes(sender) })
        }
        connections.keep(request.socket)
        endpoint.handleUpgrade(request, stream, head, (socket) => serve(socket, sender))
      })
    },
    count: () => endpoint.clients.size,
    close() {
      clearInterval(heartbeat)
      for (const socket of endpoint.clients) socket.close(goingAway, 'the hub is stopping')
    },
  }

  function admit(url: string | undefined, sender: string) {
    if (url !== '/v1/socket') throw new HubError('not_found', `there is no WebSocket at ${url}`)
    deps.admission.assertHeard(sender)
    const mine = perSender.get(sender) ?? 0
    if (mine >= socketLimits.perSender) {
      throw new HubError('too_many_requests', `${mine} connections are open from this address`)
    }
    if (endpoint.clients.size >= socketLimits.connections)
      throw new HubError('overloaded', 'all connections are taken')
  }

  /** At once, or later to a sender who would only come back. */
  function turnAway(
    stream: Duplex,
    { refusal, isHeldBack }: { refusal: HubError; isHeldBack: boolean },
  ) {
    stream.on('error', () => stream.destroy())
    if (isHeldBack) setTimeout(() => sayFarewell(stream, refusal), heldBackMs).unref()
    else sayFarewell(stream, refusal)
  }

  function serve(socket: WebSocket, sender: string) {
    perSender.set(sender, (perSender.get(sender) ?? 0) + 1)
    socket.on('pong', () => silent.delete(socket))
    socket.on('close', () => {
      const left = (perSender.get(sender) ?? 1) - 1
      if (left === 0) perSender.delete(sender)
      else perSender.set(sender, left)
    })
    serveConnection(socket, sender, deps)
  }

  function beat(socket: WebSocket) {
    if (silent.has(socket)) socket.terminate()
    silent.add(socket)
    socket.ping()
  }
}
