// What the client keeps, as records with one schema each. Amounts are bigint here and decimal strings in the store.

import { z } from 'zod'
import { quoteView } from '#protocol/messages/payouts.ts'
import { basketReceipt, channelConfig, depositRequest, tip } from '#protocol/messages/tips.ts'
import {
  address,
  amount,
  hash,
  signature,
  toJson,
  uint64,
  uint256,
} from '#protocol/messages/wire.ts'
import { ClientError } from './errors.ts'
import type { Store } from './store.ts'

/**
 * Who the hub was when it was first met. Receipts and quotes are checked against this, not against what it says later.
 * Its address and fee account may change.
 */
const hubPin = z.object({
  origin: z.string(),
  chainId: z.int(),
  channels: address,
  hubAccount: address,
  vault: address,
  collector: address,
  receiptSigner: address,
  /** Keys that vouched for the one after them, and the last group whose receipts each may have signed. */
  formerSigners: z.array(z.object({ address, lastGroup: uint64 })).default([]),
  feeAccount: address,
})

/**
 * One channel as the client knows it, base units. `charged` is the base of the next voucher, `proven` what receipts of our
 * own tips add up to, `signed` the highest maximum that ever left.
 */
const channelRecord = z.object({
  channelId: hash,
  config: channelConfig,
  status: z.enum(['opening', 'open', 'withdrawing', 'closed']),
  charged: amount,
  proven: amount,
  signed: amount,
})

/** A basket that was signed. `base` was the channel's charged then; every signature that left is kept. */
const basketRecord = z.object({
  channelId: hash,
  basketId: hash,
  tips: z.array(tip),
  names: z.array(z.string().nullable()),
  base: amount,
  maxClaimableAmount: amount,
  signatures: z.array(signature),
  begunAt: uint64,
})

/** What was sent, or is about to be, and has no proven answer yet. At most one in a store. */
const pendingRecord = z.object({
  basket: basketRecord,
  deposit: depositRequest.omit({ basket: true }).nullable(),
})

/** What a token is called and how its amounts are written; decimals that change would change what an amount means. */
const tokenRecord = z.object({ address, symbol: z.string(), decimals: z.int() })

/**
 * The root record of a store. `handle` is the creator's, when this wallet registered one from
 * here. `pending` changes together with the channels, so that no crash can count a basket twice.
 */
export const walletRecord = z.object({
  version: z.literal(1),
  account: address,
  hub: hubPin,
  tokens: z.array(tokenRecord),
  handle: z.string().nullable(),
  channels: z.array(channelRecord),
  pending: pendingRecord.nullable(),
})

/** A basket with the receipt that proves it. */
export const acceptedRecord = z.object({ basket: basketRecord, receipt: basketReceipt })

/** Which address a handle meant when it was first tipped. */
export const creatorRecord = z.object({ account: address, displayName: z.string() })

/** A quote that was asked for, and the payment for it once that is signed. */
export const quoteRecord = z.object({
  quote: quoteView,
  payment: z.object({ nonce: uint256, deadline: uint64, signature: z.string() }).nullable(),
})

export type HubPin = z.output<typeof hubPin>
export type TokenRecord = z.output<typeof tokenRecord>
export type ChannelRecord = z.output<typeof channelRecord>
export type WalletRecord = z.output<typeof walletRecord>
export type BasketRecord = z.output<typeof basketRecord>
export type PendingRecord = z.output<typeof pendingRecord>
export type AcceptedRecord = z.output<typeof acceptedRecord>

/** Reads a record, or `undefined` when there is none. Throws `store_damaged` when it is not what was written. */
export async function readRecord<S extends z.ZodType>(
  store: Store,
  key: string,
  schema: S,
): Promise<z.output<S> | undefined> {
  const text = await store.get(key)
  if (text === undefined) return undefined
  const parsed = schema.safeParse(parseJson(text))
  if (parsed.success) return parsed.data
  throw new ClientError('store_damaged', `the record "${key}" cannot be read`, {
    values: { key },
    cause: parsed.error,
  })
}

export function writeRecord(store: Store, key: string, record: object): Promise<void> {
  return store.put(key, toJson(record))
}

/** The value of a JSON text, or `undefined` when it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    if (cause instanceof SyntaxError) return undefined
    throw cause
  }
}
