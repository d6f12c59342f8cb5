// Digests laid out by hand, for the path that every tip takes. The tests hold each of them against viem's typed-data hashing.

import { createKeccak } from 'hash-wasm'
import type { Hex } from 'viem'
import { bytesToHex, hexToBytes, stringToBytes } from 'viem'

const hasher = await createKeccak(256)

/** keccak256 of bytes, as bytes. */
export function keccakBytes(input: Uint8Array): Uint8Array {
  return hasher.init().update(input).digest('binary')
}

/** keccak256 of bytes, as 0x-prefixed hex. */
export function keccak(input: Uint8Array): Hex {
  return bytesToHex(keccakBytes(input))
}

/** The EIP-712 type hash of an encoded type, such as `Voucher(bytes32 channelId,uint128 maxClaimableAmount)`. */
export function typeHash(encodedType: string): Hex {
  return keccak(stringToBytes(encodedType))
}

/** `abi.encode` of static values: each becomes one 32-byte word, right-aligned. Throws when a value is longer than that. */
export function layWords(values: readonly (Hex | bigint)[]): Uint8Array {
  const words = new Uint8Array(values.length * 32)
  let end = 0
  for (const value of values) {
    end += 32
    const bytes = typeof value === 'bigint' ? bigintBytes(value) : hexToBytes(value)
    if (bytes.length > 32) throw new RangeError(`${bytes.length} bytes do not fit a word`)
    words.set(bytes, end - bytes.length)
  }
  return words
}

/** Concatenates byte strings. */
export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
  let offset = 0
  for (const part of parts) {
    joined.set(part, offset)
    offset += part.length
  }
  return joined
}

/** The EIP-712 digest `keccak256(0x1901 ‖ domainSeparator ‖ structHash)`. */
export function typedDigest(domainSeparator: Hex, structHash: Hex): Hex {
  const input = new Uint8Array(66)
  input[0] = 0x19
  input[1] = 0x01
  input.set(hexToBytes(domainSeparator), 2)
  input.set(hexToBytes(structHash), 34)
  return keccak(input)
}

function bigintBytes(value: bigint): Uint8Array {
  const digits = value.toString(16)
  return hexToBytes(`0x${digits.length % 2 === 0 ? digits : `0${digits}`}`)
}
