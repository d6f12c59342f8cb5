// Settling: what was charged on many channels is claimed, settled and credited to creators in one transaction (R4).

import type { Address, Hex, PublicClient } from 'viem'
import { encodeFunctionData } from 'viem'
import { creatorVaultAbi, hubAccountAbi, paymentChannelsAbi } from '#protocol/abi.ts'
import { HubError } from '#protocol/errors.ts'
import { packClaims } from '#protocol/packed-claim.ts'
import type { CeilingProof, Channel, TicksProof, VoucherProof } from '../channels/channel.ts'
import type { ChannelRegistry } from '../channels/registry.ts'
import type { VaultAccounts } from '../creators/vault-accounts.ts'
import { accounts } from '../ledger/accounts.ts'
import type { Balances } from '../ledger/entry.ts'
import { balanceOf } from '../ledger/entry.ts'
import type { GroupLog } from '../store/group-log.ts'
import type { Database } from '../store/table.ts'
import { sortable, table } from '../store/table.ts'
import type { Deployment } from './deployment.ts'
import type { Follower } from './follower.ts'
import type { Transactions } from './transactions.ts'

/** A settlement that was sent: how many channels it claims, what they add up to, and whom it credits. */
export type Settlement = {
  transaction: Hex
  token: Address
  channels: number
  claimed: bigint
  credited: { account: Address; amount: bigint }[]
  at: number
  state: 'sent' | 'done' | 'failed'
}

const settlementRows = table<Settlement>('settlement')

/** Bounds of one transaction, by measured gas: a claim of ticks costs up to 140,000 for its hashes. */
const rowsPerTransaction = { claims: 100, tickClaims: 16, credits: 100 }

export type Claims = {
  /** Settles everything that can be settled now; answers with the transactions, mined and booked. */
  settle(): Promise<Settlement[]>
  /** Whether policy says that it is time: enough money at risk, or the oldest of it too old. */
  isDue(): boolean
  list(limit: number): Promise<Settlement[]>
}

/** When to settle: as soon as this much of a token is unclaimed, or after this long. Base units; milliseconds. */
export type ClaimPolicy = { amountAtRisk: bigint; maxAgeMs: number }

export type ClaimDeps = {
  db: Database
  log: GroupLog
  chain: PublicClient
  deployment: Deployment
  channels: ChannelRegistry
  vaultAccounts: VaultAccounts
  balances: Balances
  /** What a claim on a channel shows. */
  proofOf: (channel: Channel) => CeilingProof
  transactions: Transactions
  follower: Follower
  feeAccount: Address
  policy: ClaimPolicy
  /** Whether creators may be credited; until then only claims are made, which move money toward the vault. */
  mayCredit: () => boolean
  now: () => number
}

type Credit = { account: Address; amount: bigint }

/** A channel with the voucher that its claim shows. */
type ShownChannel = Channel & { proof: VoucherProof }

type Plan = { token: Address; claims: Channel[]; claimed: bigint; credits: Credit[] }

export function createClaims(deps: ClaimDeps): Claims {
  const { db, deployment, balances, now, policy } = deps
  let running: Promise<Settlement[]> | undefined
  let unclaimedSince: number | undefined

  return {
    settle() {
      running ??= settleAll(deps).finally(() => {
        running = undefined
        unclaimedSince = undefined
      })
      return running
    },
    isDue() {
      const atRisk = deployment.tokens.map(({ address }) => unclaimedOf(balances, address))
      if (atRisk.every((amount) => amount === 0n)) return false
      unclaimedSince ??= now()
      return (
        atRisk.some((amount) => amount >= policy.amountAtRisk) ||
        now() - unclaimedSince >= policy.maxAgeMs
      )
    },
    async list(limit) {
      return (await settlementRows.list(db, { limit, reverse: true })).map(({ value }) => value)
    },
  }
}

async function settleAll(deps: ClaimDeps): Promise<Settlement[]> {
  const done: Settlement[] = []
  const refused: HubError[] = []
  for (const { address } of deps.deployment.tokens)
    done.push(...(await settleToken(deps, address, refused)))
  const [first] = refused
  if (first) throw first
  return done
}

/**
 * One transaction after the other until nothing is left to settle in a token, or one fails. Unlike a packed row, a claim of
 * ticks that the chain refuses takes the others of its transaction with it: then they go one by one, and what is refused
 * alone is left out and told at the end.
 */
