// What the next settlement of a token would hold: as many of the chosen rows as fit into one transaction.

import type { Address } from 'viem'
import { smaller } from '#protocol/amount.ts'
import type { Channel } from '../channels/channel.ts'
import type { ChannelRegistry } from '../channels/registry.ts'
import type { VaultAccounts } from '../creators/vault-accounts.ts'
import { accounts } from '../ledger/accounts.ts'
import type { Balances } from '../ledger/entry.ts'
import { balanceOf } from '../ledger/entry.ts'
import type { Ages } from './ages.ts'
import type { CreditRequests } from './credit-requests.ts'
import type { Deployment } from './deployment.ts'
import type { Claimable, DecidedClaim, DecidedCredit, Moment, Owed } from './settlement-policy.ts'
import {
  coverCredits,
  decideClaims,
  decideCredits,
  isChosen,
  isPressing,
  sumOf,
} from './settlement-policy.ts'
import { inTurns } from './turns.ts'

/** Measured gas of what a settlement consists of (docs/gas.md), rounded up. */
const gasOf = {
  overhead: 90_000n,
  voucher: 13_700n,
  ticks: 62_000n,
  tick: 118n,
  knownCredit: 6_700n,
  newCredit: 23_900n,
} satisfies { [part: string]: bigint }

const bytesOf = { voucher: 200, ticks: 800, credit: 64 } as const

/** Nodes take transactions up to 128 KiB. */
const bytesPerTransaction = 110_000

export type PlanDeps = {
  deployment: Deployment
  channels: Pick<ChannelRegistry, 'all' | 'get' | 'amounts'>
  vaultAccounts: Pick<VaultAccounts, 'get'>
  balances: Balances
  feeAccount: Address
  ages: Ages
  requests: CreditRequests
  /** Whether creators may be credited; until then only claims are made, which move money toward the vault. */
  mayCredit: () => boolean
  /** How much gas a settlement may use. */
  gasPerTransaction: bigint
}

/** What tells how many rows fit into a transaction. */
type FillDeps = {
  channels: Pick<ChannelRegistry, 'get'>
  gasPerTransaction: bigint
}

/** What is under way or was tried, and is not to be settled again: `spent` is credited beyond what is claimed there. */
export type Busy = { channels: ReadonlySet<string>; accounts: ReadonlySet<string>; spent: bigint }

/** All that waits in a token, with what policy says of it. `free` is what credits can be paid from without a claim. */
export type Outlook = { claims: DecidedClaim[]; credits: DecidedCredit[]; free: bigint }

export type Draft = { token: Address; claims: DecidedClaim[]; credits: DecidedCredit[] }

/** Decides about everything in a token that is not busy. */
export async function lookOut(
  deps: PlanDeps,
  { token, busy, moment }: { token: Address; busy: Busy; moment: Omit<Moment, 'overhead'> },
): Promise<Outlook> {
  const { balances, vaultAccounts, ages, requests, deployment } = deps
  const claimable: Channel[] = []
  const waiting = new Map<string, bigint>()
  await inTurns(deps.channels.all(), (channel) => {
    if (channel.config.token !== token || !isClaimable(channel, deployment)) return
    claimable.push(channel)
    waiting.set(channel.id, channel.totalClaimed)
  })
  const owed = deps.mayCredit() ? owedAccounts(deps, token) : []
  await requests.load()
  for (const { account } of owed) waiting.set(account, vaultAccounts.get(token, account).credited)
  const since = await ages.look(token, waiting)
  const open: Claimable[] = []
  await inTurns(claimable, (channel) => {
    if (!busy.channels.has(channel.id)) open.push(asClaimable(deps, channel, since(channel.id)))
  })
  const waitingOwed = owed
    .filter(({ account }) => !busy.accounts.has(account))
    .map((one) => ({
      ...one,
      since: since(one.account),
      isRequested: requests.has({ token, ...one }),
    }))
  const free = freeOf(balances, token) - busy.spent
  return decide({ claimable: open, owed: waitingOwed, free }, moment)
}

/** What policy says of all that waits. */
export function decide(
  { claimable, owed, free }: { claimable: Claimable[]; owed: Owed[]; free: bigint },
  moment: Omit<Moment, 'overhead'>,
): Outlook {
  const whole = { ...moment, overhead: gasOf.overhead }
  const claims = decideClaims(claimable, whole)
  const credits = decideCredits(owed, whole)
  return { claims: coverCredits(claims, { credits, free }), credits, free }
}

/** The next transaction: what cannot wait comes first, then the largest; credits are added to `claims` by {@link fitCredits}. */
export function draftClaims(
  { claims, credits }: Pick<Outlook, 'claims' | 'credits'>,
  { channels, gasPerTransaction }: FillDeps,
): DecidedClaim[] {
  const chosen = claims.filter(isChosen)
  const urgent = chosen.filter(({ isBeyondEscrow }) => isBeyondEscrow)
  const rest = chosen.filter(({ isBeyondEscrow }) => !isBeyondEscrow)
  const share = credits.some(isChosen) ? 3n : 4n
  const room = {
    gas: (gasPerTransaction * share) / 4n - gasOf.overhead,
    bytes: bytesPerTransaction,
  }
  return fill([...urgent, ...rest], room, ({ channelId, gas }) => {
    const isOfTicks = channels.get(channelId).proof?.kind === 'ticks'
    return { gas, bytes: isOfTicks ? bytesOf.ticks : bytesOf.voucher }
  })
}

