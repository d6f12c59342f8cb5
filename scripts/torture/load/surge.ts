// Honest fans who are far too many: they send at a rate that no hub of this size can take, whatever it answers.

import { WebSocket } from 'ws'
import { decodeReceipts, encodeBaskets } from '#protocol/frames.ts'
import { signInTurn } from './honest.ts'
import type { PlanOf, Role } from './plan.ts'
import { atRate, loopback, socketUrl } from './plan.ts'

const connections = 40
const addresses = 8
const firstAddress = 2_000_000
const frameSize = 32

export async function surge(plan: PlanOf<'surge'>): Promise<Role> {
  const baskets = signInTurn(plan)
  const frames: Uint8Array[] = []
  for (let at = 0; at + frameSize <= baskets.length; at += frameSize) {
    const numbered = baskets
      .slice(at, at + frameSize)
      .map((basket, offset) => ({ ...basket, request: at + offset }))
    frames.push(encodeBaskets(at, numbered))
  }
  const done = { offered: 0, answers: 0, refused: 0 }
  const sockets = await Promise.all(Array.from({ length: connections }, (_, at) => open(at)))
  let began = performance.now()
  let turn = 0
  let owed = 0

  atRate(plan.rate, (due) => {
    owed += due
    while (owed >= frameSize) {
      owed -= frameSize
      const frame = frames[turn]
      if (!frame) return
      sockets[turn % connections]?.send(frame, () => undefined)
      turn += 1
      done.offered += frameSize
    }
  })

  return {
    next() {
      const now = performance.now()
      const seconds = (now - began) / 1_000
      began = now
      const report = {
        ...done,
        perSecond: done.answers / seconds,
        offeredPerSecond: done.offered / seconds,
      }
      Object.assign(done, { offered: 0, answers: 0, refused: 0 })
      return report
    },
  }

  function open(at: number): Promise<WebSocket> {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(socketUrl(plan.url), {
        localAddress: loopback(firstAddress + (at % addresses)),
      })
      socket.once('open', () => resolve(socket))
      socket.on('error', reject)
      socket.on('message', (data: Buffer, isBinary: boolean) => {
        if (isBinary) done.answers += decodeReceipts(data).receipts.length
        else done.refused += 1
      })
      socket.on('close', () => {
        done.refused += 1
      })
    })
  }
}
