// Quotes and payouts on the wire.

import { z } from 'zod'
import {
  address,
  amount,
  hash,
  positiveAmount,
  signature,
  uint64,
  uint256,
  walletSignature,
} from './wire.ts'

const destination = z
  .record(z.string().max(40), z.string().max(200))
  .refine((fields) => Object.keys(fields).length <= 20, 'must have at most 20 fields')

/** `POST /v1/quotes` */
export const quoteRequest = z.strictObject({
  token: address,
  amount: positiveAmount,
  rail: z.string().max(40),
  currency: z.string().max(3),
  destination,
})

/**
 * One line of a quote, in minor units of the currency. The lines add up to the net exactly; `gross` is the token amount at
 * the quote's rate, rounded down, and deductions are negative.
 */
export const quoteLine = z.object({
  kind: z.string(),
  label: z.string(),
  amount: z
    .string()
    .regex(/^-?\d{1,39}$/)
    .transform(BigInt),
})

/** A firm quote. `rate` is minor units of currency per whole token, as a fraction. */
export const quoteView = z.object({
  quoteId: hash,
  account: address,
  token: address,
  gross: amount,
  rail: z.string(),
  currency: z.string(),
  net: amount,
  lines: z.array(quoteLine),
  rate: z.object({ numerator: uint256, denominator: uint256, source: z.string(), asOf: uint64 }),
  destination,
  expectedArrival: z.string(),
  expiresAt: uint64,
  treasury: address,
  hash,
  signature,
})

/** `POST /v1/payouts`: the payment from the vault to the hub's treasury whose memo is the quote's hash. */
export const payoutRequest = z.strictObject({
  quoteId: hash,
  payment: z.strictObject({ nonce: uint256, deadline: uint64, signature: walletSignature }),
})

export const payoutStates = [
  'REQUESTED',
  'FUNDED',
  'QUEUED',
  'SUBMITTING',
  'SUBMITTED',
  'UNKNOWN',
  'PAID_PROVISIONAL',
  'SETTLED',
  'REJECTED',
  'RETURNED',
  'FAILED',
] as const

/** A payout: its state, why it is there, who must act, and when the hub looks again (Unix milliseconds). */
export const payoutView = z.object({
  payoutId: hash,
  quoteId: hash,
  account: address,
  state: z.enum(payoutStates),
  reason: z.string(),
  actor: z.enum(['hub', 'bank', 'creator', 'operator', 'nobody']),
  nextLookAt: uint64.nullable(),
  gross: amount,
  token: address,
  net: amount,
  currency: z.string(),
  endToEndId: z.string().nullable(),
  file: z.string().nullable(),
  transaction: hash.nullable(),
})

/** Answer to `GET /v1/payouts`, newest first. */
export const payoutList = z.object({ payouts: z.array(payoutView), next: z.string().nullable() })

export type QuoteRequest = z.output<typeof quoteRequest>
export type QuoteView = z.output<typeof quoteView>
export type PayoutView = z.output<typeof payoutView>