/**
 * The credits that go with claims that bring `claimed`: those that press first, then the largest, as far as money and room go. Without
 * claims a settlement is made for credits that press, and for nothing else.
 */
export function fitCredits(
  deps: Pick<PlanDeps, 'vaultAccounts' | 'gasPerTransaction'>,
  outlook: Pick<Outlook, 'credits' | 'free'>,
  { token, claims, claimed }: { token: Address; claims: DecidedClaim[]; claimed: bigint },
): DecidedCredit[] {
  const chosen = outlook.credits.filter(isChosen).sort(byUrgency)
  let left = outlook.free + claimed
  const payable = chosen.filter(({ amount }) => {
    if (amount > left) return false
    left -= amount
    return true
  })
  if (claims.length === 0 && !payable.some(isPressing)) return []
  const used = claims.reduce((sum, { gas }) => sum + gas, gasOf.overhead)
  const room = {
    gas: deps.gasPerTransaction - used,
    bytes: bytesPerTransaction + payable.length * bytesOf.credit - claims.length * bytesOf.voucher,
  }
  return fill(payable, room, ({ account }) => ({
    gas: creditGas(deps, { token, account }),
    bytes: bytesOf.credit,
  }))
}

/** What a settlement is expected to cost, in units of gas. */
export function gasOfDraft(
  deps: Pick<PlanDeps, 'vaultAccounts'>,
  { token, claims, credits }: Draft,
): bigint {
  const rows = claims.reduce((sum, { gas }) => sum + gas, 0n)
  return credits.reduce(
    (sum, { account }) => sum + creditGas(deps, { token, account }),
    gasOf.overhead + rows,
  )
}

/** What to claim up to: what was charged (R4), and never above what is in escrow. */
export function claimOf({ charged, balance }: Channel): bigint {
  return smaller(charged, balance)
}

function isClaimable(channel: Channel, { channels }: Deployment): boolean {
  return (
    channel.charged > channel.totalClaimed &&
    channel.contract === channels &&
    channel.proof !== undefined &&
    claimOf(channel) > channel.totalClaimed
  )
}

/** A channel as policy looks at it. */
export function asClaimable(
  { channels }: { channels: Pick<ChannelRegistry, 'amounts'> },
  channel: Channel,
  since: number,
): Claimable {
  const { id: channelId, charged, totalClaimed, proof } = channel
  const gas =
    proof?.kind === 'ticks' ? gasOf.ticks + gasOf.tick * BigInt(proof.ticks) : gasOf.voucher
  const isBeyondEscrow = charged > channels.amounts(channel).escrowCap
  return { channelId, amount: claimOf(channel) - totalClaimed, since, isBeyondEscrow, gas }
}

function owedAccounts(
  { balances, feeAccount }: Pick<PlanDeps, 'balances' | 'feeAccount'>,
  token: Address,
): Pick<Owed, 'account' | 'amount'>[] {
  const prefix = `${token}|creator:`
  const creators = [...balances]
    .filter(([key, amount]) => key.startsWith(prefix) && amount < 0n)
    .map(([key, amount]) => ({ account: key.slice(prefix.length) as Address, amount: -amount }))
  const fees = { account: feeAccount, amount: -balanceOf(balances, accounts.fees, token) }
  return fees.amount > 0n ? [...creators, fees] : creators
}

/** In the vault or on its way there, and nobody's: what is in suspense is not to be given away. */
function freeOf(balances: Balances, token: Address): bigint {
  const held =
    balanceOf(balances, accounts.vault, token) + balanceOf(balances, accounts.claimed, token)
  const prefix = `${token}|${accounts.suspense}`
  let suspended = 0n
  for (const [key, amount] of balances) if (key.startsWith(prefix)) suspended += amount
  return held + suspended
}

function creditGas(
  { vaultAccounts }: Pick<PlanDeps, 'vaultAccounts'>,
  { token, account }: { token: Address; account: Address },
): bigint {
  const isKnown = vaultAccounts.get(token, account).credited > 0n
  return isKnown ? gasOf.knownCredit : gasOf.newCredit
}

function byUrgency(a: DecidedCredit, b: DecidedCredit): number {
  const pressing = Number(isPressing(b)) - Number(isPressing(a))
  if (pressing !== 0) return pressing
  return Number(b.amount > a.amount) - Number(a.amount > b.amount)
}

/** The first rows that fit. One always does, so that a limit that is too low delays and does not stop. */
function fill<T>(
  rows: readonly T[],
  room: { gas: bigint; bytes: number },
  sizeOf: (row: T) => { gas: bigint; bytes: number },
): T[] {
  let { gas, bytes } = room
  const taken: T[] = []
  for (const row of rows) {
    const size = sizeOf(row)
    gas -= size.gas
    bytes -= size.bytes
    if (taken.length > 0 && (gas < 0n || bytes < 0)) break
    taken.push(row)
  }
  return taken
}

/** The busy with a draft added to it. */
export function withDraft(busy: Busy, { claims, credits }: Draft): Busy {
  const beyond = sumOf(credits) - sumOf(claims)
  return {
    channels: new Set([...busy.channels, ...claims.map(({ channelId }) => channelId)]),
    accounts: new Set([...busy.accounts, ...credits.map(({ account }) => account)]),
    spent: busy.spent + (beyond > 0n ? beyond : 0n),
  }
}
