// Whether answers to requests that were made at once follow from the model: is there an order in which it gives them all?

import type { Hex } from 'viem'
import type { ErrorCode } from '#protocol/errors.ts'
import type { ChannelAmounts } from '#protocol/messages/tips.ts'
import { toJson } from '#protocol/messages/wire.ts'
import type { ChannelState, ModelChannel, Order, Verdict } from './model.ts'
import { amountsOf, judge } from './model.ts'

/** What came back. `lost` is no answer because the hub died; `put off` is 429 or 503, which promises nothing. */
export type Said =
  | { kind: 'receipt'; place: Place; amounts: ChannelAmounts | undefined }
  | { kind: 'refund'; amount: bigint }
  | { kind: 'refused'; code: string; values: { [name: string]: unknown } }
  | { kind: 'lost' }
  | { kind: 'put off' }

/** Where a basket's tips stand in the group log, and the signature that they were accepted under. */
export type Place = { group: bigint; firstIndex: number; signature: Hex }

/** A request, with the signature it carried if it was a basket, and its answer. */
export type Exchange = { order: Order; signature: Hex | undefined; said: Said }

/** What is not yet placed: accepted baskets in order, refunds, and answers that change nothing. */
type Rest = { accepted: Exchange[]; refunds: Exchange[]; open: Open[] }

/** Something that was said, which must be so in some state. */
type Open = { exchange: Exchange; isSo: (state: ChannelState) => boolean }

const moneyRefusals: readonly ErrorCode[] = ['deposit_exceeded', 'ceiling_too_low']

type Step = { exchange: Exchange; next: ChannelState }

/**
 * The state of a channel after exchanges that were made at once, or what cannot be explained.
 *
 * Baskets are accepted in the order of their places, refusals change nothing, and refunds may stand anywhere. `reserved` is what
 * is held for refunds in the end, which decides about those that have no answer. What a refusal says may come from memory
 * that a kill then took away.
 */
export function explain(
  channel: ModelChannel,
  exchanges: readonly Exchange[],
  { recipients, reserved }: { recipients: ReadonlySet<Hex>; reserved: bigint },
): { state: ChannelState } | { fault: string } {
  const accepted = acceptedInOrder(exchanges, channel.state.baskets)
  const refunds = exchanges.filter(({ order, said }) => order.kind === 'refund' && mayCount(said))
  const unchanging: Open[] = [
    ...exchanges
      .filter((exchange) => !accepted.includes(exchange) && !refunds.includes(exchange))
      .filter((exchange) => !isLost(exchange))
      .map((exchange) => ({
        exchange,
        isSo: (from: ChannelState) => isSameAnswer(exchange, from),
      })),
    ...exchanges.map((exchange) => ({
      exchange,
      isSo: (from: ChannelState) => isShown(exchange, from),
    })),
  ]
  const lostBaskets = exchanges.filter(
    (exchange) => exchange.order.kind === 'basket' && isLost(exchange),
  )
  let deepest = { state: channel.state, open: unchanging }

  const state = search(channel.state, { accepted, refunds, open: unchanging })
  return state ? { state } : { fault: describe(channel, { exchanges, deepest, reserved }) }

  /** The last state on disk, when the rest of the exchanges follows from here. */
  function search(from: ChannelState, rest: Rest): ChannelState | undefined {
    const open = unexplained(from, rest.open)
    if (open.length <= deepest.open.length) deepest = { state: from, open }
    if (isDurable(from, rest) && vanishes(from, open, [...lostBaskets, ...rest.refunds]))
      return from
    for (const { exchange, next } of steps(from, rest)) {
      const found = search(next, { ...without(rest, exchange), open })
      if (found) return found
    }
    return undefined
  }

  function isDurable({ held }: ChannelState, rest: Rest): boolean {
    return rest.accepted.length === 0 && held === reserved && rest.refunds.every(isLost)
  }

  /** Whether what is left was answered out of memory that a kill took away: after something that was lost, in any order. */
  function vanishes(from: ChannelState, open: Open[], lost: Exchange[]): boolean {
    const left = unexplained(from, open)
    if (left.length === 0) return true
    return lost.some((exchange) => {
      const answer = verdict(exchange.order, from)
      if (answer.kind !== 'accepted') return false
      const others = lost.filter((other) => other !== exchange)
      return vanishes(answer.next, left, others)
    })
  }

  function unexplained(from: ChannelState, open: Open[]): Open[] {
    return open.filter(({ isSo }) => !isSo(from))
  }

  function isSameAnswer(exchange: Exchange, from: ChannelState): boolean {
    const answer = verdict(exchange.order, from)
    return isSame(answer, exchange.said) || isForgedAmongOthers(exchange, answer)
  }

  /** While other baskets of the channel are in progress, whether it can pay is judged after the signature (R13). */
  function isForgedAmongOthers({ order, said }: Exchange, answer: Verdict): boolean {
    if (order.kind !== 'basket' || order.isSigned) return false
    if (said.kind !== 'refused' || said.code !== 'bad_signature') return false
    const hasOthers = exchanges.some(
      (other) => other.order !== order && other.order.kind === 'basket',
    )
    return hasOthers && answer.kind === 'refused' && moneyRefusals.includes(answer.code)
  }

  function steps(from: ChannelState, { accepted: [first], refunds: waiting }: Rest): Step[] {
    return [first, ...waiting].flatMap((exchange) => {
      if (!exchange) return []
      const answer = verdict(exchange.order, from)
      if (answer.kind !== 'accepted') return []
      const { said } = exchange
      if (said.kind === 'refund' && said.amount !== answer.amount) return []
      return [{ exchange, next: answer.next }]
    })
  }

  function verdict(order: Order, from: ChannelState) {
    return judge(order, { ...channel, state: from }, recipients)
  }
}

