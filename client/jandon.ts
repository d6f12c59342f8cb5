// The client: one wallet at one hub. Everything that signs or books takes its turn on the store.

import type { Address, Hex, LocalAccount } from 'viem'
import type { CreatorView, HubInfo } from '#protocol/messages/hub.ts'
import type { PayoutView, QuoteView } from '#protocol/messages/payouts.ts'
import type { RefundView } from '#protocol/messages/tips.ts'
import { lowerCase } from '#protocol/signature.ts'
import type { ProofCheck } from './audits.ts'
import { fetchProof, verifyProof } from './audits.ts'
import type { TipOrder } from './baskets.ts'
import type { QuoteOrder } from './cash-out.ts'
import { askQuote, cashOut, readPayout, readPayouts } from './cash-out.ts'
import { readTokens } from './chain.ts'
import { findOpenChannel, reconcile } from './channels.ts'
import type { Context } from './context.ts'
import { connect, fetchInfo, readWallet, tokenOf } from './context.ts'
import type { CreatorAmounts, Statement } from './creators.ts'
import { pay, readAmounts, readCreator, readStatement, readYours, register } from './creators.ts'
import { resume } from './delivery.ts'
import type { Deposited, DepositOrder } from './deposits.ts'
import { openChannel, topUp } from './deposits.ts'
import { createHubApi } from './hub-api.ts'
import type { TokenRecord, WalletRecord } from './records.ts'
import type { Balance, RefundOrder } from './refunds.ts'
import { readBalances, refund } from './refunds.ts'
import type { DepositStep } from './sending.ts'
import type { Store } from './store.ts'
import type { Synced } from './sync.ts'
import { sync } from './sync.ts'
import type { ReceiptCheck, SentBasket } from './tips.ts'
import { readHistory, sendBasket, sentBasket, verifyReceipt } from './tips.ts'
import type { JandonWebhooks } from './webhooks.ts'
import { createWebhooks } from './webhooks.ts'
import type { Withdrawal } from './withdrawal.ts'
import { withdraw } from './withdrawal.ts'

export type JandonOptions = {
  hubUrl: string
  account: LocalAccount
  /** One store for each wallet and hub. */
  store: Store
  /** A key that signs vouchers in the wallet's place, so that the wallet signs only at deposits. */
  voucherKey?: LocalAccount | undefined
  /** Needed only for what goes to the chain without the hub: `withdraw`, `pay`, `tokens`. */
  rpcUrl?: string | undefined
  /** The receipt key to trust instead of the one that was pinned. */
  hubKey?: Address | undefined
  /** How much of what the hub says is charged is taken without receipts, base units; without it, one whole token. */
  maxUnreceipted?: bigint | undefined
  /** Told what happened on the way that nobody asked for, such as a basket that was resumed. */
  onNotice?: ((text: string) => void) | undefined
  fetch?: typeof fetch | undefined
  now?: (() => number) | undefined
  wait?: ((milliseconds: number) => Promise<void>) | undefined
  random?: ((bytes: number) => Uint8Array) | undefined
}

export type Jandon = {
  readonly address: Address
  hub(): Promise<HubInfo>
  openChannel(order: DepositOrder): Promise<Deposited>
  topUp(order: DepositOrder): Promise<Deposited>
  tip(order: TipOrder & { token?: Address | undefined }): Promise<SentBasket>
  basket(
    orders: readonly TipOrder[],
    options?: { token?: Address | undefined },
  ): Promise<SentBasket>
  /** Sends again what an earlier run left without an answer; `undefined` when there is nothing. */
  resume(onProgress?: (step: DepositStep) => void): Promise<SentBasket | undefined>
  /** What an earlier run left without an answer, from the store alone. */
  pending(): Promise<WalletRecord['pending']>
  history(options?: { limit?: number | undefined }): Promise<SentBasket[]>
  verifyReceipt(target: string | object): Promise<ReceiptCheck>
  /** This creator's proof that the newest audit counts it, fetched and checked. */
  proof(handle?: string): Promise<ProofCheck>
  /** Checks such a proof as it came out of JSON, offline. */
  verifyProof(target: object): Promise<ProofCheck>
  balance(): Promise<Balance[]>
  /** The tokens that the hub listed, as far as they are known without asking again. */
  knownTokens(): Promise<readonly TokenRecord[]>
  /** What the wallet itself holds of a token, read from the chain. */
  tokens(token?: Address): Promise<bigint>
  /** Fetches and checks the receipts that are missing here, after tips from elsewhere or a lost store. */
  reconcile(token?: Address): Promise<void>
  /** Presents to a restored hub the accepted baskets that it lost. */
  sync(): Promise<Synced>
  refund(order?: RefundOrder): Promise<RefundView>
  withdraw(order?: { amount?: bigint | undefined }): Promise<Withdrawal>
  register(order: { handle: string; displayName: string }): Promise<CreatorView>
  /** Who is paid under a handle. */
  creator(handle: string): Promise<CreatorView>
  /** The handle that this wallet registered from here. */
  handle(): Promise<string | undefined>
  amounts(handle?: string): Promise<CreatorAmounts>
  statement(options?: { handle?: string; limit?: number; cursor?: string }): Promise<Statement>
  /** What the vault owes this account in the first token, or in `token`, read from the chain. */
  yours(token?: Address): Promise<bigint>
  pay(order: { to: Address; amount: bigint; token?: Address | undefined }): Promise<Hex>
  quote(order: QuoteOrder): Promise<QuoteView>
  cashOut(quoteId: Hex): Promise<PayoutView>
  payout(payoutId: Hex): Promise<PayoutView>
  payouts(): Promise<readonly PayoutView[]>
  readonly webhooks: JandonWebhooks
}

