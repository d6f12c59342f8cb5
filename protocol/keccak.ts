// Digests laid out by hand, for the path that every tip takes. The tests hold each of them against viem's typed-data hashing.

import type { Hex } from 'viem'
import { stringToBytes } from 'viem'
import { maxAmount } from './amount.ts'
import { hexBytes, readHex, writeAmount, writeHex } from './hex.ts'
import type { Batch } from './sponge.ts'
import { hashBytes, hashing, hashMessage, message } from './sponge.ts'

/** keccak256 of bytes, as bytes. */
export function keccakBytes(input: Uint8Array): Uint8Array {
  return digestFrom(hashBytes(input))
}

/** keccak256 of bytes, as 0x-prefixed hex. */
export function keccak(input: Uint8Array): Hex {
  return hexFrom(hashBytes(input))
}

/** The EIP-712 type hash of an encoded type, such as `Voucher(bytes32 channelId,uint128 maxClaimableAmount)`. */
export function typeHash(encodedType: string): Hex {
  return keccak(stringToBytes(encodedType))
}

/** `abi.encode` of static values: each becomes one 32-byte word, right-aligned. Throws when a value is longer than that. */
export function layWords(values: readonly (Hex | bigint)[]): Uint8Array {
  const words = new Uint8Array(values.length * 32)
  const view = new DataView(words.buffer)
  let at = 0
  for (const value of values) {
    layWord(words, view, { at, value })
    at += 32
  }
  return words
}

/** keccak256 of some words, and of a byte before them when there is one: what most digests here are made of. */
export function hashWords(values: readonly (Hex | bigint)[], prefix?: number): Uint8Array {
  return digestFrom(hashLaidWords(values, prefix))
}

/** As {@link hashWords}, as 0x-prefixed hex. */
export function hashWordsToHex(values: readonly (Hex | bigint)[]): Hex {
  return hexFrom(hashLaidWords(values))
}

/** keccak256 of the digests of a batch, one after the other. */
export function hashDigests({ digests }: Batch, count: number): Hex {
  const { bytes } = hashing
  const length = count * 32
  if (length > message.room) return hexFrom(hashBytes(bytes.subarray(digests, digests + length)))
  bytes.copyWithin(message.at, digests, digests + length)
  return hexFrom(hashMessage(length))
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
export function typedDigest(domainSeparator: Hex, structHash: Hex | Uint8Array): Hex {
  const { bytes } = hashing
  bytes[message.at] = 0x19
  bytes[message.at + 1] = 0x01
  writeHex(bytes, message.at + 2, domainSeparator)
  if (typeof structHash === 'string') writeHex(bytes, message.at + 34, structHash)
  else bytes.set(structHash, message.at + 34)
  return hexFrom(hashMessage(66))
}

function hashLaidWords(values: readonly (Hex | bigint)[], prefix?: number): number {
  const start = prefix === undefined ? 0 : 1
  const length = start + values.length * 32
  if (length > message.room)
    return hashBytes(concatBytes([new Uint8Array(start).fill(prefix ?? 0), layWords(values)]))
  hashing.bytes.fill(0, message.at, message.at + length)
  if (prefix !== undefined) hashing.bytes[message.at] = prefix
  let at = message.at + start
  for (const value of values) {
    layWord(hashing.bytes, hashing.view, { at, value })
    at += 32
  }
  return hashMessage(length)
}

function digestFrom(at: number): Uint8Array {
  return hashing.bytes.slice(at, at + 32)
}

function hexFrom(at: number): Hex {
  return readHex(hashing.bytes, at, at + 32)
}

function layWord(
  words: Uint8Array,
  view: DataView,
  { at, value }: { at: number; value: Hex | bigint },
) {
  if (typeof value === 'bigint') return layNumber(words, view, { at, value })
  const length = hexBytes(value)
  if (length > 32) throw new RangeError(`${length} bytes do not fit a word`)
  writeHex(words, at + 32 - length, value)
}

function layNumber(
  words: Uint8Array,
  view: DataView,
  { at, value }: { at: number; value: bigint },
) {
  if (value >= 0n && value <= maxAmount) return writeAmount(view, at + 16, value)
  const digits = value.toString(16)
  const hex: Hex = `0x${digits.length % 2 === 0 ? digits : `0${digits}`}`
  layWord(words, view, { at, value: hex })
}
