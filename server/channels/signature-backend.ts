// Curve arithmetic for the hot path: libsecp256k1 through its native binding.

import secp256k1 from 'secp256k1'
import type { Address, Hex } from 'viem'
import { bytesToHex, hexToBytes } from 'viem'
import { keccakBytes } from '#protocol/keccak.ts'
import { isCanonicalSignature } from '#protocol/signature.ts'

export type SignatureBackend = {
  /** What does the arithmetic, for the start-up line and `/.well-known/jandon`. */
  name: string
  /** Who signed a digest, in lower case; `undefined` when the signature is not canonical or recovers no key. */
  recover(digest: Hex, signature: Hex): Address | undefined
}

/** The backend over the `secp256k1` package, which is native where npm has or builds it for the platform. */
export function createSignatureBackend(): SignatureBackend {
  return {
    name: 'secp256k1',
    recover(digest, signature) {
      if (!isCanonicalSignature(signature)) return undefined
      const bytes = hexToBytes(signature)
      try {
        const key = secp256k1.ecdsaRecover(
          bytes.subarray(0, 64),
          (bytes[64] ?? 0) - 27,
          hexToBytes(digest),
          false,
        )
        return bytesToHex(keccakBytes(key.subarray(1)).subarray(12))
      } catch (cause) {
        if (cause instanceof Error) return undefined
        throw cause
      }
    },
  }
}

/** A function that signs digests with a key: 65 bytes, low s, v 27 or 28. */
export function createDigestSigner(privateKey: Hex): (digest: Hex) => Hex {
  const key = hexToBytes(privateKey)
  return (digest) => {
    const { signature, recid } = secp256k1.ecdsaSign(hexToBytes(digest), key)
    return bytesToHex(new Uint8Array([...signature, recid + 27]))
  }
}
