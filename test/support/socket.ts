// A WebSocket to a hub with nothing of the SDK in between: frames in, frames out.

import { once } from 'node:events'
import type { Hex } from 'viem'
import { WebSocket } from 'ws'
import { unframeReceipt } from '#protocol/framed-receipt.ts'
import type { FramedTicks } from '#protocol/frames.ts'
import {
  decodeReceipts,
  decodeTicked,
  encodeBaskets,
  encodeTicks,
  frameKinds,
} from '#protocol/frames.ts'
import type { SocketMessage } from '#protocol/messages/socket.ts'
import { socketMessage } from '#protocol/messages/socket.ts'
import type { ChannelAmounts, TipsRequest } from '#protocol/messages/tips.ts'
import { toJson } from '#protocol/messages/wire.ts'
import type { BasketReceipt } from '#protocol/receipt.ts'
import type { TickCommitment } from '#protocol/tick.ts'
import type { HubFixture } from './hub.ts'

export type Accepted = { receipt: BasketReceipt; channel: ChannelAmounts }

export type OpenedStream = { stream: number; ticks: number; amount: bigint }

export type SocketLine = {
  /** Sends baskets in one frame; each resolves with its receipt or the problem document that refuses it. */
  baskets(list: readonly TipsRequest[]): Promise<Accepted | { code: string }>[]
  /** Asks for a stream; resolves with how far it is, or with the problem document that refuses it. */
  openStream(order: {
    commitment: TickCommitment
    signature: Hex
  }): Promise<OpenedStream | { code: string }>
  /** Reveals ticks in one frame. */
  reveal(list: readonly FramedTicks[]): void
  /** Resolves when so many ticks of a stream are told to be on disk. */
  ticked(stream: number, ticks: number): Promise<void>
  send(frame: string | Uint8Array): void
  /** Resolves with the first text message that fits, of those that came and those to come. */
  until(fits: (message: SocketMessage) => boolean): Promise<SocketMessage>
  closed: Promise<{ code: number; reason: string }>
  /** Reads nothing more. */
  pause(): void
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
  const opening = new Map<number, (outcome: OpenedStream | { code: string }) => void>()
  const texts: SocketMessage[] = []
  const watchers = new Set<() => void>()
  const ticked = new Map<number, number>()
  let next = 1
  socket.on('message', (data: Buffer, isBinary: boolean) => {
    if (data[0] === frameKinds.ticked && isBinary) takeTicked(data)
    else if (isBinary) takeReceipts(data)
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
    openStream(order) {
      const request = next
      next += 1
      const { commitment, signature } = order
      return new Promise((resolve) => {
        opening.set(request, resolve)
        socket.send(toJson({ type: 'open-stream', request, commitment, signature }))
      })
    },
    reveal: (list) => socket.send(encodeTicks(list)),
    ticked: async (stream, ticks) =>
      void (await found(() => (ticked.get(stream) ?? 0) >= ticks || undefined)),
    send: (frame) => socket.send(frame),
    until: (fits) => found(() => texts.find(fits)),
    closed,
    pause: () => socket.pause(),
    cut: () => socket.terminate(),
    close: () => socket.close(),
  }

  /** What `search` finds, now or after a message that is still to come. */
  function found<T>(search: () => T | undefined): Promise<T> {
    return new Promise((resolve) => {
      const look = () => {
        const value = search()
        if (value === undefined) return
        watchers.delete(look)
        resolve(value)
      }
      watchers.add(look)
      look()
    })
  }

  function takeTicked(frame: Uint8Array) {
    for (const { stream, ticks } of decodeTicked(frame)) ticked.set(stream, ticks)
    for (const look of watchers) look()
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
    if (message.type === 'stream') takeOpening(message.request)?.(message)
    if (message.type === 'problem' && message.request !== null) {
      const answer = takeOpening(message.request) ?? take(message.request).answer
      answer(message.problem)
    }
    texts.push(message)
    for (const look of watchers) look()
  }

  function takeOpening(request: number) {
    const answer = opening.get(request)
    opening.delete(request)
    return answer
  }

  function take(request: number): Waiting {
    const found = waiting.get(request)
    if (!found) throw new Error(`request ${request} was answered twice, or never sent`)
    waiting.delete(request)
    return found
  }
}
