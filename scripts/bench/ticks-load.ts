// The load of one run of ticks over WebSockets: opens a stream on every channel, makes all reveals before the clock starts, then
// keeps so many unanswered on each connection, one in each message. Prints "ready" when it is warm, "ended", and what it
// measured from the one to the other as JSON.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { on, once } from 'node:events'
import { readFile } from 'node:fs/promises'
import type { Hex } from 'viem'
import { hexToBytes, toHex } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { WebSocket } from 'ws'
import { decodeTicked, encodeTicks, frameKinds } from '#protocol/frames.ts'
import { socketMessage } from '#protocol/messages/socket.ts'
import { toJson } from '#protocol/messages/wire.ts'
import type { TickCommitment } from '#protocol/tick.ts'
import { createTickChain, tickCommitmentDigest } from '#protocol/tick.ts'
import { tipTo } from '#protocol/tip.ts'
import { createDigestSigner } from '#server/channels/signature-backend.ts'
import { createClient } from '../torture/hub/client.ts'
import type { BenchChannel } from './channels.ts'
import type { LoadReport } from './lanes.ts'

/** What `main.ts` writes for this process. */
export type TicksPlan = {
  url: string
  hubUrl: string
  chainId: number
  channels: BenchChannel[]
  /** Ticks that one reveal pays. */
  jump: number
  connections: number
  /** Reveals that may be unanswered on a connection. */
  window: number
  /** Reveals to make for each stream. */
  revealsPerStream: number
  seconds: number
  warmUpSeconds: number
}

/** What opens a stream: the commitment and its signature. */
type Order = { commitment: TickCommitment; signature: Hex }

/** A stream's reveals follow each other: the next leaves when the one before is answered. */
type Stream = { number: number; order: Order; reveals: Uint8Array[]; next: number; sentAt: number }

type Lane = { socket: WebSocket; streams: Map<number, Stream>; idle: Stream[]; unanswered: number }

/** How long all streams together may take to open, in milliseconds. */
const openingMs = 120_000

const [, , path = ''] = process.argv
const plan = JSON.parse(await readFile(path, 'utf8')) as TicksPlan
const token = await signIn()
const lanes = await Promise.all(
  Array.from({ length: plan.connections }, (_, lane) => openLane(lane)),
)
let began = performance.now() + plan.warmUpSeconds * 1_000
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
await Promise.all(lanes.map(assertTaken))
for (const { socket } of lanes) socket.close()
latencies.sort((a, b) => a - b)
const percentile = (share: number) => latencies[Math.floor(latencies.length * share)] ?? 0
const report: LoadReport = {
  answers: latencies.length,
  seconds,
  p50ms: percentile(0.5),
  p99ms: percentile(0.99),
}
process.stdout.write(`${JSON.stringify(report)}\n`)

async function signIn(): Promise<string> {
  const [first] = plan.channels
  if (!first) throw new Error('the plan names no channel')
  return createClient(() => plan.hubUrl).signIn(privateKeyToAccount(first.key), plan.chainId)
}

async function openLane(lane: number): Promise<Lane> {
  const socket = new WebSocket(plan.url)
  await once(socket, 'open')
  socket.send(toJson({ type: 'sign-in', token }))
  await once(socket, 'message')
  const mine = plan.channels.filter((_channel, index) => index % plan.connections === lane)
  const promises = mine.map(commit)
  const numbers = await openAll(
    socket,
    promises.map(({ order }) => order),
  )
  const streams = promises.map(({ order, revealsOf }, at): Stream => {
    const number = numbers[at]?.stream ?? 0
    return { number, order, reveals: revealsOf(number), next: 0, sentAt: 0 }
  })
  const byNumber = new Map(streams.map((stream) => [stream.number, stream]))
  return { socket, streams: byNumber, idle: streams, unanswered: 0 }
}

/** Opens streams, or asks how far they are; answers in the order of the orders. */
async function openAll(socket: WebSocket, orders: readonly Order[]) {
  const answers: { stream: number; ticks: number }[] = []
  const heard = on(socket, 'message', { signal: AbortSignal.timeout(openingMs) })
  for (const [request, order] of orders.entries())
    socket.send(toJson({ type: 'open-stream', request, ...order }))
  for (let missing = orders.length; missing > 0; missing -= 1) {
    const { value: [data] = [] } = await heard.next()
    const message = socketMessage.parse(JSON.parse(String(data)))
    if (message.type !== 'stream') throw new Error(toJson(message))
    answers[message.request] = message
  }
  await heard.return?.()
  return answers
}

function commit({ channelId, creator, key, separator }: BenchChannel) {
  const base = { channelId, baseAmount: 0n, maxTicks: plan.jump * plan.revealsPerStream }
  const chain = createTickChain(toHex(randomBytes(32)), base)
  const commitment = { ...base, to: tipTo(creator), tickAmount: 1n, root: chain.root }
  const signature = createDigestSigner(key)(tickCommitmentDigest(commitment, separator))
  return {
    order: { commitment, signature },
    revealsOf: (stream: number) =>
      Array.from({ length: plan.revealsPerStream }, (_, at) => {
        const ticks = (at + 1) * plan.jump
        return encodeTicks([{ stream, ticks, preimage: hexToBytes(chain.preimage(ticks)) }])
      }),
  }
}

/** Resolves when the time is over and everything that was sent is answered. */
function runLane(lane: Lane): Promise<void> {
  const { socket } = lane
  return new Promise((resolve, reject) => {
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      if (!isBinary || data[0] !== frameKinds.ticked) return reject(new Error(data.toString()))
      take(lane, data)
      if (performance.now() < end) send(lane, reject)
      else if (lane.unanswered === 0) resolve()
    })
    socket.on('close', (code, reason) => reject(new Error(`closed with ${code} ${reason}`)))
    send(lane, reject)
  })
}

function take(lane: Lane, frame: Uint8Array) {
  const now = performance.now()
  for (const { stream, ticks } of decodeTicked(frame)) {
    const one = lane.streams.get(stream)
    assert.ok(one && ticks === one.next * plan.jump, `stream ${stream}: ${ticks} are answered`)
    latencies.push(now - one.sentAt)
    lane.idle.push(one)
    lane.unanswered -= 1
  }
}

function send(lane: Lane, reject: (error: Error) => void) {
  while (lane.unanswered < plan.window) {
    const stream = lane.idle.shift()
    const reveal = stream?.reveals[stream.next]
    if (!stream || !reveal) return reject(new Error('the load ran out of reveals'))
    stream.next += 1
    stream.sentAt = performance.now()
    lane.unanswered += 1
    lane.socket.send(reveal)
  }
}

/** The hub says of each stream that everything is taken that was revealed. */
async function assertTaken({ socket, streams }: Lane) {
  socket.removeAllListeners('message')
  const all = [...streams.values()]
  const answers = await openAll(
    socket,
    all.map(({ order }) => order),
  )
  for (const [at, { ticks }] of answers.entries())
    assert.equal(ticks, (all[at]?.next ?? 0) * plan.jump)
}
