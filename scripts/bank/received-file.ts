// Reading a payment file at the bank's door. What is wrong here is refused as a whole, before anything is recorded; what a
// single payment lacks is for the status report.

import type { XmlElement } from 'libxml2-wasm'
import { type Currency, currencyDigits, parseAmount } from '#protocol/amount.ts'
import { children, demand, demandText, descend, textAt } from '#server/payouts/iso20022/element.ts'
import { isCurrency } from '#server/payouts/iso20022/money.ts'
import type { DocumentError, Schemas } from '#server/payouts/iso20022/schema.ts'
import type { Payment } from './events.ts'

export type ReceivedFile = { kind: 'read'; messageId: string; payments: Payment[] }

export type FileRefusal = {
  kind: 'refused'
  code: 'FILE_NOT_VALID' | 'FILE_CONTROL_SUM' | 'FILE_INCOMPLETE' | 'FILE_CURRENCY'
  message: string
  errors: DocumentError[]
}

/** Control sums are compared with the five digits that the schema allows an amount, whatever the currencies. */
const controlDigits = 5

/** The payments of a pain.001.001.09, with bigint minor units, or the first reason to refuse the file. */
export function readPaymentFile(schemas: Schemas, xml: string): ReceivedFile | FileRefusal {
  const result = schemas.read(xml, (root, message) =>
    message === 'pain.001.001.09'
      ? readFile(demand(root, 'CstmrCdtTrfInitn'))
      : refuse('FILE_NOT_VALID', `message ${message} is not a payment file`),
  )
  if (result.kind === 'read') return result.value
  return { kind: 'refused', code: 'FILE_NOT_VALID', message: result.message, errors: result.errors }
}

function readFile(message: XmlElement): ReceivedFile | FileRefusal {
  const header = demand(message, 'GrpHdr')
  const messageId = demandText(header, 'MsgId')
  const wrongSum = checkControls(header, descend(message, 'PmtInf', 'CdtTrfTxInf'))
  if (wrongSum) return wrongSum
  const payments: Payment[] = []
  for (const instruction of children(message, 'PmtInf')) {
    const wrongHere = checkControls(instruction, children(instruction, 'CdtTrfTxInf'))
    if (wrongHere) return wrongHere
    for (const transfer of children(instruction, 'CdtTrfTxInf')) {
      const read = readTransfer(transfer, { instruction, messageId, position: payments.length + 1 })
      if (read.kind === 'refused') return read
      payments.push(read.payment)
    }
  }
  return { kind: 'read', messageId, payments }
}

function readTransfer(
  transfer: XmlElement,
  {
    instruction,
    messageId,
    position,
  }: { instruction: XmlElement; messageId: string; position: number },
): { kind: 'read'; payment: Payment } | FileRefusal {
  const instructed = children(demand(transfer, 'Amt'), 'InstdAmt')[0]
  const name = textAt(transfer, 'Cdtr', 'Nm')
  const account = accountAt(transfer, 'CdtrAcct')
  const debtorAccount = accountAt(instruction, 'DbtrAcct')
  if (!(instructed && name && account && debtorAccount)) {
    return refuse(
      'FILE_INCOMPLETE',
      `transfer ${position} lacks an amount, a payee's name or an account`,
    )
  }
  const money = readMoney(instructed)
  if (money === undefined) {
    const stated = `${instructed.content} ${instructed.attr('Ccy')?.value}`
    return refuse('FILE_CURRENCY', `transfer ${position} states ${stated}, which is no amount here`)
  }
  const payment = {
    id: `${messageId}/${position}`,
    endToEndId: demandText(transfer, 'PmtId', 'EndToEndId'),
    messageId,
    paymentInformationId: demandText(instruction, 'PmtInfId'),
    debtorAccount,
    ...money,
    creditor: { account, name },
  }
  return { kind: 'read', payment }
}

function checkControls(stated: XmlElement, transfers: XmlElement[]): FileRefusal | undefined {
  const count = textAt(stated, 'NbOfTxs')
  if (count !== undefined && BigInt(count) !== BigInt(transfers.length)) {
    const message = `<${stated.name}> states ${count} transfers and has ${transfers.length}`
    return refuse('FILE_CONTROL_SUM', message)
  }
  const sum = textAt(stated, 'CtrlSum')
  if (sum === undefined) return undefined
  const found = transfers
    .flatMap((transfer) => descend(transfer, 'Amt', 'InstdAmt'))
    .reduce((total, amount) => total + (parseAmount(amount.content, controlDigits) ?? 0n), 0n)
  if (parseAmount(sum, controlDigits) === found) return undefined
  const message = `<${stated.name}> states the sum ${sum}, which its transfers do not have`
  return refuse('FILE_CONTROL_SUM', message)
}

/** The bank takes an amount only as the customer should write it: no more digits than the currency has. */
function readMoney(element: XmlElement): { currency: Currency; amount: bigint } | undefined {
  const currency = element.attr('Ccy')?.value ?? ''
  if (!isCurrency(currency)) return undefined
  const amount = parseAmount(element.content, currencyDigits[currency])
  return amount === undefined || amount === 0n ? undefined : { currency, amount }
}

function accountAt(parent: XmlElement, name: string): string | undefined {
  return textAt(parent, name, 'Id', 'IBAN') ?? textAt(parent, name, 'Id', 'Othr', 'Id')
}

function refuse(code: FileRefusal['code'], message: string): FileRefusal {
  return { kind: 'refused', code, message, errors: [] }
}
