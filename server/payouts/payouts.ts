// The chain side of a cash-out: the wallet's payment out of the vault is relayed, and a payout begins when it is final (R19).

import type { Address, Hex } from 'viem'
import { encodeFunctionData } from 'viem'
import { creatorVaultAbi } from '#protocol/abi.ts'
import { HubError } from '#protocol/errors.ts'
import type { QuoteView } from '#protocol/messages/payouts.ts'
import type { Consequence } from '../chain/bookings.ts'
import type { Follower } from '../chain/follower.ts'
import type { ChainEvent } from '../chain/logs.ts'
import type { Transactions } from '../chain/transactions.ts'
import { accounts } from '../ledger/accounts.ts'
import { move } from '../ledger/entry.ts'
import type { Change, GroupLog } from '../store/group-log.ts'
import type { Payout } from './payout.ts'
import { failToFund, fund, newPayout, takeBackFunds } from './payout.ts'
import type { PayoutBook } from './payout-book.ts'
import type { Quotes } from './quotes.ts'

/** The wallet's signature over the vault payment that the quote names. Deadline in Unix seconds. */
export type SignedPayment = { nonce: bigint; deadline: bigint; signature: Hex }

export type Payouts = {
  /** Relays the vault payment of a quote; the same request again answers how far it is. */
  start(account: Address, request: { quoteId: Hex; payment: SignedPayment }): Promise<Payout>
  consequence: Consequence
  /** Undoes the taking in of a vault payment that a reorg took back. */
  reversal: Consequence
  /** Goes on with every vault payment that was under way when the hub stopped. */
  resume(): void
}

export type PayoutDeps = {
  log: GroupLog
  book: PayoutBook
  quotes: Quotes
  transactions: Transactions
  follower: () => Follower
  vault: Address
  treasury: Address
  now: () => number
  /** Refuses while money may not leave. */
  assertMoneyMayLeave: () => void
  /** The time by which payments that are seen now are judged: after a restore that of the backup, until it is reconciled. */
  paidBy: () => number
  background: (name: string, work: () => Promise<void>) => void
}

const refusals = {
  reverted: 'the vault refused the payment; nothing moved',
  cancelled: 'the vault would have refused the payment by now; nothing moved',
  displaced: 'another transaction took the place of the payment; nothing moved',
} as const

/** A payment that its owner sent without telling the hub still counts this long after its quote, in milliseconds. */
const untoldGraceMs = 600_000n

export function createPayouts(deps: PayoutDeps): Payouts {
  const { book, quotes, treasury, background } = deps
  const starting = new Map<Hex, { payment: SignedPayment; payout: Promise<Payout> }>()

  return {
    async start(account, { quoteId, payment }) {
      const quote = quotes.byId(quoteId)
      if (quote.account !== account) {
        throw new HubError('not_yours', `quote ${quoteId} was made for ${quote.account}`)
      }
      const begun = starting.get(quote.hash)
      if (begun && !isSamePayment(begun.payment, payment)) throw conflict(quote)
      if (begun) return begun.payout
      const known = book.find(quote.hash)
      if (known && known.state !== 'FAILED') return known
      deps.assertMoneyMayLeave()
      assertPayable(deps, quote, payment)
      const payout = relay(deps, quote, payment)
      starting.set(quote.hash, { payment, payout })
      return payout.finally(() => starting.delete(quote.hash))
    },
    consequence: (event, again) =>
      event.kind === 'paid' && event.to === treasury ? takeIn(deps, event, again) : {},
    reversal: (event, again) =>
      event.kind === 'paid' && event.to === treasury ? giveBack(deps, event, again) : {},
    resume() {
      for (const payout of book.all()) {
        if (payout.state !== 'REQUESTED') continue
        background(`payout ${payout.payoutId}`, () => awaitPayment(deps, payout))
      }
    },
  }
}

/** Sends the payment; the payout is stored with the signed transaction, before it leaves. */
async function relay(deps: PayoutDeps, quote: QuoteView, payment: SignedPayment): Promise<Payout> {
  const { log, book, transactions, vault, background, now } = deps
  log.assertRoom()
  const { nonce, deadline, signature } = payment
  const { account, token, treasury, gross, hash } = quote
  const data = encodeFunctionData({
    abi: creatorVaultAbi,
    functionName: 'payWithSignature',
    args: [account, token, treasury, gross, hash, nonce, deadline, signature],
  })
  let payout = newPayout(quote, now())
  const call = { to: vault, data, purpose: `vault payment of payout ${payout.payoutId}` }
  try {
    await transactions.send(call, (transaction) => {
      payout = { ...payout, transaction }
      return [book.remember(payout)]
    })
  } catch (cause) {
    if (!(cause instanceof HubError) || cause.code !== 'chain_refused') throw cause
    throw paymentRefusal(cause)
  }
  background(`payout ${payout.payoutId}`, () => awaitPayment(deps, payout))
  return payout
}

