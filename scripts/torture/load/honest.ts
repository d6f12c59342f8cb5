// Fans who tip at a steady rate, half of them over a few WebSockets and half over HTTP, and time every answer.

import { Agent, request } from 'node:http'
import { WebSocket } from 'ws'
import { decodeReceipts, encodeBaskets } from '#protocol/frames.ts'
import { toJson } from '#protocol/messages/wire.ts'
import type { SignedBasket } from '../../bench/signed-baskets.ts'
import { signBaskets } from '../../bench/signed-baskets.ts'
import type { PlanOf, Role } from './plan.ts'
import { atRate, percentile, socketUrl } from './plan.ts'

const lines = 4

export async function honest(plan: PlanOf<'honest'>): Promise<Role> {
  const baskets = signInTurn(plan)
  const times = { http: [] as number[], ws: [] as number[] }
  let began = performance.now()
  let next = 0
  let refused = 0
  const sentAt = new Map<number, number>()
  const agent = new Agent({ keepAlive: true, maxSockets: 64 })
  const sockets = await Promise.all(Array.from({ length: lines }, openLine))

  atRate(plan.rate, (due) => {
    const now = performance.now()
    const some = Array.from({ length: due }, (_, at) => next + at)
    next += due
    for (const number of some) {
      if (number % 2 === 0) sendFrame(number, now)
      else post(number, now)
    }
  })

  return {
    next() {
      const now = performance.now()
      const seconds = (now - began) / 1_000
      began = now
      const answers = times.http.length + times.ws.length
      const all = [...times.http, ...times.ws].sort((a, b) => a - b)
      const report = {
        perSecond: answers / seconds,
        answers,
        refused,
        p50: percentile(all, 0.5),
        p99: percentile(all, 0.99),
        http99: percentile(
          times.http.sort((a, b) => a - b),
          0.99,
        ),
        ws99: percentile(
          times.ws.sort((a, b) => a - b),
          0.99,
        ),
      }
      times.http = []
      times.ws = []
      refused = 0
      return report
    },
  }

  function basketAt(number: number): SignedBasket {
    const basket = baskets[number]
    if (!basket) throw new Error('the honest ran out of signed baskets')
    return basket
  }

  async function openLine(): Promise<{ socket: WebSocket }> {
    const line = { socket: await connected() }
    listen(line)
    return line
  }

  function connected(): Promise<WebSocket> {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(socketUrl(plan.url))
      socket.once('open', () => resolve(socket))
      socket.once('error', reject)
    })
  }

  function listen(line: { socket: WebSocket }) {
    const { socket } = line
    socket.on('error', () => undefined)
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      if (!isBinary) {
        refused += 1
        return
      }
      const now = performance.now()
      for (const { request: number } of decodeReceipts(data).receipts) {
        times.ws.push(now - (sentAt.get(number) ?? now))
        sentAt.delete(number)
      }
    })
    socket.on('close', () => {
      refused += 1
      connected().then(
        (again) => {
          line.socket = again
          listen(line)
        },
        () => undefined,
      )
    })
  }

  function sendFrame(number: number, now: number) {
    const line = sockets[(number / 2) % lines]
    if (line?.socket.readyState !== WebSocket.OPEN) return
    sentAt.set(number, now)
    line.socket.send(encodeBaskets(number, [{ request: number, ...basketAt(number) }]))
  }

  function post(number: number, sent: number) {
    const headers = { 'content-type': 'application/json' }
    const posted = request(
      `${plan.url}/v1/tips`,
      { method: 'POST', agent, headers },
      (response) => {
        response.resume()
        response.on('error', () => undefined)
        response.on('end', () => {
          if (response.statusCode === 200) times.http.push(performance.now() - sent)
          else refused += 1
        })
      },
    )
    posted.on('error', () => {
      refused += 1
    })
    posted.end(toJson(basketAt(number)))
  }
}

/** As many as the rate needs in the time, channel by channel in turn. */
export function signInTurn({
  channels,
  rate,
  seconds,
}: Pick<PlanOf<'honest'>, 'channels' | 'rate' | 'seconds'>): SignedBasket[] {
  const perChannel = Math.ceil((rate * seconds) / channels.length)
  const queues = channels.map((channel) => signBaskets(channel, { tips: 1, count: perChannel }))
  return Array.from({ length: perChannel }, (_, turn) =>
    queues.flatMap((queue) => queue[turn] ?? []),
  ).flat()
}
