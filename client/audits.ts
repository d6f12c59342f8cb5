// A creator's check on what the hub publishes of its debts: that it is counted, with the right amounts, under one signed root.

import { proofFault, rootsConflict } from '#protocol/audit.ts'
import type { CreatorProof } from '#protocol/messages/audits.ts'
import { auditList, creatorProof } from '#protocol/messages/audits.ts'
import { lowerCase } from '#protocol/signature.ts'
import type { Context } from './context.ts'
import { callSignedIn, connect, readWallet } from './context.ts'
import { ownHandle } from './creators.ts'
import { ClientError } from './errors.ts'
import type { HubPin, TokenRecord } from './records.ts'

/** A proof, what is wrong with it in words, and whose signature it was checked against. */
export type ProofCheck = {
  fault: string | null
  proof: CreatorProof
  tokens: readonly TokenRecord[]
  hub: Pick<HubPin, 'chainId' | 'hubAccount' | 'receiptSigner'>
}

/** Fetches this creator's proof, checks it, and holds its roots against those that the hub shows everybody. */
export async function fetchProof(context: Context, handle?: string): Promise<ProofCheck> {
  const path = `/v1/creators/${await ownHandle(context, handle)}/proof`
  const check = await checkProof(context, await callSignedIn(context, { path }, creatorProof))
  const account = lowerCase(context.account.address)
  if (check.proof.creator.account !== account)
    return { ...check, fault: `the proof is of ${check.proof.creator.account}, not of ${account}` }
  const listed = await context.api.call({ path: '/v1/audits' }, auditList)
  const signed = listed.audits.flatMap(({ tokens }) => tokens.map((token) => token.signed))
  for (const { root } of check.proof.proofs) {
    const isListed = signed.some((one) => one.root === root.root)
    const fault = signed.some((one) => rootsConflict(one, root))
      ? `the hub signed two roots for group ${root.group}: keep both, and show them to others`
      : `the root of group ${root.group} is not among the newest that the hub lists`
    if (!isListed) return { ...check, fault: check.fault ?? fault }
  }
  return check
}

/** Checks a proof as it came out of JSON, against the hub that was pinned. Throws `no_receipt` when it is none. */
export async function verifyProof(context: Context, target: object): Promise<ProofCheck> {
  const parsed = creatorProof.safeParse(target)
  if (parsed.success) return checkProof(context, parsed.data)
  throw new ClientError('no_receipt', 'this is not the JSON of a proof', { cause: parsed.error })
}

async function checkProof(context: Context, proof: CreatorProof): Promise<ProofCheck> {
  const wallet = (await readWallet(context)) ?? (await connect(context)).wallet
  const receiptSigner = context.hubKey ? lowerCase(context.hubKey) : wallet.hub.receiptSigner
  const { chainId, hubAccount, formerSigners } = wallet.hub
  const hub = { chainId, hubAccount, receiptSigner }
  const trusted = { hub, receiptSigner, formerSigners }
  return { fault: (await faultOf(proof, trusted)) ?? null, proof, tokens: wallet.tokens, hub }
}

async function faultOf(
  { creator, proofs }: CreatorProof,
  trusted: Parameters<typeof proofFault>[1],
): Promise<string | undefined> {
  if (proofs.length === 0) return 'it proves nothing: no token is in it'
  for (const proof of proofs) {
    if (proof.leaf.account !== creator.account)
      return `the leaf is of ${proof.leaf.account}, not of @${creator.handle} at ${creator.account}`
    const fault = await proofFault(proof, trusted)
    if (fault) return fault
  }
  return undefined
}
