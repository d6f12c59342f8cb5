// Settling: what was charged on many channels is claimed, settled and credited to creators in one transaction (R4), when policy
// says so or the operator asks.

import type { Address, PublicClient } from 'viem'
import { larger } from '#protocol/amount.ts'
import { HubError } from '#protocol/errors.ts'
import type { ClaimPlan } from '#protocol/messages/claims.ts'
import type { CeilingProof, Channel } from '../channels/channel.ts'
import type { ChannelRegistry } from '../channels/registry.ts'
import type { VaultAccounts } from '../creators/vault-accounts.ts'
import { accounts } from '../ledger/accounts.ts'
import type { Balances } from '../ledger/entry.ts'
import { balanceOf } from '../ledger/entry.ts'
import type { GroupLog } from '../store/group-log.ts'
import type { Database } from '../store/table.ts'
import { createAges } from './ages.ts'
import type { Consequence } from './bookings.ts'
import { planView } from './claim-plan.ts'
import { createCreditRequests } from './credit-requests.ts'
import type { Deployment } from './deployment.ts'
import type { Extent } from './drafts.ts'
import { createDrafts, isEmptyDraft, nothingBusy } from './drafts.ts'
import type { Follower } from './follower.ts'
import type { SetAside } from './set-aside.ts'
import { createSetAsides } from './set-aside.ts'
import type { ShownClaim } from './settlement-call.ts'
import { claimCalls, creditCall, runCall } from './settlement-call.ts'
import type { Busy, Draft, PlanDeps } from './settlement-plan.ts'
import type { ClaimReason, DecidedClaim, SettlementPolicy } from './settlement-policy.ts'
import type { InFlight, Settlement, SettlementDraft } from './settlements.ts'
import { createSettlements } from './settlements.ts'
import type { Transactions } from './transactions.ts'

export type Claims = {
  /** Settles everything that can be settled now; answers when the transactions are mined and booked. */
  settle(): Promise<{ settlements: Settlement[]; setAside: SetAside[] }>
  /** Sends what policy says is due, and does not wait for its end. */
  settleDue(): Promise<void>
  /** What would be sent now and why, if it were asked for or left to policy. */
  plan(extent: Extent): Promise<ClaimPlan>
  /** Takes note that a creator wants to be credited now. @throws HubError `credit_too_small` */
  request(account: Address): Promise<void>
  /** Goes on with settlements that were on their way when the hub stopped. */
  resume(): Promise<void>
  /** What a reorg took back of a settlement is on its way again. */
  reversal: Consequence
  list(limit: number): Promise<Settlement[]>
}

export type ClaimDeps = {
  db: Database
  log: GroupLog
  chain: PublicClient
  deployment: Deployment
  channels: ChannelRegistry
  vaultAccounts: VaultAccounts
  balances: Balances
  /** What a claim on a channel shows; nothing if the stored proof is not its payer's. */
  proofOf: (channel: Channel) => CeilingProof | undefined
  transactions: Transactions
  follower: Follower
  feeAccount: Address
  policy: SettlementPolicy
  /** How much gas a settlement may use, and what may be paid for a unit, in wei. */
  limits: { gasPerTransaction: bigint; budgetPerGas: bigint }
  /** Whether creators may be credited; until then only claims are made, which move money toward the vault. */
  mayCredit: () => boolean
  now: () => number
  background: (name: string, work: () => Promise<void>) => void
  /** Hears of each settlement that ended. */
  onSettled?: (settlement: Settlement) => void
  /** Hears of each channel whose claim the chain does not take. */
  onSetAside?: (aside: SetAside) => void
}

/** Settlements that may be on their way at once. */
const maxInFlight = 8

/** A settlement that failed is followed by a pause, twice as long after each further one. Milliseconds. */
const pauseAfterFailure = { first: 30_000, longest: 3_600_000 }

/** Policy rests so many times as long as it looked, so that very many channels do not keep it busy all the time. Milliseconds. */
const restPerLook = { times: 5, longest: 5_000 }

