// Sending a signed basket until there is a proven answer, across lost answers, crashes and other signers on the channel.

import { z } from 'zod'
import { larger, smaller } from '#protocol/amount.ts'
import { errorTable, HubError } from '#protocol/errors.ts'
import { amount } from '#protocol/messages/wire.ts'
import type { BasketReceipt } from '#protocol/receipt.ts'
import { tipsTotal } from '#protocol/tip.ts'
import { signHigher } from './baskets.ts'
import { provenOn, reconcile, saveAccepted, withChannel } from './channels.ts'
import type { Context } from './context.ts'
import { connect, tokenOf, writeWallet } from './context.ts'
import { ClientError } from './errors.ts'
import { chargedAfter, ownReceiptFault } from './receipts.ts'
import type { AcceptedRecord, ChannelRecord, PendingRecord } from './records.ts'
import type { DepositStep } from './sending.ts'
import { send } from './sending.ts'

const retryWaitsMs = [300, 1_000, 3_000]
const maximumRaises = 30

const ceilingValues = z.object({ charged: amount, held: amount, needed: amount })

type Delivery = {
  pending: PendingRecord
  /** Whether an earlier attempt may have arrived, so that a refusal to connect does not mean that nothing happened. */
  uncertain: boolean
  onProgress?: ((step: DepositStep) => void) | undefined
}

type Attempt = Pick<Delivery, 'pending' | 'uncertain'> & { failures: number; raises: number }

/**
 * Sends what is pending until it is proven or refused, and books the outcome.
 *
 * The pending record is on disk before anything is sent. Throws the hub's refusal (then nothing is pending any more), or an
 * error of outcome `unknown` (then it stays pending, and {@link deliver} may be called again).
 */
export async function deliver(context: Context, delivery: Delivery): Promise<AcceptedRecord> {
  const { pending, uncertain, onProgress } = delivery
  await savePending(context, pending)
  for (let attempt: Attempt = { pending, uncertain, failures: 0, raises: 0 }; ; ) {
    try {
      return await accept(
        context,
        attempt.pending,
        await send(context, attempt.pending, onProgress),
      )
    } catch (error) {
      attempt = await nextAttempt(context, attempt, error)
    }
  }
}

/** What an earlier run had left without an answer, and its receipt now. */
export type Resumed = AcceptedRecord & { deposit: PendingRecord['deposit'] }

/** Sends again what an earlier run left without an answer. Answers `undefined` when there was nothing. */
export async function resume(
  context: Context,
  onProgress?: (step: DepositStep) => void,
): Promise<Resumed | undefined> {
  const { pending } = (await connect(context)).wallet
  if (!pending) return undefined
  const accepted = await deliver(context, { pending, uncertain: true, onProgress })
  return { ...accepted, deposit: pending.deposit }
}

/** As {@link resume}, before something new begins: a refusal of the old is told and does not stop the new. */
export async function resumeFirst(
  context: Context,
  onProgress?: (step: DepositStep) => void,
): Promise<Resumed | undefined> {
  try {
    const resumed = await resume(context, onProgress)
    if (resumed) context.notice(`basket ${resumed.basket.basketId}, begun earlier, is accepted`)
    return resumed
  } catch (error) {
    if (!(error instanceof HubError)) throw error
    context.notice(`the basket begun earlier was refused and not charged: ${error.message}`)
    return undefined
  }
}

/** What to try after a failure: the same again, or the same tips signed higher. Throws when this was the last attempt. */
async function nextAttempt(context: Context, attempt: Attempt, error: unknown): Promise<Attempt> {
  const { pending, failures, raises } = attempt
  if (isTooLow(error) && raises < maximumRaises) {
    return { ...attempt, pending: await raise(context, pending, error), raises: raises + 1 }
  }
  const effect = effectOf(error)
  if (effect === 'kept') throw error
  if (effect === 'refused') throw await forget(context, error)
  const uncertain = attempt.uncertain || effect === 'unknown'
  const waitMs = retryWaitsMs[failures]
  if (waitMs !== undefined) {
    await context.wait(waitMs)
    return { ...attempt, uncertain, failures: failures + 1 }
  }
  throw uncertain ? kept(pending, error) : await forget(context, error)
}

