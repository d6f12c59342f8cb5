// The load of one run on the peer: signs every voucher before the clock starts, then buys a song with each, one at a time per
// channel. Prints "ready", waits a moment, "ended", and what it measured as JSON.

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { decodePaymentRequiredHeader, decodePaymentResponseHeader } from '@x402/core/http'
import { z } from 'zod'
import type { OpenedChannel } from '../channels.ts'
import type { Answer } from '../lanes.ts'
import { runLanes } from '../lanes.ts'
import { createPayer, paymentHeader } from './purchase.ts'

/** What the comparison writes for this process: so many purchases on each channel after those made before. */
export type PurchasePlan = {
  url: string
  channels: OpenedChannel[]
  price: string
  purchases: number
  madeBefore: number
}

const paidState = z.object({
  chargedAmount: z.string(),
  channelState: z.object({ chargedCumulativeAmount: z.string() }),
})

const [, , path = ''] = process.argv
const { url, channels, price, purchases, madeBefore } = JSON.parse(
  await readFile(path, 'utf8'),
) as PurchasePlan
const required = await askPrice()
const totalAfter = (count: number) => BigInt(madeBefore + count) * BigInt(price)
const answers: { answer: Answer; charged: bigint }[] = []
const report = await runLanes({
  url: new URL(url),
  connections: channels.length,
  queues: channels.map((channel) => {
    const pay = createPayer(channel, required)
    return Array.from({ length: purchases }, (_, index) => ({
      headers: paymentHeader(pay(totalAfter(index + 1))),
    }))
  }),
  seconds: undefined,
  judge(answer, { index }) {
    if (answer.status !== 200)
      throw new Error(`the shop answered ${answer.status}: ${answer.body} ${said(answer)}`)
    answers.push({ answer, charged: totalAfter(index + 1) })
  },
})
for (const { answer, charged } of answers) assertCharged(answer, charged)
process.stdout.write(`${JSON.stringify(report)}\n`)

async function askPrice() {
  const asked = await fetch(url)
  assert.equal(asked.status, 402)
  return decodePaymentRequiredHeader(asked.headers.get('payment-required') ?? '')
}

function said({ headers }: Answer): string {
  const header = headers['payment-required']
  return typeof header === 'string' ? String(decodePaymentRequiredHeader(header).error) : ''
}

/** The song came, and what was charged so far is what was signed so far. */
function assertCharged({ headers, body }: Answer, charged: bigint) {
  assert.deepEqual(JSON.parse(body.toString()), { title: 'a song' })
  const header = headers['payment-response']
  assert(typeof header === 'string', 'the answer says nothing of its payment')
  const { success, extra } = decodePaymentResponseHeader(header)
  assert.equal(success, true)
  const { chargedAmount, channelState } = paidState.parse(extra)
  assert.equal(chargedAmount, price)
  assert.equal(channelState.chargedCumulativeAmount, String(charged))
}
