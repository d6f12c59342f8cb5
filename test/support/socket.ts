// A WebSocket to a hub with nothing of the SDK in between: frames in, frames out.

import { once } from 'node:events'
import { WebSocket } from 'ws'
import { unframeReceipt } from '#protocol/framed-receipt.ts'
import { decodeReceipts, encodeBaskets } from '#protocol/frames.ts'
import type { SocketMessage } from '#protocol/messages/socket.ts'
import { socketMessage } from '#protocol/messages/socket.ts'
import type { ChannelAmounts, TipsRequest } from '#protocol/messages/tips.ts'
import type { BasketReceipt } from '#protocol/receipt.ts'
import type { HubFixture } from './hub.ts'

export type Accepted = { receipt: BasketReceipt; channel: ChannelAmounts }

export type SocketLine = {
  /** Sends baskets in one frame; each resolves with its receipt or the problem document that refuses it. */
  baskets(list: readonly TipsRequest[]): Promise<Accepted | { code: string }>[]
  send(frame: string | Uint8Array): void
  /** Resolves with the first text message that fits, of those that came and those to come. */
  until(fits: (message: SocketMessage) => boolean): Promise<SocketMessage>
  closed: Promise<{ code: number; reason: string }>
  /** Ends the connection without a word. */
  cut(): void
  close(): void
}

type Waiting = { basket: TipsRequest; answer: (outcome: Accepted | { code: string }) => void }

export async function openSocket(hub: HubFixture): Promise<SocketLine> {
  const url = new URL('/v1/socket', hub.world.hub.url)
  url.protocol = 'ws:'
  const socket = new WebSocket(url)
  const waiting = new Map<number, Waiting>()
  const texts: SocketMessage[] = []
  const watchers = new Set<() => void>()
  let next = 1
  socket.on('message', (data: Buffer, isBinary: boolean) => {
    if (isBinary) takeReceipts(data)
    else takeText(data.toString())
  })
  const closed = once(socket, 'close').then(([code, reason]) => ({ code, reason: String(reason) }))
  await once(socket, 'open')
  return {
    baskets(list: readonly TipsRequest[]) {
      const first = next
      next += list.length
      const answers = list.map(
        (basket, at) =>
          new Promise<Accepted | { code: string }>((answer) => {
            waiting.set(first + at, { basket, answer })
          }),
      )
      socket.send(
        encodeBaskets(
          first,
          list.map((basket, at) => ({ request: first + at, ...basket })),
        ),
      )
      return answers
    },
    send: (frame) => socket.send(frame),
    until(fits) {
      return new Promise((resolve) => {
        const look = () => {
          const found = texts.find(fits)
          if (!found) return
          watchers.delete(look)
          resolve(found)
        }
        watchers.add(look)
        look()
      })
    },
    closed,
    cut: () => socket.terminate(),
    close: () => socket.close(),
  }

  function takeReceipts(frame: Uint8Array) {
    const { header, headerSignature, receipts } = decodeReceipts(frame)
    for (const receipt of receipts) {
      const { basket, answer } = take(receipt.request)
      const whole = unframeReceipt(basket, receipt, { header, headerSignature })
      answer({ receipt: whole, channel: receipt.channel })
    }
  }

  function takeText(text: string) {
    const message = socketMessage.parse(JSON.parse(text))
    if (message.type === 'problem' && message.request !== null)
      take(message.request).answer(message.problem)
    texts.push(message)
    for (const look of watchers) look()
  }

  function take(request: number): Waiting {
    const found = waiting.get(request)
    if (!found) throw new Error(`request ${request} was answered twice, or never sent`)
    waiting.delete(request)
    return found
  }
}
