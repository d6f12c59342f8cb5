// Money on its way back to the payer, with the hub's help, and what is left.

import type { Address, Hex } from 'viem'
import { HubError } from '#protocol/errors.ts'
import type { TokenInfo } from '#protocol/messages/hub.ts'
import type { ChannelView, RefundView } from '#protocol/messages/tips.ts'
import { refundView } from '#protocol/messages/tips.ts'
import { findOpenChannel, readChannel, requireChannel } from './channels.ts'
import type { Context } from './context.ts'
import { callSignedIn, connect, readWallet, tokenOf } from './context.ts'
import { resumeFirst } from './delivery.ts'
import { ClientError } from './errors.ts'

export type RefundOrder = {
  amount?: bigint | undefined
  token?: Address | undefined
  onProgress?: ((step: RefundView['state']) => void) | undefined
}

/**
 * A channel's money in base units, by the hub's word. `charged` is spent, of which `unproven` has no receipt here; `held`
 * waits for a refund in progress, `leaving` for a withdrawal; `unspent` can be tipped or taken back.
 */
export type Balance = {
  channelId: Hex
  token: TokenInfo
  status: 'opening' | 'open' | 'withdrawing' | 'closed'
  deposited: bigint
  charged: bigint
  unproven: bigint
  held: bigint
  leaving: bigint
  unspent: bigint
}

const pollMs = 400
const patienceMs = 600_000

/** Asks the hub for unspent money back, all of it or an amount, and waits until the chain has paid it. */
export async function refund(context: Context, order: RefundOrder = {}): Promise<RefundView> {
  const { info } = await connect(context)
  await resumeFirst(context)
  const { channelId } = await requireChannel(context, tokenOf(info, order.token))
  const path = `/v1/channels/${channelId}/refunds`
  const body = order.amount === undefined ? {} : { amount: order.amount }
  const deadline = context.now() + patienceMs
  let view = await callSignedIn(context, { path, body }, refundView)
  while (view.state === 'sending') {
    order.onProgress?.(view.state)
    if (context.now() > deadline) {
      throw new ClientError('refund_slow', `refund ${view.refundId} is still on its way`)
    }
    await context.wait(pollMs)
    view = await callSignedIn(context, { path: `/v1/refunds/${view.refundId}` }, refundView)
  }
  if (view.state === 'done') return view
  throw new ClientError('refund_failed', `the refund failed: ${view.failure ?? 'no reason given'}`)
}

/** What is in the channels of this wallet: the hub's figures, and how much of the charge no receipt here proves. */
export async function readBalances(context: Context): Promise<Balance[]> {
  const { info } = await connect(context)
  for (const token of info.tokens) await findOpenChannel(context, token)
  const channels = (await readWallet(context))?.channels ?? []
  const balances: Balance[] = []
  for (const { channelId, config, status, proven } of channels) {
    const view = status === 'closed' ? undefined : await findChannel(context, channelId)
    if (!view) continue
    const { charged, held, available } = view.amounts
    balances.push({
      channelId,
      token: tokenOf(info, config.token),
      status,
      deposited: view.balance,
      charged,
      unproven: charged > proven ? charged - proven : 0n,
      held,
      leaving: view.pendingWithdrawal?.amount ?? 0n,
      unspent: available,
    })
  }
  return balances
}

async function findChannel(context: Context, id: Hex): Promise<ChannelView | undefined> {
  try {
    return await readChannel(context, id)
  } catch (error) {
    if (error instanceof HubError && error.code === 'unknown_channel') return undefined
    throw error
  }
}
