// What a hub says about itself, and how people sign in to it.

import { z } from 'zod'
import {
  address,
  amount,
  handle,
  hash,
  plainText,
  signature,
  uint64,
  uint256,
  walletSignature,
} from './wire.ts'

const tokenInfo = z.object({
  address,
  name: z.string(),
  version: z.string(),
  symbol: z.string(),
  decimals: z.int().min(0).max(36),
  minimumDeposit: amount,
  relayFee: amount,
})

/** What a token is worth: minor units of `currency` per whole token, as a fraction. A hint for display and conversion. */
const tokenRate = z.object({
  token: address,
  currency: z.string(),
  numerator: uint256,
  denominator: uint256.refine((value) => value > 0n, 'must be above zero'),
  source: z.string(),
  asOf: uint64,
})

/** `GET /.well-known/jandon`. Delays are in seconds, the fee in basis points of each tip, rounded down. */
export const hubInfo = z.object({
  protocol: z.literal('jandon/1'),
  chainId: z.int(),
  channels: z.object({ address, features: z.array(z.string()) }),
  hubAccount: address,
  vault: address,
  collectors: z.object({ erc3009: address }),
  receiver: address,
  receiverAuthorizer: address,
  withdrawDelay: z.object({ minimum: z.int(), maximum: z.int() }),
  tokens: z.array(tokenInfo),
  tipFeeBasisPoints: z.int(),
  feeAccount: address,
  treasury: address,
  receiptSigner: address,
  /** Every change of the receipt key, oldest first; without a signature where the former key was lost. */
  handOvers: z
    .array(
      z.object({
        former: address,
        next: address,
        lastGroup: uint64,
        signature: signature.nullable(),
      }),
    )
    .max(1_000)
    .default([]),
  epoch: hash,
  group: uint64,
  confirmations: z.int(),
  signatureBackend: z.string(),
  rails: z.array(z.object({ id: z.string(), currencies: z.array(z.string()) })),
  rates: z.array(tokenRate),
  limits: z.object({
    bodyBytes: z.int(),
    tipsPerBasket: z.int(),
    pageSize: z.int(),
    /** How many ticks one reveal may pay, and after how many milliseconds without one the hub ends a stream. */
    ticksPerReveal: z.int(),
    streamIdleMs: z.int(),
  }),
})

/** Answer to `POST /v1/sessions/nonces`. */
export const nonceAnswer = z.object({ nonce: z.string(), expiresAt: uint64 })

/** `POST /v1/sessions`: an EIP-4361 message for this hub's origin and chain, and its signature. */
export const sessionRequest = z.strictObject({
  message: z.string().min(1).max(4_096),
  signature: walletSignature,
})

/** Answer to `POST /v1/sessions`. Times in Unix milliseconds. */
export const sessionAnswer = z.object({ token: z.string(), address, expiresAt: uint64 })

/** `POST /v1/creators` */
export const creatorRequest = z.strictObject({
  handle,
  account: address,
  displayName: plainText(60),
  signature: walletSignature,
})

export const creatorView = z.object({
  handle: z.string(),
  account: address,
  displayName: z.string(),
})

/**
 * A creator's money in one token, base units, cumulative: `accepted` is promised, `claimed` of it is out of the payers' reach, `yours` is
 * in the vault, `paid` has left it. accepted ≥ claimed ≥ yours ≥ paid; yours − paid can be taken now.
 */
export const creatorAmounts = z.object({
  token: address,
  accepted: amount,
  claimed: amount,
  yours: amount,
  paid: amount,
})

/** Answer to `GET /v1/creators/:handle/amounts`, for the creator alone. */
export const creatorAmountsAnswer = z.object({
  creator: creatorView,
  amounts: z.array(creatorAmounts),
})

export type HubInfo = z.output<typeof hubInfo>
export type TokenInfo = z.output<typeof tokenInfo>
export type CreatorView = z.output<typeof creatorView>
