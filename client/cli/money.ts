// Amounts as people type and read them.

import type { Currency } from '#protocol/amount.ts'
import { currencyDigits, formatAmount, formatMoney, mulDiv, parseAmount } from '#protocol/amount.ts'
import type { HubInfo, TokenInfo } from '#protocol/messages/hub.ts'
import { UsageError } from './failure.ts'

/**
 * The base units that a typed amount stands for: token units such as `5` or `0.05`, or with `currency` its units, converted
 * at the hub's rate and rounded up to a base unit.
 */
export function typedAmount(
  text: string,
  {
    token,
    info,
    currency,
  }: {
    token: Pick<TokenInfo, 'address' | 'decimals' | 'symbol'>
    info: Pick<HubInfo, 'rates'>
    currency?: string | undefined
  },
): bigint {
  if (currency === undefined) return positive(text, token.decimals, token.symbol)
  const code = knownCurrency(currency)
  const rate = info.rates.find((one) => one.token === token.address && one.currency === code)
  if (!rate) {
    throw new UsageError(
      `this hub offers no rate between ${token.symbol} and ${code}: give the amount in ${token.symbol}, without --currency`,
    )
  }
  return mulDiv(positive(text, currencyDigits[code], code), {
    numerator: rate.denominator * 10n ** BigInt(token.decimals),
    denominator: rate.numerator,
    rounding: 'up',
  })
}

/** `0.05 tUSD` */
export function tokenText(amount: bigint, token: Pick<TokenInfo, 'decimals' | 'symbol'>): string {
  return `${formatAmount(amount, token.decimals)} ${token.symbol}`
}

/** `1350 KRW`; minor units of a currency that is not known are said to be that. */
export function moneyText(amount: bigint, currency: string): string {
  const sign = amount < 0n ? '-' : ''
  const size = amount < 0n ? -amount : amount
  if (isCurrency(currency)) return `${sign}${formatMoney(size, currency)} ${currency}`
  return `${sign}${size} minor units of ${currency}`
}

/** A currency code in capitals. Throws a usage error for one that jandon does not know. */
export function knownCurrency(text: string): Currency {
  const code = text.toUpperCase()
  if (isCurrency(code)) return code
  const known = Object.keys(currencyDigits).join(', ')
  throw new UsageError(`"${text}" is not one of the currencies ${known}`)
}

function isCurrency(code: string): code is Currency {
  return Object.hasOwn(currencyDigits, code)
}

function positive(text: string, digits: number, unit: string): bigint {
  const amount = parseAmount(text, digits)
  if (amount !== undefined && amount > 0n) return amount
  const form = digits === 0 ? 'a whole number' : `a number with at most ${digits} decimals`
  throw new UsageError(`"${text}" is not an amount in ${unit}: give ${form} above zero, such as 5`)
}
