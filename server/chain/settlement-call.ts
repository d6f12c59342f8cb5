// The call of a settlement: claims, then the credit, through the hub account.

import type { Address, Hex } from 'viem'
import { encodeFunctionData } from 'viem'
import { creatorVaultAbi, hubAccountAbi, paymentChannelsAbi } from '#protocol/abi.ts'
import { packClaims } from '#protocol/packed-claim.ts'
import type { CeilingProof, Channel, TicksProof, VoucherProof } from '../channels/channel.ts'
import type { Deployment } from './deployment.ts'

/** A channel with the proof that its claim shows, and the total that it claims. */
export type ShownClaim = { channel: Channel; proof: CeilingProof; total: bigint }

/** A call of the hub account, and the claims that are in it. */
export type ClaimCall = { target: Address; data: Hex; claims: readonly ShownClaim[] }

/** Cumulative: what the vault will have credited to the account. */
export type CreditRow = { account: Address; credited: bigint }

/** One call for each claim of ticks, and one for all vouchers on channels of one contract and withdraw delay. */
export function claimCalls(claims: readonly ShownClaim[], deployment: Deployment): ClaimCall[] {
  const ticks = claims.flatMap((claim) =>
    claim.proof.kind === 'ticks' ? [tickCall(claim, claim.proof)] : [],
  )
  const packed = claims.filter(({ proof }) => proof.kind === 'voucher')
  const groups = Map.groupBy(
    packed,
    ({ channel: { contract, config } }) => `${contract}/${config.withdrawDelay}`,
  )
  return [...ticks, ...[...groups.values()].map((group) => packedCall(group, deployment))]
}

/** A call for each claim alone, to see which of them is bad. */
export function singleCalls(claims: readonly ShownClaim[], deployment: Deployment): ClaimCall[] {
  return claims.flatMap((claim) => claimCalls([claim], deployment))
}

/** The credit, which settles first; `journal` is the head of the receipt chain. */
export function creditCall(
  { vault }: Deployment,
  { token, rows, journal }: { token: Address; rows: readonly CreditRow[]; journal: Hex },
): { target: Address; data: Hex } {
  const args = [token, rows, journal] as const
  const data = encodeFunctionData({ abi: creatorVaultAbi, functionName: 'credit', args })
  return { target: vault, data }
}

export function runCall(calls: readonly { target: Address; data: Hex }[]): Hex {
  const plain = calls.map(({ target, data }) => ({ target, data }))
  return encodeFunctionData({ abi: hubAccountAbi, functionName: 'run', args: [plain] })
}

function tickCall(
  claim: ShownClaim,
  { commitment: terms, signature, ticks, preimage }: TicksProof,
): ClaimCall {
  const { channel, total: totalClaimed } = claim
  const data = encodeFunctionData({
    abi: paymentChannelsAbi,
    functionName: 'claimTicks',
    args: [{ channel: channel.config, terms, signature, preimage, ticks, totalClaimed }],
  })
  return { target: channel.contract, data, claims: [claim] }
}

function packedCall(claims: readonly ShownClaim[], deployment: Deployment): ClaimCall {
  const [first] = claims
  if (!first) throw new Error('a claim without channels')
  const { contract, config } = first.channel
  const rows = claims.map(({ channel, proof, total }) => ({
    ...channel.config,
    ...voucherOf(proof),
    claim: total,
  }))
  const { vault, hubAccount } = deployment
  const data = encodeFunctionData({
    abi: paymentChannelsAbi,
    functionName: 'claimPacked',
    args: [vault, hubAccount, config.token, config.withdrawDelay, packClaims(rows)],
  })
  return { target: contract, data, claims }
}

function voucherOf(proof: CeilingProof): VoucherProof {
  if (proof.kind === 'voucher') return proof
  throw new Error('ticks do not fit into a packed claim')
}