async function settleToken(
  deps: ClaimDeps,
  token: Address,
  refused: HubError[],
): Promise<Settlement[]> {
  const done: Settlement[] = []
  const tried = new Set<string>()
  let { tickClaims } = rowsPerTransaction
  while (done.at(-1)?.state !== 'failed') {
    const plan = planSettlement(deps, token, { tried, tickClaims })
    if (plan.claims.length === 0 && plan.credits.length === 0) break
    const outcome = await trySettling(deps, plan)
    if (!(outcome instanceof HubError)) done.push(outcome)
    else if (plan.claims.length === 1) refused.push(outcome)
    if (outcome instanceof HubError && plan.claims.length > 1) tickClaims = 1
    else markTried(plan, outcome, tried)
  }
  return done
}

/** What was settled is not tried again; of a refused claim only the claim is not, as its credits may go with another. */
function markTried({ claims, credits }: Plan, outcome: Settlement | HubError, tried: Set<string>) {
  for (const { id } of claims) tried.add(id)
  if (outcome instanceof HubError) return
  for (const { account } of credits) tried.add(account)
}

/** Settles a plan, or answers with the chain's refusal of its claims of ticks. */
async function trySettling(deps: ClaimDeps, plan: Plan): Promise<Settlement | HubError> {
  try {
    return await settlePlan(deps, plan)
  } catch (cause) {
    if (isRefusedTicks(plan, cause)) return cause
    throw cause
  }
}

function isRefusedTicks({ claims }: Plan, cause: unknown): cause is HubError {
  return claims.some(isOfTicks) && cause instanceof HubError && cause.code === 'chain_refused'
}

/**
 * Which channels to claim and whom to credit, of those not yet `tried` in this run: a row that the chain skips is not sent
 * again and again. Claims of ticks come when no packed ones are left. Credits never exceed what the claims bring and the vault
 * holds free.
 */
function planSettlement(
  deps: ClaimDeps,
  token: Address,
  { tried, tickClaims }: { tried: ReadonlySet<string>; tickClaims: number },
): Plan {
  const { channels, balances, deployment } = deps
  const claimable = [...channels.all()]
    .filter((channel) => channel.config.token === token && !tried.has(channel.id))
    .filter((channel) => isClaimable(channel, deployment))
    .sort((a, b) => compare(b.charged - b.totalClaimed, a.charged - a.totalClaimed))
  const packed = claimable.filter((channel) => !isOfTicks(channel))
  const claims =
    packed.length > 0 ? packed.slice(0, rowsPerTransaction.claims) : claimable.slice(0, tickClaims)
  const claimed = claims.reduce((sum, channel) => sum + claimOf(channel) - channel.totalClaimed, 0n)
  const book = (account: string) => balanceOf(balances, account, token)
  const free = book(accounts.vault) + book(accounts.claimed) + suspended(balances, token) + claimed
  const credits = deps.mayCredit() ? planCredits(deps, { token, free, tried }) : []
  return { token, claims, claimed, credits }
}

/** What is in suspense and not to be given away: foreign money, less what the vault credited for tips that the books lost. */
function suspended(balances: Balances, token: Address): bigint {
  const prefix = `${token}|${accounts.suspense}`
  let sum = 0n
  for (const [key, amount] of balances) if (key.startsWith(prefix)) sum += amount
  return sum
}

function planCredits(
  { balances, feeAccount }: ClaimDeps,
  { token, free, tried }: { token: Address; free: bigint; tried: ReadonlySet<string> },
): Credit[] {
  const prefix = `${token}|creator:`
  const creators = [...balances]
    .filter(([key, amount]) => key.startsWith(prefix) && amount < 0n)
    .map(([key, amount]) => ({ account: key.slice(prefix.length) as Address, amount: -amount }))
  const fees = { account: feeAccount, amount: -balanceOf(balances, accounts.fees, token) }
  let left = free
  const credits: Credit[] = []
  for (const credit of [...creators, fees]) {
    if (tried.has(credit.account)) continue
    if (credit.amount <= 0n || credit.amount > left) continue
    if (credits.length === rowsPerTransaction.credits) break
    left -= credit.amount
    credits.push(credit)
  }
  return credits
}

