// The binary frames of the WebSocket: many baskets or ticks in one, and the receipts and acknowledgements of a commit group.
// Numbers are big-endian, amounts 16 bytes, hashes 32, signatures 65. A frame begins with its kind.
//
//   baskets   01, first request number 4, count 2; each: channelId, maxClaimableAmount, signature, tip count 2;
//             each tip: to, amount, ref, message length 2 (ffff: none), salt 32 and UTF-8 when there is one
//   ticks     02, count 2; each: stream 4, ticks 4, preimage 32
//   receipts  81, header: epoch, number 8, previous, tipsRoot, tip count 4, journalHash, closedAt 8, signature; count 2;
//             each: request number 4, ceiling, charged, held, escrowCap, first index 4, tip count 2,
//             each tip: salt, fee, chargedAfter, acceptedAfter; sibling count 1, siblings
//   ticked    82, count 2; each: stream 4, ticks 4

import type { Hex } from 'viem'
import { readAmount, readHex, writeAmount, writeHex } from './hex.ts'
import type { ChannelAmounts } from './messages/tips.ts'
import type { GroupHeader } from './receipt.ts'
import { tipsPerBasket } from './tip.ts'

export const frameKinds = { baskets: 0x01, ticks: 0x02, receipts: 0x81, ticked: 0x82 } as const

/** A tip as it is framed: the words of its message with the salt that its ref commits to them with. */
export type FramedTip = {
  to: Hex
  amount: bigint
  ref: Hex
  message?: { text: string; salt: Hex } | undefined
}

/** A basket under a request number that its sender chose; the answer carries the same. */
export type FramedBasket = {
  request: number
  channelId: Hex
  maxClaimableAmount: bigint
  signature: Hex
  tips: FramedTip[]
}

/** What a stream's payer reveals: the preimage (32 bytes, of the frame's own memory) that pays all ticks up to a number. */
export type FramedTicks = { stream: number; ticks: number; preimage: Uint8Array }

/** How far a stream's ticks are on disk. */
export type FramedTicked = { stream: number; ticks: number }

/** What the hub decided for one tip of a basket; the rest of its leaf the sender knows. */
export type FramedProof = { salt: Hex; fee: bigint; chargedAfter: bigint; acceptedAfter: bigint }

/** The answer to one basket: the channel's amounts, and where its tips stand in the tree under the header. */
export type FramedReceipt = {
  request: number
  channel: ChannelAmounts
  firstIndex: number
  tips: FramedProof[]
  siblings: readonly Uint8Array[]
}

/** Receipts of one commit group. */
export type ReceiptsFrame = {
  header: GroupHeader
  headerSignature: Hex
  receipts: FramedReceipt[]
}

/** A frame that does not say what it should; the message says where. */
export class FrameError extends Error {}

const noMessage = 0xffff
const maxMessageBytes = 4 * 280
const sizes = { basket: 115, tip: 82, header: 213, receipt: 75, proof: 80, ticks: 40, ticked: 8 }

export function encodeBaskets(first: number, baskets: readonly FramedBasket[]): Uint8Array {
  const messages = baskets.flatMap(({ tips }) => tips.map(({ message }) => encodeText(message)))
  const tipCount = messages.length
  const messageBytes = messages.reduce((sum, text) => sum + (text ? 32 + text.length : 0), 0)
  const into = writer(7 + baskets.length * sizes.basket + tipCount * sizes.tip + messageBytes)
  into.u8(frameKinds.baskets)
  into.u32(first)
  into.u16(baskets.length)
  let next = 0
  for (const { channelId, maxClaimableAmount, signature, tips } of baskets) {
    into.hex(channelId)
    into.amount(maxClaimableAmount)
    into.hex(signature)
    into.u16(tips.length)
    for (const { to, amount, ref, message } of tips) {
      into.hex(to)
      into.amount(amount)
      into.hex(ref)
      const text = messages[next]
      next += 1
      into.u16(text?.length ?? noMessage)
      if (text && message) {
        into.hex(message.salt)
        into.bytes(text)
      }
    }
  }
  return into.done()
}