/** Before a withdrawal can be finalised by so much, in milliseconds, its claim should be mined. */
const safetyMs = 3_600_000

export function createClaims(deps: ClaimDeps): Claims {
  const { deployment, policy, limits, transactions, vaultAccounts, now } = deps
  const { onSettled = () => undefined, onSetAside = () => undefined } = deps
  const setAsides = createSetAsides({ channels: deps.channels, onSetAside })
  const planDeps: PlanDeps = {
    ...deps,
    ages: createAges(deps),
    requests: createCreditRequests(deps),
    gasPerTransaction: limits.gasPerTransaction,
  }
  const trial = { chain: deps.chain, deployment, sender: transactions.sender }
  const { budgetPerGas } = limits
  const drafts = createDrafts({ ...deps, ...planDeps, trial, setAsides, budgetPerGas })
  const settlements = createSettlements({ ...deps, onEnd })
  let failures = 0
  let pausedUntil = 0
  let line: Promise<unknown> = Promise.resolve()

  return {
    async settle() {
      const ended: Settlement[] = []
      let tried = nothingBusy
      for (;;) {
        await settlements.resume()
        const flights = new Set(settlements.inFlight())
        tried = await inLine(() => sendAll('all', tried, (sent) => flights.add(sent)))
        ended.push(...(await Promise.all([...flights].map(({ done }) => done))))
        const isOver = flights.size === 0 || ended.some(({ state }) => state === 'failed')
        if (isOver) return { settlements: ended, setAside: setAsides.list() }
      }
    },
    async settleDue() {
      const began = now()
      if (began < pausedUntil) return
      await inLine(() => sendAll('due', nothingBusy))
      pausedUntil = Math.max(pausedUntil, now() + restAfter(now() - began))
    },
    plan: (extent) => inLine(() => planAll(extent)),
    async request(account) {
      const owed = deployment.tokens.map(({ address: token }) => {
        const amount = -balanceOf(deps.balances, accounts.creator(account), token)
        return { token, amount }
      })
      const enough = owed.filter(({ amount }) => amount > 0n && amount >= policy.creditMinimum)
      if (enough.length === 0) throw creditTooSmall(owed, policy)
      for (const { token } of enough) await planDeps.requests.add({ token, account })
    },
    resume: settlements.resume,
    reversal: settlements.reversal,
    list: settlements.list,
  }

  /** One look at a time: what one sends is busy for the next. */
  function inLine<T>(work: () => Promise<T>): Promise<T> {
    const done = line.then(work)
    line = done.catch(() => undefined)
    return done
  }

  function onEnd(settlement: Settlement) {
    const { state, skipped, transaction } = settlement
    if (state === 'failed') {
      const pause = pauseAfterFailure.first * 2 ** failures
      pausedUntil = now() + Math.min(pause, pauseAfterFailure.longest)
      failures += 1
    } else failures = 0
    const reason = `skipped by transaction ${transaction}`
    for (const channelId of skipped) setAsides.add({ channelId, reason })
    onSettled(settlement)
  }

  /** Sends settlements until nothing is left beside what was tried, or enough is on its way. Answers what was tried by then. */
  async function sendAll(
    extent: Extent,
    before: Busy,
    onSent: (flight: InFlight) => void = () => undefined,
  ): Promise<Busy> {
    await settlements.resume()
    let tried = before
    for (const { address: token } of deployment.tokens)
      tried = await sendToken({ token, extent }, tried, onSent)
    return tried
  }

  async function sendToken(
    { token, extent }: { token: Address; extent: Extent },
    before: Busy,
    onSent: (flight: InFlight) => void,
  ): Promise<Busy> {
    let tried = before
    while (settlements.inFlight().length < maxInFlight) {
      const busy = busyWith(settlements.inFlight(), token)
      const next = await drafts.next(token, { extent, busy: joined(tried, busy) })
      if (!next) break
      tried = without(next.tried, busy)
      if (!isEmptyDraft(next.draft)) onSent(await send(next.draft, next.shown))
    }
    return tried
  }

  async function send(
    { token, claims, credits }: Draft,
    shown: readonly ShownClaim[],
  ): Promise<InFlight> {
    const rows = credits.map(({ account, amount }) => ({
      account,
      credited: vaultAccounts.get(token, account).credited + amount,
    }))
    const journal = deps.log.head().hash
    const credit = rows.length > 0 ? [creditCall(deployment, { token, rows, journal })] : []
    const draft: SettlementDraft = {
      token,
      channels: shown.length,
      claimed: shown.reduce((sum, { channel, total }) => sum + total - channel.totalClaimed, 0n),
      credited: credits.map(({ account, amount }) => ({ account, amount })),
      reasons: countReasons(claims),
    }
    return settlements.send(draft, {
      channels: shown.map(({ channel }) => channel.id),
      to: deployment.hubAccount,
      data: runCall([...claimCalls(shown, deployment), ...credit]),
      deadline: deadlineOf(shown, now()),
    })
  }

  async function planAll(extent: Extent): Promise<ClaimPlan> {
    await settlements.resume()
    const flights = settlements.inFlight()
    const moment = await drafts.moment(extent)
    const plans = []
    for (const { address: token } of deployment.tokens) {
      const of = { extent, busy: busyWith(flights, token), limit: maxInFlight }
      plans.push({ token, ...(await drafts.plan(token, of)) })
    }
    const setAside = setAsides.list()
    return planView(planDeps, { plans, moment, inFlight: flights.length, setAside })
  }
}

