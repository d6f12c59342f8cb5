// Trying claims out before they are sent: what the chain would refuse or leave out is taken out, so that it holds up no other.

import type { Address, Hex, PublicClient } from 'viem'
import { BaseError, decodeFunctionResult, hexToBigInt } from 'viem'
import { hubAccountAbi } from '#protocol/abi.ts'
import type { Deployment } from './deployment.ts'
import { asRefusal, describeRevert, failedCall, revertData } from './revert.ts'
import type { ClaimCall, ShownClaim } from './settlement-call.ts'
import { claimCalls, runCall, singleCalls } from './settlement-call.ts'

/** A claim that does not go through, and why. */
export type BadClaim = { claim: ShownClaim; reason: string }

export type Trial = { good: ShownClaim[]; bad: BadClaim[]; claimed: bigint }

export type TrialDeps = {
  chain: Pick<PublicClient, 'call'>
  deployment: Deployment
  sender: Address
}

/** What came of calls: what each returned, or which of them failed. */
type Tried = { results: readonly Hex[] } | { failed: number; reason: string }

const leftOut = 'the contract leaves it out or finds nothing new in it'

/**
 * Simulates the claims as they would be sent, then, if they bring less than they should, each alone, in one call. `claimed` is
 * what the good ones add.
 *
 * @throws HubError `chain_unavailable`; `chain_refused` when the hub account refuses the run itself.
 */
export async function tryClaims(deps: TrialDeps, claims: readonly ShownClaim[]): Promise<Trial> {
  const bad: BadClaim[] = []
  let good = [...claims]
  for (;;) {
    const calls = claimCalls(good, deps.deployment)
    if (calls.length === 0) return { good, bad, claimed: 0n }
    const tried = await tryCalls(deps, calls)
    if ('results' in tried && isWhole(calls, tried.results))
      return { good, bad, claimed: expected(good) }
    const found = await findBad(deps, good)
    bad.push(...found)
    const out = new Set(found.map(({ claim }) => claim))
    if (out.size === 0) return { good, bad, claimed: sumOf(calls, tried) }
    good = good.filter((claim) => !out.has(claim))
  }
}

/** Those that fail or add nothing when each is a call of its own. */
async function findBad(deps: TrialDeps, claims: readonly ShownClaim[]): Promise<BadClaim[]> {
  const bad: BadClaim[] = []
  let left = [...claims]
  while (left.length > 0) {
    const calls = singleCalls(left, deps.deployment)
    const tried = await tryCalls(deps, calls)
    if ('results' in tried) {
      const empty = calls.filter((call, index) => !adds(call, tried.results[index]))
      return [
        ...bad,
        ...empty.flatMap((call) => call.claims.map((claim) => ({ claim, reason: leftOut }))),
      ]
    }
    const [claim] = calls[tried.failed]?.claims ?? []
    if (!claim) throw new Error(`call ${tried.failed} of ${calls.length} failed`)
    bad.push({ claim, reason: tried.reason })
    left = left.filter((other) => other !== claim)
  }
  return bad
}

async function tryCalls(
  { chain, deployment, sender }: TrialDeps,
  calls: readonly ClaimCall[],
): Promise<Tried> {
  try {
    const data = runCall(calls)
    const { data: answer = '0x' } = await chain.call({
      account: sender,
      to: deployment.hubAccount,
      data,
    })
    const results = decodeFunctionResult({ abi: hubAccountAbi, functionName: 'run', data: answer })
    return { results }
  } catch (cause) {
    const data = cause instanceof BaseError ? revertData(cause) : undefined
    const failed = data === undefined ? undefined : failedCall(data)
    if (data === undefined || failed === undefined) throw asRefusal(cause)
    return { failed, reason: describeRevert(data) }
  }
}

/** A claim of ticks that is not right reverts; a packed claim says how much it added. */
function isWhole(calls: readonly ClaimCall[], results: readonly Hex[]): boolean {
  return calls.every((call, index) => added(call, results[index]) >= expected(call.claims))
}

function adds(call: ClaimCall, result: Hex | undefined): boolean {
  return added(call, result) > 0n
}

function sumOf(calls: readonly ClaimCall[], tried: Tried): bigint {
  if (!('results' in tried)) return 0n
  return calls.reduce((sum, call, index) => sum + added(call, tried.results[index]), 0n)
}

function added(call: ClaimCall, result: Hex = '0x'): bigint {
  const isOfTicks = call.claims.some(({ proof }) => proof.kind === 'ticks')
  if (isOfTicks) return expected(call.claims)
  return result === '0x' ? 0n : hexToBigInt(result)
}

function expected(claims: readonly ShownClaim[]): bigint {
  return claims.reduce((sum, { channel, total }) => sum + total - channel.totalClaimed, 0n)
}
