// The documents by which the bank tells its customer what happened: pain.002.001.10 and camt.054.001.04.

import { create } from 'xmlbuilder2'
import { formatMoney } from '#protocol/amount.ts'
import { type MessageName, namespaceOf } from '#server/payouts/iso20022/schema.ts'
import type { Entry, Payment, Reason } from './events.ts'

type Heading = { messageId: string; now: Date }

/** What the bank decided about a payment when it looked at it. */
export type Decision = { kind: 'accepted' } | { kind: 'rejected'; reason: Reason }

/** The status report of a file: one status for each payment, and one for all of them. */
export function statusReport(
  heading: Heading,
  decided: { messageId: string; payments: { payment: Payment; decision: Decision }[] },
): string {
  const rejected = decided.payments.filter(({ decision }) => decision.kind === 'rejected').length
  const some = rejected === decided.payments.length ? 'RJCT' : 'PART'
  const instructions = new Set(decided.payments.map(({ payment }) => payment.paymentInformationId))
  return write('pain.002.001.10', {
    CstmrPmtStsRpt: {
      GrpHdr: { MsgId: heading.messageId, CreDtTm: heading.now.toISOString() },
      OrgnlGrpInfAndSts: {
        OrgnlMsgId: decided.messageId,
        OrgnlMsgNmId: 'pain.001.001.09',
        GrpSts: rejected === 0 ? 'ACCP' : some,
      },
      OrgnlPmtInfAndSts: [...instructions].map((id) => ({
        OrgnlPmtInfId: id,
        TxInfAndSts: decided.payments
          .filter(({ payment }) => payment.paymentInformationId === id)
          .map(transactionNode),
      })),
    },
  })
}

/**
 * The answer to a file whose message id was there before.
 *
 * It names no payment: a status of one would read as if it were about the payment of the first file, which stands.
 */
export function duplicateReport(
  heading: Heading,
  duplicate: { messageId: string; remark: string },
): string {
  return write('pain.002.001.10', {
    CstmrPmtStsRpt: {
      GrpHdr: { MsgId: heading.messageId, CreDtTm: heading.now.toISOString() },
      OrgnlGrpInfAndSts: {
        OrgnlMsgId: duplicate.messageId,
        OrgnlMsgNmId: 'pain.001.001.09',
        GrpSts: 'RJCT',
        StsRsnInf: reasonNode({ code: 'DUPL', remark: duplicate.remark }),
      },
    },
  })
}

/** The notification of one booked entry on the customer's account, debit for a payment and credit for its return. */
export function entryNotification(
  heading: Heading,
  { payment, entry }: { payment: Payment; entry: Entry },
): string {
  const { debtorAccount, currency } = payment
  const moved = entry.postings.find(({ account }) => account === debtorAccount)?.amount ?? 0n
  const amount = {
    '@Ccy': currency,
    '#': formatMoney(moved < 0n ? -moved : moved, currency),
  }
  const direction = moved < 0n ? 'DBIT' : 'CRDT'
  const { cause, reference } = entry
  const created = heading.now.toISOString()
  const day = { Dt: koreanDay(entry.bookedAt) }
  return write('camt.054.001.04', {
    BkToCstmrDbtCdtNtfctn: {
      GrpHdr: { MsgId: heading.messageId, CreDtTm: created },
      Ntfctn: {
        Id: heading.messageId,
        CreDtTm: created,
        Acct: { Id: accountNode(debtorAccount), Ccy: currency },
        Ntry: {
          Amt: amount,
          CdtDbtInd: direction,
          Sts: 'BOOK',
          BookgDt: day,
          ValDt: day,
          AcctSvcrRef: reference,
          BkTxCd: {
            Domn: {
              Cd: 'PMNT',
              Fmly: { Cd: 'ICDT', SubFmlyCd: cause.kind === 'return' ? 'RRTN' : 'DMCT' },
            },
          },
          NtryDtls: {
            TxDtls: {
              Refs: {
                MsgId: payment.messageId,
                AcctSvcrRef: reference,
                PmtInfId: payment.paymentInformationId,
                EndToEndId: payment.endToEndId,
              },
              Amt: amount,
              CdtDbtInd: direction,
              RltdPties: { Cdtr: { Nm: payment.creditor.name } },
              ...(cause.kind === 'return' ? { RtrInf: reasonNode(cause.reason) } : {}),
            },
          },
        },
      },
    },
  })
}

function transactionNode({ payment, decision }: { payment: Payment; decision: Decision }) {
  const status =
    decision.kind === 'accepted'
      ? { TxSts: 'ACCP' }
      : { TxSts: 'RJCT', StsRsnInf: reasonNode(decision.reason) }
  return { OrgnlEndToEndId: payment.endToEndId, ...status }
}

function write(message: MessageName, content: object): string {
  const document = { Document: { '@xmlns': namespaceOf(message), ...content } }
  return create({ version: '1.0', encoding: 'UTF-8' }, document).end()
}

function reasonNode({ code, remark }: Reason) {
  return { Rsn: { Cd: code }, AddtlInf: remark.slice(0, 105) }
}

function accountNode(account: string) {
  return /^[A-Z]{2}\d{2}/.test(account) ? { IBAN: account } : { Othr: { Id: account } }
}

/** The bank books in Korean days, nine hours before UTC all year. */
function koreanDay(time: string): string {
  return new Date(Date.parse(time) + 9 * 3_600_000).toISOString().slice(0, 10)
}
