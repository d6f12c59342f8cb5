// A customer credit transfer initiation, pain.001.001.09: the file that asks a bank to pay. It is built from checked
// values only, so that what a person releases is what the bank reads: no field is cut, replaced or guessed.

import { create } from 'xmlbuilder2'
import { formatMoney } from '#protocol/amount.ts'
import { checkPaymentFile } from './payment-file-check.ts'
import type {
  BankAccount,
  BankAgent,
  CreditTransfer,
  Party,
  PaymentFile,
  PostalAddress,
} from './payment-order.ts'
import { namespaceOf } from './schema.ts'

/**
 * The XML of a payment file. The same file gives the same text.
 *
 * The debtor bears all charges (`DEBT`), because the net of a quote is what the payee must receive, and each transfer is
 * booked by itself, because an entry for a whole batch could not be matched to one payout.
 *
 * Throws `PaymentFileError` for the first value that a bank would refuse.
 */
export function buildPaymentFile(file: PaymentFile): string {
  const { currency, total } = checkPaymentFile(file)
  const counted = {
    NbOfTxs: String(file.transfers.length),
    CtrlSum: formatMoney(total, currency),
  }
  const document = {
    '@xmlns': namespaceOf('pain.001.001.09'),
    CstmrCdtTrfInitn: {
      GrpHdr: {
        MsgId: file.messageId,
        CreDtTm: file.createdAt.toISOString(),
        ...counted,
        InitgPty: { Nm: file.debtor.name },
      },
      PmtInf: {
        PmtInfId: file.messageId,
        PmtMtd: 'TRF',
        BtchBookg: 'false',
        ...counted,
        ReqdExctnDt: { Dt: file.executionDate },
        Dbtr: partyNode(file.debtor),
        DbtrAcct: { ...accountNode(file.debtor.account), Ccy: currency },
        DbtrAgt: agentNode(file.debtor.agent),
        ChrgBr: 'DEBT',
        CdtTrfTxInf: file.transfers.map(transferNode),
      },
    },
  }
  return create({ version: '1.0', encoding: 'UTF-8' }, { Document: document }).end({
    prettyPrint: true,
  })
}

function transferNode({ endToEndId, amount, currency, creditor, remittance }: CreditTransfer) {
  return {
    PmtId: { InstrId: endToEndId, EndToEndId: endToEndId },
    Amt: { InstdAmt: { '@Ccy': currency, '#': formatMoney(amount, currency) } },
    CdtrAgt: agentNode(creditor.agent),
    Cdtr: partyNode(creditor),
    CdtrAcct: accountNode(creditor.account),
    ...(remittance === undefined ? {} : { RmtInf: { Ustrd: remittance } }),
  }
}

function partyNode({ name, address }: Party) {
  return { Nm: name, ...(address === undefined ? {} : { PstlAdr: addressNode(address) }) }
}

function addressNode(address: PostalAddress) {
  const { streetName, buildingNumber, postCode, townName, country } = address
  return {
    ...(streetName === undefined ? {} : { StrtNm: streetName }),
    ...(buildingNumber === undefined ? {} : { BldgNb: buildingNumber }),
    ...(postCode === undefined ? {} : { PstCd: postCode }),
    TwnNm: townName,
    Ctry: country,
  }
}

function accountNode(account: BankAccount) {
  return { Id: 'iban' in account ? { IBAN: account.iban } : { Othr: { Id: account.other } } }
}

function agentNode(agent: BankAgent) {
  if ('bic' in agent) return { FinInstnId: { BICFI: agent.bic } }
  const { clearingSystem, memberId } = agent
  const system = /^[A-Z]{5}$/.test(clearingSystem)
    ? { Cd: clearingSystem }
    : { Prtry: clearingSystem }
  return { FinInstnId: { ClrSysMmbId: { ClrSysId: system, MmbId: memberId } } }
}
