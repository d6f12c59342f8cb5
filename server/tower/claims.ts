// The tower's one power: claims through the hub account, which lets a claimer do nothing but move money toward the vault.
// One transaction is under way at a time. An attempt that is not mined is replaced under its nonce, with more fee and with
// what is due by then, so that whichever attempt is mined does the most urgent claims, and a claim done twice is nothing.

import type { Address, Hex, PublicClient } from 'viem'
import { BaseError, encodeFunctionData, keccak256 } from 'viem'
import type { PrivateKeyAccount } from 'viem/accounts'
import { hubAccountAbi, paymentChannelsAbi } from '#protocol/abi.ts'
import { packClaims } from '#protocol/packed-claim.ts'
import type { Deployment } from '../chain/deployment.ts'
import type { TicksProof, VoucherProof } from '../channels/channel.ts'
import type { FeeTerms } from './fees.ts'
import { feeLimit, nextFees } from './fees.ts'
import type { Attempt, TowerStore } from './store.ts'
import type { DueClaim } from './watch.ts'

/** Bounds of one transaction: a claim of ticks costs up to 140,000 gas for its hashes, a packed row 15,000. */
const claimsAtOnce = { packed: 100, ticks: 16 }

/** What is due, as it was seen after `nonce` was read: what had been mined by then is not among it. */
type Found = { nonce: number; now: bigint; baseFee: bigint; due: readonly DueClaim[] }

export type TowerClaims = {
  /** The nonce of the next transaction to be mined. */
  nonce(): Promise<number>
  /** Takes the next step toward having these mined. Answers what it sent, if anything. */
  step(found: Found): Promise<Sent | undefined>
}

export type Sent = { hash: Hex; nonce: number; channels: number; maxFeePerGas: bigint }

export type TowerClaimDeps = {
  chain: PublicClient
  deployment: Deployment
  store: Pick<TowerStore, 'attempt' | 'keepAttempt'>
  account: PrivateKeyAccount
  feeTerms: FeeTerms
  /** How long an attempt may take before it is replaced, in milliseconds. */
  patienceMs: number
  logFailure: (what: string, cause: unknown) => void
  now: () => number
}

export function createTowerClaims(deps: TowerClaimDeps): TowerClaims {
  const { chain, deployment, store, account, feeTerms, patienceMs, logFailure, now } = deps
  const { chainId, hubAccount } = deployment

  return {
    nonce: () => chain.getTransactionCount({ address: account.address, blockTag: 'latest' }),
    async step({ nonce, now: time, baseFee, due }) {
      const [first] = due
      if (!first) return undefined
      const before = store.attempt(account.address, nonce)
      if (before && now() - before.at < patienceMs) return undefined
      const limit = feeLimit(feeTerms, first.finalizeAfter - time)
      const fees = nextFees({ baseFee, limit, before })
      if (!fees) return before && sendAgain(before)
      const batch = await claimable(due)
      if (!batch) return undefined
      const { data, gas, channels } = batch
      const call = { to: hubAccount, data, gas: gas + gas / 5n, nonce, chainId, ...fees }
      const raw = await account.signTransaction({ ...call, type: 'eip1559' })
      const hash = keccak256(raw)
      await store.keepAttempt(account.address, { nonce, hash, raw, at: now(), ...fees })
      await broadcast(raw)
      return { hash, nonce, channels, maxFeePerGas: fees.maxFeePerGas }
    },
  }

  /** A node may have forgotten it. */
  async function sendAgain(attempt: Attempt): Promise<undefined> {
    await store.keepAttempt(account.address, { ...attempt, at: now() })
    await broadcast(attempt.raw)
  }

  /** A broadcast that fails is not an error: the attempt is stored, and the next one takes its place. */
  async function broadcast(raw: Hex) {
    try {
      await chain.sendRawTransaction({ serializedTransaction: raw })
    } catch (cause) {
      if (!(cause instanceof BaseError)) throw cause
      logFailure('broadcast', cause.shortMessage)
    }
  }

  /**
   * The most urgent claims that the chain takes. A packed row that it refuses is skipped; a refused claim of ticks takes its
   * whole transaction with it, so these go apart from others, and one by one when it comes to that.
   */
  async function claimable(due: readonly DueClaim[]) {
    const packed = due.filter(({ proof }) => proof.kind === 'voucher').slice(0, claimsAtOnce.packed)
    const ticks = due.filter(({ proof }) => proof.kind === 'ticks').slice(0, claimsAtOnce.ticks)
    const kinds = due[0]?.proof.kind === 'ticks' ? [ticks, packed] : [packed, ticks]
    for (const claims of [...kinds, ...ticks.map((claim) => [claim])]) {
      if (claims.length === 0) continue
      const data = encodeClaims(claims, deployment)
      const gas = await gasFor(data)
      if (gas !== undefined) return { data, gas, channels: claims.length }
    }
    return undefined
  }

  /** `undefined` when the chain refuses the call. */
  async function gasFor(data: Hex): Promise<bigint | undefined> {
    try {
      return await chain.estimateGas({ account, to: hubAccount, data })
    } catch (cause) {
      if (!(cause instanceof BaseError) || !/revert/i.test(cause.message)) throw cause
      logFailure('claim', cause.shortMessage)
      return undefined
    }
  }
}

function encodeClaims(claims: readonly DueClaim[], deployment: Deployment): Hex {
  const packed = claims.flatMap((claim) =>
    claim.proof.kind === 'voucher' ? [{ ...claim, proof: claim.proof }] : [],
  )
  const ticks = claims.flatMap((claim) =>
    claim.proof.kind === 'ticks' ? [encodeTicks(claim, claim.proof)] : [],
  )
  // A packed claim holds channels of one token and one withdraw delay.
  const groups = Map.groupBy(
    packed,
    ({ config }) => `${config.token}/${config.withdrawDelay}`,
  ).values()
  const calls = [...ticks, ...[...groups].map((group) => encodePacked(group, deployment))].map(
    (data) => ({ target: deployment.channels, data }),
  )
  return encodeFunctionData({ abi: hubAccountAbi, functionName: 'run', args: [calls] })
}

function encodePacked(
  claims: readonly (DueClaim & { proof: VoucherProof })[],
  { vault, hubAccount }: { vault: Address; hubAccount: Address },
): Hex {
  const [first] = claims
  if (!first) throw new RangeError('a packed claim without rows')
  const { token, withdrawDelay } = first.config
  const rows = claims.map(({ config, proof, total }) => ({ ...config, ...proof, claim: total }))
  return encodeFunctionData({
    abi: paymentChannelsAbi,
    functionName: 'claimPacked',
    args: [vault, hubAccount, token, withdrawDelay, packClaims(rows)],
  })
}

function encodeTicks({ config: channel, total: totalClaimed }: DueClaim, proof: TicksProof): Hex {
  const { commitment: terms, signature, preimage, ticks } = proof
  return encodeFunctionData({
    abi: paymentChannelsAbi,
    functionName: 'claimTicks',
    args: [{ channel, terms, signature, preimage, ticks, totalClaimed }],
  })
}
