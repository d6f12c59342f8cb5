// Where a payout can go, by rail and currency: the fields that a creator gives, as the party that a payment file names.

import type { Currency } from '#protocol/amount.ts'
import { HubError } from '#protocol/errors.ts'
import type { Destination } from '#protocol/payment.ts'
import { checkParty, PaymentFileError } from './iso20022/payment-file-check.ts'
import type { Party } from './iso20022/payment-order.ts'

type Field = { pattern: RegExp; means: string }

const name: Field = {
  pattern: /^(?=.*\S)[^\p{Cc}\p{Cs}\uFFFE\uFFFF]{1,70}$/u,
  means: 'the name that the account is held under, at most 70 characters',
}

const koreanFields: Record<string, Field> = {
  name,
  bank: { pattern: /^\d{3}$/, means: 'the bank’s three-digit clearing code' },
  account: { pattern: /^\d{8,16}$/, means: 'the account number, 8 to 16 digits without hyphens' },
}

const isoFields: Record<string, Field> = {
  name,
  iban: { pattern: /^[A-Z]{2}\d{2}[A-Z0-9]{11,30}$/, means: 'the IBAN without spaces' },
  bic: { pattern: /^[A-Z0-9]{8}(?:[A-Z0-9]{3})?$/, means: 'the bank’s BIC' },
}

/** Which form of payment file a currency is paid with. */
export function profileOf(currency: Currency): 'iso' | 'korea' {
  return currency === 'KRW' ? 'korea' : 'iso'
}

/**
 * Refuses a destination that no payment file could name: the money would leave the vault and then have nowhere to go.
 *
 * @throws HubError `destination_rejected` that names the field and what it should be.
 */
export function assertDestination(destination: Destination, currency: Currency) {
  const fields = profileOf(currency) === 'korea' ? koreanFields : isoFields
  for (const [field, { pattern, means }] of Object.entries(fields)) {
    if (!pattern.test(destination[field] ?? ''))
      throw rejected(field, `"${field}" must be ${means}`)
  }
  const extra = Object.keys(destination).find((field) => !Object.hasOwn(fields, field))
  if (extra !== undefined)
    throw rejected(extra, `"${extra}" is not a field of a ${currency} destination`)
  try {
    checkParty('destination', payee(destination, currency), profileOf(currency))
  } catch (cause) {
    if (!(cause instanceof PaymentFileError)) throw cause
    throw rejected(cause.field, cause.message)
  }
}

/** The payee of a checked destination. */
export function payee(destination: Destination, currency: Currency): Party {
  const field = (key: string) => destination[key] ?? ''
  if (profileOf(currency) === 'korea') {
    return {
      name: field('name'),
      account: { other: field('account') },
      agent: { clearingSystem: 'KFTC', memberId: field('bank') },
    }
  }
  return { name: field('name'), account: { iban: field('iban') }, agent: { bic: field('bic') } }
}

function rejected(field: string, reason: string) {
  return new HubError('destination_rejected', reason, { values: { field, reason } })
}
