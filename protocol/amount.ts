// Amounts are bigint in base units (tokens) or minor units (currencies), never a number and never rounded in passing.

import { formatUnits } from 'viem'

/** The largest amount that a voucher, a tip or a channel can carry: what fits a uint128. */
export const maxAmount = 2n ** 128n - 1n

/** Digits after the point, by ISO 4217 code. A currency that is not here is not supported. */
export const currencyDigits = { EUR: 2, JPY: 0, KRW: 0, KWD: 3, USD: 2 } as const

export type Currency = keyof typeof currencyDigits

/** How a rounding that cannot be avoided goes; every division of money names one. */
export type Rounding = 'down' | 'up'

/**
 * The base units that a decimal text stands for.
 *
 * Takes digits with at most `digits` of them after one point: no sign, exponent, spaces or separators.
 * Returns `undefined` for any other text, so that the caller can say what it expected.
 */
export function parseAmount(text: string, digits: number): bigint | undefined {
  const match = /^(\d{1,39})(?:\.(\d{1,39}))?$/.exec(text)
  const whole = match?.[1]
  if (whole === undefined) return undefined
  const fraction = match?.[2] ?? ''
  if (fraction.length > digits) return undefined
  const amount = BigInt(whole + fraction.padEnd(digits, '0'))
  return amount <= maxAmount ? amount : undefined
}

/** The decimal text of an amount, without trailing zeros: `50000` with 6 digits is `0.05`. */
export function formatAmount(amount: bigint, digits: number): string {
  return formatUnits(amount, digits)
}

/** The decimal text of an amount in a currency, with all its digits: `1230` USD is `12.30`. */
export function formatMoney(amount: bigint, currency: Currency): string {
  const digits = currencyDigits[currency]
  const [whole = '0', fraction = ''] = formatUnits(amount, digits).split('.')
  return digits === 0 ? whole : `${whole}.${fraction.padEnd(digits, '0')}`
}

/** `amount × numerator ÷ denominator`, rounded as named. All three are non-negative, the denominator positive. */
export function mulDiv(
  amount: bigint,
  {
    numerator,
    denominator,
    rounding,
  }: { numerator: bigint; denominator: bigint; rounding: Rounding },
): bigint {
  const product = amount * numerator
  const quotient = product / denominator
  return rounding === 'up' && product % denominator !== 0n ? quotient + 1n : quotient
}

/** The larger of two amounts. */
export function larger(a: bigint, b: bigint): bigint {
  return a > b ? a : b
}

/** The smaller of two amounts. */
export function smaller(a: bigint, b: bigint): bigint {
  return a < b ? a : b
}
