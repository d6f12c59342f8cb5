// When to claim what, and whom to credit: rules over data, in one documented order. Pure.

import type { Address, Hex } from 'viem'
import { larger, maxAmount, mulDiv } from '#protocol/amount.ts'

/**
 * What decides about settlements. Amounts are base units, times milliseconds, shares basis points.
 *
 * A channel is claimed at once when more is charged on it than is left in escrow; when it waited `maxAgeMs`; when
 * `amountAtRisk` is unclaimed in all, the largest until it is less; when the gas is at most `gasShare` of what it brings. An
 * account is credited with a settlement from `creditAt` on; a settlement is made for it when it waited `creditMaxAgeMs`, or when
 * its owner asks and at least `creditMinimum` is owed. `ether` is what one ether is worth in the token; at zero the share of gas
 * is not looked at.
 */
export type SettlementPolicy = {
  amountAtRisk: bigint
  maxAgeMs: number
  gasShare: bigint
  ether: bigint
  creditAt: bigint
  creditMaxAgeMs: number
  creditMinimum: bigint
}

/** Why something is settled, or that it waits. In the order in which the reasons are looked at. */
export const claimReasons = [
  'asked',
  'beyond-escrow',
  'age',
  'at-risk',
  'gas-share',
  'rides-along',
  'for-credits',
  'waits',
] as const
export type ClaimReason = (typeof claimReasons)[number]
export type CreditReason = 'asked' | 'age' | 'threshold' | 'waits'

/** A channel with something to claim, and since when. */
export type Claimable = {
  channelId: Hex
  amount: bigint
  since: number
  isBeyondEscrow: boolean
  /** What its row costs, in units of gas. */
  gas: bigint
}

/** An account with something to credit, and since when; `isRequested` when its owner asked for it. */
export type Owed = { account: Address; amount: bigint; since: number; isRequested: boolean }

export type DecidedClaim = Claimable & { reason: ClaimReason }
export type DecidedCredit = Owed & { reason: CreditReason }

/** What is the same for all that is decided at once. `gasPrice` is wei, `overhead` the gas of a settlement without its rows. */
export type Moment = {
  policy: SettlementPolicy
  now: number
  gasPrice: bigint
  overhead: bigint
  /** Whether everything is to be settled, as the operator asks. */
  isAsked: boolean
  /** Whether gas costs more than the budget, so that only what cannot wait is claimed. */
  isDear: boolean
}

/** What gas costs in base units of the token, rounded up. */
export function gasCost(gas: bigint, { gasPrice, policy }: Pick<Moment, 'gasPrice' | 'policy'>) {
  return mulDiv(gas * gasPrice, {
    numerator: policy.ether,
    denominator: 10n ** 18n,
    rounding: 'up',
  })
}

/**
 * Decides about every claimable channel. What is to be claimed comes first, the largest before all others; what waits follows as it
 * was, because this is asked all the time about all channels.
 */
export function decideClaims(claimable: readonly Claimable[], moment: Moment): DecidedClaim[] {
  // Written out: copies by `...` take most of the time where there are many channels.
  const decided = claimable.map(({ channelId, amount, since, isBeyondEscrow, gas }) => {
    const reason = reasonAlone({ isBeyondEscrow, since }, moment)
    return { channelId, amount, since, isBeyondEscrow, gas, reason }
  })
  if (moment.isAsked || moment.isDear) return chosenFirst(decided)
  return chosenFirst(withCompany(withAtRisk(decided, moment.policy), moment))
}

/** Sorted by amount, falling. */
export function largestFirst<T extends { amount: bigint }>(rows: readonly T[]): T[] {
  return rows.toSorted((a, b) => compare(b.amount, a.amount))
}

/** Decides about every account that is owed something. */
export function decideCredits(owed: readonly Owed[], moment: Moment): DecidedCredit[] {
  return owed.map((one) => ({ ...one, reason: creditReason(one, moment) }))
}

/** Whether a settlement is made for a credit, rather than the credit with a settlement. */
export function isPressing({ reason }: DecidedCredit): boolean {
  return reason === 'asked' || reason === 'age'
}

