// Amounts as banks write them in ISO 20022 documents.

import type { XmlElement } from 'libxml2-wasm'
import { type Currency, currencyDigits, parseAmount } from '#protocol/amount.ts'

/**
 * An amount in a bank's document: minor units of a currency that we know, or the text as it stands in another one, whose
 * digits we do not know. Foreign money is not dropped: it is for a person to see.
 */
export type StatedAmount =
  | { kind: 'known'; currency: Currency; amount: bigint }
  | { kind: 'foreign'; currency: string; text: string }

/** An amount with more digits than its currency has. The message names both. */
export class UnreadableAmountError extends Error {
  override readonly name = 'UnreadableAmountError'
}

/**
 * Reads an amount element with its `Ccy` attribute.
 *
 * Banks write `1000.00` for won and `12.5` for dollars, and both are exact: only digits other than zero beyond those of
 * the currency throw `UnreadableAmountError`.
 */
export function readAmount(element: XmlElement): StatedAmount {
  const currency = element.attr('Ccy')?.value ?? ''
  const text = element.content.trim()
  if (!isCurrency(currency)) return { kind: 'foreign', currency, text }
  const digits = currencyDigits[currency]
  const amount = parseAmount(canonicalDecimal(text), digits)
  if (amount === undefined) {
    throw new UnreadableAmountError(
      `amount ${text} ${currency} is not a decimal of ${digits} digits (line ${element.line})`,
    )
  }
  return { kind: 'known', currency, amount }
}

export function isCurrency(code: string): code is Currency {
  return Object.hasOwn(currencyDigits, code)
}

/** The forms that `xs:decimal` allows (`+1`, `.5`, `5.`, `1.50`) brought to one: `1`, `0.5`, `5`, `1.5`. */
function canonicalDecimal(text: string): string {
  const [whole = '', fraction = ''] = text.replace(/^\+/, '').split('.')
  const kept = fraction.replace(/0+$/, '')
  return `${whole || '0'}${kept === '' ? '' : `.${kept}`}`
}
