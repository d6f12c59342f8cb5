// Forgers: baskets with signatures that are not right, in frames over WebSockets, each from an address of its own until it is
// no longer heard, and some over HTTP from one address.

import { randomBytes } from 'node:crypto'
import { Agent, request } from 'node:http'
import { toHex } from 'viem'
import { WebSocket } from 'ws'
import { encodeBaskets } from '#protocol/frames.ts'
import { toJson } from '#protocol/messages/wire.ts'
import { tipTo } from '#protocol/tip.ts'
import type { PlanOf, Role } from './plan.ts'
import { atRate, loopback, socketUrl } from './plan.ts'

const frameSize = 50
const lines = 40
const posters = 16
const firstAddress = 1_000

export async function forgers({ url, channels, rate }: PlanOf<'forgers'>): Promise<Role> {
  const done = { offered: 0, posted: 0, lines: 0, dismissed: 0 }
  const frames = Array.from({ length: 200 }, (_, at) =>
    encodeBaskets(at * frameSize, forgedFrame(at)),
  )
  const open: WebSocket[] = []
  let began = performance.now()
  let turn = 0
  let owed = 0
  for (let line = 0; line < lines; line += 1) connect()
  const agent = new Agent({ keepAlive: true, maxSockets: posters, localAddress: loopback(1) })
  for (let poster = 0; poster < posters; poster += 1) post()
  atRate(rate, (due) => {
    owed = Math.min(owed + due, rate)
    while (owed >= frameSize && open.length > 0) {
      const socket = open[turn % open.length]
      const frame = frames[turn % frames.length]
      turn += 1
      if (!socket || !frame) return
      socket.send(frame, () => undefined)
      owed -= frameSize
      done.offered += frameSize
    }
  })

  return {
    next() {
      const now = performance.now()
      const report = { ...done, offeredPerSecond: (done.offered * 1_000) / (now - began) }
      began = now
      Object.assign(done, { offered: 0, posted: 0, lines: 0, dismissed: 0 })
      return report
    },
  }

  function connect() {
    done.lines += 1
    const socket = new WebSocket(socketUrl(url), {
      localAddress: loopback(firstAddress + nextNumber()),
    })
    socket.on('open', () => open.push(socket))
    socket.on('error', () => undefined)
    socket.on('close', () => {
      done.dismissed += 1
      const at = open.indexOf(socket)
      if (at >= 0) open.splice(at, 1)
      connect()
    })
  }

  function post() {
    const body = toJson(forgedFrame(done.posted)[0])
    const sent = request(
      `${url}/v1/tips`,
      { method: 'POST', agent, headers: { 'content-type': 'application/json' } },
      (response) => {
        response.resume()
        response.on('error', () => undefined)
        response.on('close', post)
      },
    )
    sent.on('error', () => setTimeout(post, 10))
    sent.end(body)
    done.posted += 1
  }

  function forgedFrame(at: number) {
    return Array.from({ length: frameSize }, (_, offset) => {
      const channel = channels[(at * frameSize + offset) % channels.length]
      if (!channel) throw new Error('there is no channel to forge for')
      return {
        request: at * frameSize + offset,
        channelId: channel.channelId,
        maxClaimableAmount: 10n ** 11n,
        signature: toHex(
          Buffer.concat([
            Buffer.from([1]),
            randomBytes(31),
            Buffer.from([1]),
            randomBytes(31),
            Buffer.from([27]),
          ]),
        ),
        tips: [{ to: tipTo(channel.creator), amount: 1n, ref: toHex(randomBytes(32)) }],
      }
    })
  }
}

let number = 0

function nextNumber(): number {
  number += 1
  return number
}
