// Making baskets: whom they pay, and the signature over all of it.

import type { Address } from 'viem'
import { isAddress } from 'viem'
import { channelsDomain } from '#protocol/channel.ts'
import { handlePattern } from '#protocol/creator.ts'
import { creatorView } from '#protocol/messages/hub.ts'
import type { TipsRequest } from '#protocol/messages/tips.ts'
import { tip as tipSchema } from '#protocol/messages/tips.ts'
import { lowerCase } from '#protocol/signature.ts'
import {
  basketId,
  messageRef,
  tipsHash,
  tipsPerBasket,
  tipsTotal,
  tipTo,
  tipVoucherTypes,
} from '#protocol/tip.ts'
import type { Context } from './context.ts'
import { randomHash } from './context.ts'
import { ClientError } from './errors.ts'
import type { BasketRecord, HubPin } from './records.ts'
import { creatorRecord, readRecord, writeRecord } from './records.ts'

type SignedTip = TipsRequest['tips'][number]

/** A tip to be: `to` is a creator's handle, with or without `@`, or address; `amount` in base units. */
export type TipOrder = { to: string; amount: bigint; message?: string | undefined }

/** A tip with its recipient found: `name` is the handle it was given to, if it was. */
export type NamedTip = { name: string | null; tip: SignedTip }

/** Finds the recipients and gives each tip its fresh ref. */
export async function nameTips(context: Context, orders: readonly TipOrder[]): Promise<NamedTip[]> {
  if (orders.length < tipsPerBasket.minimum || orders.length > tipsPerBasket.maximum) {
    const { minimum, maximum } = tipsPerBasket
    throw new ClientError(
      'invalid_input',
      `a basket holds ${minimum} to ${maximum} tips, not ${orders.length}`,
    )
  }
  const tips: NamedTip[] = []
  for (const { to, amount, message } of orders) {
    const account = await findAccount(context, to)
    tips.push({
      name: isAddress(to) ? null : bareHandle(to),
      tip: makeTip(context, account, { amount, message }),
    })
  }
  return tips
}

/** A tip to an address, with a fresh ref that commits to its message if it has one. */
export function makeTip(
  context: Context,
  account: Address,
  { amount, message }: Pick<TipOrder, 'amount' | 'message'>,
): SignedTip {
  const salt = randomHash(context)
  const words = message === undefined ? {} : { message: { text: message, salt } }
  const ref = message === undefined ? salt : messageRef({ salt, text: message })
  const made = { to: tipTo(account), amount, ref, ...words }
  const parsed = tipSchema.safeParse({ ...made, amount: amount.toString() })
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const isAmount = issue?.path[0] === 'amount'
  throw new ClientError(
    isAmount ? 'invalid_amount' : 'invalid_input',
    `${isAmount ? `the amount ${amount}` : 'the message'} cannot be sent: ${issue?.message}`,
    { cause: parsed.error },
  )
}

/** A basket on top of `base`, signed for exactly its tips. */
export async function signBasket(
  context: Context,
  {
    hub,
    channel,
    tips,
  }: {
    hub: HubPin
    channel: { channelId: BasketRecord['channelId']; base: bigint }
    tips: readonly NamedTip[]
  },
): Promise<BasketRecord> {
  const signedTips = tips.map(({ tip }) => tip)
  const { channelId, base } = channel
  const unsigned: BasketRecord = {
    channelId,
    basketId: basketId(channelId, tipsHash(signedTips)),
    tips: signedTips,
    names: tips.map(({ name }) => name),
    base,
    maxClaimableAmount: 0n,
    signatures: [],
    begunAt: BigInt(context.now()),
  }
  return signHigher(context, { hub, basket: unsigned, maximum: base + tipsTotal(signedTips) })
}

/** The same tips signed with a higher maximum; the basket id stays. */
export async function signHigher(
  context: Context,
  { hub, basket, maximum }: { hub: HubPin; basket: BasketRecord; maximum: bigint },
): Promise<BasketRecord> {
  const signature = await context.voucherKey.signTypedData({
    domain: channelsDomain({ chainId: hub.chainId, address: hub.channels }),
    types: tipVoucherTypes,
    primaryType: 'TipVoucher',
    message: {
      channelId: basket.channelId,
      maxClaimableAmount: maximum,
      tips: basket.tips.map(({ to, amount, ref }) => ({ to, amount, ref })),
    },
  })
  return {
    ...basket,
    maxClaimableAmount: maximum,
    signatures: [...basket.signatures, lowerCase(signature)],
  }
}

/** The part of a request that carries a basket. */
export function basketFields({ maxClaimableAmount, tips, signatures }: BasketRecord) {
  return { maxClaimableAmount, tips, signature: signatures.at(-1) }
}

/** Who is paid under a handle. The first answer is kept, so that a hub cannot give the handle to somebody else later. */
async function findAccount(context: Context, to: string): Promise<Address> {
  if (isAddress(to)) return lowerCase(to)
  const handle = bareHandle(to)
  const remembered = context.memory.accounts.get(handle)
  if (remembered) return remembered
  const key = `creators/${handle}`
  const creator = await context.api.call({ path: `/v1/creators/${handle}` }, creatorView)
  const known = await readRecord(context.store, key, creatorRecord)
  if (known && known.account !== creator.account) {
    throw new ClientError(
      'creator_changed',
      `@${handle} is ${creator.account} now, it was ${known.account} before`,
    )
  }
  if (!known) {
    const { account, displayName } = creator
    await writeRecord(context.store, key, { account, displayName })
  }
  context.memory.accounts.set(handle, creator.account)
  return creator.account
}

/** A handle without its `@`, in lower case. */
export function bareHandle(text: string): string {
  const handle = text.replace(/^@/, '').toLowerCase()
  if (handlePattern.test(handle)) return handle
  throw new ClientError('invalid_input', `"${text}" is neither a handle nor an address`)
}
