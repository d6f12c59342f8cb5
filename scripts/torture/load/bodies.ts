// Bodies of 10 MB, with their length and in chunks, again and again on each connection.

import { Agent, request } from 'node:http'
import type { PlanOf, Role } from './plan.ts'
import { loopback } from './plan.ts'

const bodyBytes = 10 * 1024 * 1024
const firstAddress = 4_000_000

export async function bodies({ url, connections }: PlanOf<'bodies'>): Promise<Role> {
  const done = { sent: 0, refused: 0, cut: 0 }
  const body = Buffer.alloc(bodyBytes, 0x20)
  for (let lane = 0; lane < connections; lane += 1) send(lane)

  return {
    next() {
      const report = { ...done }
      Object.assign(done, { sent: 0, refused: 0, cut: 0 })
      return report
    },
  }

  function send(lane: number) {
    done.sent += 1
    const agent = new Agent({ localAddress: loopback(firstAddress + (lane % 4)) })
    const headers = {
      'content-type': 'application/json',
      ...(lane % 2 === 0 ? { 'content-length': bodyBytes } : { 'transfer-encoding': 'chunked' }),
    }
    let isOver = false
    const again = () => {
      if (isOver) return
      isOver = true
      setTimeout(send, 20, lane)
    }
    const sent = request(`${url}/v1/tips`, { method: 'POST', agent, headers }, (response) => {
      response.resume()
      if (response.statusCode === 413) done.refused += 1
      response.on('error', () => undefined)
      response.on('close', () => {
        sent.destroy()
        again()
      })
    })
    sent.on('error', () => {
      done.cut += 1
      again()
    })
    sent.end(body)
  }
}
