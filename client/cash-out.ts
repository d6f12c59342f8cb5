// From the vault to a bank: a firm quote, checked line by line, and the payment that the wallet signs for it.

import type { Address, Hex } from 'viem'
import { bytesToBigInt } from 'viem'
import { mulDiv } from '#protocol/amount.ts'
import type { PayoutView, QuoteView } from '#protocol/messages/payouts.ts'
import { payoutList, payoutView, quoteView } from '#protocol/messages/payouts.ts'
import type { Destination } from '#protocol/payment.ts'
import {
  destinationHash,
  paymentTypes,
  quoteDigest,
  quoteHash,
  vaultDomain,
} from '#protocol/payment.ts'
import { hubDomainSeparator } from '#protocol/receipt.ts'
import { lowerCase, recoverSigner } from '#protocol/signature.ts'
import type { Context } from './context.ts'
import { callSignedIn, connect, tokenOf } from './context.ts'
import { ClientError } from './errors.ts'
import type { HubPin } from './records.ts'
import { quoteRecord, readRecord, writeRecord } from './records.ts'

/** `amount` in base units of the token; which fields the destination has depends on the rail. */
export type QuoteOrder = {
  amount: bigint
  currency: string
  rail: string
  destination: Destination
  token?: Address | undefined
}

/** What a quote has to agree with: what was asked for, of whom, and when. `decimals` are the token's. */
export type QuoteExpectation = {
  order: Omit<QuoteOrder, 'token'>
  account: Address
  token: Address
  decimals: number
  treasury: Address
  hub: Pick<HubPin, 'chainId' | 'hubAccount' | 'receiptSigner'>
  now: number
}

/** Asks for a firm quote and checks it. It is kept, so that {@link cashOut} finds it by id. */
export async function askQuote(context: Context, order: QuoteOrder): Promise<QuoteView> {
  const { info } = await connect(context)
  const { amount, rail, currency, destination } = order
  const token = tokenOf(info, order.token)
  const body = { token: token.address, amount, rail, currency, destination }
  const quote = await callSignedIn(context, { path: '/v1/quotes', body }, quoteView)
  await assertQuote(context, quote, order)
  await writeRecord(context.store, keyOf(quote.quoteId), { quote, payment: null })
  return quote
}

/**
 * Signs the vault payment whose memo is the quote's hash, good until the quote ends, and asks for the payout.
 *
 * The signed payment is kept before it leaves: after a lost answer the same call sends the same payment.
 */
export async function cashOut(context: Context, quoteId: Hex): Promise<PayoutView> {
  const key = keyOf(lowerCase(quoteId))
  const known = await readRecord(context.store, key, quoteRecord)
  if (!known) throw new ClientError('no_quote', `quote ${quoteId} was not asked for from here`)
  const { quote } = known
  if (!known.payment) await assertQuote(context, quote, { ...quote, amount: quote.gross })
  const payment = known.payment ?? (await signPayment(context, quote))
  await writeRecord(context.store, key, { quote, payment })
  const body = { quoteId: quote.quoteId, payment }
  return callSignedIn(context, { path: '/v1/payouts', body }, payoutView)
}

export function readPayout(context: Context, id: Hex): Promise<PayoutView> {
  return callSignedIn(context, { path: `/v1/payouts/${id}` }, payoutView)
}

/** This creator's payouts, newest first. */
export async function readPayouts(context: Context): Promise<readonly PayoutView[]> {
  return (await callSignedIn(context, { path: '/v1/payouts' }, payoutList)).payouts
}

/** What is wrong with a quote, in words, or `undefined` when every term, line and signature is as it has to be. */
export async function quoteFault(
  quote: QuoteView,
  expected: QuoteExpectation,
): Promise<string | undefined> {
  const { order, account, token, treasury, hub, now } = expected
  const destination = destinationHash(order.destination)
  const agreed: readonly (readonly [name: string, told: unknown, asked: unknown])[] = [
    ['account', quote.account, account],
    ['token', quote.token, token],
    ['gross', quote.gross, order.amount],
    ['rail', quote.rail, order.rail],
    ['currency', quote.currency, order.currency],
    ['destination', destinationHash(quote.destination), destination],
    ['treasury', quote.treasury, treasury],
    ['hash', quote.hash, quoteHash({ ...quote, destination })],
  ]
  const wrong = agreed.find(([, told, asked]) => told !== asked)
  if (wrong) return `its ${wrong[0]} is ${wrong[1]}, not ${wrong[2]}`
  if (quote.expiresAt <= BigInt(now)) return 'it has expired'
  const digest = quoteDigest({ ...quote, destination }, hubDomainSeparator(hub))
  const signer = await recoverSigner(digest, quote.signature)
  if (signer !== hub.receiptSigner) return `it is not signed by ${hub.receiptSigner}`
  return linesFault(quote, expected.decimals)
}

function linesFault({ lines, net, gross, rate }: QuoteView, decimals: number): string | undefined {
  const sum = lines.reduce((total, line) => total + line.amount, 0n)
  if (sum !== net) return `its lines add up to ${sum}, not to the net of ${net}`
  const plus = lines.reduce((total, { amount }) => (amount > 0n ? total + amount : total), 0n)
  if (rate.denominator === 0n) return 'its rate has no denominator'
  const converted = mulDiv(gross, {
    numerator: rate.numerator,
    denominator: rate.denominator * 10n ** BigInt(decimals),
    rounding: 'down',
  })
  return plus === converted
    ? undefined
    : `its lines begin with ${plus} where the rate makes ${converted}`
}

async function assertQuote(context: Context, quote: QuoteView, order: QuoteOrder): Promise<void> {
  const { info, wallet } = await connect(context)
  const token = tokenOf(info, order.token)
  const fault = await quoteFault(quote, {
    order,
    account: wallet.account,
    token: token.address,
    decimals: token.decimals,
    treasury: info.treasury,
    hub: wallet.hub,
    now: context.now(),
  })
  if (fault) throw new ClientError('quote_invalid', `quote ${quote.quoteId} is wrong: ${fault}`)
}

async function signPayment(context: Context, quote: QuoteView) {
  const { hub } = (await connect(context)).wallet
  const nonce = bytesToBigInt(context.random(32))
  const deadline = quote.expiresAt / 1_000n
  const signature = await context.account.signTypedData({
    domain: vaultDomain(hub),
    types: paymentTypes,
    primaryType: 'Payment',
    message: {
      account: context.account.address,
      token: quote.token,
      to: quote.treasury,
      amount: quote.gross,
      memo: quote.hash,
      nonce,
      deadline,
    },
  })
  return { nonce, deadline, signature: lowerCase(signature) }
}

function keyOf(quoteId: Hex): string {
  return `quotes/${quoteId}`
}