function without(rest: Rest, exchange: Exchange): Rest {
  return {
    ...rest,
    accepted: rest.accepted.filter((other) => other !== exchange),
    refunds: rest.refunds.filter((other) => other !== exchange),
  }
}

/** The amounts beside a receipt must be those of a state in which its basket was charged. */
function isShown({ order, said }: Exchange, { baskets, ...state }: ChannelState): boolean {
  if (order.kind !== 'basket' || said.kind !== 'receipt' || !said.amounts) return true
  return baskets.has(order.basketId) && isEqual(said.amounts, amountsOf({ ...state, baskets }))
}

/** For each new basket the exchange that was the first: the one under whose signature it stands. */
function acceptedInOrder(exchanges: readonly Exchange[], known: ReadonlySet<Hex>): Exchange[] {
  const first = new Map<string, { exchange: Exchange; place: Place }>()
  for (const exchange of exchanges) {
    const { order, said, signature } = exchange
    if (order.kind !== 'basket' || said.kind !== 'receipt' || known.has(order.basketId)) continue
    const isFirst = said.place.signature === signature
    if (isFirst && !first.has(order.basketId)) {
      first.set(order.basketId, { exchange, place: said.place })
    }
  }
  return [...first.values()].sort(byPlace).map(({ exchange }) => exchange)
}

function byPlace({ place: a }: { place: Place }, { place: b }: { place: Place }): number {
  if (a.group !== b.group) return a.group < b.group ? -1 : 1
  return a.firstIndex - b.firstIndex
}

function isLost({ said }: Pick<Exchange, 'said'>): boolean {
  return said.kind === 'lost' || said.kind === 'put off'
}

function mayCount({ kind }: Said): boolean {
  return kind === 'refund' || kind === 'lost'
}

function isSame(verdict: ReturnType<typeof judge>, said: Said): boolean {
  if (said.kind === 'receipt') return verdict.kind === 'repeated'
  if (said.kind !== 'refused' || verdict.kind !== 'refused') return false
  if (verdict.code !== said.code) return false
  return verdict.values === undefined || isEqual(verdict.values, said.values)
}

function isEqual(a: object, b: object): boolean {
  return inOrder(a) === inOrder(b)
}

function inOrder(value: object): string {
  const entries = Object.entries(value).map(([name, field]) => [name, String(field)])
  return JSON.stringify(entries.sort(([a = ''], [b = '']) => (a < b ? -1 : 1)))
}

function describe(
  { id, state }: ModelChannel,
  {
    exchanges,
    deepest,
    reserved,
  }: {
    exchanges: readonly Exchange[]
    deepest: { state: ChannelState; open: Open[] }
    reserved: bigint
  },
): string {
  const [open] = deepest.open
  const about = open
    ? `${spell(open.exchange)}, where the channel was ${toJson(amountsOf(deepest.state))}`
    : `${reserved} held in the end; ${exchanges.map(spell).join('; ')}`
  return `channel ${id}: no order of ${exchanges.length} requests at once explains ${about}; it began as ${toJson(amountsOf(state))}`
}

function spell({ order, said }: Exchange): string {
  const { kind } = order
  const what =
    order.kind === 'basket'
      ? `${order.tips.length} tips of ${order.tips.reduce((sum, { amount }) => sum + amount, 0n)} up to ${order.maximum}${order.isSigned ? '' : ', badly signed'}`
      : `of ${order.amount ?? 'all'}`
  return `${kind} ${what} → ${toJson(said)}`
}
