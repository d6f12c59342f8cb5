// Channels, deposits, tips, receipts and refunds on the wire.

import { z } from 'zod'
import { tipsPerBasket } from '../tip.ts'
import {
  address,
  amount,
  hash,
  plainText,
  positiveAmount,
  signature,
  uint64,
  uint256,
  walletSignature,
} from './wire.ts'

export const channelConfig = z.strictObject({
  payer: address,
  payerAuthorizer: address,
  receiver: address,
  receiverAuthorizer: address,
  token: address,
  withdrawDelay: z
    .int()
    .min(0)
    .max(2 ** 40 - 1),
  salt: hash,
})

/** The words of a tip and the salt that its ref commits to them with. */
export const tipMessage = z.strictObject({ text: plainText(280), salt: hash })

export const tip = z.strictObject({
  to: hash,
  amount: positiveAmount,
  ref: hash,
  message: tipMessage.optional(),
})

export const basketFields = {
  maxClaimableAmount: amount,
  tips: z.array(tip).min(tipsPerBasket.minimum).max(tipsPerBasket.maximum),
  signature,
}

/** `POST /v1/tips` */
export const tipsRequest = z.strictObject({ channelId: hash, ...basketFields })

/** `POST /v1/deposits`: the authorization to relay, and the basket that pays the relay fee (and may hold tips). */
export const depositRequest = z.strictObject({
  config: channelConfig,
  amount: positiveAmount,
  authorization: z.strictObject({
    validAfter: uint64,
    validBefore: uint64,
    salt: uint256,
    signature: walletSignature,
  }),
  basket: z.strictObject(basketFields),
})

/** `POST /v1/channels/:id/refunds`: without an amount, all that is unspent. */
export const refundRequest = z.strictObject({ amount: positiveAmount.optional() })

export const receiptLeaf = z.object({
  salt: hash,
  epoch: hash,
  group: uint64,
  index: z.int().min(0),
  channelId: hash,
  basketId: hash,
  voucherSignature: signature,
  to: hash,
  ref: hash,
  amount,
  fee: amount,
  chargedAfter: amount,
  acceptedAfter: amount,
})

export const groupHeader = z.object({
  epoch: hash,
  number: uint64,
  previous: hash,
  tipsRoot: hash,
  tipCount: z.int().min(0),
  journalHash: hash,
  closedAt: uint64,
})

export const basketReceipt = z.object({
  basketId: hash,
  header: groupHeader,
  headerSignature: signature,
  tips: z.array(z.object({ leaf: receiptLeaf, path: z.array(hash) })),
})

/** What the one rule for money looks at, all in base units. */
export const channelAmounts = z.object({
  ceiling: amount,
  charged: amount,
  held: amount,
  escrowCap: amount,
  available: amount,
})

/** Answer to `POST /v1/tips`. */
export const tipsAnswer = z.object({ receipt: basketReceipt, channel: channelAmounts })

export const channelView = z.object({
  channelId: hash,
  config: z.object(channelConfig.shape),
  balance: amount,
  totalClaimed: amount,
  pendingWithdrawal: z.object({ amount, finalizeAfter: uint64 }).nullable(),
  refundNonce: uint256,
  amounts: channelAmounts,
  refusal: z.string().nullable(),
})

/** Answer to `GET /v1/channels`. */
export const channelList = z.object({ channels: z.array(channelView) })

/** A deposit that the hub relays. It is `done` when the bundled basket is accepted too. */
export const depositView = z.object({
  depositId: hash,
  channelId: hash,
  amount,
  state: z.enum(['relaying', 'confirming', 'done', 'failed']),
  transaction: hash.nullable(),
  failure: z.string().nullable(),
  receipt: basketReceipt.nullable(),
})

/** A refund: reserved, sent, and done when the chain has it at policy depth. */
export const refundView = z.object({
  refundId: hash,
  channelId: hash,
  amount,
  state: z.enum(['sending', 'done', 'failed']),
  transaction: hash.nullable(),
  failure: z.string().nullable(),
})

/** One accepted tip in a list. `progress` says how far its money has come. */
export const tipView = z.object({
  cursor: z.string(),
  basketId: hash,
  channelId: hash,
  payer: address,
  token: address,
  to: hash,
  ref: hash,
  amount,
  fee: amount,
  message: z.string().nullable(),
  acceptedAt: uint64,
  progress: z.enum(['accepted', 'claimed', 'yours']),
})

/** Answer to the lists of tips, newest first; `next` continues them. */
export const tipList = z.object({ tips: z.array(tipView), next: z.string().nullable() })

export type TipsRequest = z.output<typeof tipsRequest>
export type DepositRequest = z.output<typeof depositRequest>
export type ChannelAmounts = z.output<typeof channelAmounts>
export type ChannelView = z.output<typeof channelView>
export type DepositView = z.output<typeof depositView>
export type RefundView = z.output<typeof refundView>
export type TipView = z.output<typeof tipView>
