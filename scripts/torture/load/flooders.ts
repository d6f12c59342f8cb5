// WebSockets that send what is worth nothing, as fast as it is taken: pings, text that is no JSON, sign-ins of nobody, frames
// that are none. Whoever is shut out comes back from the next address.

import { WebSocket } from 'ws'
import type { PlanOf, Role } from './plan.ts'
import { loopback, socketUrl } from './plan.ts'

const firstAddress = 5_000_000
const addresses = 100
const burst = 200
const buffered = 256 * 1024
const signIn = JSON.stringify({ type: 'sign-in', token: 'nobody' })

const floods: readonly ((socket: WebSocket) => void)[] = [
  (socket) => socket.ping(),
  (socket) => socket.send('{'),
  (socket) => socket.send(signIn),
  (socket) => socket.pong(),
]

export async function flooders({ url, connections }: PlanOf<'flooders'>): Promise<Role> {
  const done = { frames: 0, lines: 0, shutOut: 0 }
  for (let line = 0; line < connections; line += 1) connect(line)

  return {
    next() {
      const report = { ...done }
      Object.assign(done, { frames: 0, lines: 0, shutOut: 0 })
      return report
    },
  }

  function connect(line: number) {
    done.lines += 1
    const flood = floods[line % floods.length] ?? (() => undefined)
    const localAddress = loopback(firstAddress + ((line + done.lines) % addresses))
    const socket = new WebSocket(socketUrl(url), { localAddress })
    let timer: NodeJS.Timeout | undefined
    socket.on('open', () => {
      timer = setInterval(() => {
        if (socket.readyState !== WebSocket.OPEN) return
        for (let at = 0; at < burst && socket.bufferedAmount < buffered; at += 1) {
          flood(socket)
          done.frames += 1
        }
      }, 10)
    })
    socket.on('error', () => undefined)
    socket.on('close', () => {
      clearInterval(timer)
      done.shutOut += 1
      setTimeout(connect, 100, line)
    })
  }
}