async function settlePlan(deps: ClaimDeps, plan: Plan): Promise<Settlement> {
  const { db, log, transactions, follower, now, deployment } = deps
  const purpose = `settle ${plan.claims.length} channels, credit ${plan.credits.length} accounts`
  const place = `${sortable(now())}/${plan.token}`
  const settlement: Omit<Settlement, 'transaction'> = {
    token: plan.token,
    channels: plan.claims.length,
    claimed: plan.claimed,
    credited: plan.credits,
    at: now(),
    state: 'sent',
  }
  const call = { to: deployment.hubAccount, data: encodeSettlement(deps, plan), purpose }
  const transaction = await transactions.send(call, (hash) => [
    settlementRows.put(place, { ...settlement, transaction: hash }),
  ])
  const receipt = await transactions.mined(transaction)
  await follower.reached(receipt.blockNumber)
  const state = receipt.status === 'success' ? 'done' : 'failed'
  const final: Settlement = { ...settlement, transaction, state }
  if (settlementRows.get(db, place)) await log.commit({ rows: [settlementRows.put(place, final)] })
  return final
}

function encodeSettlement(
  { deployment, vaultAccounts, log, proofOf }: ClaimDeps,
  { token, claims, credits }: Plan,
): Hex {
  const shown = claims.map((channel) => ({ channel, proof: proofOf(channel) }))
  const ticks = shown.flatMap(({ channel, proof }) =>
    proof.kind === 'ticks' ? [encodeTickClaim(channel, proof)] : [],
  )
  const packed = shown.flatMap(({ channel, proof }) =>
    proof.kind === 'voucher' ? [{ ...channel, proof }] : [],
  )
  const calls = [
    ...ticks,
    ...[...groupByTerms(packed)].map((group) => encodeClaim(group, deployment)),
  ]
  if (credits.length > 0) {
    const rows = credits.map(({ account, amount }) => ({
      account,
      credited: vaultAccounts.get(token, account).credited + amount,
    }))
    const data = encodeFunctionData({
      abi: creatorVaultAbi,
      functionName: 'credit',
      args: [token, rows, log.head().hash],
    })
    calls.push({ target: deployment.vault, data })
  }
  return encodeFunctionData({ abi: hubAccountAbi, functionName: 'run', args: [calls] })
}

function encodeTickClaim(
  channel: Channel,
  { commitment: terms, signature, ticks, preimage }: TicksProof,
): { target: Address; data: Hex } {
  const { config, contract } = channel
  const totalClaimed = claimOf(channel)
  const data = encodeFunctionData({
    abi: paymentChannelsAbi,
    functionName: 'claimTicks',
    args: [{ channel: config, terms, signature, preimage, ticks, totalClaimed }],
  })
  return { target: contract, data }
}

function encodeClaim(
  channels: readonly ShownChannel[],
  deployment: Deployment,
): { target: Address; data: Hex } {
  const [first] = channels
  if (!first) throw new Error('a claim without channels')
  const rows = channels.map((channel) => ({
    ...channel.config,
    ...channel.proof,
    claim: claimOf(channel),
  }))
  const { token, withdrawDelay } = first.config
  const data = encodeFunctionData({
    abi: paymentChannelsAbi,
    functionName: 'claimPacked',
    args: [deployment.vault, deployment.hubAccount, token, withdrawDelay, packClaims(rows)],
  })
  return { target: first.contract, data }
}

/** A packed claim holds channels of one contract and one withdraw delay. */
function groupByTerms(channels: readonly ShownChannel[]): Iterable<ShownChannel[]> {
  return Map.groupBy(
    channels,
    ({ contract, config }) => `${contract}/${config.withdrawDelay}`,
  ).values()
}

/** What to claim up to: what was charged (R4), and never above what is in escrow. */
function claimOf({ charged, balance }: Channel): bigint {
  return charged < balance ? charged : balance
}

function isOfTicks({ proof }: Channel): boolean {
  return proof?.kind === 'ticks'
}

function isClaimable(channel: Channel, { channels }: Deployment): boolean {
  return (
    channel.contract === channels &&
    channel.proof !== undefined &&
    claimOf(channel) > channel.totalClaimed
  )
}

/** Σ (charged − claimed): what the books say that channels owe. */
function unclaimedOf(balances: Balances, token: Address): bigint {
  return balanceOf(balances, accounts.channels, token)
}

function compare(a: bigint, b: bigint): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}
