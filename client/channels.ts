// The client's own view of its channels, and taking them up again when the store was lost.

import type { Hex } from 'viem'
import { larger } from '#protocol/amount.ts'
import { channelId, channelsDomainSeparator } from '#protocol/channel.ts'
import type { TokenInfo } from '#protocol/messages/hub.ts'
import type { ChannelView } from '#protocol/messages/tips.ts'
import { basketReceipt, channelList, channelView, tipList } from '#protocol/messages/tips.ts'
import type { BasketReceipt } from '#protocol/receipt.ts'
import { lowerCase } from '#protocol/signature.ts'
import { tipsTotal } from '#protocol/tip.ts'
import type { Context } from './context.ts'
import { callSignedIn, connect, writeWallet } from './context.ts'
import { ClientError } from './errors.ts'
import { chargedAfter, signedMaximum, wholeReceiptFault } from './receipts.ts'
import type { AcceptedRecord, ChannelRecord, HubPin, WalletRecord } from './records.ts'
import { acceptedRecord, readRecord, writeRecord } from './records.ts'

const basketsPrefix = 'baskets/'

/** The open channel for a token; when none is known here, the hub's list is asked. Throws `no_channel`. */
export async function requireChannel(context: Context, token: TokenInfo): Promise<ChannelRecord> {
  const known = await findOpenChannel(context, token)
  if (known) return known
  throw new ClientError('no_channel', `you have no open channel in ${token.symbol}`, {
    values: { token: token.address },
  })
}

/** As {@link requireChannel}, or `undefined`. */
export async function findOpenChannel(
  context: Context,
  token: TokenInfo,
): Promise<ChannelRecord | undefined> {
  const { wallet } = await connect(context)
  const known = openChannel(wallet, token)
  if (known) return known
  await adoptChannels(context)
  return openChannel((await connect(context)).wallet, token)
}

/** What the hub says of a channel. */
export function readChannel(context: Context, id: Hex): Promise<ChannelView> {
  return callSignedIn(context, { path: `/v1/channels/${id}` }, channelView)
}

/**
 * Takes up the channels that the hub lists for this wallet and the store does not know. Only channels whose vouchers this
 * wallet's key signs count: anybody can fund a channel in somebody's name.
 */
export async function adoptChannels(context: Context): Promise<void> {
  const { channels } = await callSignedIn(context, { path: '/v1/channels' }, channelList)
  const { wallet } = await connect(context)
  for (const view of channels) {
    const known = wallet.channels.find((channel) => channel.channelId === view.channelId)
    if (!isUsable(context, view, wallet.hub)) continue
    if (!known) context.notice(`channel ${view.channelId} was taken up again from the hub's list`)
    else if (known.status !== 'opening') continue
    const channel: ChannelRecord = {
      ...(known ?? newChannel(view)),
      status: 'open',
    }
    await saveChannel(context, channel)
    await reconcile(context, channel)
  }
}

/**
 * Proves what the hub says was charged: fetches the receipts that are not here, checks them and that this wallet's key
 * signed for them. Answers the channel as it is afterwards; what stays unproven is said in a notice.
 */
export async function reconcile(context: Context, channel: ChannelRecord): Promise<ChannelRecord> {
  const { amounts } = await readChannel(context, channel.channelId)
  const { hub } = (await connect(context)).wallet
  const check = {
    hub,
    authorizer: channel.config.payerAuthorizer,
    maximums: [amounts.ceiling, channel.signed],
  }
  await fetchReceipts(context, { channel, check })
  const receipts = await acceptedOn(context, channel)
  const proven = await provenOn(context, channel)
  const charged = receipts.reduce((most, { receipt }) => larger(most, chargedAfter(receipt)), 0n)
  const known = { ...channel, proven, charged: larger(channel.charged, charged) }
  await saveChannel(context, known)
  if (amounts.charged > proven) {
    context.notice(
      `the hub says ${amounts.charged} was charged on channel ${channel.channelId}; receipts here prove ${proven}`,
    )
  }
  return known
}

/** Writes a channel into the root record. */
export async function saveChannel(context: Context, channel: ChannelRecord): Promise<void> {
  const { wallet } = await connect(context)
  await writeWallet(context, withChannel(wallet, channel))
}

/** The root record with one channel replaced or added. */
export function withChannel(wallet: WalletRecord, channel: ChannelRecord): WalletRecord {
  const others = wallet.channels.filter(({ channelId }) => channelId !== channel.channelId)
  return { ...wallet, channels: [...others, channel] }
}

/** Keeps a basket with its receipt, under a key that sorts by time. Answers whether it was not kept before. */
export async function saveAccepted(context: Context, accepted: AcceptedRecord): Promise<boolean> {
  const { basketId, begunAt } = accepted.basket
  const keys = await context.store.keys(basketsPrefix)
  const known = keys.find((key) => basketIdOf(key) === basketId)
  const key = known ?? `${basketsPrefix}${begunAt.toString().padStart(13, '0')}-${basketId}`
  await writeRecord(context.store, key, accepted)
  return known === undefined
}