/** @throws FrameError */
export function decodeBaskets(frame: Uint8Array): FramedBasket[] {
  const from = reader(frame)
  from.u8()
  const first = from.u32()
  const count = from.u16()
  if (count === 0) throw new FrameError('the frame holds no basket')
  const baskets: FramedBasket[] = []
  for (let at = 0; at < count; at += 1) {
    baskets.push({
      request: first + at,
      channelId: from.hex(32),
      maxClaimableAmount: from.amount(),
      signature: from.hex(65),
      tips: decodeFramedTips(from),
    })
  }
  from.end()
  return baskets
}

export function encodeTicks(ticks: readonly FramedTicks[]): Uint8Array {
  const into = writer(3 + ticks.length * sizes.ticks)
  into.u8(frameKinds.ticks)
  into.u16(ticks.length)
  for (const { stream, ticks: count, preimage } of ticks) {
    into.u32(stream)
    into.u32(count)
    into.bytes(preimage)
  }
  return into.done()
}

/** @throws FrameError */
export function decodeTicks(frame: Uint8Array): FramedTicks[] {
  const from = reader(frame)
  from.u8()
  const count = from.u16()
  if (count === 0) throw new FrameError('the frame holds no tick')
  const ticks = Array.from({ length: count }, () => ({
    stream: from.u32(),
    ticks: from.u32(),
    preimage: from.bytes(32),
  }))
  from.end()
  return ticks
}

export function encodeTicked(ticked: readonly FramedTicked[]): Uint8Array {
  const into = writer(3 + ticked.length * sizes.ticked)
  into.u8(frameKinds.ticked)
  into.u16(ticked.length)
  for (const { stream, ticks } of ticked) {
    into.u32(stream)
    into.u32(ticks)
  }
  return into.done()
}

/** @throws FrameError */
export function decodeTicked(frame: Uint8Array): FramedTicked[] {
  const from = reader(frame)
  from.u8()
  const count = from.u16()
  const ticked = Array.from({ length: count }, () => ({ stream: from.u32(), ticks: from.u32() }))
  from.end()
  return ticked
}

export function encodeReceipts({ header, headerSignature, receipts }: ReceiptsFrame): Uint8Array {
  const perReceipt = receipts.map(
    ({ tips, siblings }) => sizes.receipt + tips.length * sizes.proof + siblings.length * 32,
  )
  const into = writer(3 + sizes.header + perReceipt.reduce((sum, size) => sum + size, 0))
  into.u8(frameKinds.receipts)
  into.hex(header.epoch)
  into.u64(header.number)
  into.hex(header.previous)
  into.hex(header.tipsRoot)
  into.u32(header.tipCount)
  into.hex(header.journalHash)
  into.u64(header.closedAt)
  into.hex(headerSignature)
  into.u16(receipts.length)
  for (const receipt of receipts) encodeReceipt(into, receipt)
  return into.done()
}

/** @throws FrameError */
export function decodeReceipts(frame: Uint8Array): ReceiptsFrame {
  const from = reader(frame)
  from.u8()
  const header = {
    epoch: from.hex(32),
    number: from.u64(),
    previous: from.hex(32),
    tipsRoot: from.hex(32),
    tipCount: from.u32(),
    journalHash: from.hex(32),
    closedAt: from.u64(),
  }
  const headerSignature = from.hex(65)
  const receipts = Array.from({ length: from.u16() }, () => decodeReceipt(from))
  from.end()
  return { header, headerSignature, receipts }
}

function encodeReceipt(into: Writer, receipt: FramedReceipt) {
  const { request, channel, firstIndex, tips, siblings } = receipt
  into.u32(request)
  for (const amount of [channel.ceiling, channel.charged, channel.held, channel.escrowCap])
    into.amount(amount)
  into.u32(firstIndex)
  into.u16(tips.length)
  for (const { salt, fee, chargedAfter, acceptedAfter } of tips) {
    into.hex(salt)
    into.amount(fee)
    into.amount(chargedAfter)
    into.amount(acceptedAfter)
  }
  into.u8(siblings.length)
  for (const sibling of siblings) into.bytes(sibling)
}