/** Claims the largest of what waits until the pressing credits are covered; `free` is what they can be paid from already. */
export function coverCredits(
  claims: readonly DecidedClaim[],
  { credits, free }: { credits: readonly DecidedCredit[]; free: bigint },
): DecidedClaim[] {
  const needed = credits.filter(isPressing).reduce((sum, { amount }) => sum + amount, 0n)
  let covered = free + sumOf(claims.filter(isChosen))
  if (covered >= needed) return [...claims]
  return largestFirst(claims).map((claim) => {
    if (isChosen(claim) || covered >= needed) return claim
    covered += claim.amount
    return { ...claim, reason: 'for-credits' }
  })
}

export function isChosen({ reason }: { reason: ClaimReason | CreditReason }): boolean {
  return reason !== 'waits'
}

export function sumOf(rows: readonly { amount: bigint }[]): bigint {
  return rows.reduce((sum, { amount }) => sum + amount, 0n)
}

function chosenFirst(claims: readonly DecidedClaim[]): DecidedClaim[] {
  const chosen = claims.filter(isChosen)
  if (chosen.length === 0) return [...claims]
  return [...largestFirst(chosen), ...claims.filter((claim) => !isChosen(claim))]
}

function reasonAlone(
  { isBeyondEscrow, since }: Pick<Claimable, 'isBeyondEscrow' | 'since'>,
  moment: Moment,
): ClaimReason {
  const { policy, now, isAsked, isDear } = moment
  if (isAsked) return 'asked'
  if (isBeyondEscrow) return 'beyond-escrow'
  return !isDear && now - since >= policy.maxAgeMs ? 'age' : 'waits'
}

/** What is unclaimed in all must stay below the amount at risk: the largest go first. */
function withAtRisk(claims: readonly DecidedClaim[], policy: SettlementPolicy): DecidedClaim[] {
  let left = sumOf(claims)
  if (left < policy.amountAtRisk) return [...claims]
  left -= sumOf(claims.filter(isChosen))
  return largestFirst(claims).map((claim) => {
    if (isChosen(claim) || left < policy.amountAtRisk) return claim
    left -= claim.amount
    return { ...claim, reason: 'at-risk' }
  })
}

/**
 * Adds what is worth its gas: if a settlement is made anyway, each row by itself, else all of them together with the settlement.
 * With one that is made anyway goes also what is half as old as it may become, so that ages do not come due one by one.
 */
function withCompany(claims: readonly DecidedClaim[], moment: Moment): DecidedClaim[] {
  const { policy, now, overhead } = moment
  const isMade = claims.some(isChosen)
  if (policy.ether === 0n && !isMade) return [...claims]
  const worthFrom = createWorthFrom(moment)
  const worthy = claims.filter((claim) => !isChosen(claim) && claim.amount >= worthFrom(claim.gas))
  const together = worthy.reduce((sum, { gas }) => sum + gas, overhead)
  const areWorthy = isMade || sumOf(worthy) >= worthFrom(together)
  const company = new Set(areWorthy ? worthy : [])
  return claims.map((claim) => {
    if (company.has(claim)) return { ...claim, reason: 'gas-share' }
    const isHalfOld = isMade && now - claim.since >= policy.maxAgeMs / 2
    return isHalfOld && !isChosen(claim) ? { ...claim, reason: 'rides-along' } : claim
  })
}

/** From which amount on so much gas is at most its share; more than anything where no price of ether is set. */
function createWorthFrom(moment: Moment): (gas: bigint) => bigint {
  const { ether, gasShare } = moment.policy
  const known = new Map<bigint, bigint>()
  return (gas) => {
    if (ether === 0n || gasShare === 0n) return maxAmount + 1n
    const found = known.get(gas) ?? worthOf(gas, moment)
    known.set(gas, found)
    return found
  }
}

function worthOf(gas: bigint, moment: Moment): bigint {
  const share = { numerator: 10_000n, denominator: moment.policy.gasShare }
  return larger(mulDiv(gasCost(gas, moment), { ...share, rounding: 'up' }), 1n)
}

function creditReason({ amount, since, isRequested }: Owed, moment: Moment): CreditReason {
  const { policy, now, isAsked } = moment
  if (isAsked || (isRequested && amount >= larger(policy.creditMinimum, 1n))) return 'asked'
  if (now - since >= policy.creditMaxAgeMs) return 'age'
  return amount >= policy.creditAt ? 'threshold' : 'waits'
}

function compare(a: bigint, b: bigint): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}