/** Makes a client. Nothing is sent before it is asked for something. */
export function createJandon(options: JandonOptions): Jandon {
  const context = contextOf(options)
  const { store } = context
  return {
    address: lowerCase(options.account.address),
    hub: async () => {
      await fetchInfo(context)
      return (await connect(context)).info
    },
    openChannel: (order) => store.exclusive(() => openChannel(context, order)),
    topUp: (order) => store.exclusive(() => topUp(context, order)),
    tip: ({ token, ...order }) => store.exclusive(() => sendBasket(context, [order], { token })),
    basket: (orders, { token } = {}) =>
      store.exclusive(() => sendBasket(context, orders, { token })),
    resume: (onProgress) => store.exclusive(() => resumeBasket(context, onProgress)),
    pending: async () => (await readWallet(context))?.pending ?? null,
    history: (query) => readHistory(context, query),
    verifyReceipt: (target) => verifyReceipt(context, target),
    proof: (handle) => fetchProof(context, handle),
    verifyProof: (target) => verifyProof(context, target),
    balance: () => store.exclusive(() => readBalances(context)),
    knownTokens: async () =>
      context.memory.info?.tokens ?? (await readWallet(context))?.tokens ?? [],
    tokens: async (token) => {
      const { info, wallet } = await connect(context)
      return readTokens(context, { hub: wallet.hub, token: tokenOf(info, token).address })
    },
    reconcile: (token) => store.exclusive(() => reconcileToken(context, token)),
    sync: () => store.exclusive(() => sync(context)),
    refund: (order) => store.exclusive(() => refund(context, order)),
    withdraw: (order) => store.exclusive(() => withdraw(context, order)),
    register: (order) => store.exclusive(() => register(context, order)),
    creator: (handle) => readCreator(context, handle),
    handle: async () => (await readWallet(context))?.handle ?? undefined,
    amounts: (handle) => readAmounts(context, handle),
    statement: (query) => readStatement(context, query),
    yours: (token) => readYours(context, token),
    pay: (order) => store.exclusive(() => pay(context, order)),
    quote: (order) => store.exclusive(() => askQuote(context, order)),
    cashOut: (quoteId) => store.exclusive(() => cashOut(context, quoteId)),
    payout: (payoutId) => readPayout(context, payoutId),
    payouts: () => readPayouts(context),
    webhooks: createWebhooks(context),
  }
}

function contextOf(options: JandonOptions): Context {
  const { account, store, hubUrl, rpcUrl, hubKey, maxUnreceipted } = options
  return {
    account,
    voucherKey: options.voucherKey ?? account,
    api: createHubApi({ hubUrl, fetch: options.fetch ?? fetch }),
    store,
    hubKey,
    rpcUrl,
    maxUnreceipted,
    now: options.now ?? Date.now,
    wait: options.wait ?? waitFor,
    random: options.random ?? randomBytes,
    notice: options.onNotice ?? (() => undefined),
    memory: { accounts: new Map() },
  }
}

async function resumeBasket(
  context: Context,
  onProgress?: (step: DepositStep) => void,
): Promise<SentBasket | undefined> {
  const resumed = await resume(context, onProgress)
  if (!resumed) return undefined
  return sentBasket(resumed, await readWallet(context))
}

async function reconcileToken(context: Context, token?: Address): Promise<void> {
  const { info } = await connect(context)
  const channel = await findOpenChannel(context, tokenOf(info, token))
  if (channel) await reconcile(context, channel)
}

function waitFor(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds)
  })
}

function randomBytes(count: number): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(count))
}
