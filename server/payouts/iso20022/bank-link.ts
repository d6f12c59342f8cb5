// The way to a bank over HTTP. Its answers are sorted by what they prove, because a payment that may have arrived must
// never be treated as one that has not.

import { z } from 'zod'
import type { Currency } from '#protocol/amount.ts'
import { isCurrency } from './money.ts'

/** An RFC 9457 problem document from the bank. */
const problemSchema = z.looseObject({
  title: z.string(),
  status: z.number().int(),
  code: z.string(),
  detail: z.string().optional(),
})

const reportsSchema = z.strictObject({
  reports: z.array(z.strictObject({ sequence: z.number().int().positive(), xml: z.string() })),
})

const paymentFields = {
  endToEndId: z.string(),
  messageId: z.string(),
  currency: z.custom<Currency>((code) => typeof code === 'string' && isCurrency(code)),
  amount: z
    .string()
    .regex(/^\d{1,19}$/)
    .transform(BigInt),
}

const paymentSchema = z.discriminatedUnion('status', [
  z.object({ ...paymentFields, status: z.literal('received') }),
  z.object({ ...paymentFields, status: z.literal('accepted') }),
  z.object({ ...paymentFields, status: z.literal('rejected'), reason: z.string() }),
  z.object({ ...paymentFields, status: z.literal('booked'), reference: z.string() }),
  z.object({
    ...paymentFields,
    status: z.literal('returned'),
    reference: z.string(),
    returnReference: z.string(),
    reason: z.string(),
  }),
])

type BankProblem = z.infer<typeof problemSchema>

/** A payment as the bank has it: `amount` in minor units, `reference` the bank's own (AcctSvcrRef). */
export type BankPayment = z.infer<typeof paymentSchema>

/** `unknown` means that the file may have arrived: ask, or wait for a report, before it is sent again. */
export type Submission =
  | { kind: 'received' }
  | { kind: 'refused'; problem: BankProblem }
  | { kind: 'unknown'; reason: string }

/** `not-known` is the bank's own word that it has no such payment yet; a file on its way may still bring one. */
export type Query =
  | { kind: 'known'; payment: BankPayment }
  | { kind: 'not-known' }
  | { kind: 'unknown'; reason: string }

/** The bank's reports could not be had this time. Nothing is lost: ask again with the same `after`. */
export class BankReportsError extends Error {
  override readonly name = 'BankReportsError'
}

export type BankLink = ReturnType<typeof createBankLink>

/** The largest answer that is read, in bytes: a page of reports, each far below the limit of a document. */
const maxAnswerBytes = 32 * 1024 * 1024

/** Statuses that mean "not now", from a bank or from anything before it. They prove nothing about the file. */
const undecidedStatuses = [408, 409, 425, 429]

/**
 * A link to the bank at `baseUrl`, such as `http://127.0.0.1:8100`.
 *
 * `timeoutMs` covers a request and the whole of its answer. `after` gives the signal that ends it, and is there so that
 * tests can move time.
 */
export function createBankLink({
  baseUrl,
  fetch,
  timeoutMs,
  after = AbortSignal.timeout,
}: {
  baseUrl: string
  fetch: typeof globalThis.fetch
  timeoutMs: number
  after?: (milliseconds: number) => AbortSignal
}) {
  async function exchange(path: string, init: RequestInit): Promise<Exchange> {
    const url = new URL(path, baseUrl)
    try {
      const response = await fetch(url, { ...init, redirect: 'error', signal: after(timeoutMs) })
      const answer = await readText(response)
      return { kind: 'answered', status: response.status, body: parseJson(answer) }
    } catch (error) {
      return { kind: 'failed', reason: describe(error) }
    }
  }

  return {
    /**
     * Hands a payment file over. Only a problem document with a status of 400 to 499 is a refusal; a timeout, a reset
     * connection, an answer that makes no sense and every 5xx leave it unknown.
     */
    async submit(xml: string): Promise<Submission> {
      const headers = { 'content-type': 'application/xml; charset=utf-8' }
      const result = await exchange('/files', { method: 'POST', headers, body: xml })
      if (result.kind === 'failed') return { kind: 'unknown', reason: result.reason }
      if (result.status === 202) return { kind: 'received' }
      const problem = problemSchema.safeParse(result.body)
      const decided =
        result.status >= 400 && result.status < 500 && !undecidedStatuses.includes(result.status)
      if (decided && problem.success) return { kind: 'refused', problem: problem.data }
      return { kind: 'unknown', reason: `bank answered ${result.status} to a payment file` }
    },

    /**
     * The bank's reports with a sequence above `sequence`, oldest first; a page of them, so ask until none comes.
     *
     * Throws `BankReportsError` when they cannot be had.
     */
    async reports(sequence: number): Promise<{ sequence: number; xml: string }[]> {
      const result = await exchange(`/reports?after=${sequence}`, { method: 'GET' })
      if (result.kind === 'failed') throw new BankReportsError(result.reason)
      const parsed = reportsSchema.safeParse(result.body)
      if (result.status === 200 && parsed.success) return parsed.data.reports
      throw new BankReportsError(
        `bank answered ${result.status} when asked for reports after ${sequence}`,
        {
          cause: parsed.error,
        },
      )
    },

    /** What the bank knows of a payment. Only its own problem document says that it knows none. */
    async query(endToEndId: string): Promise<Query> {
      const path = `/payments/${encodeURIComponent(endToEndId)}`
      const result = await exchange(path, { method: 'GET' })
      if (result.kind === 'failed') return { kind: 'unknown', reason: result.reason }
      const problem = problemSchema.safeParse(result.body)
      const notKnown = problem.success && problem.data.code === 'PAYMENT_NOT_KNOWN'
      if (result.status === 404 && notKnown) return { kind: 'not-known' }
      const parsed = paymentSchema.safeParse(result.body)
      const matches = parsed.success && parsed.data.endToEndId === endToEndId
      if (result.status === 200 && matches) return { kind: 'known', payment: parsed.data }
      return {
        kind: 'unknown',
        reason: `bank answered ${result.status} to a query for ${endToEndId}`,
      }
    },
  }
}

type Exchange =
  | { kind: 'answered'; status: number; body: unknown }
  | { kind: 'failed'; reason: string }

async function readText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength
    if (bytes > maxAnswerBytes)
      throw new Error(`answer of the bank is above ${maxAnswerBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** An answer that is not JSON is an answer without a body: its status alone then decides nothing. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

function describe(error: unknown): string {
  const messages: string[] = []
  for (let cause = error; cause instanceof Error; cause = cause.cause) messages.push(cause.message)
  return messages.join(': ') || String(error)
}
