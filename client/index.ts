// The only public entry of the client SDK. It runs in browsers and on Node.

export { HubError } from '#protocol/errors.ts'
export type { TipOrder } from './baskets.ts'
export type { QuoteOrder } from './cash-out.ts'
export type { Deposited, DepositOrder } from './deposits.ts'
export { ClientError } from './errors.ts'
export type { Jandon, JandonOptions } from './jandon.ts'
export { createJandon } from './jandon.ts'
export type { Balance, RefundOrder } from './refunds.ts'
export type { Store } from './store.ts'
export { createMemoryStore } from './store.ts'
export type { ReceiptCheck, SentBasket, SentTip } from './tips.ts'
export type { Withdrawal } from './withdrawal.ts'
