// The bank's counter over HTTP. A route is parse, one call, serialise; what is refused is an RFC 9457 problem document.

import express, {
  type ErrorRequestHandler,
  type Express,
  type Request,
  type Response,
} from 'express'
import { z } from 'zod'
import { maxDocumentBytes } from '#server/payouts/iso20022/schema.ts'
import type { Bank } from './bank.ts'
import { type Books, type PaymentState, paymentOf, sums } from './books.ts'
import type { Payment } from './events.ts'
import { faultsSchema } from './faults.ts'

/** The most reports in one answer. */
const maxReportsPerPage = 100

const problems = {
  REQUEST_MALFORMED: { status: 400, title: 'The request is malformed' },
  NOT_FOUND: { status: 404, title: 'There is nothing here' },
  PAYMENT_NOT_KNOWN: { status: 404, title: 'No payment has this end-to-end id' },
  PAYMENT_NOT_BOOKED: { status: 409, title: 'Only a booked payment can be returned, and once' },
  FILE_TOO_LARGE: { status: 413, title: 'The file is too large' },
  FILE_TYPE: { status: 415, title: 'The file is not sent as application/xml' },
  FILE_NOT_VALID: { status: 422, title: 'The file is not a valid pain.001.001.09' },
  FILE_CONTROL_SUM: { status: 422, title: 'The file does not add up' },
  FILE_INCOMPLETE: { status: 422, title: 'A transfer lacks what it needs' },
  FILE_CURRENCY: { status: 422, title: 'A transfer has an amount that cannot be paid' },
  INTERNAL: { status: 500, title: 'The bank failed' },
} as const

type ProblemCode = keyof typeof problems

const returnSchema = z.strictObject({
  reason: z
    .string()
    .regex(/^[A-Z0-9]{4}$/)
    .optional(),
})
const afterSchema = z
  .string()
  .regex(/^\d{1,15}$/)
  .default('0')
  .transform(Number)

export function createRoutes(bank: Bank, onFailure: (error: unknown) => void): Express {
  const app = express()
  app.disable('x-powered-by')
  const xml = express.text({ type: ['application/xml', 'text/xml'], limit: maxDocumentBytes })
  const json = express.json({ limit: 10_000 })

  app.post('/files', xml, (request, response) => postFile(bank, request, response))

  app.get('/reports', async (request, response) => {
    const { after: asked } = request.query
    const after = afterSchema.safeParse(asked)
    if (!after.success) return refuse(response, 'REQUEST_MALFORMED', 'after is not a sequence')
    response.json({ reports: await bank.read((books) => reportsAfter(books, after.data)) })
  })

  app.get('/payments/:endToEndId', async (request, response) => {
    const { endToEndId } = request.params
    const payment = await bank.read((books) => {
      const found = paymentOf(books, endToEndId)
      return found && paymentBody(found)
    })
    if (payment === undefined) return refuse(response, 'PAYMENT_NOT_KNOWN', `no ${endToEndId} here`)
    response.json(payment)
  })

  app.get('/books', async (_request, response) => {
    response.json(await bank.read(booksBody))
  })

  app.post('/returns/:endToEndId', json, (request, response) => postReturn(bank, request, response))

  app.post('/faults', json, (request, response) => {
    const counts = faultsSchema.safeParse(request.body)
    if (!counts.success) {
      return refuse(response, 'REQUEST_MALFORMED', z.prettifyError(counts.error))
    }
    bank.faults.set(counts.data)
    response.json(bank.faults.left())
  })

  app.post('/resume', (_request, response) => {
    bank.resume()
    response.status(204).end()
  })

  app.use((request, response) => {
    refuse(response, 'NOT_FOUND', `no ${request.method} ${request.path} here`)
  })
  app.use(answerErrors(onFailure))
  return app
}

async function postFile(bank: Bank, request: Request, response: Response): Promise<void> {
  const body: unknown = request.body
  if (typeof body !== 'string' || body === '') {
    return refuse(response, 'FILE_TYPE', 'the body is empty or of another content type')
  }
  const result = await bank.receive(body)
  if (bank.faults.strikes('dropAnswer')) {
    request.socket.destroy()
    return
  }
  if (result.kind === 'received') {
    response.status(202).json({ received: true })
    return
  }
  refuse(response, result.code, result.message, { errors: result.errors })
}

async function postReturn(
  bank: Bank,
  request: Request<{ endToEndId: string }>,
  response: Response,
): Promise<void> {
  const body = returnSchema.safeParse(request.body ?? {})
  if (!body.success) return refuse(response, 'REQUEST_MALFORMED', z.prettifyError(body.error))
  const { endToEndId } = request.params
  const result = await bank.returnPayment({ endToEndId, reason: body.data.reason ?? 'AC04' })
  switch (result.kind) {
    case 'returned':
      response.status(201).json({ reference: result.reference })
      return
    case 'not-known':
      return refuse(response, 'PAYMENT_NOT_KNOWN', `no ${endToEndId} here`)
    case 'not-booked':
      return refuse(response, 'PAYMENT_NOT_BOOKED', `${endToEndId} is ${result.status}`)
  }
}

function reportsAfter({ published }: Books, after: number) {
  return published
    .slice(after, after + maxReportsPerPage)
    .map(({ xml }, index) => ({ sequence: after + index + 1, xml }))
}

function paymentBody({
  endToEndId,
  messageId,
  currency,
  amount,
  state,
}: Payment & { state: PaymentState }) {
  const common = { endToEndId, messageId, currency, amount: String(amount) }
  const reason = 'reason' in state ? { reason: state.reason.code } : {}
  return { ...common, ...state, ...reason }
}

function booksBody(books: Books) {
  return {
    accounts: [...books.accounts.values()].map((account) => ({
      ...account,
      balance: String(account.balance),
    })),
    entries: books.entries.map(({ reference, bookedAt, cause, postings }) => ({
      reference,
      bookedAt,
      cause: cause.kind,
      endToEndId: cause.kind === 'opening' ? null : books.payments.get(cause.payment)?.endToEndId,
      postings: postings.map((posting) => ({ ...posting, amount: String(posting.amount) })),
    })),
    sums: Object.fromEntries([...sums(books)].map(([currency, sum]) => [currency, String(sum)])),
  }
}

function refuse(response: Response, code: ProblemCode, detail: string, more: object = {}): void {
  const { status, title } = problems[code]
  const type = `urn:jandon:bank:${code}`
  response
    .status(status)
    .type('application/problem+json')
    .send(JSON.stringify({ type, title, status, code, detail, ...more }))
}

/** Errors of the body parsers say whose fault they are; anything else is the bank's own. */
function answerErrors(onFailure: (error: unknown) => void): ErrorRequestHandler {
  return (error, _request, response, _next) => {
    const status: unknown = error instanceof Error && 'status' in error ? error.status : 500
    if (status === 413)
      return refuse(response, 'FILE_TOO_LARGE', `the limit is ${maxDocumentBytes} bytes`)
    if (status === 415)
      return refuse(response, 'FILE_TYPE', 'the charset or encoding is not read here')
    if (status === 400) return refuse(response, 'REQUEST_MALFORMED', 'the body cannot be read')
    refuse(response, 'INTERNAL', 'see the log of the bank')
    onFailure(error)
  }
}
