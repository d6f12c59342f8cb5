// The sums of a quote (R18). Pure: everything that can be disputed is computed here, once.

import type { Currency } from '#protocol/amount.ts'
import { mulDiv } from '#protocol/amount.ts'
import { HubError } from '#protocol/errors.ts'

/** Minor units of a currency per whole token of `decimals`, as a fraction, with where and when it was seen. */
export type Rate = {
  numerator: bigint
  denominator: bigint
  decimals: number
  source: string
  asOf: number
}

/** What a payout costs: the hub's share in basis points of the gross, and the rail's flat price in minor units. */
export type PayoutFees = { hubBasisPoints: bigint; railFee: bigint }

export type QuoteLine = { kind: 'gross' | 'hub-fee' | 'rail-fee'; label: string; amount: bigint }

/** A quote's lines; they add up to `net`, and none but `gross` is above zero. */
export type QuoteSums = { lines: QuoteLine[]; net: bigint }

const basisPoints = 10_000n

/**
 * What `gross` token base units bring in minor units of `currency`.
 *
 * The conversion is the one rounding, down to the minor unit; the hub's fee is rounded down from the converted gross.
 *
 * @throws HubError `amount_too_small` when nothing would arrive.
 */
export function quoteSums(
  gross: bigint,
  { rate, fees, currency }: { rate: Rate; fees: PayoutFees; currency: Currency },
): QuoteSums {
  const { numerator, denominator } = perBaseUnit(rate)
  const converted = mulDiv(gross, { numerator, denominator, rounding: 'down' })
  const hubFee = mulDiv(converted, {
    numerator: fees.hubBasisPoints,
    denominator: basisPoints,
    rounding: 'down',
  })
  const net = converted - hubFee - fees.railFee
  if (net <= 0n) {
    const minimum = smallestGross({ rate, fees })
    const detail = `${gross} brings ${converted} ${currency} and costs ${hubFee + fees.railFee}`
    throw new HubError('amount_too_small', detail, { values: { amount: gross, minimum } })
  }
  const lines: QuoteLine[] = [
    { kind: 'gross', label: `converted to ${currency}`, amount: converted },
    { kind: 'hub-fee', label: 'hub fee', amount: -hubFee },
    { kind: 'rail-fee', label: 'bank transfer', amount: -fees.railFee },
  ]
  return { lines, net }
}

/** A gross that surely brings something: twice what the rail costs, converted back. */
function smallestGross({ rate, fees }: { rate: Rate; fees: PayoutFees }): bigint {
  const { numerator, denominator } = perBaseUnit(rate)
  const amount = (fees.railFee + 1n) * 2n
  return mulDiv(amount, { numerator: denominator, denominator: numerator, rounding: 'up' })
}

function perBaseUnit({ numerator, denominator, decimals }: Rate) {
  return { numerator, denominator: denominator * 10n ** BigInt(decimals) }
}