function restAfter(lookedMs: number): number {
  return Math.min(lookedMs * restPerLook.times, restPerLook.longest)
}

/** What is on its way in a token. */
function busyWith(flights: readonly InFlight[], token: Address): Busy {
  const ours = flights.filter(({ settlement }) => settlement.token === token)
  const beyond = ours.map(({ settlement: { credited, claimed } }) =>
    larger(credited.reduce((sum, { amount }) => sum + amount, 0n) - claimed, 0n),
  )
  return {
    channels: new Set(ours.flatMap(({ channels }) => channels)),
    accounts: new Set(
      ours.flatMap(({ settlement }) => settlement.credited.map(({ account }) => account)),
    ),
    spent: beyond.reduce((sum, amount) => sum + amount, 0n),
  }
}

function joined(tried: Busy, flying: Busy): Busy {
  return {
    channels: new Set([...tried.channels, ...flying.channels]),
    accounts: new Set([...tried.accounts, ...flying.accounts]),
    spent: flying.spent,
  }
}

/** What was tried itself: what was on its way meanwhile may be looked at again when it has ended. */
function without(all: Busy, flying: Busy): Busy {
  return {
    channels: new Set([...all.channels].filter((id) => !flying.channels.has(id))),
    accounts: new Set([...all.accounts].filter((account) => !flying.accounts.has(account))),
    spent: 0n,
  }
}

function countReasons(claims: readonly DecidedClaim[]): { [R in ClaimReason]?: number } {
  const counts: { [R in ClaimReason]?: number } = {}
  for (const { reason } of claims) counts[reason] = (counts[reason] ?? 0) + 1
  return counts
}

/** When the first withdrawal among the claimed channels can be finalised, less a margin; nothing when none is pending. */
function deadlineOf(claims: readonly ShownClaim[], now: number): number | undefined {
  const ends = claims.flatMap(({ channel: { pendingWithdrawal } }) =>
    pendingWithdrawal ? [Number(pendingWithdrawal.finalizeAfter) * 1_000 - safetyMs] : [],
  )
  return ends.length === 0 ? undefined : Math.max(now, Math.min(...ends))
}

function creditTooSmall(owed: readonly { amount: bigint }[], { creditMinimum }: SettlementPolicy) {
  const most = owed.reduce((max, { amount }) => larger(amount, max), 0n)
  const values = { owed: most, minimum: creditMinimum }
  const detail = `${most} is owed, a credit of its own begins at ${creditMinimum}`
  return new HubError('credit_too_small', detail, { values })
}
