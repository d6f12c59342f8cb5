// Many requests at once, with or without a kill in the middle, and the question whether the answers follow from the rules.

import type { Hex } from 'viem'
import { channelAmounts, refundView } from '#protocol/messages/tips.ts'
import type { Answer } from './client.ts'
import type { Drawn } from './draw.ts'
import type { Exchange, Place, Said } from './explain.ts'
import { explain } from './explain.ts'
import { judge } from './model.ts'
import type { Scene } from './scene.ts'
import { Fault, viewChannels, viewFault } from './scene.ts'

/** How long a hub may take to stop in order. */
const drainMs = 10_000

/** A request, its answer if there is one, and how long that took. */
type Sent = { drawn: Drawn; answer: Answer | undefined; ms: number }

/** What a burst left to be finished: refunds that are on their way, by channel. */
export type Burst = { refunds: { channelId: Hex; refundId: Hex; session: string }[] }

/** When and how a hub is ended in the middle of a burst. */
export type Ending = { endAfter?: number; by?: 'kill' | 'signal' }

/**
 * Sends requests all at once. With `endAfter` the hub is killed, or stopped in order, after so many answers. Before the answers
 * are accounted for, `recover` brings the hub back. Then every answer, and the state of every channel, must follow from the
 * rules in some order of the requests.
 */
export async function burst(
  scene: Scene,
  drawn: readonly Drawn[],
  { recover, ...ending }: Ending & { recover?: () => Promise<void> } = {},
): Promise<Burst> {
  const sent = await sendAll(scene, drawn, ending)
  if (recover) await recover()
  else if (ending.endAfter !== undefined) await scene.hub.start()
  return accountFor(scene, sent)
}

/** Holds answers, and what became of requests without one, against the rules; takes over the states that follow. */
export async function accountFor(scene: Scene, sent: readonly Sent[]): Promise<Burst> {
  const exchanges: Exchange[] = []
  for (const { drawn, answer } of sent) {
    const said = await read(scene, drawn, answer)
    exchanges.push({ order: drawn.order, signature: drawn.signature, said })
    countAnswer(scene, said)
  }
  const views = await viewChannels(scene)
  for (const { model } of scene.channels) {
    const mine = exchanges.filter(({ order }) => order.channelId === model.id)
    const reserved = views.get(model.id)?.amounts.held ?? 0n
    const explained = explain(model, mine, { recipients: scene.recipients, reserved })
    if ('fault' in explained) throw new Fault(explained.fault)
    model.state = explained.state
  }
  assertStrangers(scene, exchanges)
  const fault = viewFault(scene, views) ?? scene.receipts.fault()
  if (fault) throw new Fault(fault)
  return { refunds: sent.flatMap(refundOf) }
}

/** Sends everything at once and waits for the last answer. */
export async function sendAll(
  scene: Scene,
  drawn: readonly Drawn[],
  { endAfter, by = 'kill' }: Ending = {},
): Promise<Sent[]> {
  let answers = 0
  let ended: Promise<void> | undefined
  const end = () => (by === 'kill' ? kill(scene) : stop(scene))
  const sent = await Promise.all(
    drawn.map(async (one) => {
      const began = Date.now()
      const answer = await scene.client.call({ path: one.path, body: one.body, token: one.token })
      answers += 1
      if (answer && answers === endAfter) ended = end()
      return { drawn: one, answer, ms: Date.now() - began }
    }),
  )
  if (endAfter !== undefined) await (ended ?? end())
  scene.done.operations += drawn.length
  return sent
}

async function kill({ hub, done }: Scene) {
  done.kills += 1
  await hub.kill()
}

/** A hub that is told to stop answers what it took, and is gone soon (8). */
async function stop({ hub, done }: Scene) {
  done.kills += 1
  const began = Date.now()
  const code = await hub.stop()
  const ms = Date.now() - began
  if (code !== 0 || ms > drainMs) throw new Fault(`SIGTERM: ended with ${code} after ${ms} ms`)
}