/** What the receipts kept here prove that a channel was charged. */
export async function provenOn(context: Context, channel: ChannelRecord): Promise<bigint> {
  const receipts = await acceptedOn(context, channel)
  return receipts.reduce((sum, { basket }) => sum + tipsTotal(basket.tips), 0n)
}

/** The newest accepted baskets, newest first; `idPrefix` narrows to basket ids that begin with it. */
export async function readAccepted(
  context: Context,
  { limit, idPrefix = '0x' }: { limit: number; idPrefix?: string },
): Promise<AcceptedRecord[]> {
  const keys = await context.store.keys(basketsPrefix)
  const matching = keys.filter((key) => basketIdOf(key).startsWith(idPrefix.toLowerCase()))
  const newest = matching.slice(Math.max(0, matching.length - limit)).reverse()
  const records: AcceptedRecord[] = []
  for (const key of newest) {
    const record = await readRecord(context.store, key, acceptedRecord)
    if (record) records.push(record)
  }
  return records
}

function openChannel(wallet: WalletRecord, token: TokenInfo): ChannelRecord | undefined {
  return wallet.channels.find(
    ({ status, config }) => status === 'open' && config.token === token.address,
  )
}

function isUsable(context: Context, view: ChannelView, hub: HubPin): boolean {
  const { config, refusal, pendingWithdrawal } = view
  const separator = channelsDomainSeparator({ chainId: hub.chainId, address: hub.channels })
  return (
    config.payer === lowerCase(context.account.address) &&
    config.payerAuthorizer === lowerCase(context.voucherKey.address) &&
    config.receiver === hub.vault &&
    channelId(config, separator) === view.channelId &&
    refusal === null &&
    pendingWithdrawal === null &&
    view.balance > view.totalClaimed
  )
}

function newChannel({ channelId, config }: ChannelView): ChannelRecord {
  const nothing = { charged: 0n, proven: 0n, signed: 0n }
  return { channelId, config, status: 'opening', ...nothing }
}

type SignerCheck = { hub: HubPin; authorizer: Hex; maximums: readonly bigint[] }

/** Keeps the receipts of all the channel's baskets that are not here yet and that hold. */
async function fetchReceipts(
  context: Context,
  { channel, check }: { channel: ChannelRecord; check: SignerCheck },
): Promise<void> {
  const known = new Set((await context.store.keys(basketsPrefix)).map(basketIdOf))
  const { pageSize } = (await connect(context)).info.limits
  for (let cursor: string | null = ''; cursor !== null; ) {
    const more: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`
    const path = `/v1/channels/${channel.channelId}/tips?limit=${pageSize}${more}`
    const page = await callSignedIn(context, { path }, tipList)
    for (const id of new Set(page.tips.map(({ basketId }) => basketId))) {
      if (!known.has(id)) await fetchReceipt(context, { id, channel, check })
      known.add(id)
    }
    cursor = page.next
  }
}

async function fetchReceipt(
  context: Context,
  { id, channel, check }: { id: Hex; channel: ChannelRecord; check: SignerCheck },
): Promise<void> {
  const receipt = await callSignedIn(context, { path: `/v1/baskets/${id}` }, basketReceipt)
  const after = chargedAfter(receipt)
  const maximums = [after, ...check.maximums]
  const leaves = receipt.tips.map(({ leaf }) => leaf)
  const isWhole =
    receipt.basketId === id &&
    leaves[0]?.channelId === channel.channelId &&
    (await wholeReceiptFault(receipt, check.hub)) === undefined
  const maximum = isWhole ? await signedMaximum(receipt, { ...check, maximums }) : undefined
  if (maximum === undefined) return
  await saveAccepted(context, { basket: rebuiltBasket(receipt, maximum), receipt })
}

function rebuiltBasket(receipt: BasketReceipt, maximum: bigint): AcceptedRecord['basket'] {
  const leaves = receipt.tips.map(({ leaf }) => leaf)
  const first = leaves[0]
  const after = chargedAfter(receipt)
  const tips = leaves.map(({ to, amount, ref }) => ({ to, amount, ref }))
  return {
    channelId: first?.channelId ?? receipt.basketId,
    basketId: receipt.basketId,
    tips,
    names: leaves.map(() => null),
    base: after - tipsTotal(tips),
    maxClaimableAmount: maximum,
    signatures: first ? [first.voucherSignature] : [],
    begunAt: receipt.header.closedAt,
  }
}

async function acceptedOn(
  context: Context,
  { channelId }: ChannelRecord,
): Promise<AcceptedRecord[]> {
  const all = await readAccepted(context, { limit: Number.MAX_SAFE_INTEGER })
  return all.filter(({ basket }) => basket.channelId === channelId)
}

function basketIdOf(key: string): string {
  return key.slice(key.indexOf('-') + 1)
}
