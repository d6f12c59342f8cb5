// Firm quotes: what cashing out brings, itemised, signed by the hub, and held to until they expire.

import type { Address, Hex } from 'viem'
import { bytesToHex } from 'viem'
import type { Currency } from '#protocol/amount.ts'
import { currencyDigits } from '#protocol/amount.ts'
import { HubError } from '#protocol/errors.ts'
import type { QuoteRequest, QuoteView } from '#protocol/messages/payouts.ts'
import { destinationHash, quoteDigest, quoteHash } from '#protocol/payment.ts'
import type { VaultAccounts } from '../creators/vault-accounts.ts'
import type { GroupLog } from '../store/group-log.ts'
import type { Database } from '../store/table.ts'
import { table } from '../store/table.ts'
import { assertDestination } from './destination.ts'
import type { PayoutFees, Rate } from './terms.ts'
import { quoteSums } from './terms.ts'

/** A rate with the pair that it is for. */
export type PairRate = Rate & { token: Address; currency: Currency }

const byHash = table<QuoteView>('quote')
const hashById = table<Hex>('quote-id')

/** How long a quote is firm, and how old a rate may be, in milliseconds. */
export type QuotePolicy = { firmMs: number; maxRateAgeMs: number }

export type Quotes = {
  /** @throws HubError for a rail or currency that is not offered, a destination that cannot be paid, too little money. */
  make(account: Address, request: QuoteRequest): Promise<QuoteView>
  /** @throws HubError `unknown_quote` */
  byId(quoteId: Hex): QuoteView
  byHash(hash: Hex): QuoteView | undefined
}

export type QuoteDeps = {
  db: Database
  log: GroupLog
  vaultAccounts: VaultAccounts
  rates: readonly PairRate[]
  fees: PayoutFees
  policy: QuotePolicy
  treasury: Address
  hubSeparator: Hex
  /** Refuses while money may not leave: a quote is a promise that it will. */
  assertMoneyMayLeave: () => void
  sign: (digest: Hex) => Hex
  now: () => number
  randomBytes: (count: number) => Uint8Array
}

/** The one rail of bank files. */
export const isoRail = 'iso20022'

export function createQuotes(deps: QuoteDeps): Quotes {
  const { db } = deps
  return {
    make: (account, request) => makeQuote(deps, account, request),
    byId(quoteId) {
      const hash = hashById.get(db, quoteId)
      const quote = hash && byHash.get(db, hash)
      if (!quote)
        throw new HubError('unknown_quote', `quote ${quoteId} is not known here`, {
          values: { quoteId },
        })
      return quote
    },
    byHash: (hash) => byHash.get(db, hash),
  }
}

async function makeQuote(
  deps: QuoteDeps,
  account: Address,
  request: QuoteRequest,
): Promise<QuoteView> {
  const { log, fees, policy, treasury, hubSeparator, sign, now, randomBytes } = deps
  const { token, amount: gross, rail, destination } = request
  deps.assertMoneyMayLeave()
  const rate = rateOf(deps, request)
  const { currency } = rate
  assertDestination(destination, currency)
  assertCredited(deps, { account, token, gross })
  const { lines, net } = quoteSums(gross, { rate, fees, currency })
  const quoteId = bytesToHex(randomBytes(32))
  const expiresAt = BigInt(now() + policy.firmMs)
  const base = { quoteId, account, token, gross, rail, currency, net, expiresAt }
  const terms = { ...base, destination: destinationHash(destination) }
  const quote: QuoteView = {
    ...base,
    lines,
    rate: {
      numerator: rate.numerator,
      denominator: rate.denominator,
      source: rate.source,
      asOf: BigInt(rate.asOf),
    },
    destination,
    expectedArrival: nextBusinessDay(now()),
    treasury,
    hash: quoteHash(terms),
    signature: sign(quoteDigest(terms, hubSeparator)),
  }
  log.assertRoom()
  await log.commit({ rows: [byHash.put(quote.hash, quote), hashById.put(quoteId, quote.hash)] })
  return quote
}

function rateOf(
  { rates, policy, now }: QuoteDeps,
  { token, currency, rail }: QuoteRequest,
): PairRate {
  const rate = rates.find((pair) => pair.token === token && pair.currency === currency)
  if (!rate || rail !== isoRail) {
    const offered = rates.map((pair) => `${isoRail}:${pair.currency}`)
    throw new HubError('rail_unavailable', `${rail} does not pay ${currency} for ${token} here`, {
      values: { offered },
    })
  }
  const age = now() - rate.asOf
  if (age > policy.maxRateAgeMs) {
    const detail = `the rate of ${rate.source} is ${Math.floor(age / 1_000)} s old`
    throw new HubError('rail_unavailable', detail, {
      values: { maxRateAgeMs: policy.maxRateAgeMs },
    })
  }
  return rate
}

function assertCredited(
  { vaultAccounts }: QuoteDeps,
  { account, token, gross }: { account: Address; token: Address; gross: bigint },
) {
  const { credited, paid } = vaultAccounts.get(token, account)
  const available = credited - paid
  if (gross > available) {
    const values = { amount: gross, available }
    throw new HubError(
      'not_yet_credited',
      `${gross} is asked for, ${available} is yours in the vault`,
      { values },
    )
  }
}

/** The next day that banks work, by weekday alone, as `YYYY-MM-DD`. */
function nextBusinessDay(now: number): string {
  const day = new Date(now)
  do day.setUTCDate(day.getUTCDate() + 1)
  while (day.getUTCDay() === 0 || day.getUTCDay() === 6)
  return day.toISOString().slice(0, 10)
}

/**
 * A rate from a decimal price per whole token: `1385.2` KRW is 13852 minor units per 10 tokens.
 *
 * @throws Error when the price is not a decimal number above zero.
 */
export function rateFromPrice(
  price: string,
  currency: Currency,
): Pick<Rate, 'numerator' | 'denominator'> {
  const match = /^(\d{1,15})(?:\.(\d{1,12}))?$/.exec(price)
  const fraction = match?.[2] ?? ''
  const scaled = BigInt(`${match?.[1] ?? '0'}${fraction}`)
  if (scaled === 0n) throw new Error(`"${price}" is not a price`)
  return {
    numerator: scaled * 10n ** BigInt(currencyDigits[currency]),
    denominator: 10n ** BigInt(fraction.length),
  }
}
