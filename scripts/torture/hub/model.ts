// What a hub must answer, from the sentences of PROTOCOL.md (R1–R3, R6–R10, R13) and not from the code. A signature is here
// who signed what; only the hub gets bytes.

import type { Hex } from 'viem'
import { larger, maxAmount } from '#protocol/amount.ts'
import type { ErrorCode } from '#protocol/errors.ts'

/** What R1 compares, of one channel, with the baskets that were accepted on it. Amounts in base units. */
export type ChannelState = {
  ceiling: bigint
  charged: bigint
  held: bigint
  /** Balance at policy depth less what is seen to leave (R6). */
  escrowCap: bigint
  baskets: ReadonlySet<Hex>
}

/** A channel's state and what never changes about it. */
export type ModelChannel = { id: Hex; refusal: ErrorCode | undefined; state: ChannelState }

/** A tip as R8 and R9 see it. */
export type ModelTip = {
  to: Hex
  amount: bigint
  ref: Hex
  /** Whether its message is the one that `ref` commits to; true without a message. */
  isCommitted: boolean
}

export type BasketOrder = {
  kind: 'basket'
  channelId: Hex
  basketId: Hex
  tips: readonly ModelTip[]
  maximum: bigint
  /** Whether the channel's payerAuthorizer signed it, in the only form that counts (R7). */
  isSigned: boolean
}

export type RefundOrder = { kind: 'refund'; channelId: Hex; amount: bigint | undefined }

export type Order = BasketOrder | RefundOrder

export type Verdict =
  | { kind: 'accepted'; next: ChannelState; amount: bigint }
  /** The basket's first receipt again (R2). */
  | { kind: 'repeated' }
  | { kind: 'refused'; code: ErrorCode; values: Values | undefined }

type Values = { [name: string]: bigint | number | Hex }

/** The five amounts that the hub shows of a channel. */
export function amountsOf({ ceiling, charged, held, escrowCap }: ChannelState) {
  const used = charged + held
  const available = escrowCap > used ? escrowCap - used : 0n
  return { ceiling, charged, held, escrowCap, available }
}

/** The answer to an order on a channel in a state. `recipients` are all that may be tipped (R8). */
export function judge(
  order: Order,
  channel: ModelChannel | undefined,
  recipients: ReadonlySet<Hex>,
): Verdict {
  const { channelId } = order
  if (order.kind === 'basket' && !isShaped(order)) return refused('invalid_request')
  if (!channel) return refused('unknown_channel', { channelId })
  if (order.kind === 'refund') return judgeRefund(order, channel.state)
  if (channel.refusal) return refused(channel.refusal)
  return judgeBasket(order, channel.state, recipients)
}

/** Amounts are above zero and fit 128 bits, the maximum may be zero. */
function isShaped({ tips, maximum }: BasketOrder): boolean {
  const fits = (amount: bigint) => amount >= 0n && amount <= maxAmount
  return fits(maximum) && tips.every(({ amount }) => amount > 0n && fits(amount))
}

/** R13, from repetition on. */
function judgeBasket(
  order: BasketOrder,
  state: ChannelState,
  recipients: ReadonlySet<Hex>,
): Verdict {
  if (state.baskets.has(order.basketId)) {
    return order.isSigned ? { kind: 'repeated' } : refused('bad_signature')
  }
  const added = order.tips.reduce((sum, { amount }) => sum + amount, 0n)
  return (
    judgeTips(order.tips, recipients) ??
    judgeMoney(state, { added, maximum: order.maximum }) ??
    (order.isSigned ? undefined : refused('bad_signature')) ?? {
      kind: 'accepted',
      amount: added,
      next: {
        ...state,
        charged: state.charged + added,
        ceiling: larger(order.maximum, state.ceiling),
        baskets: new Set(state.baskets).add(order.basketId),
      },
    }
  )
}

function judgeTips(tips: readonly ModelTip[], recipients: ReadonlySet<Hex>): Verdict | undefined {
  const twice = tips.findIndex(({ ref }, at) => tips.findIndex((tip) => tip.ref === ref) < at)
  if (twice >= 0) return refused('duplicate_ref', { index: twice, ref: tips[twice]?.ref ?? '0x' })
  const other = tips.findIndex(({ isCommitted }) => !isCommitted)
  if (other >= 0) return refused('message_mismatch', { index: other })
  const nobody = tips.findIndex(({ to }) => !recipients.has(to))
  if (nobody < 0) return undefined
  return refused('unknown_creator', { index: nobody, to: tips[nobody]?.to ?? '0x' })
}

/** R1; when both are exceeded the deposit is named, because a higher maximum would not help. */
function judgeMoney(
  state: ChannelState,
  { added, maximum }: { added: bigint; maximum: bigint },
): Verdict | undefined {
  const needed = state.charged + state.held + added
  const values = { ...amountsOf(state), new: added, needed }
  if (needed > state.escrowCap) return refused('deposit_exceeded', values)
  if (needed > state.ceiling && needed > maximum) return refused('ceiling_too_low', values)
  return undefined
}

/** R10. */
function judgeRefund({ amount }: RefundOrder, state: ChannelState): Verdict {
  const { available } = amountsOf(state)
  if (available === 0n) return refused('nothing_to_refund', { available })
  if (amount !== undefined && amount > available) {
    return refused('refund_too_large', { amount, available })
  }
  const taken = amount ?? available
  return { kind: 'accepted', amount: taken, next: { ...state, held: state.held + taken } }
}

function refused(code: ErrorCode, values?: Values): Verdict {
  return { kind: 'refused', code, values }
}
