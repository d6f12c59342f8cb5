// The tips of a basket in the bytes that a frame brought them in, from which they are hashed and stored without being taken apart.
//
// Tip: to 32, amount 16, ref 32, message length 2 (ffff: none), then for a message salt 32 and UTF-8.

import type { Hex } from 'viem'
import { copyBytes, readAmount, readHex, writeAmount, writeHex } from './hex.ts'
import { hashing } from './sponge.ts'
import type { Tip } from './tip.ts'
import { hashTips } from './tip.ts'

/** The words of a tip and the salt that its ref commits to them with. */
export type TipMessage = { text: string; salt: Hex }

export type MessagedTip = Tip & { message?: TipMessage | undefined }

/** `starts` are the places of the tips in `bytes`; `messages` are by the number of their tip. */
export type PackedTips = {
  bytes: Uint8Array
  view: DataView
  starts: readonly number[]
  messages: ReadonlyMap<number, TipMessage>
}

/** A basket with its tips packed: the voucher over them, and whose it is. */
export type PackedBasket = {
  channelId: Hex
  maxClaimableAmount: bigint
  signature: Hex
  tips: PackedTips
}

/** Where the fields of a tip begin, and how long one is without its message. */
export const tipOffsets = { to: 0, amount: 32, ref: 48, messageLength: 80 } as const
export const tipBytes = 82
export const noMessage = 0xffff

/** Of a tip, what stands together in a frame and in the store: to, amount, ref. */
export const tipTermsBytes = 80

const utf8 = new TextEncoder()

/** Packs the tips of a basket that came in another form. */
export function packBasket<T extends { tips: readonly MessagedTip[] }>(basket: T) {
  return { ...basket, tips: packTips(basket.tips) }
}

export function packTips(tips: readonly MessagedTip[]): PackedTips {
  const texts = tips.map(({ message }) => message && utf8.encode(message.text))
  const size = texts.reduce((sum, text) => sum + tipBytes + (text ? 32 + text.length : 0), 0)
  const bytes = new Uint8Array(size)
  const view = new DataView(bytes.buffer)
  const messages = new Map<number, TipMessage>()
  const starts: number[] = []
  let at = 0
  for (const [index, { to, amount, ref, message }] of tips.entries()) {
    starts.push(at)
    writeHex(bytes, at + tipOffsets.to, to)
    writeAmount(view, at + tipOffsets.amount, amount)
    writeHex(bytes, at + tipOffsets.ref, ref)
    const text = texts[index]
    view.setUint16(at + tipOffsets.messageLength, text?.length ?? noMessage)
    at += tipBytes
    if (!text || !message) continue
    messages.set(index, message)
    bytes.set(text, writeHex(bytes, at, message.salt))
    at += 32 + text.length
  }
  return { bytes, view, starts, messages }
}

export function unpackTips({ bytes, view, starts, messages }: PackedTips): MessagedTip[] {
  return starts.map((at, index) => {
    const tip = {
      to: readHex(bytes, at + tipOffsets.to, at + tipOffsets.amount),
      amount: readAmount(view, at + tipOffsets.amount),
      ref: readHex(bytes, at + tipOffsets.ref, at + tipOffsets.messageLength),
    }
    const message = messages.get(index)
    return message ? { ...tip, message } : tip
  })
}

/** As `tipsHash`. */
export function packedTipsHash({ view, starts }: PackedTips): Hex {
  return hashTips(starts.length, (index, at) => {
    const start = starts[index] ?? 0
    copyBytes({ into: hashing.view, at, length: 32 }, view, start + tipOffsets.to)
    layAmount(at + 32, view, start + tipOffsets.amount)
    copyBytes({ into: hashing.view, at: at + 64, length: 32 }, view, start + tipOffsets.ref)
  })
}

/** As `tipsTotal`. */
export function packedTotal(tips: PackedTips): bigint {
  let total = 0n
  for (let index = 0; index < tips.starts.length; index += 1) total += amountOf(tips, index)
  return total
}

/** The amount of one tip, base units. */
export function amountOf({ view, starts }: PackedTips, index: number): bigint {
  return readAmount(view, (starts[index] ?? 0) + tipOffsets.amount)
}

/** Lays 16 bytes as a word for hashing. */
export function layAmount(at: number, from: DataView, place: number) {
  const { view } = hashing
  for (let offset = 0; offset < 16; offset += 4) {
    view.setUint32(at + offset, 0)
    view.setUint32(at + 16 + offset, from.getUint32(place + offset))
  }
}