async function read(scene: Scene, drawn: Drawn, answer: Answer | undefined): Promise<Said> {
  const { order } = drawn
  if (order.kind === 'refund') return readRefund(answer)
  const isOpen = answer === undefined || answer.status === 429 || answer.status === 503
  if (!isOpen && answer.status !== 200) return readRefusal(answer)
  const receipt = isOpen ? await findReceipt(scene, drawn) : answer.body['receipt']
  if (receipt === undefined) return { kind: answer ? 'put off' : 'lost' }
  const fault = await scene.receipts.take({ ...order, tips: drawn.tips }, receipt)
  if (fault) throw new Fault(fault)
  remember(scene, drawn)
  const place = placeOf(receipt)
  if (isOpen && place.signature !== drawn.signature) return { kind: 'lost' }
  const amounts = isOpen ? undefined : channelAmounts.parse(answer.body['channel'])
  return { kind: 'receipt', place, amounts }
}

/** What became of a basket that has no answer: it is there with a receipt, or it is not. */
async function findReceipt({ client, payers, channels }: Scene, { order }: Drawn) {
  if (order.kind !== 'basket') return undefined
  const owner = channels.find(({ model }) => model.id === order.channelId)
  const token = (owner?.payer ?? payers[0])?.session
  const found = await client.call({ path: `/v1/baskets/${order.basketId}`, token })
  if (found?.status === 200) return found.body
  if (found?.body['code'] === 'unknown_basket') return undefined
  throw new Fault(`basket ${order.basketId} cannot be looked up: ${found?.text}`)
}

function readRefund(answer: Answer | undefined): Said {
  if (!answer) return { kind: 'lost' }
  if (answer.status === 429 || answer.status === 503) return { kind: 'lost' }
  if (answer.status !== 202) return readRefusal(answer)
  return { kind: 'refund', amount: refundView.parse(answer.body).amount }
}

function readRefusal({ status, type, text, body }: Answer): Said {
  const { code, values } = body
  const isProblem = type.startsWith('application/problem+json') && typeof code === 'string'
  if (!isProblem || status >= 500) throw new Fault(`the hub answered ${status} ${text}`)
  return { kind: 'refused', code, values: values as { [name: string]: unknown } }
}

/** Requests on channels that do not exist are judged alone. */
function assertStrangers({ channels, recipients }: Scene, exchanges: readonly Exchange[]) {
  const known = new Set(channels.map(({ model }) => model.id))
  for (const { order, said } of exchanges) {
    if (known.has(order.channelId)) continue
    const verdict = judge(order, undefined, recipients)
    const isSame =
      verdict.kind === 'refused' && said.kind === 'refused' && verdict.code === said.code
    if (!isSame && said.kind !== 'lost' && said.kind !== 'put off') {
      throw new Fault(`an order on no channel got ${JSON.stringify(said.kind)}`)
    }
  }
}

function remember({ accepted, receipts }: Scene, { order, tips, body }: Drawn) {
  if (order.kind !== 'basket') return
  const { channelId, basketId } = order
  if (accepted.length < receipts.count()) accepted.push({ channelId, basketId, tips, body })
}

function placeOf(receipt: unknown): Place {
  const { header, tips } = receipt as {
    header: { number: string }
    tips: { leaf: { index: number; voucherSignature: Hex } }[]
  }
  const first = tips[0]?.leaf
  return {
    group: BigInt(header.number),
    firstIndex: first?.index ?? 0,
    signature: first?.voucherSignature ?? '0x',
  }
}

function countAnswer({ done }: Scene, said: Said) {
  const name = said.kind === 'refused' ? said.code : said.kind
  done.answers.set(name, (done.answers.get(name) ?? 0) + 1)
}

function refundOf({ drawn, answer }: Sent) {
  if (drawn.order.kind !== 'refund' || answer?.status !== 202) return []
  const { refundId } = refundView.parse(answer.body)
  return [{ channelId: drawn.order.channelId, refundId, session: drawn.token ?? '' }]
}
