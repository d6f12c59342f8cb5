// Settlements as the operator sees them: those that were sent, and what would be sent now.

import { z } from 'zod'
import { address, amount, hash, uint64, uint256 } from './wire.ts'

const count = z.int().min(0)

/**
 * A settlement. `reasons` counts its channels by why they were claimed; `gasUsed` and `fee` (wei) are known at its end; `skipped`
 * are the channels that the contract left out.
 */
export const settlementView = z.object({
  transaction: hash,
  token: address,
  channels: count,
  claimed: amount,
  credited: z.array(z.object({ account: address, amount })),
  reasons: z.record(z.string(), count),
  at: z.number(),
  state: z.enum(['sent', 'done', 'failed']),
  gasUsed: uint256.nullable(),
  fee: uint256.nullable(),
  skipped: z.array(hash),
})

/** A channel whose claim the chain does not take. */
const setAside = z.object({ channelId: hash, reason: z.string() })

/** Answer to `POST /v1/claims`. */
export const settleAnswer = z.object({
  settlements: z.array(settlementView),
  setAside: z.array(setAside),
})

/** Answer to `GET /v1/claims`, newest first. */
export const settlementList = z.object({ settlements: z.array(settlementView) })

const plannedClaim = z.object({ channelId: hash, amount, since: uint64, reason: z.string() })
const plannedCredit = z.object({ account: address, amount, since: uint64, reason: z.string() })

/**
 * A transaction that would be sent. Gas is estimated; `fee` is what it costs at the present price, in wei, `feeInToken` in base
 * units, null where no price of ether is set. Lists hold the first hundred.
 */
const plannedTransaction = z.object({
  claims: z.array(plannedClaim),
  channels: count,
  claimed: amount,
  credits: z.array(plannedCredit),
  accounts: count,
  credited: amount,
  gas: uint256,
  fee: uint256,
  feeInToken: amount.nullable(),
})

/** What a reason applies to: how many rows, and what they add up to. */
const sums = z.record(z.string(), z.object({ count, amount }))

/** The query of `GET /v1/claims/plan`: what policy says is due, or everything, as if the operator asked. */
export const planQuery = z.object({ of: z.enum(['due', 'all']).default('due') })

/** Answer to `GET /v1/claims/plan`: what a settlement now would do, and why. `gasPrice` in wei. */
export const claimPlan = z.object({
  gasPrice: uint256,
  inFlight: count,
  setAside: z.array(setAside),
  tokens: z.array(
    z.object({
      token: address,
      claims: sums,
      credits: sums,
      waiting: z.array(plannedClaim),
      transactions: z.array(plannedTransaction),
    }),
  ),
})

export type SettlementView = z.output<typeof settlementView>
export type SettleAnswer = z.output<typeof settleAnswer>
export type ClaimPlan = z.output<typeof claimPlan>
