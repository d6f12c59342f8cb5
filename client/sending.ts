// One attempt at sending a signed basket, up to the receipt that answers it.

import { HubError } from '#protocol/errors.ts'
import type { DepositView } from '#protocol/messages/tips.ts'
import { depositView, tipsAnswer } from '#protocol/messages/tips.ts'
import type { BasketReceipt } from '#protocol/receipt.ts'
import { basketFields } from './baskets.ts'
import type { Context } from './context.ts'
import { ClientError } from './errors.ts'
import type { PendingRecord } from './records.ts'

/** How far a deposit is, in the hub's words. */
export type DepositStep = DepositView['state']

const depositPollMs = 400
const depositPatienceMs = 600_000

/** Sends a basket alone, or with the deposit that it is bundled with, and waits for the receipt. */
export async function send(
  context: Context,
  { basket, deposit }: PendingRecord,
  onProgress: ((step: DepositStep) => void) | undefined,
): Promise<BasketReceipt> {
  if (!deposit) {
    const body = { channelId: basket.channelId, ...basketFields(basket) }
    return (await context.api.call({ path: '/v1/tips', body }, tipsAnswer)).receipt
  }
  const body = { ...deposit, basket: basketFields(basket) }
  const first = await context.api.call({ path: '/v1/deposits', body }, depositView)
  const { state, receipt, failure } = await settled(context, first, onProgress)
  onProgress?.(state)
  if (receipt) return receipt
  throw new ClientError('deposit_failed', `the deposit failed: ${failure ?? 'no reason given'}`)
}

async function settled(
  context: Context,
  first: DepositView,
  onProgress: ((step: DepositStep) => void) | undefined,
): Promise<DepositView> {
  const deadline = context.now() + depositPatienceMs
  let view = first
  while (view.state === 'relaying' || view.state === 'confirming') {
    onProgress?.(view.state)
    if (context.now() > deadline) {
      throw new ClientError('deposit_slow', `deposit ${view.depositId} is still ${view.state}`)
    }
    await context.wait(depositPollMs)
    view = await look(context, view)
  }
  return view
}

/** The hub has the deposit by now, so that no failure to ask for it means that nothing happened. */
async function look(context: Context, { depositId }: DepositView): Promise<DepositView> {
  try {
    return await context.api.call({ path: `/v1/deposits/${depositId}` }, depositView)
  } catch (cause) {
    throw isExpected(cause) ? unseen(depositId, cause) : cause
  }
}

function unseen(depositId: string, cause: Error): ClientError {
  return new ClientError('answer_lost', `deposit ${depositId}: ${cause.message}`, { cause })
}

function isExpected(cause: unknown): cause is ClientError | HubError {
  return cause instanceof ClientError || cause instanceof HubError
}
