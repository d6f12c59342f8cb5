// What a bank tells about our payments: status reports (pain.002), notifications of booked entries (camt.054) and account
// reports (camt.052). Reading decides nothing: which evidence outweighs which is for the payout to say.

import type { XmlElement } from 'libxml2-wasm'
import { demand, demandText, descend, find, textAt } from './element.ts'
import { readAmount, type StatedAmount, UnreadableAmountError } from './money.ts'
import type { DocumentRefusal, MessageName, Schemas } from './schema.ts'

/** A reason code of the ISO 20022 external lists, or a bank's own, with the bank's remarks. */
type Reason = { code: string; remarks: string[] }

/**
 * What a bank says of a payment, or of a whole file.
 *
 * `duplicate` is apart from `rejected` on purpose: it says that the bank has seen the same before, so it proves nothing
 * against the first one, and must never be a ground for paying again. `pending` is any status that leaves the outcome
 * open, `unrecognised` one that is not in the list.
 */
export type Status =
  | { kind: 'accepted'; code: string }
  | { kind: 'completed'; code: string }
  | { kind: 'pending'; code: string; reason: Reason | undefined }
  | { kind: 'rejected'; code: 'RJCT'; reason: Reason | undefined }
  | { kind: 'duplicate'; code: 'RJCT'; reason: Reason }
  | { kind: 'unrecognised'; code: string; reason: Reason | undefined }
  | { kind: 'not-stated' }

type TransactionStatus = { endToEndId: string | undefined; status: Status }

type InstructionStatus = {
  paymentInformationId: string
  status: Status
  transactions: TransactionStatus[]
}

/** The status of a file, of each instruction in it, and of each transaction in those, where stated. */
type StatusReport = {
  kind: 'status-report'
  messageId: string
  originalMessageId: string
  status: Status
  instructions: InstructionStatus[]
}

/**
 * An entry's identity is the bank's own reference (AcctSvcrRef): two entries with one reference are one entry told twice.
 * Without it a repeat cannot be told from a second booking, and a person must look.
 */
type EntryIdentity = { kind: 'servicer-reference'; reference: string } | { kind: 'none' }

type EntryTransaction = {
  endToEndId: string | undefined
  /** Absent in some versions of the message, where the entry has one transaction only. */
  amount: StatedAmount | undefined
  returned: { kind: 'no' } | { kind: 'yes'; reason: Reason | undefined }
}

/** One line of an account. `amount` is never negative; `direction` says which way it moved on *our* account. */
export type Entry = {
  identity: EntryIdentity
  status: 'booked' | 'pending' | 'information' | 'other'
  direction: 'credit' | 'debit'
  reversal: boolean
  amount: StatedAmount
  /** `YYYY-MM-DD` in the bank's own calendar. */
  bookingDate: string | undefined
  transactions: EntryTransaction[]
}

/** `account` is the IBAN or other number of the account that the entries are on. */
type AccountEntries = { account: string; entries: Entry[] }

type EntryReport = {
  kind: 'notification' | 'account-report'
  messageId: string
  accounts: AccountEntries[]
}

export type BankReport = StatusReport | EntryReport

/** A document that is valid by its schema but not a report, or states an amount that its currency cannot have. */
export type ReportRefusal = {
  kind: 'refused'
  code: 'not-a-report' | 'amount-unreadable'
  message: string
  errors: []
}

/**
 * The content of a report, after validation against its schema. The version of the message makes no difference to it.
 *
 * Refuses what `Schemas` refuses, a message that is not a report, and an amount with more digits than its currency has.
 */
export function readReport(
  schemas: Schemas,
  xml: string,
): { kind: 'read'; value: BankReport } | DocumentRefusal | ReportRefusal {
  try {
    const result = schemas.read(xml, readMessage)
    if (result.kind === 'refused') return result
    const { value } = result
    return value.kind === 'refused' ? value : { kind: 'read', value }
  } catch (error) {
    if (!(error instanceof UnreadableAmountError)) throw error
    return { kind: 'refused', code: 'amount-unreadable', message: error.message, errors: [] }
  }
}

function readMessage(root: XmlElement, message: MessageName): BankReport | ReportRefusal {
  switch (message) {
    case 'pain.001.001.09': {
      const text = `message ${message} is a payment file, not a report`
      return { kind: 'refused', code: 'not-a-report', message: text, errors: [] }
    }
    case 'pain.002.001.10':
      return readStatusReport(demand(root, 'CstmrPmtStsRpt'))
    case 'camt.052.001.08':
      return readEntryReport('account-report', demand(root, 'BkToCstmrAcctRpt'), 'Rpt')
    case 'camt.054.001.02':
    case 'camt.054.001.03':
    case 'camt.054.001.04':
      return readEntryReport('notification', demand(root, 'BkToCstmrDbtCdtNtfctn'), 'Ntfctn')
  }
}

