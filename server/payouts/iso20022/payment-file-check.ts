// What must hold of a payment file before it is written. The limits are those of pain.001.001.09.xsd, or tighter where a
// bank is; each refusal names the field and the value.

import { type Currency, currencyDigits } from '#protocol/amount.ts'
import type { BankAccount, BankAgent, Party, PaymentFile, PostalAddress } from './payment-order.ts'

/** The most transfers in one file; with all fields at their limits it stays below `maxDocumentBytes`. */
export const maxTransfers = 2_000

/** What a control sum can carry: 18 decimal digits in all. */
const maxControlSum = 10n ** 18n - 1n

export type PaymentFileErrorCode =
  | 'id-malformed'
  | 'id-repeated'
  | 'date-malformed'
  | 'transfer-count'
  | 'amount-out-of-range'
  | 'currency-not-supported'
  | 'currency-mixed'
  | 'control-sum-too-large'
  | 'text-length'
  | 'text-character'
  | 'account-malformed'
  | 'agent-malformed'
  | 'country-malformed'
  | 'profile-violated'

/** A value that no bank would take. `field` is its path in the `PaymentFile`. */
export class PaymentFileError extends Error {
  override readonly name = 'PaymentFileError'
  readonly code: PaymentFileErrorCode
  readonly field: string

  constructor(code: PaymentFileErrorCode, field: string, detail: string) {
    super(`${field} ${detail}`)
    this.code = code
    this.field = field
  }
}

/** Checks in the order of the document, and returns the one currency of the file and the sum of its transfers. */
export function checkPaymentFile(file: PaymentFile): { currency: Currency; total: bigint } {
  checkId('messageId', file.messageId)
  if (Number.isNaN(file.createdAt.getTime())) {
    throw new PaymentFileError('date-malformed', 'createdAt', 'is not a point in time')
  }
  checkDate('executionDate', file.executionDate)
  const count = file.transfers.length
  if (count < 1 || count > maxTransfers) {
    throw new PaymentFileError(
      'transfer-count',
      'transfers',
      `are ${count}, not 1 to ${maxTransfers}`,
    )
  }
  checkParty('debtor', file.debtor, file.profile)
  return checkTransfers(file)
}

function checkTransfers({ transfers, profile }: PaymentFile): {
  currency: Currency
  total: bigint
} {
  const currency = transfers[0]?.currency ?? 'KRW'
  const seen = new Set<string>()
  let total = 0n
  for (const [index, transfer] of transfers.entries()) {
    const at = `transfers[${index}]`
    checkId(`${at}.endToEndId`, transfer.endToEndId)
    if (seen.has(transfer.endToEndId)) {
      throw new PaymentFileError(
        'id-repeated',
        `${at}.endToEndId`,
        `${transfer.endToEndId} is in this file twice`,
      )
    }
    seen.add(transfer.endToEndId)
    checkAmount(`${at}.amount`, transfer.amount)
    checkCurrency(`${at}.currency`, { found: transfer.currency, expected: currency, profile })
    checkParty(`${at}.creditor`, transfer.creditor, profile)
    if (transfer.remittance !== undefined) checkText(`${at}.remittance`, transfer.remittance, 140)
    total += transfer.amount
  }
  if (total > maxControlSum) {
    throw new PaymentFileError(
      'control-sum-too-large',
      'transfers',
      `sum to ${total}, above ${maxControlSum}`,
    )
  }
  return { currency, total }
}

/** Letters and digits only: the one set that every bank returns unchanged. */
function checkId(field: string, id: string): void {
  if (!/^[A-Za-z0-9]{1,35}$/.test(id)) {
    throw new PaymentFileError(
      'id-malformed',
      field,
      `${JSON.stringify(id)} is not 1 to 35 of A-Z, a-z, 0-9`,
    )
  }
}

function checkDate(field: string, date: string): void {
  const time = /^\d{4}-\d{2}-\d{2}$/.test(date) ? Date.parse(`${date}T00:00:00Z`) : Number.NaN
  const real = !Number.isNaN(time) && new Date(time).toISOString().startsWith(date)
  if (!real)
    throw new PaymentFileError('date-malformed', field, `${JSON.stringify(date)} is not a day`)
}

function checkAmount(field: string, amount: bigint): void {
  if (amount <= 0n || amount > maxControlSum) {
    throw new PaymentFileError(
      'amount-out-of-range',
      field,
      `${amount} is not 1 to ${maxControlSum}`,
    )
  }
}

