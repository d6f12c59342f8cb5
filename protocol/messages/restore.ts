// After a restore on the wire: what is presented again, and the account of what is missing.

import { z } from 'zod'
import { tipsPerBasket } from '../tip.ts'
import { basketFields, basketReceipt, channelAmounts, groupHeader, receiptLeaf } from './tips.ts'
import { address, amount, hash, signature, uint64 } from './wire.ts'

/** More levels than a tree over every tip of a group can have. */
const maxPathLength = 40

/** A receipt as it is presented: as the hub gave it, and nothing else. */
const presentedReceipt = z.strictObject({
  basketId: hash,
  header: z.strictObject(groupHeader.shape),
  headerSignature: signature,
  tips: z
    .array(
      z.strictObject({
        leaf: z.strictObject(receiptLeaf.shape),
        path: z.array(hash).max(maxPathLength),
      }),
    )
    .min(tipsPerBasket.minimum)
    .max(tipsPerBasket.maximum),
})

/** `POST /v1/sync`: a receipt of this hub, and the basket that it is for, as the payer signed it. */
export const syncRequest = z.strictObject({
  receipt: presentedReceipt,
  basket: z.strictObject(basketFields),
})

/** Answer to `POST /v1/sync`: whether the hub knew the basket, its receipt in the hub's books now, and the channel. */
export const syncAnswer = z.object({
  state: z.enum(['known', 'taken-in']),
  receipt: basketReceipt,
  channel: channelAmounts,
})

/**
 * What of the time between a backup and its restore is missing, base units.
 *
 * `claimedAbove` is what the chain shows claimed and no known tip explains. `seen` is the highest `chargedAfter` of a receipt
 * that was presented, `presented` what the presented baskets come to; `missing` is what is proved to be missing by either.
 * Of the groups between the backup and the highest one seen, `absent` is how many showed no receipt (a group may hold no
 * tip at all). `creditedAbove` is what the vault credited to somebody beyond what the books say is theirs.
 */
export const missingReport = z.object({
  groups: z.object({ backup: uint64, highest: uint64.nullable(), seen: z.int(), absent: uint64 }),
  tips: z.object({ inSeenGroups: z.int(), presented: z.int() }),
  channels: z.array(
    z.object({
      channelId: hash,
      token: address,
      inBackup: amount,
      claimedAbove: amount,
      seen: amount,
      presented: amount,
      missing: amount,
    }),
  ),
  recipients: z.array(z.object({ account: address, token: address, creditedAbove: amount })),
  payments: z.array(z.object({ entry: z.string(), token: z.string(), amount })),
  bookings: z.array(
    z.object({
      reference: z.string(),
      endToEndId: z.string(),
      says: z.enum(['booked', 'returned']),
      currency: z.string(),
      amount,
    }),
  ),
  totals: z.array(z.object({ token: address, presented: amount, missing: amount })),
  /** The hash of all of the above but what was presented; whoever accepts the difference names it. Null when there is none. */
  difference: hash.nullable(),
})

/** `GET /v1/restore`. Times in Unix milliseconds. `waitingFor` says what keeps the books from being reconciled. */
export const restoreView = z.object({
  restored: z
    .object({
      at: uint64,
      backupOf: uint64,
      newestGroup: uint64,
      epoch: hash,
      firstGroup: uint64,
      reconciledAt: uint64.nullable(),
    })
    .nullable(),
  locked: z
    .object({
      reason: z.enum(['restored', 'other-hand']),
      since: uint64,
      transaction: hash.nullable(),
    })
    .nullable(),
  waitingFor: z.array(z.string()),
  missing: missingReport,
})

/** `POST /v1/restore/reconcile`: the difference that is accepted as it is, if there is one. */
export const reconcileRequest = z.strictObject({ accept: hash.optional() })

export type SyncRequest = z.output<typeof syncRequest>
export type SyncAnswer = z.output<typeof syncAnswer>
export type MissingReport = z.output<typeof missingReport>
export type RestoreView = z.output<typeof restoreView>
