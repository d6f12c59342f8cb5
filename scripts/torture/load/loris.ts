// Slow senders: thousands of connections that say a few bytes of a request from time to time and never finish it. Whoever is
// shut out comes back.

import { connect } from 'node:net'
import type { PlanOf, Role } from './plan.ts'
import { loopback } from './plan.ts'

const addresses = 20
const firstAddress = 3_000_000
const dripsPerSecond = 50
const againMs = 500
const openAtOnce = 200

export async function loris({ url, connections }: PlanOf<'loris'>): Promise<Role> {
  const { port } = new URL(url)
  const open = new Set<ReturnType<typeof connect>>()
  const done = { opened: 0, shutOut: 0 }
  let asked = 0
  let most = 0
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      for (let some = 0; some < openAtOnce && asked < connections; some += 1) drip()
      if (asked < connections) return
      clearInterval(timer)
      resolve()
    }, 20)
  })
  dripAll()

  return {
    next() {
      const report = { ...done, open: open.size, most }
      Object.assign(done, { opened: 0, shutOut: 0 })
      most = open.size
      return report
    },
  }

  /** Each says a line a second, one after the other. */
  function dripAll() {
    const all = [...open]
    const some = Math.ceil(all.length / dripsPerSecond)
    const timer = setInterval(() => {
      for (const socket of all.splice(0, some)) socket.write('x: y\r\n')
      if (all.length > 0) return
      clearInterval(timer)
      setTimeout(dripAll, 1_000 / dripsPerSecond)
    }, 1_000 / dripsPerSecond)
  }

  function drip() {
    asked += 1
    const localAddress = loopback(firstAddress + (asked % addresses))
    const socket = connect({ host: '127.0.0.1', port: Number(port), localAddress })
    socket.on('connect', () => {
      done.opened += 1
      open.add(socket)
      most = Math.max(most, open.size)
      socket.write('POST /v1/tips HTTP/1.1\r\nhost: hub\r\ncontent-type: application/json\r\n')
    })
    socket.on('error', () => undefined)
    socket.resume()
    socket.on('close', () => {
      done.shutOut += 1
      open.delete(socket)
      setTimeout(drip, againMs)
    })
  }
}