async function awaitPayment(
  { log, book, transactions, follower }: PayoutDeps,
  { payoutId, transaction }: Payout,
) {
  if (!transaction) return
  const receipt = await transactions.mined(transaction)
  await follower().reached(receipt.blockNumber)
  const payout = book.get(payoutId)
  if (receipt.status === 'success' || payout.state !== 'REQUESTED') return
  const failed = failToFund(payout, refusals[receipt.status])
  await log.commit(book.change(failed, transaction))
}

/**
 * A vault payment to the treasury: a payout's if memo and terms are those of a quote in time. Any other is owed to nobody
 * known, in a suspense account of its own, because the reserves are compared with what is in the vault alone.
 */
function takeIn(deps: PayoutDeps, event: ChainEvent & { kind: 'paid' }, again: string): Change {
  const { book, quotes } = deps
  const quote = quotes.byHash(event.memo)
  const payout = quote && matches(quote, event) ? payoutToFund(deps, quote) : undefined
  if (payout)
    return book.change(
      fund({ ...payout, transaction: event.transaction }),
      `${event.transaction}${again}`,
    )
  const sides = { debit: accounts.treasury, credit: accounts.treasurySuspense }
  return toSuspense(deps, event, { ...sides, id: '', again })
}

/**
 * A payout that was not handed to the bank waits again. Otherwise fiat may be on its way for tokens that are not there: they
 * stand against the treasury's suspense until the payment is back on the chain.
 */
function giveBack(deps: PayoutDeps, event: ChainEvent & { kind: 'paid' }, again: string): Change {
  const { book, background } = deps
  const payout = book.find(event.memo)
  if (payout?.transaction === event.transaction && payout.state === 'FUNDED') {
    const back = takeBackFunds(payout)
    background(`payout ${payout.payoutId}`, () => awaitPayment(deps, back.payout))
    return book.change(back, `undo:${event.transaction}${again}`)
  }
  const sides = { debit: accounts.treasurySuspense, credit: accounts.treasury }
  return toSuspense(deps, event, { ...sides, id: 'undo:', again })
}

function toSuspense(
  { now }: PayoutDeps,
  { token: currency, amount, memo, transaction, logIndex }: ChainEvent & { kind: 'paid' },
  { id, again, ...sides }: { id: string; again: string; debit: string; credit: string },
): Change {
  const entry = {
    id: `${id}treasury:${transaction}:${logIndex}${again}`,
    at: now(),
    reason:
      id === ''
        ? 'unknown payment to the treasury'
        : 'payment to the treasury, taken back by the chain',
    reference: memo,
    legs: move(sides, { currency, amount }),
  }
  return { entries: [entry] }
}

function payoutToFund({ book, now, paidBy }: PayoutDeps, quote: QuoteView): Payout | undefined {
  const known = book.find(quote.hash)
  if (known) return known.state === 'REQUESTED' || known.state === 'FAILED' ? known : undefined
  return BigInt(paidBy()) <= quote.expiresAt + untoldGraceMs ? newPayout(quote, now()) : undefined
}

function matches(
  quote: QuoteView,
  { account, token, amount }: ChainEvent & { kind: 'paid' },
): boolean {
  return quote.account === account && quote.token === token && quote.gross === amount
}

function assertPayable(
  { now }: PayoutDeps,
  { expiresAt, quoteId }: QuoteView,
  { deadline }: SignedPayment,
) {
  if (BigInt(now()) >= expiresAt) {
    throw new HubError('quote_expired', `quote ${quoteId} held until ${expiresAt}`, {
      values: { expiresAt },
    })
  }
  if (deadline * 1_000n > expiresAt) {
    const detail = `the payment may be made until ${deadline}000, the quote holds until ${expiresAt}`
    throw new HubError('payment_mismatch', detail, { values: { deadline, expiresAt } })
  }
}

function isSamePayment(a: SignedPayment, b: SignedPayment): boolean {
  return a.nonce === b.nonce && a.deadline === b.deadline && a.signature === b.signature
}

function conflict({ quoteId }: QuoteView) {
  return new HubError('payout_conflict', `quote ${quoteId} is being paid at this moment`, {
    values: { quoteId },
  })
}

function paymentRefusal(cause: HubError): HubError {
  const { values } = cause
  const detail = `the vault would refuse the payment: ${values['reason']}`
  return new HubError('payment_mismatch', detail, { cause, values })
}