function decodeReceipt(from: Reader): FramedReceipt {
  const request = from.u32()
  const [ceiling, charged, held, escrowCap] = [
    from.amount(),
    from.amount(),
    from.amount(),
    from.amount(),
  ]
  const used = charged + held
  const available = escrowCap > used ? escrowCap - used : 0n
  const firstIndex = from.u32()
  const tips = Array.from({ length: from.u16() }, () => ({
    salt: from.hex(32),
    fee: from.amount(),
    chargedAfter: from.amount(),
    acceptedAfter: from.amount(),
  }))
  const siblings = Array.from({ length: from.u8() }, () => from.bytes(32))
  const channel = { ceiling, charged, held, escrowCap, available }
  return { request, channel, firstIndex, tips, siblings }
}

function decodeFramedTips(from: Reader): FramedTip[] {
  const count = from.u16()
  if (count < tipsPerBasket.minimum || count > tipsPerBasket.maximum) {
    const { minimum, maximum } = tipsPerBasket
    throw new FrameError(`a basket of ${count} tips, not ${minimum} to ${maximum}`)
  }
  const tips: FramedTip[] = []
  for (let at = 0; at < count; at += 1) {
    const tip = { to: from.hex(32), amount: from.amount(), ref: from.hex(32) }
    if (tip.amount === 0n) throw new FrameError(`tip ${at}: its amount must be above zero`)
    const message = decodeMessage(from)
    tips.push(message ? { ...tip, message } : tip)
  }
  return tips
}

function decodeMessage(from: Reader): { text: string; salt: Hex } | undefined {
  const length = from.u16()
  if (length === noMessage) return undefined
  if (length > maxMessageBytes) throw new FrameError(`a message of ${length} bytes`)
  const salt = from.hex(32)
  try {
    return { salt, text: utf8.decode(from.bytes(length)) }
  } catch (cause) {
    if (cause instanceof TypeError) throw new FrameError('a message is not UTF-8', { cause })
    throw cause
  }
}

function encodeText(message: FramedTip['message']): Uint8Array | undefined {
  return message && new TextEncoder().encode(message.text)
}

const utf8 = new TextDecoder('utf-8', { fatal: true })
type Writer = ReturnType<typeof writer>
type Reader = ReturnType<typeof reader>

function writer(size: number) {
  const bytes = new Uint8Array(size)
  const view = new DataView(bytes.buffer)
  let at = 0
  return {
    u8(value: number) {
      view.setUint8(at, value)
      at += 1
    },
    u16(value: number) {
      view.setUint16(at, value)
      at += 2
    },
    u32(value: number) {
      view.setUint32(at, value)
      at += 4
    },
    u64(value: bigint) {
      view.setBigUint64(at, value)
      at += 8
    },
    amount(value: bigint) {
      writeAmount(view, at, value)
      at += 16
    },
    hex(value: Hex) {
      at = writeHex(bytes, at, value)
    },
    bytes(value: Uint8Array) {
      bytes.set(value, at)
      at += value.length
    },
    done() {
      if (at !== size) throw new RangeError(`${at} bytes written into a frame of ${size}`)
      return bytes
    },
  }
}

function reader(bytes: Uint8Array) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let at = 0
  function take(length: number): number {
    const from = at
    if (from + length > bytes.length) {
      throw new FrameError(
        `the frame ends at byte ${bytes.length}, within a field that begins at ${from}`,
      )
    }
    at += length
    return from
  }
  return {
    u8: () => view.getUint8(take(1)),
    u16: () => view.getUint16(take(2)),
    u32: () => view.getUint32(take(4)),
    u64: () => view.getBigUint64(take(8)),
    amount: () => readAmount(view, take(16)),
    hex(length: number): Hex {
      const from = take(length)
      return readHex(bytes, from, at)
    },
    bytes(length: number): Uint8Array {
      const from = take(length)
      return bytes.subarray(from, at)
    },
    end() {
      if (at !== bytes.length) throw new FrameError(`${bytes.length - at} bytes too many`)
    },
  }
}
