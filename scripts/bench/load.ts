// The load of one run: signs every basket before the clock starts, then sends them over kept-alive connections, one at a time
// per channel. Prints "ready", waits a moment, and at the end what it measured as JSON.

import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { Agent, request } from 'node:http'
import type { Hex } from 'viem'
import { toHex } from 'viem'
import { tipsHash, tipsTotal, tipTo, tipVoucherDigest } from '#protocol/tip.ts'
import { createDigestSigner } from '#server/channels/signature-backend.ts'
import type { BenchChannel } from './channels.ts'

type Plan = {
  hubUrl: string
  channels: BenchChannel[]
  tips: number
  connections: number
  seconds: number
}

/** More baskets a second than any run so far has come to, so that none runs dry. */
const basketsPerSecond = { single: 9_000, many: 700 }

const [, , path = ''] = process.argv
const plan = JSON.parse(await readFile(path, 'utf8')) as Plan
const bodies = signAll(plan)
const agent = new Agent({ keepAlive: true, maxSockets: plan.connections })

process.stdout.write('ready\n')
await new Promise((resolve) => {
  setTimeout(resolve, 300)
})
const began = performance.now()
const latencies = (await Promise.all(startLanes(plan, bodies))).flat().sort((a, b) => a - b)
const seconds = (performance.now() - began) / 1_000
agent.destroy()
const percentile = (share: number) => latencies[Math.floor(latencies.length * share)] ?? 0
process.stdout.write(
  JSON.stringify({
    tips: latencies.length * plan.tips,
    seconds,
    p50ms: percentile(0.5),
    p99ms: percentile(0.99),
  }),
)

/** The bodies of each channel in order: every voucher raises the channel's maximum by its basket. */
function signAll({ channels, tips, seconds: length }: Plan): string[][] {
  const rate = tips === 1 ? basketsPerSecond.single : basketsPerSecond.many
  const perChannel = Math.ceil((rate * length) / channels.length)
  return channels.map(({ channelId, key, separator, creator }) => {
    const sign = createDigestSigner(key)
    let maxClaimableAmount = 0n
    return Array.from({ length: perChannel }, () => {
      const basket = Array.from({ length: tips }, () => ({
        to: tipTo(creator),
        amount: 100n,
        ref: randomRef(),
      }))
      maxClaimableAmount += tipsTotal(basket)
      const voucher = { channelId, maxClaimableAmount, tipsHash: tipsHash(basket) }
      const signature = sign(tipVoucherDigest(voucher, separator))
      const wire = basket.map((tip) => ({ ...tip, amount: String(tip.amount) }))
      return JSON.stringify({
        channelId,
        maxClaimableAmount: String(maxClaimableAmount),
        tips: wire,
        signature,
      })
    })
  })
}

/** Each lane works through its share of the channels, in turn, until time is up; returns latencies in milliseconds. */
function startLanes(
  { connections, seconds: length, hubUrl }: Plan,
  queues: string[][],
): Promise<number[]>[] {
  const end = performance.now() + length * 1_000
  const url = new URL('/v1/tips', hubUrl)
  return Array.from({ length: connections }, async (_, lane) => {
    const mine = queues.filter((_queue, index) => index % connections === lane)
    const measured: number[] = []
    for (let turn = 0; performance.now() < end; turn += 1) {
      const body = mine[turn % mine.length]?.shift()
      if (body === undefined) throw new Error('the load ran out of signed baskets; raise its rate')
      const sent = performance.now()
      await post(url, body)
      measured.push(performance.now() - sent)
    }
    return measured
  })
}

function post(url: URL, body: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
    }
    const sent = request(url, { method: 'POST', agent, headers }, (response) => {
      response.resume()
      response.on('end', () => {
        if (response.statusCode === 200) resolve()
        else reject(new Error(`the hub answered ${response.statusCode}`))
      })
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

function randomRef(): Hex {
  return toHex(randomBytes(32))
}
