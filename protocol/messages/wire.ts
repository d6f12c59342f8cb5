// The pieces that messages are made of. Amounts travel as decimal strings of base units, hashes and addresses as 0x-hex in
// any case, which becomes lower case here.

import type { Hex } from 'viem'
import { z } from 'zod'
import { maxAmount } from '../amount.ts'
import { handlePattern } from '../creator.ts'

const maxUint64 = 2n ** 64n - 1n
const maxUint256 = 2n ** 256n - 1n

export const address = hex(20)
export const hash = hex(32)
export const signature = hex(65)

/** Base units of a token: a whole number from 0 to 2^128 − 1 without sign, point, exponent or leading zeros. */
export const amount = whole(maxAmount)

/** As {@link amount}, above zero. */
export const positiveAmount = amount.refine((value) => value > 0n, 'must be above zero')

export const uint64 = whole(maxUint64)
export const uint256 = whole(maxUint256)

export const handle = z
  .string()
  .regex(handlePattern, 'must be 2 to 30 of a-z, 0-9, _ and -, beginning with a letter or digit')

/** Text that people read: no control characters, at most `maximum` code points, not blank. */
export function plainText(maximum: number) {
  return z
    .string()
    .min(1)
    .max(maximum)
    .regex(/^[^\p{Cc}\p{Cs}]*$/u, 'must not hold control characters')
    .refine((text) => text.trim() !== '', 'must not be blank')
}

/** Any-length signature of a smart wallet or a key, in hex. */
export const walletSignature = z
  .string()
  .max(8_194)
  .regex(/^0x(?:[0-9a-fA-F]{2})+$/, 'must be 0x and pairs of hex digits')
  .transform((text) => text.toLowerCase() as Hex)

/** JSON text of a message: bigint becomes a decimal string. */
export function toJson(message: unknown): string {
  return JSON.stringify(message, (_key, value) =>
    typeof value === 'bigint' ? value.toString() : value,
  )
}

function hex(bytes: number) {
  return z
    .string()
    .regex(new RegExp(`^0x[0-9a-fA-F]{${bytes * 2}}$`), `must be 0x and ${bytes * 2} hex digits`)
    .transform((text) => text.toLowerCase() as Hex)
}

function whole(maximum: bigint) {
  return z
    .string()
    .max(78)
    .regex(/^(?:0|[1-9][0-9]*)$/, 'must be a whole number in decimal digits')
    .transform((text) => BigInt(text))
    .refine((value) => value <= maximum, `must be at most ${maximum}`)
}
