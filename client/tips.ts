// Tipping, and what became of it: baskets out, receipts kept, history and proof.

import type { Address, Hex } from 'viem'
import { basketReceipt, tipList } from '#protocol/messages/tips.ts'
import type { BasketReceipt } from '#protocol/receipt.ts'
import { lowerCase } from '#protocol/signature.ts'
import { tipsTotal, tipTo } from '#protocol/tip.ts'
import type { TipOrder } from './baskets.ts'
import { nameTips, signBasket } from './baskets.ts'
import { readAccepted, requireChannel } from './channels.ts'
import type { Context } from './context.ts'
import { callSignedIn, connect, readWallet, tokenOf } from './context.ts'
import { deliver, resumeFirst } from './delivery.ts'
import { ClientError } from './errors.ts'
import { ownReceiptFault, wholeReceiptFault } from './receipts.ts'
import type { AcceptedRecord, HubPin, TokenRecord, WalletRecord } from './records.ts'

/** One tip of a basket: `name` is the handle it was given to; `progress` is the hub's word, when it was asked. */
export type SentTip = {
  kind: 'tip' | 'relay-fee'
  to: Address
  name: string | null
  amount: bigint
  fee: bigint
  message: string | null
  progress: 'accepted' | 'claimed' | 'yours' | null
}

/** An accepted basket with its proof. `at` is in Unix milliseconds, amounts in base units of `token`, if known. */
export type SentBasket = {
  basketId: Hex
  channelId: Hex
  token: TokenRecord | null
  at: number
  total: bigint
  tips: SentTip[]
  receipt: BasketReceipt
}

/** What checking a receipt found: `fault` says in words what is wrong, or is null. */
export type ReceiptCheck = {
  fault: string | null
  basketId: Hex
  token: TokenRecord | null
  hub: Pick<HubPin, 'chainId' | 'hubAccount' | 'receiptSigner'>
  receipt: BasketReceipt
}

/** Sends tips under one signature, after what may still be pending. Throws as {@link deliver} does. */
export async function sendBasket(
  context: Context,
  orders: readonly TipOrder[],
  { token: address }: { token?: Address | undefined } = {},
): Promise<SentBasket> {
  const { info, wallet } = await connect(context)
  await resumeFirst(context)
  const tips = await nameTips(context, orders)
  const channel = await requireChannel(context, tokenOf(info, address))
  const basket = await signBasket(context, {
    hub: wallet.hub,
    channel: { channelId: channel.channelId, base: channel.charged },
    tips,
  })
  const pending = { basket, deposit: null }
  const accepted = await deliver(context, { pending, uncertain: false })
  return sentBasket(accepted, await readWallet(context))
}

/** The newest accepted baskets, newest first, from the store; how far they came is asked from the hub when it answers. */
export async function readHistory(
  context: Context,
  { limit = 20 }: { limit?: number | undefined } = {},
): Promise<SentBasket[]> {
  const wallet = await readWallet(context)
  const accepted = await readAccepted(context, { limit })
  const baskets = accepted.map((record) => sentBasket(record, wallet))
  const progress = await readProgress(context, new Set(baskets.map(({ channelId }) => channelId)))
  for (const { receipt, tips } of baskets) {
    for (const [index, tip] of tips.entries()) {
      tip.progress = progress.get(receipt.tips[index]?.leaf.ref ?? '0x') ?? null
    }
  }
  return baskets
}

/**
 * Checks a receipt offline against the hub that was pinned: one of ours by basket id or the beginning of it, or any
 * receipt as it came out of JSON. Throws `no_receipt` when there is none to check.
 */
export async function verifyReceipt(
  context: Context,
  target: string | object,
): Promise<ReceiptCheck> {
  const wallet = (await readWallet(context)) ?? (await connect(context)).wallet
  const receiptSigner = context.hubKey ? lowerCase(context.hubKey) : wallet.hub.receiptSigner
  const hub = { ...wallet.hub, receiptSigner }
  if (typeof target === 'string') {
    const accepted = await findAccepted(context, target)
    const fault = await ownReceiptFault(accepted.receipt, { basket: accepted.basket, hub })
    const token = tokenOn(wallet, accepted.basket.channelId)
    return checked(accepted.receipt, { hub, fault, token })
  }
  const parsed = basketReceipt.safeParse(target)
  if (!parsed.success) {
    throw new ClientError('no_receipt', 'this is not the JSON of a receipt', {
      cause: parsed.error,
    })
  }
  const channelId = parsed.data.tips[0]?.leaf.channelId
  const token = channelId ? tokenOn(wallet, channelId) : null
  return checked(parsed.data, { hub, fault: await wholeReceiptFault(parsed.data, hub), token })
}

/** How the store's record of a basket looks to its owner. */
export function sentBasket(
  { basket, receipt }: AcceptedRecord,
  wallet: WalletRecord | undefined,
): SentBasket {
  const fees = wallet && tipTo(wallet.hub.feeAccount)
  const tips = basket.tips.map(
    ({ to, amount, message }, index): SentTip => ({
      kind: to === fees ? 'relay-fee' : 'tip',
      to: `0x${to.slice(26)}`,
      name: basket.names[index] ?? null,
      amount,
      fee: receipt.tips[index]?.leaf.fee ?? 0n,
      message: message?.text ?? null,
      progress: null,
    }),
  )
  return {
    basketId: basket.basketId,
    channelId: basket.channelId,
    token: wallet ? tokenOn(wallet, basket.channelId) : null,
    at: Number(receipt.header.closedAt),
    total: tipsTotal(basket.tips),
    tips,
    receipt,
  }
}

function tokenOn({ channels, tokens }: WalletRecord, id: Hex): TokenRecord | null {
  const channel = channels.find(({ channelId }) => channelId === id)
  return tokens.find(({ address }) => address === channel?.config.token) ?? null
}

async function findAccepted(context: Context, id: string): Promise<AcceptedRecord> {
  const idPrefix = id.startsWith('0x') ? id : `0x${id}`
  const [found, another] = await readAccepted(context, { limit: 2, idPrefix })
  if (!found) throw new ClientError('no_receipt', `no basket here begins with ${idPrefix}`)
  if (another) throw new ClientError('no_receipt', `several baskets begin with ${idPrefix}`)
  return found
}

function checked(
  receipt: BasketReceipt,
  { hub, fault, token }: { hub: HubPin; fault: string | undefined; token: TokenRecord | null },
): ReceiptCheck {
  const { chainId, hubAccount, receiptSigner } = hub
  return {
    fault: fault ?? null,
    basketId: receipt.basketId,
    token,
    hub: { chainId, hubAccount, receiptSigner },
    receipt,
  }
}

async function readProgress(
  context: Context,
  channels: ReadonlySet<Hex>,
): Promise<Map<Hex, SentTip['progress']>> {
  const progress = new Map<Hex, SentTip['progress']>()
  try {
    for (const id of channels) {
      const { pageSize } = (await connect(context)).info.limits
      const path = `/v1/channels/${id}/tips?limit=${pageSize}`
      const page = await callSignedIn(context, { path }, tipList)
      for (const tip of page.tips) progress.set(tip.ref, tip.progress)
    }
  } catch (error) {
    if (!(error instanceof Error)) throw error
    context.notice(`the hub did not say how far the tips came: ${error.message}`)
  }
  return progress
}
