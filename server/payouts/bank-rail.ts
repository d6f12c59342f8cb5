// The rail of bank files: what leaves is valid by the real schema and on disk first; what comes back is sorted into evidence.

import { mkdir, open, rename } from 'node:fs/promises'
import { join } from 'node:path'
import type { Currency } from '#protocol/amount.ts'
import { payee, profileOf } from './destination.ts'
import type { BankLink, BankPayment } from './iso20022/bank-link.ts'
import type { StatedAmount } from './iso20022/money.ts'
import { buildPaymentFile } from './iso20022/payment-file.ts'
import type { Party } from './iso20022/payment-order.ts'
import type { BankReport, Entry, Status } from './iso20022/reports.ts'
import { readReport } from './iso20022/reports.ts'
import type { Schemas } from './iso20022/schema.ts'
import type { Evidence, Payout } from './payout.ts'
import { endToEndIdOf } from './payout.ts'

/** Evidence about one payment. `entry` is the bank's own reference of a booking, by which a repeat is known. */
export type Finding = {
  endToEndId: string
  evidence: Evidence
  amount: StatedAmount | undefined
  entry: string | undefined
}

export type BankRail = {
  /** The file for a payout's next attempt, checked against the schema. */
  prepare(payout: Payout, attempt: number): { endToEndId: string; messageId: string; xml: string }
  /** Writes the file where a person can find it, then hands it to the bank. */
  submit(file: { messageId: string; xml: string }): Promise<Evidence>
  /** Asks the bank about a payment; `resend` when the bank says that it has never seen it. */
  ask(endToEndId: string): Promise<Finding[] | 'resend'>
  /** The next reports after a sequence, each as what it says about payments. */
  collect(
    after: number,
  ): Promise<{ sequence: number; findings: Finding[]; fault: string | undefined }[]>
}

export function createBankRail({
  link,
  schemas,
  directory,
  debtor,
  now,
}: {
  link: BankLink
  schemas: Schemas
  directory: string
  debtor: Party
  now: () => number
}): BankRail {
  return {
    prepare(payout, attempt) {
      const { quote, payoutId } = payout
      const currency = quote.currency as Currency
      const endToEndId = endToEndIdOf(payoutId, attempt)
      const createdAt = new Date(now())
      const xml = buildPaymentFile({
        profile: profileOf(currency),
        messageId: endToEndId,
        createdAt,
        executionDate: createdAt.toISOString().slice(0, 10),
        debtor,
        transfers: [
          {
            endToEndId,
            amount: quote.net,
            currency,
            creditor: payee(quote.destination, currency),
            remittance: `jandon ${payoutId.slice(2, 18)}`,
          },
        ],
      })
      const checked = schemas.validate(xml)
      if (checked.kind === 'refused')
        throw new Error(`payment file ${endToEndId}: ${checked.message}`)
      return { endToEndId, messageId: endToEndId, xml }
    },
    async submit({ messageId, xml }) {
      await keepFile(directory, { name: `${messageId}.xml`, text: xml })
      const answer = await link.submit(xml)
      switch (answer.kind) {
        case 'received':
          return { rank: 'answer', says: 'received', detail: 'the bank has the file' }
        case 'refused':
          return {
            rank: 'report',
            says: 'rejected',
            detail: `the bank refused the file: ${answer.problem.title}`,
          }
        case 'unknown':
          return { rank: 'answer', says: 'unknown', detail: answer.reason }
      }
    },
    async ask(endToEndId) {
      const answer = await link.query(endToEndId)
      switch (answer.kind) {
        case 'not-known':
          return 'resend'
        case 'unknown': {
          const evidence = { rank: 'answer', says: 'unknown', detail: answer.reason } as const
          return [{ endToEndId, evidence, amount: undefined, entry: undefined }]
        }
        case 'known':
          return paymentFindings(answer.payment)
      }
    },
    async collect(after) {
      const reports = await link.reports(after)
      return reports.map(({ sequence, xml }) => {
        const read = readReport(schemas, xml)
        return read.kind === 'read'
          ? { sequence, findings: findingsOf(read.value), fault: undefined }
          : { sequence, findings: [], fault: read.message }
      })
    },
  }
}

/** What the bank itself says of a payment; its bookings under the references that its statements give them. */
function paymentFindings(payment: BankPayment): Finding[] {
  const { endToEndId, currency } = payment
  const amount = { kind: 'known', amount: payment.amount, currency } as const
  const finding = (evidence: Evidence, entry?: string): Finding => ({
    endToEndId,
    evidence,
    amount,
    entry,
  })
  const booked = (entry: string) =>
    finding({ rank: 'booking', says: 'booked', detail: `the bank booked it as ${entry}` }, entry)
  switch (payment.status) {
    case 'received':
    case 'accepted': {
      const detail = `the bank has it as ${payment.status}`
      return [finding({ rank: 'answer', says: 'received', detail })]
    }
    case 'rejected': {
      const detail = `the bank rejected it: ${payment.reason}`
      return [finding({ rank: 'report', says: 'rejected', detail })]
    }
    case 'booked':
      return [booked(payment.reference)]
    case 'returned': {
      const detail = `the bank returned it: ${payment.reason}`
      return [
        booked(payment.reference),
        finding({ rank: 'booking', says: 'returned', detail }, payment.returnReference),
      ]
    }
  }
}

function findingsOf(report: BankReport): Finding[] {
  if (report.kind !== 'status-report') {
    return report.accounts.flatMap(({ entries }) => entries.flatMap(bookingFindings))
  }
  return report.instructions
    .flatMap(({ transactions }) => transactions)
    .flatMap(({ endToEndId, status }) => {
      const evidence = statusEvidence(status)
      return endToEndId && evidence
        ? [{ endToEndId, evidence, amount: undefined, entry: undefined }]
        : []
    })
}

/** A duplicate proves nothing against the first; a pending or unknown code leaves the outcome open. */
function statusEvidence(status: Status): Evidence | undefined {
  switch (status.kind) {
    case 'accepted':
      return { rank: 'report', says: 'accepted', detail: `the bank accepted it (${status.code})` }
    case 'completed':
      return {
        rank: 'report',
        says: 'completed',
        detail: `the bank says it is paid (${status.code})`,
      }
    case 'rejected':
      return {
        rank: 'report',
        says: 'rejected',
        detail: `the bank rejected it: ${status.reason?.code ?? 'no reason given'}`,
      }
    case 'duplicate':
    case 'pending':
    case 'unrecognised':
    case 'not-stated':
      return undefined
  }
}

function bookingFindings({
  identity,
  status,
  direction,
  amount,
  transactions,
  bookingDate,
}: Entry): Finding[] {
  if (status !== 'booked' || identity.kind === 'none') return []
  return transactions.flatMap(({ endToEndId, returned }) => {
    if (!endToEndId) return []
    const says = direction === 'debit' ? 'booked' : 'returned'
    const why = returned.kind === 'yes' ? `: ${returned.reason?.code ?? 'no reason given'}` : ''
    const detail = `the bank ${says} it on ${bookingDate ?? 'an unstated day'}${why}`
    return [
      {
        endToEndId,
        evidence: { rank: 'booking', says, detail },
        amount,
        entry: identity.reference,
      },
    ]
  })
}

async function keepFile(directory: string, { name, text }: { name: string; text: string }) {
  await mkdir(directory, { recursive: true })
  const path = join(directory, name)
  const file = await open(`${path}.part`, 'w')
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(`${path}.part`, path)
}