function checkCurrency(
  field: string,
  {
    found,
    expected,
    profile,
  }: { found: Currency; expected: Currency; profile: PaymentFile['profile'] },
): void {
  if (!Object.hasOwn(currencyDigits, found)) {
    throw new PaymentFileError(
      'currency-not-supported',
      field,
      `${found} has no known number of digits`,
    )
  }
  if (profile === 'korea' && found !== 'KRW') {
    throw new PaymentFileError(
      'profile-violated',
      field,
      `${found} is not KRW, as the profile korea demands`,
    )
  }
  if (found !== expected) {
    throw new PaymentFileError(
      'currency-mixed',
      field,
      `${found} differs from ${expected} of the first transfer`,
    )
  }
}

/** Checks one side of a payment by itself, so that it can be refused before anything is promised to it. */
export function checkParty(field: string, party: Party, profile: PaymentFile['profile']): void {
  checkText(`${field}.name`, party.name, 140)
  checkAccount(`${field}.account`, party.account)
  checkAgent(`${field}.agent`, party.agent)
  if (profile === 'korea') checkKorean(field, party)
  if (party.address !== undefined) checkAddress(`${field}.address`, party.address)
}

/** Korean banks are named by their number at the clearing house, and their accounts have no IBAN. */
function checkKorean(field: string, { account, agent }: Party): void {
  if ('iban' in account) {
    throw new PaymentFileError(
      'profile-violated',
      `${field}.account`,
      'is an IBAN; the profile korea has none',
    )
  }
  if ('bic' in agent || !/^\d{3,7}$/.test(agent.memberId)) {
    const found = 'bic' in agent ? `BIC ${agent.bic}` : `member ${agent.memberId}`
    throw new PaymentFileError(
      'profile-violated',
      `${field}.agent`,
      `${found} is not a clearing system member of 3 to 7 digits, as the profile korea demands`,
    )
  }
}

/** The check digits of ISO 13616 catch a mistyped IBAN here, and not as a return days later. */
function checkAccount(field: string, account: BankAccount): void {
  if ('other' in account) {
    if (/^[A-Za-z0-9-]{1,34}$/.test(account.other)) return
    const shown = JSON.stringify(account.other)
    throw new PaymentFileError(
      'account-malformed',
      field,
      `${shown} is not 1 to 34 of A-Z, a-z, 0-9, -`,
    )
  }
  const { iban } = account
  if (!/^[A-Z]{2}\d{2}[A-Z0-9]{1,30}$/.test(iban)) {
    throw new PaymentFileError('account-malformed', field, `${JSON.stringify(iban)} is not an IBAN`)
  }
  const digits = [...iban.slice(4), ...iban.slice(0, 4)].map((character) =>
    Number.parseInt(character, 36),
  )
  if (BigInt(digits.join('')) % 97n !== 1n) {
    throw new PaymentFileError('account-malformed', field, `${iban} has wrong check digits`)
  }
}

function checkAgent(field: string, agent: BankAgent): void {
  if ('bic' in agent) {
    if (/^[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}([A-Z0-9]{3})?$/.test(agent.bic)) return
    throw new PaymentFileError(
      'agent-malformed',
      field,
      `${JSON.stringify(agent.bic)} is not a BIC`,
    )
  }
  checkText(`${field}.clearingSystem`, agent.clearingSystem, 35)
  checkText(`${field}.memberId`, agent.memberId, 35)
}

function checkAddress(field: string, address: PostalAddress): void {
  const { streetName, buildingNumber, postCode, townName, country } = address
  if (streetName !== undefined) checkText(`${field}.streetName`, streetName, 70)
  if (buildingNumber !== undefined) checkText(`${field}.buildingNumber`, buildingNumber, 16)
  if (postCode !== undefined) checkText(`${field}.postCode`, postCode, 16)
  checkText(`${field}.townName`, townName, 35)
  if (!/^[A-Z]{2}$/.test(country)) {
    throw new PaymentFileError(
      'country-malformed',
      `${field}.country`,
      `${JSON.stringify(country)} is not two letters`,
    )
  }
}

/** One line of 1 to `limit` characters (code points, as the XSD counts), without controls and broken surrogates. */
function checkText(field: string, text: string, limit: number): void {
  const { length } = [...text]
  if (text.trim() === '' || length > limit) {
    throw new PaymentFileError('text-length', field, `has ${length} characters, not 1 to ${limit}`)
  }
  const wrong = /[\p{Cc}\p{Cs}\uFFFE\uFFFF]/u.exec(text)?.[0].codePointAt(0)
  if (wrong !== undefined) {
    const shown = `U+${wrong.toString(16).toUpperCase().padStart(4, '0')}`
    throw new PaymentFileError(
      'text-character',
      field,
      `has the character ${shown}, which no bank text may have`,
    )
  }
}
