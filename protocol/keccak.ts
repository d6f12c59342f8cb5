// Digests laid out by hand, for the path that every tip takes. The tests hold each of them against viem's typed-data hashing.

import { createKeccak } from 'hash-wasm'
import type { Hex } from 'viem'
import { stringToBytes } from 'viem'
import { maxAmount } from './amount.ts'
import { hexBytes, readHex, writeAmount, writeHex } from './hex.ts'

const hasher = await createKeccak(256)

/** keccak256 of bytes, as bytes. */
export function keccakBytes(input: Uint8Array): Uint8Array {
  return hasher.init().update(input).digest('binary')
}

/** keccak256 of bytes, as 0x-prefixed hex. */
export function keccak(input: Uint8Array): Hex {
  return readHex(keccakBytes(input))
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
  const start = prefix === undefined ? 0 : 1
  const end = start + values.length * 32
  if (end > scratch.length) return keccakBytes(concatBytes([prefixBytes(prefix), layWords(values)]))
  scratch.fill(0, 0, end)
  if (prefix !== undefined) scratch[0] = prefix
  let at = start
  for (const value of values) {
    layWord(scratch, scratchView, { at, value })
    at += 32
  }
  return keccakBytes(scratch.subarray(0, end))
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
  scratch[0] = 0x19
  scratch[1] = 0x01
  writeHex(scratch, 2, domainSeparator)
  if (typeof structHash === 'string') writeHex(scratch, 34, structHash)
  else scratch.set(structHash, 34)
  return keccak(scratch.subarray(0, 66))
}

/** Hashing never waits, so one buffer serves all. */
const scratch = new Uint8Array(1 + 16 * 32)
const scratchView = new DataView(scratch.buffer)

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

function prefixBytes(prefix: number | undefined): Uint8Array {
  return prefix === undefined ? new Uint8Array() : new Uint8Array([prefix])
}
