// Cash-outs by hand: quotes, and the vault payments that a wallet signs for them.

import type { Address, Hex, PrivateKeyAccount } from 'viem'
import type { PayoutView, QuoteView } from '#protocol/messages/payouts.ts'
import { payoutView, quoteView } from '#protocol/messages/payouts.ts'
import { paymentTypes, vaultDomain } from '#protocol/payment.ts'
import { openChannel, sendTips } from './channels.ts'
import { assertAnswer } from './http.ts'
import type { HubFixture } from './hub.ts'
import { eventually, settle } from './hub.ts'
import { addressOf, newCreator, randomHash, signIn, tipOf } from './paper.ts'

/** A creator with a session. */
export type Earner = { account: PrivateKeyAccount; token: string; handle: string }

export const koreanAccount = { name: 'Kim Painter', bank: '004', account: '1234567890' }

/** A creator to whom tips were credited, in base units before the hub's fee. */
export async function newEarner(hub: HubFixture, handle: string, tips: bigint): Promise<Earner> {
  const account = await newCreator(hub, handle)
  const channel = await openChannel(hub, { deposit: tips })
  assertAnswer(await sendTips(hub, channel, [tipOf(account, tips)]), 200)
  assertAnswer(await settle(hub), 202)
  return { account, token: await signIn(hub, account), handle }
}

export function quoteOrder(hub: HubFixture, amount: bigint, changes: object = {}) {
  const token = hub.world.token.address
  return {
    token,
    amount,
    rail: 'iso20022',
    currency: 'KRW',
    destination: koreanAccount,
    ...changes,
  }
}

export async function askQuote(
  hub: HubFixture,
  { token }: Earner,
  amount: bigint,
): Promise<QuoteView> {
  const answer = await hub.call({ path: '/v1/quotes', token, body: quoteOrder(hub, amount) })
  return quoteView.parse(assertAnswer(answer, 201))
}

type SignedTerms = {
  account: Address
  token: Address
  to: Address
  amount: bigint
  memo: Hex
  nonce: bigint
  deadline: bigint
}

/** What is signed instead of what the quote names. */
export type PaymentChanges = Partial<SignedTerms> & {
  by?: PrivateKeyAccount
  chainId?: number
  vault?: Address
}

/** The body of `POST /v1/payouts` for a quote. */
export async function signPayment(
  { info }: HubFixture,
  { account: owner }: Earner,
  quote: QuoteView,
  { by = owner, chainId = info.chainId, vault = info.vault, ...changes }: PaymentChanges = {},
): Promise<{ quoteId: Hex; payment: { nonce: bigint; deadline: bigint; signature: Hex } }> {
  const nonce = BigInt(randomHash())
  const deadline = quote.expiresAt / 1_000n
  const signature = await by.signTypedData({
    domain: vaultDomain({ chainId, vault }),
    types: paymentTypes,
    primaryType: 'Payment',
    message: {
      account: addressOf(owner),
      token: quote.token,
      to: quote.treasury,
      amount: quote.gross,
      memo: quote.hash,
      nonce,
      deadline,
      ...changes,
    },
  })
  return { quoteId: quote.quoteId, payment: { nonce, deadline, signature } }
}

/** Waits until a payout is in a state. */
export function payoutIn(
  hub: HubFixture,
  { token }: Earner,
  { payoutId, state }: Pick<PayoutView, 'payoutId' | 'state'>,
): Promise<PayoutView> {
  return eventually(
    async () => {
      const answer = await hub.call({ path: `/v1/payouts/${payoutId}`, token })
      return payoutView.parse(assertAnswer(answer, 200))
    },
    (payout) => payout.state === state,
  )
}
