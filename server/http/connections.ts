// Who may be connected: so many in all, so many from one address, and so many unanswered requests on each. When all places
// are taken, whoever has not asked for anything yet makes room.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { HubError } from '#protocol/errors.ts'
import { sayFarewell } from './farewell.ts'
import { perConnection } from './limits.ts'
import type { Senders } from './sender.ts'

export type ConnectionLimits = {
  /** Open at once, in all. */
  connections: number
  /** Open at once from one address. */
  perAddress: number
}

export type Connections = {
  /** Takes a connection in, or ends it. */
  admit(socket: Socket): void
  /** Counts a request until it is answered. Whether it may be answered at all: false when its connection was ended. */
  take(request: IncomingMessage, response: ServerResponse): boolean
  /** Whether nothing that was asked on a connection waits for its answer. */
  isQuiet(socket: Socket): boolean
  /** A connection asked for something that is kept open, such as a WebSocket. */
  keep(socket: Socket): void
  count(): number
}

type Connection = { unanswered: number; isLeaving: boolean }

export function createConnections({
  limits,
  senders,
  closeIdle,
}: {
  limits: ConnectionLimits
  senders: Senders
  /** Closes the connections that are between two requests. */
  closeIdle: () => void
}): Connections {
  const connections = new Map<Socket, Connection>()
  const perAddress = new Map<string, number>()
  /** Those that were never answered, oldest first. */
  const fresh = new Set<Socket>()

  return {
    admit(socket) {
      const connection = { unanswered: 0, isLeaving: false }
      connections.set(socket, connection)
      socket.on('close', () => {
        connections.delete(socket)
        fresh.delete(socket)
      })
      const refusal = countSender(socket) ?? (makeRoom() ? undefined : allTaken())
      if (refusal) {
        connection.isLeaving = true
        return sayFarewell(socket, refusal)
      }
      fresh.add(socket)
    },
    take(request, response) {
      const { socket } = request
      const connection = connections.get(socket)
      if (!connection || connection.isLeaving) return false
      connection.unanswered += 1
      if (connection.unanswered > perConnection.unanswered) {
        socket.destroy()
        return false
      }
      if (request.complete) fresh.delete(socket)
      response.on('close', () => {
        connection.unanswered -= 1
        fresh.delete(socket)
      })
      return true
    },
    isQuiet(socket) {
      const connection = connections.get(socket)
      return connection !== undefined && !connection.isLeaving && connection.unanswered === 0
    },
    keep: (socket) => void fresh.delete(socket),
    count: () => connections.size,
  }

  /** Counts a connection to its sender until it closes, or says why there is no place for it. */
  function countSender(socket: Socket): HubError | undefined {
    const sender = senders.ofConnection(socket.remoteAddress)
    if (sender === undefined) return undefined
    const mine = perAddress.get(sender) ?? 0
    if (mine >= limits.perAddress) {
      const values = { connections: mine, maximum: limits.perAddress }
      return new HubError('too_many_requests', `${mine} connections are open from this address`, {
        values,
      })
    }
    perAddress.set(sender, mine + 1)
    socket.on('close', () => {
      const left = (perAddress.get(sender) ?? 1) - 1
      if (left === 0) perAddress.delete(sender)
      else perAddress.set(sender, left)
    })
    return undefined
  }

  function makeRoom(): boolean {
    if (connections.size <= limits.connections) return true
    const [oldest] = fresh
    if (oldest) {
      oldest.destroy()
      fresh.delete(oldest)
      return true
    }
    closeIdle()
    return connections.size <= limits.connections
  }

  function allTaken(): HubError {
    return new HubError('overloaded', `all ${limits.connections} connections are taken`)
  }
}
