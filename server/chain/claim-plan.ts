// What a settlement now would do and why, as the operator reads it.

import type { Address } from 'viem'
import type { ClaimPlan } from '#protocol/messages/claims.ts'
import type { SetAside } from './set-aside.ts'
import type { Draft, Outlook, PlanDeps } from './settlement-plan.ts'
import { gasOfDraft } from './settlement-plan.ts'
import type { DecidedClaim, Moment } from './settlement-policy.ts'
import { gasCost, isChosen, largestFirst, sumOf } from './settlement-policy.ts'

/** How many rows a list shows; sums are of all. */
const shownRows = 100

type TokenPlan = { token: Address; outlook: Outlook; drafts: readonly Draft[] }

export function planView(
  deps: Pick<PlanDeps, 'vaultAccounts'>,
  {
    plans,
    moment,
    inFlight,
    setAside,
  }: {
    plans: readonly TokenPlan[]
    moment: Omit<Moment, 'overhead'>
    inFlight: number
    setAside: SetAside[]
  },
): ClaimPlan {
  return {
    gasPrice: moment.gasPrice,
    inFlight,
    setAside,
    tokens: plans.map(({ token, outlook, drafts }) => ({
      token,
      claims: sumsOf(outlook.claims),
      credits: sumsOf(outlook.credits),
      waiting: largestFirst(outlook.claims.filter((claim) => !isChosen(claim)))
        .slice(0, shownRows)
        .map(claimView),
      transactions: drafts.map((draft) => transactionView(deps, draft, moment)),
    })),
  }
}

function transactionView(
  deps: Pick<PlanDeps, 'vaultAccounts'>,
  draft: Draft,
  moment: Omit<Moment, 'overhead'>,
): ClaimPlan['tokens'][number]['transactions'][number] {
  const { claims, credits } = draft
  const gas = gasOfDraft(deps, draft)
  return {
    claims: claims.slice(0, shownRows).map(claimView),
    channels: claims.length,
    claimed: sumOf(claims),
    credits: credits.slice(0, shownRows).map(({ account, amount, since, reason }) => ({
      account,
      amount,
      since: BigInt(since),
      reason,
    })),
    accounts: credits.length,
    credited: sumOf(credits),
    gas,
    fee: gas * moment.gasPrice,
    feeInToken: moment.policy.ether === 0n ? null : gasCost(gas, moment),
  }
}

function claimView({ channelId, amount, since, reason }: DecidedClaim) {
  return { channelId, amount, since: BigInt(since), reason }
}

/** How much there is for each reason. */
function sumsOf(rows: readonly { amount: bigint; reason: string }[]) {
  const sums: { [reason: string]: { count: number; amount: bigint } } = {}
  for (const { amount, reason } of rows) {
    const sum = sums[reason] ?? { count: 0, amount: 0n }
    sums[reason] = { count: sum.count + 1, amount: sum.amount + amount }
  }
  return sums
}
