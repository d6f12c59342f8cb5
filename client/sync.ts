// After a hub lost part of its books: what this store can prove and the hub does not know is presented again.

import { z } from 'zod'
import { HubError } from '#protocol/errors.ts'
import { syncAnswer } from '#protocol/messages/restore.ts'
import { tipList } from '#protocol/messages/tips.ts'
import { amount } from '#protocol/messages/wire.ts'
import { basketFields, signHigher } from './baskets.ts'
import { readAccepted, reconcile, saveAccepted, saveChannel } from './channels.ts'
import type { Context } from './context.ts'
import { callSignedIn, connect } from './context.ts'
import { chargedAfter } from './receipts.ts'
import type { AcceptedRecord, ChannelRecord } from './records.ts'

/** What became of each basket of this store: those that the hub knew, those it took in again, those it refused and why. */
export type Synced = {
  known: number
  takenIn: `0x${string}`[]
  refused: { basketId: `0x${string}`; code: string; detail: string }[]
}

const needed = z.object({ needed: amount })

/** Presents every basket that the hub does not list, in the order in which they were charged. */
export async function sync(context: Context): Promise<Synced> {
  const { channels } = (await connect(context)).wallet
  const done: Synced = { known: 0, takenIn: [], refused: [] }
  for (const channel of channels) {
    const listed = await listBaskets(context, channel)
    const mine = (await readAccepted(context, { limit: Number.MAX_SAFE_INTEGER }))
      .filter(({ basket }) => basket.channelId === channel.channelId)
      .sort((a, b) => (chargedAfter(a.receipt) < chargedAfter(b.receipt) ? -1 : 1))
    for (const accepted of mine) {
      if (listed.has(accepted.basket.basketId)) done.known += 1
      else await presentOne(context, { channel, accepted, done })
    }
  }
  return done
}

async function presentOne(
  context: Context,
  { channel, accepted, done }: { channel: ChannelRecord; accepted: AcceptedRecord; done: Synced },
) {
  const { basketId } = accepted.basket
  try {
    const state = await present(context, channel, accepted)
    if (state === 'known') done.known += 1
    else done.takenIn.push(basketId)
  } catch (error) {
    if (!(error instanceof HubError)) throw error
    done.refused.push({ basketId, code: error.code, detail: error.message })
  }
}

/**
 * Presents a basket. When a later voucher of ours, perhaps from another device, did not count it in, it is signed for once more,
 * up to what receipts of our own tips prove.
 */
async function present(context: Context, channel: ChannelRecord, accepted: AcceptedRecord) {
  try {
    return await send(context, accepted)
  } catch (error) {
    if (!(error instanceof HubError) || error.code !== 'ceiling_too_low') throw error
    const told = needed.safeParse(error.values)
    const maximum = told.success ? told.data.needed : 0n
    const known = await reconcile(context, channel)
    if (maximum === 0n || maximum > known.proven) throw error
    return send(context, await signAgain(context, { channel: known, accepted, maximum }))
  }
}

async function send(context: Context, { basket, receipt }: AcceptedRecord) {
  const body = { receipt, basket: basketFields(basket) }
  const { state } = await context.api.call({ path: '/v1/sync', body }, syncAnswer)
  return state
}

/** The signature is in the store before it leaves. */
async function signAgain(
  context: Context,
  {
    channel,
    accepted,
    maximum,
  }: { channel: ChannelRecord; accepted: AcceptedRecord; maximum: bigint },
): Promise<AcceptedRecord> {
  const { hub } = (await connect(context)).wallet
  const basket = await signHigher(context, { hub, basket: accepted.basket, maximum })
  const again = { ...accepted, basket }
  await saveAccepted(context, again)
  if (maximum > channel.signed) await saveChannel(context, { ...channel, signed: maximum })
  return again
}

/** The baskets that the hub lists on a channel. */
async function listBaskets(context: Context, { channelId }: ChannelRecord): Promise<Set<string>> {
  const found = new Set<string>()
  const { pageSize } = (await connect(context)).info.limits
  for (let cursor: string | null = ''; cursor !== null; ) {
    const more: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`
    const path = `/v1/channels/${channelId}/tips?limit=${pageSize}${more}`
    const page = await callSignedIn(context, { path }, tipList)
    for (const { basketId } of page.tips) found.add(basketId)
    cursor = page.next
  }
  return found
}