async function accept(
  context: Context,
  pending: PendingRecord,
  receipt: BasketReceipt,
): Promise<AcceptedRecord> {
  const { wallet } = await connect(context)
  const { basket } = pending
  const fault = await ownReceiptFault(receipt, { basket, hub: wallet.hub })
  if (fault) {
    throw new ClientError('receipt_invalid', `the receipt of ${basket.basketId} is wrong: ${fault}`)
  }
  const accepted = { basket, receipt }
  const channel = channelOf(wallet.channels, pending)
  const isNew = await saveAccepted(context, accepted)
  const proven = isNew ? channel.proven + tipsTotal(basket.tips) : await provenOn(context, channel)
  // The base of the next voucher stays within what was signed from here; more is taken on only in `raise`, and checked.
  const base = smaller(chargedAfter(receipt), basket.maxClaimableAmount)
  const next: ChannelRecord = {
    ...channel,
    status: channel.status === 'opening' ? 'open' : channel.status,
    proven,
    charged: larger(base, channel.charged),
  }
  await writeWallet(context, { ...withChannel(wallet, next), pending: null })
  return accepted
}

async function savePending(context: Context, pending: PendingRecord): Promise<void> {
  const { wallet } = await connect(context)
  const channel = channelOf(wallet.channels, pending)
  const signed = larger(pending.basket.maxClaimableAmount, channel.signed)
  await writeWallet(context, { ...withChannel(wallet, { ...channel, signed }), pending })
}

/** Gives a refused basket up. Its signature has left, which `signed` remembers. Answers the error, to be thrown. */
async function forget(context: Context, error: unknown): Promise<unknown> {
  const { wallet } = await connect(context)
  await writeWallet(context, { ...wallet, pending: null })
  return error
}

function kept({ basket, deposit }: PendingRecord, cause: unknown): ClientError {
  const what = deposit ? 'deposit' : 'basket'
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new ClientError(
    'basket_kept',
    `whether the hub accepted ${what} ${basket.basketId} is not known (${reason}); it is kept`,
    { values: { basketId: basket.basketId }, cause },
  )
}

/**
 * The same tips under a higher maximum. What the hub says is charged is only a hint: beyond what receipts prove, at most
 * `maxUnreceipted` of it is signed for.
 */
async function raise(
  context: Context,
  pending: PendingRecord,
  refusal: HubError,
): Promise<PendingRecord> {
  const { basket } = pending
  const told = ceilingValues.safeParse(refusal.values)
  const total = tipsTotal(basket.tips)
  const needed = told.success ? told.data.charged + told.data.held + total : 0n
  if (!told.success || needed !== told.data.needed || needed <= basket.maxClaimableAmount) {
    throw await forget(context, refusal)
  }
  const { info, wallet } = await connect(context)
  const channel = channelOf(wallet.channels, pending)
  const limit =
    context.maxUnreceipted ?? 10n ** BigInt(tokenOf(info, channel.config.token).decimals)
  const claimed = needed - total
  if (claimed - channel.proven > limit) {
    const { proven } = await reconcile(context, channel)
    if (claimed - proven > limit) {
      const error = new ClientError(
        'unproven_charge',
        `the hub says ${claimed} is charged or held; receipts prove ${proven}, and at most ${limit} is taken on trust`,
        { values: { claimed, proven, limit }, cause: refusal },
      )
      throw await forget(context, error)
    }
  }
  const raised = await signHigher(context, { hub: wallet.hub, basket, maximum: needed })
  const next = { ...pending, basket: raised }
  await savePending(context, next)
  return next
}

function channelOf(channels: readonly ChannelRecord[], { basket }: PendingRecord): ChannelRecord {
  const channel = channels.find(({ channelId }) => channelId === basket.channelId)
  if (channel) return channel
  throw new ClientError('store_damaged', `channel ${basket.channelId} is missing in the store`)
}

function isTooLow(error: unknown): error is HubError {
  return error instanceof HubError && error.code === 'ceiling_too_low'
}

/**
 * What a failed attempt did: `refused` is the hub's definite no, `none` never arrived or was turned away at the door,
 * `unknown` may have been accepted, and `kept` is no use repeating now.
 */
function effectOf(error: unknown): 'refused' | 'none' | 'unknown' | 'kept' {
  if (error instanceof HubError) {
    const [status] = errorTable[error.code]
    if (error.code === 'too_many_requests' || error.code === 'stopping') return 'none'
    return status < 500 || error.code === 'reserves_unequal' ? 'refused' : 'unknown'
  }
  if (!(error instanceof ClientError)) return 'kept'
  if (error.code === 'answer_lost') return 'unknown'
  if (error.code === 'hub_unreachable') return 'none'
  return error.code === 'deposit_failed' ? 'refused' : 'kept'
}
