// Hex to bytes and back, in place: the path of every tip does little else.

import type { Hex } from 'viem'

const digits = '0123456789abcdef'
const pairs = Array.from({ length: 256 }, (_, byte) => `${digits[byte >> 4]}${digits[byte & 15]}`)

/** The value of each hex digit by its character code; everything else counts as no digit. */
const noDigit = 0xff
const nibbles = new Uint8Array(128).fill(noDigit)
for (const [value, digit] of [...digits].entries()) {
  nibbles[digit.charCodeAt(0)] = value
  nibbles[digit.toUpperCase().charCodeAt(0)] = value
}

/** How many bytes a hex text stands for. */
export function hexBytes(hex: Hex): number {
  return (hex.length - 2) >> 1
}

/** Writes the bytes of a hex text, and returns the place after them. @throws RangeError when it is not hex */
export function writeHex(into: Uint8Array, at: number, hex: Hex): number {
  let place = at
  for (let index = 2; index < hex.length; index += 2) {
    const high = nibbles[hex.charCodeAt(index)] ?? noDigit
    const low = nibbles[hex.charCodeAt(index + 1)] ?? noDigit
    if (high === noDigit || low === noDigit) throw new RangeError(`${hex} is not hex`)
    into[place] = (high << 4) | low
    place += 1
  }
  return place
}

/** Some bytes as 0x-prefixed lower-case hex. */
export function readHex(bytes: Uint8Array, from = 0, to = bytes.length): Hex {
  if (typeof Buffer !== 'undefined') {
    const view = Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from)
    return `0x${view.toString('hex')}`
  }
  let text = '0x'
  for (let at = from; at < to; at += 1) text += pairs[bytes[at] ?? 0]
  return text as Hex
}

const lowBits = 0xffff_ffff_ffff_ffffn

/** Writes a number as 16 bytes. @throws RangeError when it needs more, or is below zero */
export function writeAmount(view: DataView, at: number, amount: bigint) {
  if (amount >= 0n && amount <= lowBits) {
    view.setBigUint64(at, 0n)
    view.setBigUint64(at + 8, amount)
    return
  }
  const high = amount >> 64n
  if (high < 0n || high > lowBits) throw new RangeError(`${amount} does not fit into 16 bytes`)
  view.setBigUint64(at, high)
  view.setBigUint64(at + 8, amount & lowBits)
}

/** A number that stands in 16 bytes. */
export function readAmount(view: DataView, at: number): bigint {
  const high = view.getBigUint64(at)
  const low = view.getBigUint64(at + 8)
  return high === 0n ? low : (high << 64n) | low
}

/** Copies a multiple of 4 bytes: for few of them this is much faster than `set` and the view of an array that it would take. */
export function copyBytes(
  { into, at, length }: { into: DataView; at: number; length: number },
  from: DataView,
  place: number,
) {
  for (let offset = 0; offset < length; offset += 4)
    into.setUint32(at + offset, from.getUint32(place + offset))
}
