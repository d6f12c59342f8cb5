// What counts as a signature here: exactly what the canonical contract takes, so that nothing is accepted that cannot be claimed.

import type { Address, Hex } from 'viem'
import { recoverAddress } from 'viem'

const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
const halfOrder = order / 2n

/** An ECDSA signature in 65 bytes: r (below the order), s (in its lower half), v (27 or 28). */
export function isCanonicalSignature(signature: Hex): boolean {
  if (!/^0x[0-9a-fA-F]{128}1[bcBC]$/.test(signature)) return false
  const r = BigInt(signature.slice(0, 66))
  const s = BigInt(`0x${signature.slice(66, 130)}`)
  return r > 0n && r < order && s > 0n && s <= halfOrder
}

/** Who signed `digest`, or `undefined` when the signature is not canonical or recovers no key. Slow: not for the tip path. */
export async function recoverSigner(digest: Hex, signature: Hex): Promise<Address | undefined> {
  if (!isCanonicalSignature(signature)) return undefined
  try {
    const signer = await recoverAddress({ hash: digest, signature })
    return lowerCase(signer)
  } catch (cause) {
    if (cause instanceof Error) return undefined
    throw cause
  }
}

/** The one spelling of addresses and hashes inside jandon: lower case. */
export function lowerCase(hex: Hex): Hex {
  return hex.toLowerCase() as Hex
}
