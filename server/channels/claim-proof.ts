// The proof behind a channel's ceiling, as a claim has to show it.

import type { Address, Hex } from 'viem'
import { tickCommitmentDigest, tickedAmount, tickFault } from '#protocol/tick.ts'
import { tipVoucherDigest } from '#protocol/tip.ts'
import type { CeilingProof, Channel, TicksProof } from './channel.ts'
import type { SignatureBackend } from './signature-backend.ts'

type ClaimProofDeps = { backend: SignatureBackend; separatorOf: (contract: Address) => Hex }

/**
 * The proof of a channel with the v that recovers its signer. Tips are taken with either v, because a check against a known
 * key does not see it; the contract does. `undefined` when the channel has none that its payer signed.
 */
export function claimProof(
  { id, contract, config, proof }: Channel,
  { backend, separatorOf }: ClaimProofDeps,
): CeilingProof | undefined {
  if (!proof) return undefined
  const digest = digestOf(id, proof, separatorOf(contract))
  const { payerAuthorizer } = config
  const signature = signatureOf(payerAuthorizer, digest, { signature: proof.signature, backend })
  return signature && { ...proof, signature }
}

/**
 * A proof that somebody else kept, with the v that recovers its signer; `undefined` when it does not prove what it says for
 * this channel: another's signature, another channel's commitment, or a preimage that does not pay its ticks.
 */
export function checkedProof(
  proof: CeilingProof,
  {
    channelId,
    signer,
    separator,
    backend,
  }: { channelId: Hex; signer: Address; separator: Hex; backend: SignatureBackend },
): CeilingProof | undefined {
  if (proof.kind === 'ticks' && !isPaidFor(proof, channelId)) return undefined
  const digest = digestOf(channelId, proof, separator)
  const signature = signatureOf(signer, digest, { signature: proof.signature, backend })
  return signature && { ...proof, signature }
}

/** A proof of no ticks at all is the root itself. */
function isPaidFor(
  { commitment, ticks, preimage, maxClaimableAmount }: TicksProof,
  channelId: Hex,
) {
  const { root } = commitment
  const known = { ticks: 0, preimage: root }
  const isPaid =
    ticks === 0 ? preimage === root : !tickFault({ ticks, preimage }, known, commitment)
  const worth = tickedAmount(commitment, ticks)
  return isPaid && commitment.channelId === channelId && maxClaimableAmount === worth
}

function digestOf(channelId: Hex, proof: CeilingProof, separator: Hex): Hex {
  switch (proof.kind) {
    case 'voucher':
      return tipVoucherDigest({ channelId, ...proof }, separator)
    case 'ticks':
      return tickCommitmentDigest(proof.commitment, separator)
  }
}

/** A signature with the v that recovers its signer, whichever of the two it came with; `undefined` when it is not theirs. */
export function signatureOf(
  signer: Address,
  digest: Hex,
  { signature, backend }: { signature: Hex; backend: SignatureBackend },
): Hex | undefined {
  return [signature, withOtherV(signature)].find(
    (candidate) => backend.recover(digest, candidate) === signer,
  )
}

function withOtherV(signature: Hex): Hex {
  const v = signature.endsWith('1b') ? '1c' : '1b'
  return `0x${signature.slice(2, -2)}${v}`
}
