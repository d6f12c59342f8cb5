// The receipt key changes: the former key signs which one follows, and up to which group its own signatures count.

import type { Address, Hex } from 'viem'
import { hashWords, typedDigest, typeHash } from './keccak.ts'
import type { FormerSigner, HubIdentity } from './receipt.ts'
import { hubDomainSeparator } from './receipt.ts'
import { lowerCase, recoverSigner } from './signature.ts'

/** From `former` to `next`; receipts of groups up to `lastGroup` may be signed by the former. Null when that key was lost. */
export type HandOver = { former: Address; next: Address; lastGroup: bigint; signature: Hex | null }

const handOverTypeHash = typeHash('ReceiptSigner(address former,address next,uint64 lastGroup)')

/** The digest that the former key signs, in the domain of the hub's own signatures. */
export function handOverDigest(
  { former, next, lastGroup }: Omit<HandOver, 'signature'>,
  separator: Hex,
): Hex {
  return typedDigest(separator, hashWords([handOverTypeHash, former, next, lastGroup]))
}

/**
 * Follows hand-overs from a key that is trusted to the newest. What another key says of the time before it is not looked at.
 *
 * Returns the newest key with those before it from the trusted one on, or `undefined` when one on the way is not signed for.
 */
export async function followHandOvers(
  trusted: Address,
  { hub, handOvers }: { hub: HubIdentity; handOvers: readonly HandOver[] },
): Promise<{ receiptSigner: Address; formerSigners: FormerSigner[] } | undefined> {
  const separator = hubDomainSeparator(hub)
  const formerSigners: FormerSigner[] = []
  let receiptSigner = lowerCase(trusted)
  for (const { signature, ...handOver } of handOvers) {
    if (lowerCase(handOver.former) !== receiptSigner) continue
    const digest = handOverDigest(handOver, separator)
    const signer = signature === null ? undefined : await recoverSigner(digest, signature)
    if (signer !== receiptSigner) return undefined
    formerSigners.push({ address: receiptSigner, lastGroup: handOver.lastGroup })
    receiptSigner = lowerCase(handOver.next)
  }
  return { receiptSigner, formerSigners }
}
