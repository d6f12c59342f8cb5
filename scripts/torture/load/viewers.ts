// Viewers of one creator, half over event streams and half over WebSockets. Each notes when a tip reaches it.

import { connect } from 'node:net'
import { WebSocket } from 'ws'
import type { PlanOf, Role } from './plan.ts'
import { loopback, percentile, socketUrl } from './plan.ts'

const addresses = 20
const firstAddress = 6_000_000
const atOnce = 100

/** The text of an event is small, so it comes in one piece. */
const mark = '"amount":"'

export async function viewers({ url, token, count }: PlanOf<'viewers'>): Promise<Role> {
  const seen: number[] = []
  let gone = 0
  for (let at = 0; at < count; at += atOnce) {
    const some = Array.from({ length: Math.min(atOnce, count - at) }, (_, offset) => at + offset)
    await Promise.all(some.map((number) => (number % 2 === 0 ? stream(number) : socket(number))))
  }

  return {
    next() {
      const first = seen[0] ?? 0
      const sorted = [...seen].sort((a, b) => a - b)
      const report = {
        seen: seen.length,
        gone,
        first,
        p50: percentile(sorted, 0.5),
        p95: percentile(sorted, 0.95),
        last: sorted.at(-1) ?? 0,
      }
      seen.length = 0
      return report
    },
  }

  function note(piece: Buffer | string) {
    if (piece.includes(mark)) seen.push(Date.now())
  }

  function stream(number: number): Promise<void> {
    const { port } = new URL(url)
    const localAddress = loopback(firstAddress + (number % addresses))
    const line = connect({ host: '127.0.0.1', port: Number(port), localAddress })
    line.write(`GET /v1/events HTTP/1.1\r\nhost: hub\r\nauthorization: Bearer ${token}\r\n\r\n`)
    line.on('error', () => undefined)
    line.on('close', () => {
      gone += 1
    })
    return new Promise((resolve) => {
      line.once('data', () => {
        line.on('data', note)
        resolve()
      })
    })
  }

  function socket(number: number): Promise<void> {
    const localAddress = loopback(firstAddress + (number % addresses))
    const line = new WebSocket(socketUrl(url), { localAddress, perMessageDeflate: false })
    line.on('error', () => undefined)
    line.on('close', () => {
      gone += 1
    })
    line.on('open', () => line.send(JSON.stringify({ type: 'sign-in', token })))
    return new Promise((resolve) => {
      line.once('message', () => {
        line.send('{"type":"follow"}')
        line.on('message', (data: Buffer) => note(data))
        resolve()
      })
    })
  }
}
