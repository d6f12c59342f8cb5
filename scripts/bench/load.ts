// The load of one run over HTTP: signs every basket before the clock starts, then sends them, one at a time per channel and
// connection. Prints "ready", waits a moment, "ended", and what it measured as JSON.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { Hex } from 'viem'
import { toHex } from 'viem'
import { tipsAnswer } from '#protocol/messages/tips.ts'
import { tipsHash, tipsTotal, tipTo, tipVoucherDigest } from '#protocol/tip.ts'
import { createDigestSigner } from '#server/channels/signature-backend.ts'
import type { BenchChannel } from './channels.ts'
import type { Answer, Prepared } from './lanes.ts'
import { runLanes } from './lanes.ts'

/** What `main.ts` and the comparison with the peer write for this process. */
export type TipPlan = {
  hubUrl: string
  channels: BenchChannel[]
  /** Tips that one signature names. */
  tips: number
  connections: number
  /** Either as many baskets as a time allows, or so many on each channel after those sent before. */
  length: { seconds: number } | { baskets: number; sentBefore: number }
}

/** Base units of each tip. */
const tipAmount = 100n

/** More baskets a second than any run so far has come to, so that none runs dry. */
const basketsPerSecond = { single: 9_000, many: 700 }

const [, , path = ''] = process.argv
const plan = JSON.parse(await readFile(path, 'utf8')) as TipPlan
const seconds = 'seconds' in plan.length ? plan.length.seconds : undefined
const answers: { answer: Answer; charged: bigint }[] = []
const report = await runLanes({
  url: new URL('/v1/tips', plan.hubUrl),
  connections: plan.connections,
  queues: plan.channels.map((channel) => signBaskets(plan, channel)),
  seconds,
  judge(answer, { index }) {
    if (answer.status !== 200) throw new Error(`the hub answered ${answer.status}: ${answer.body}`)
    if (seconds === undefined) answers.push({ answer, charged: maximumAfter(plan, index + 1) })
  },
})
for (const { answer, charged } of answers) assertCharged(answer, charged)
process.stdout.write(`${JSON.stringify(report)}\n`)

/** The requests of one channel in order: every voucher raises the channel's maximum by its basket. */
function signBaskets(
  { channels, tips, length }: TipPlan,
  { channelId, key, separator, creator }: BenchChannel,
): Prepared[] {
  const rate = tips === 1 ? basketsPerSecond.single : basketsPerSecond.many
  const count =
    'baskets' in length ? length.baskets : Math.ceil((rate * length.seconds) / channels.length)
  const sign = createDigestSigner(key)
  let maxClaimableAmount = maximumAfter(plan, 0)
  return Array.from({ length: count }, () => {
    const basket = Array.from({ length: tips }, () => ({
      to: tipTo(creator),
      amount: tipAmount,
      ref: randomRef(),
    }))
    maxClaimableAmount += tipsTotal(basket)
    const voucher = { channelId, maxClaimableAmount, tipsHash: tipsHash(basket) }
    const signature = sign(tipVoucherDigest(voucher, separator))
    const wire = basket.map((tip) => ({ ...tip, amount: String(tip.amount) }))
    const body = JSON.stringify({
      channelId,
      maxClaimableAmount: String(maxClaimableAmount),
      tips: wire,
      signature,
    })
    const headers = {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
    }
    return { headers, body }
  })
}

/** What a channel's voucher allows after `baskets` of this run, in base units. */
function maximumAfter({ tips, length }: TipPlan, baskets: number): bigint {
  const before = 'sentBefore' in length ? length.sentBefore : 0
  return BigInt((before + baskets) * tips) * tipAmount
}

/** The answer holds a receipt for all that was tipped, and what was charged so far is what was signed so far. */
function assertCharged({ body }: Answer, charged: bigint) {
  const { receipt, channel } = tipsAnswer.parse(JSON.parse(body.toString()))
  assert.equal(receipt.tips.length, plan.tips)
  for (const { leaf } of receipt.tips) assert.equal(leaf.amount, tipAmount)
  assert.equal(receipt.tips.at(-1)?.leaf.chargedAfter, charged)
  assert.equal(channel.charged, charged)
}

function randomRef(): Hex {
  return toHex(randomBytes(32))
}
