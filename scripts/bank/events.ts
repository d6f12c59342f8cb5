// What can happen at the bank, as it stands in its journal. Amounts are decimal text on disk and bigint minor units here.

import { z } from 'zod'
import type { Currency } from '#protocol/amount.ts'
import { isCurrency } from '#server/payouts/iso20022/money.ts'

const currency = z.custom<Currency>((value) => typeof value === 'string' && isCurrency(value))
const amount = z
  .string()
  .regex(/^-?\d{1,30}$/)
  .transform(BigInt)

const account = z.strictObject({
  number: z.string(),
  currency,
  holder: z.string(),
  /** `own` is the bank's cash, on the other side of a customer's float. */
  kind: z.enum(['customer', 'payee', 'own']),
})

const payment = z.strictObject({
  /** The bank's own key: message id and position in the file, because an end-to-end id may come twice. */
  id: z.string(),
  endToEndId: z.string(),
  messageId: z.string(),
  paymentInformationId: z.string(),
  debtorAccount: z.string(),
  currency,
  amount,
  creditor: z.strictObject({ account: z.string(), name: z.string() }),
})

const reason = z.strictObject({ code: z.string(), remark: z.string() })

/** Credits are positive, debits negative; the postings of an entry sum to zero. */
const posting = z.strictObject({ account: z.string(), currency, amount })

const cause = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('opening') }),
  z.strictObject({ kind: z.literal('payment'), payment: z.string() }),
  z.strictObject({ kind: z.literal('return'), payment: z.string(), reason }),
])

const entry = z.strictObject({
  /** What statements carry as AcctSvcrRef, never given twice. */
  reference: z.string(),
  bookedAt: z.iso.datetime(),
  cause,
  postings: z.array(posting).min(2),
})

const report = z.strictObject({
  messageId: z.string(),
  xml: z.string(),
  /** How it reaches the customer: `lost` never, `late` only after the next one. */
  delivery: z.enum(['now', 'lost', 'twice', 'late']),
})

export const eventSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('account-opened'), account }),
  z.strictObject({
    kind: z.literal('file-received'),
    messageId: z.string(),
    digest: z.string(),
    receivedAt: z.iso.datetime(),
    payments: z.array(payment).min(1),
  }),
  z.strictObject({ kind: z.literal('payment-accepted'), payment: z.string() }),
  z.strictObject({ kind: z.literal('payment-rejected'), payment: z.string(), reason }),
  z.strictObject({ kind: z.literal('entry-booked'), entry }),
  z.strictObject({ kind: z.literal('report-written'), report }),
])

export type BankEvent = z.output<typeof eventSchema>
export type Account = z.output<typeof account>
export type Payment = z.output<typeof payment>
export type Entry = z.output<typeof entry>
export type Report = z.output<typeof report>
export type Reason = z.output<typeof reason>
