// The Bloom filter in a block's header: it can say for certain that a block has no log of a contract.

import type { Hex } from 'viem'
import { hexToBytes } from 'viem'
import { keccakBytes } from '#protocol/keccak.ts'

const bloomBytes = 256
const emptyBloom = `0x${'00'.repeat(bloomBytes)}`

/** A filter with more bits than this says "maybe" to too much to be worth a look: then one of twelve guesses passes. */
const sparseBits = 900

/** An address or a topic, as the three bits that it sets. */
export type BloomBits = readonly [number, number, number]

export function bloomBitsOf(item: Hex): BloomBits {
  const hash = keccakBytes(hexToBytes(item))
  const bit = (at: number) => (((hash[at] ?? 0) << 8) | (hash[at + 1] ?? 0)) & 2_047
  return [bit(0), bit(2), bit(4)]
}

export type Bloom = {
  /** Whether so few bits are set that {@link Bloom.mayHold} is worth something. */
  isSparse: boolean
  /** `false` is certain, `true` is not. */
  mayHold(item: BloomBits): boolean
}

const none: Bloom = { isSparse: true, mayHold: () => false }

export function readBloom(hex: Hex): Bloom {
  if (hex === emptyBloom) return none
  const bytes = hexToBytes(hex)
  const holds = (bit: number) =>
    ((bytes[bloomBytes - 1 - (bit >> 3)] ?? 0) & (1 << (bit & 7))) !== 0
  return { isSparse: bitsIn(bytes) <= sparseBits, mayHold: (item) => item.every(holds) }
}

function bitsIn(bytes: Uint8Array): number {
  let count = 0
  for (let byte of bytes) for (; byte > 0; byte &= byte - 1) count += 1
  return count
}
