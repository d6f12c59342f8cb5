// Random values for the property tests. One seed per run, named in every title; JANDON_SEED repeats a run.

import fc from 'fast-check'
import type { Hex } from 'viem'
import { bytesToHex } from 'viem'

const { JANDON_SEED } = process.env
const seed = Number(JANDON_SEED ?? Date.now() % 2 ** 31)

/** A test that a fact holds for `runs` random values. */
export function holds<Value>(
  fact: string,
  values: fc.Arbitrary<Value>,
  check: (value: Value) => Promise<void> | void,
  runs = 500,
): void {
  it(`${fact} (${runs} runs, seed ${seed})`, async () => {
    const property = fc.asyncProperty(values, async (value) => check(value))
    await fc.assert(property, { seed, numRuns: runs })
  })
}

/** Lower-case hex of a fixed number of bytes, with all zeros and all ones among them. */
export function hexOf(bytes: number): fc.Arbitrary<Hex> {
  return fc.oneof(
    { weight: 1, arbitrary: fc.constantFrom<Hex>(repeated('00', bytes), repeated('ff', bytes)) },
    { weight: 9, arbitrary: fc.uint8Array({ minLength: bytes, maxLength: bytes }).map(toHex) },
  )
}

export const addresses = hexOf(20)
export const hashes = hexOf(32)

/** Unsigned integers of a number of bits, the largest among them. */
export function uintOf(bits: number): fc.Arbitrary<bigint> {
  const max = 2n ** BigInt(bits) - 1n
  return fc.oneof(
    fc.bigInt({ min: 0n, max }),
    fc.bigInt({ min: 0n, max: 300n }),
    fc.constantFrom(0n, 1n, max),
  )
}

/** What fits a uint128. */
export const amounts = uintOf(128)

function toHex(bytes: Uint8Array): Hex {
  return bytesToHex(bytes)
}

function repeated(byte: string, count: number): Hex {
  return `0x${byte.repeat(count)}`
}