function readStatusReport(report: XmlElement): StatusReport {
  const group = demand(report, 'OrgnlGrpInfAndSts')
  return {
    kind: 'status-report',
    messageId: demandText(report, 'GrpHdr', 'MsgId'),
    originalMessageId: demandText(group, 'OrgnlMsgId'),
    status: readStatus(group, 'GrpSts'),
    instructions: descend(report, 'OrgnlPmtInfAndSts').map((instruction) => ({
      paymentInformationId: demandText(instruction, 'OrgnlPmtInfId'),
      status: readStatus(instruction, 'PmtInfSts'),
      transactions: descend(instruction, 'TxInfAndSts').map((transaction) => ({
        endToEndId: providedId(textAt(transaction, 'OrgnlEndToEndId')),
        status: readStatus(transaction, 'TxSts'),
      })),
    })),
  }
}

const acceptedCodes = ['ACTC', 'ACCP', 'ACSP', 'ACFC', 'ACWC', 'ACWP']
const completedCodes = ['ACSC', 'ACCC']
const pendingCodes = ['RCVD', 'PDNG', 'PATC', 'PART']
const duplicateReasons = ['AM05', 'DU01', 'DU02', 'DU03', 'DU04', 'DU05', 'DUPL']

function readStatus(parent: XmlElement, name: string): Status {
  const code = textAt(parent, name)
  if (code === undefined) return { kind: 'not-stated' }
  const reason = readReason(find(parent, 'StsRsnInf'))
  if (code === 'RJCT') {
    const duplicate = reason !== undefined && duplicateReasons.includes(reason.code)
    return duplicate ? { kind: 'duplicate', code, reason } : { kind: 'rejected', code, reason }
  }
  if (acceptedCodes.includes(code)) return { kind: 'accepted', code }
  if (completedCodes.includes(code)) return { kind: 'completed', code }
  return { kind: pendingCodes.includes(code) ? 'pending' : 'unrecognised', code, reason }
}

function readReason(information: XmlElement | undefined): Reason | undefined {
  if (information === undefined) return undefined
  const code = textAt(information, 'Rsn', 'Cd') ?? textAt(information, 'Rsn', 'Prtry')
  if (code === undefined) return undefined
  return { code, remarks: descend(information, 'AddtlInf').map((remark) => remark.content) }
}

function readEntryReport(
  kind: EntryReport['kind'],
  message: XmlElement,
  accountName: 'Rpt' | 'Ntfctn',
): EntryReport {
  return {
    kind,
    messageId: demandText(message, 'GrpHdr', 'MsgId'),
    accounts: descend(message, accountName).map((report) => {
      const id = demand(report, 'Acct', 'Id')
      const account = textAt(id, 'IBAN') ?? demandText(id, 'Othr', 'Id')
      return { account, entries: descend(report, 'Ntry').map(readEntry) }
    }),
  }
}

function readEntry(entry: XmlElement): Entry {
  const reference = textAt(entry, 'AcctSvcrRef')
  return {
    identity:
      reference === undefined ? { kind: 'none' } : { kind: 'servicer-reference', reference },
    status: readEntryStatus(entry),
    direction: demandText(entry, 'CdtDbtInd') === 'CRDT' ? 'credit' : 'debit',
    reversal: ['true', '1'].includes(textAt(entry, 'RvslInd') ?? ''),
    amount: readAmount(demand(entry, 'Amt')),
    bookingDate: readDate(find(entry, 'BookgDt')),
    transactions: descend(entry, 'NtryDtls', 'TxDtls').map(readTransaction),
  }
}

/** The code stands by itself up to camt.054.001.04, and one level down in later messages. */
function readEntryStatus(entry: XmlElement): Entry['status'] {
  const code = textAt(entry, 'Sts', 'Cd') ?? textAt(entry, 'Sts')
  if (code === 'BOOK') return 'booked'
  if (code === 'PDNG') return 'pending'
  return code === 'INFO' ? 'information' : 'other'
}

/** The first ten characters of a date or a point in time are the day where the bank is. */
function readDate(choice: XmlElement | undefined): string | undefined {
  if (choice === undefined) return undefined
  const text = textAt(choice, 'Dt') ?? textAt(choice, 'DtTm')
  return /^\s*(\d{4}-\d{2}-\d{2})/.exec(text ?? '')?.[1]
}

function readTransaction(transaction: XmlElement): EntryTransaction {
  const amount = find(transaction, 'Amt') ?? find(transaction, 'AmtDtls', 'TxAmt', 'Amt')
  const information = find(transaction, 'RtrInf')
  return {
    endToEndId: providedId(textAt(transaction, 'Refs', 'EndToEndId')),
    amount: amount && readAmount(amount),
    returned: information ? { kind: 'yes', reason: readReason(information) } : { kind: 'no' },
  }
}

/** Banks write NOTPROVIDED where a payment had no id of its own. */
function providedId(id: string | undefined): string | undefined {
  return id === 'NOTPROVIDED' ? undefined : id
}
