// The load of one run over WebSockets: signs every basket before the clock starts, then keeps so many unanswered on each
// connection, or sends at a rate. Prints "ready" when it is warm, "ended", and what it measured from the one to the other as JSON.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { WebSocket } from 'ws'
import type { FramedBasket } from '#protocol/frames.ts'
import { decodeReceipts, encodeBaskets, frameKinds, unpackProofs } from '#protocol/frames.ts'
import type { BenchChannel } from './channels.ts'
import type { LoadReport } from './lanes.ts'
import { signBaskets } from './signed-baskets.ts'

/** What `main.ts` writes for this process. */
export type SocketPlan = {
  url: string
  channels: BenchChannel[]
  /** Tips that one signature names. */
  tips: number
  connections: number
  /** Baskets that may be unanswered on a connection, or baskets a second in all. */
  pace: { window: number } | { rate: number }
  seconds: number
  /** How long it sends before the clock starts, until the server's code is compiled for what it does. */
  warmUpSeconds: number
  /** Baskets to sign for each second. */
  signedPerSecond: number
}

type Lane = {
  socket: WebSocket
  baskets: FramedBasket[]
  next: number
  sentAt: Float64Array
  answered: number
  frames: Uint8Array[]
}

/** How often a paced lane sends what is due, in milliseconds. */
const paceMs = 2

const [, , path = ''] = process.argv
const plan = JSON.parse(await readFile(path, 'utf8')) as SocketPlan
const lanes = await Promise.all(
  Array.from({ length: plan.connections }, (_, lane) => openLane(lane)),
)
const started = performance.now()
let began = started + plan.warmUpSeconds * 1_000
const end = began + plan.seconds * 1_000
let latencies: number[] = []
setTimeout(() => {
  process.stdout.write('ready\n')
  began = performance.now()
  latencies = []
}, plan.warmUpSeconds * 1_000)
await Promise.all(lanes.map(runLane))
const seconds = (performance.now() - began) / 1_000
process.stdout.write('ended\n')
for (const { socket } of lanes) socket.close()
for (const lane of lanes) assertCharged(lane)
latencies.sort((a, b) => a - b)
const percentile = (share: number) => latencies[Math.floor(latencies.length * share)] ?? 0
const report: LoadReport = {
  answers: latencies.length,
  seconds,
  p50ms: percentile(0.5),
  p99ms: percentile(0.99),
}
process.stdout.write(`${JSON.stringify(report)}\n`)

async function openLane(lane: number): Promise<Lane> {
  const { channels, connections, tips, seconds: length, warmUpSeconds, signedPerSecond } = plan
  const mine = channels.filter((_channel, index) => index % connections === lane)
  const perChannel = Math.ceil((signedPerSecond * (length + warmUpSeconds)) / channels.length)
  const perChannelBaskets = mine.map((channel) => signBaskets(channel, { tips, count: perChannel }))
  const baskets = Array.from({ length: perChannel }, (_, turn) =>
    perChannelBaskets.flatMap((queue) => queue[turn] ?? []),
  ).flat()
  const numbered = baskets.map((basket, request) => ({ ...basket, request }))
  const socket = new WebSocket(plan.url)
  await once(socket, 'open')
  const sentAt = new Float64Array(numbered.length)
  return { socket, baskets: numbered, next: 0, sentAt, answered: 0, frames: [] }
}

/** Resolves when the time is over and everything that was sent is answered. */
function runLane(lane: Lane): Promise<void> {
  const { pace, connections } = plan
  let hasSentAll = () => performance.now() >= end
  return new Promise((resolve, reject) => {
    lane.socket.on('message', (data: Buffer, isBinary: boolean) => {
      if (!isBinary || data[0] !== frameKinds.receipts) return reject(new Error(data.toString()))
      const answered = takeReceipts(lane, data)
      if ('window' in pace && performance.now() < end) sendNext(lane, answered, reject)
      if (lane.answered === lane.next && hasSentAll()) resolve()
    })
    lane.socket.on('close', (code, reason) => reject(new Error(`closed with ${code} ${reason}`)))
    if ('window' in pace) return sendNext(lane, pace.window, reject)
    let isSending = true
    hasSentAll = () => !isSending
    const timer = setInterval(() => {
      const now = performance.now()
      const due = Math.floor((((Math.min(now, end) - started) / 1_000) * pace.rate) / connections)
      if (due > lane.next) sendNext(lane, due - lane.next, reject)
      if (now < end) return
      clearInterval(timer)
      isSending = false
      if (lane.answered === lane.next) resolve()
    }, paceMs)
  })
}

function sendNext(lane: Lane, count: number, reject: (error: Error) => void) {
  const { baskets, next, sentAt, socket } = lane
  const batch = baskets.slice(next, next + count)
  if (batch.length < count) return reject(new Error('the load ran out of signed baskets'))
  sentAt.fill(performance.now(), next, next + count)
  lane.next += count
  socket.send(encodeBaskets(next, batch))
}

/** Only what the latency needs is read while the clock runs. */
function takeReceipts(lane: Lane, frame: Uint8Array): number {
  lane.frames.push(frame)
  const now = performance.now()
  const { receipts } = decodeReceipts(frame)
  for (const { request } of receipts) latencies.push(now - (lane.sentAt[request] ?? now))
  lane.answered += receipts.length
  return receipts.length
}

/** Every basket got one receipt, and each channel's last one says that all that was signed is charged. */
function assertCharged({ frames, baskets, next }: Lane) {
  const answered = new Map<number, bigint>()
  for (const frame of frames) {
    for (const { request, proofs } of decodeReceipts(frame).receipts) {
      assert.ok(!answered.has(request), `request ${request} was answered twice`)
      answered.set(request, unpackProofs(proofs).at(-1)?.chargedAfter ?? 0n)
    }
  }
  const charged = new Map<string, { most: bigint; signed: bigint }>()
  for (const { request, channelId, maxClaimableAmount } of baskets.slice(0, next)) {
    const after = answered.get(request)
    assert.ok(after, `request ${request} was not answered`)
    const { most } = charged.get(channelId) ?? { most: 0n }
    charged.set(channelId, { most: after > most ? after : most, signed: maxClaimableAmount })
  }
  for (const { most, signed } of charged.values()) assert.equal(most, signed)
}
