// The load of one run over HTTP: signs every basket before the clock starts, then sends them, one at a time per channel and
// connection. Prints "ready", waits a moment, "ended", and what it measured as JSON.

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { tipsAnswer } from '#protocol/messages/tips.ts'
import { toJson } from '#protocol/messages/wire.ts'
import type { BenchChannel } from './channels.ts'
import type { Answer, Prepared } from './lanes.ts'
import { runLanes } from './lanes.ts'
import { signBaskets, tipAmount } from './signed-baskets.ts'

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

/** More baskets a second than any run so far has come to, so that none runs dry. */
const basketsPerSecond = { single: 9_000, many: 700 }

const [, , path = ''] = process.argv
const plan = JSON.parse(await readFile(path, 'utf8')) as TipPlan
const seconds = 'seconds' in plan.length ? plan.length.seconds : undefined
const answers: { answer: Answer; charged: bigint }[] = []
const report = await runLanes({
  url: new URL('/v1/tips', plan.hubUrl),
  connections: plan.connections,
  queues: plan.channels.map(requestsOf),
  seconds,
  judge(answer, { index }) {
    if (answer.status !== 200) throw new Error(`the hub answered ${answer.status}: ${answer.body}`)
    if (seconds === undefined) answers.push({ answer, charged: maximumAfter(plan, index + 1) })
  },
})
for (const { answer, charged } of answers) assertCharged(answer, charged)
process.stdout.write(`${JSON.stringify(report)}\n`)

/** The requests of one channel in order. */
function requestsOf(channel: BenchChannel): Prepared[] {
  const { channels, tips, length } = plan
  const rate = tips === 1 ? basketsPerSecond.single : basketsPerSecond.many
  const count =
    'baskets' in length ? length.baskets : Math.ceil((rate * length.seconds) / channels.length)
  const before = maximumAfter(plan, 0)
  return signBaskets(channel, { tips, count, before }).map((basket) => {
    const body = toJson(basket)
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
