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
import type { MessagedTip, PackedBasket, PackedTips, TipMessage } from './packed-tips.ts'
import { noMessage, packTips, tipBytes, tipOffsets } from './packed-tips.ts'
import type { GroupHeader } from './receipt.ts'
import { tipsPerBasket } from './tip.ts'

export const frameKinds = { baskets: 0x01, ticks: 0x02, receipts: 0x81, ticked: 0x82 } as const

/** A basket under a request number that its sender chose; the answer carries the same. */
export type FramedBasket = {
  request: number
  channelId: Hex
  maxClaimableAmount: bigint
  signature: Hex
  tips: readonly MessagedTip[]
}

/** A basket as it comes out of a frame: its tips stay in the frame's own memory. */
export type ReceivedBasket = PackedBasket & { request: number }

/** What a stream's payer reveals: the preimage (32 bytes, of the frame's own memory) that pays all ticks up to a number. */
export type FramedTicks = { stream: number; ticks: number; preimage: Uint8Array }

/** How far a stream's ticks are on disk. */
export type FramedTicked = { stream: number; ticks: number }

/** What the hub decided for one tip of a basket; the rest of its leaf the sender knows. */
type TipProof = { salt: Hex; fee: bigint; chargedAfter: bigint; acceptedAfter: bigint }

/**
 * The answer to one basket: the channel's amounts, and where its tips stand in the tree under the header. `proofs` are what was
 * decided for each tip, and `siblings` the nodes beside them, both packed as they are framed.
 */
export type FramedReceipt = {
  request: number
  channel: ChannelAmounts
  firstIndex: number
  proofs: Uint8Array
  siblings: Uint8Array
}

/** Receipts of one commit group. */
export type ReceiptsFrame = {
  header: GroupHeader
  headerSignature: Hex
  receipts: FramedReceipt[]
}

/** A frame that does not say what it should; the message says where. */
export class FrameError extends Error {}

const maxMessageBytes = 4 * 280
const sizes = { basket: 115, header: 213, receipt: 75, ticks: 40, ticked: 8 }

/** Bytes of what was decided for a tip: salt 32, then what the store holds in one piece: fee, chargedAfter, acceptedAfter. */
export const proofBytes = 80

export function encodeBaskets(first: number, baskets: readonly FramedBasket[]): Uint8Array {
  const packed = baskets.map(({ tips }) => packTips(tips).bytes)
  const size = packed.reduce((sum, { length }) => sum + sizes.basket + length, 7)
  const into = writer(size)
  into.u8(frameKinds.baskets)
  into.u32(first)
  into.u16(baskets.length)
  for (const [index, { channelId, maxClaimableAmount, signature, tips }] of baskets.entries()) {
    into.hex(channelId)
    into.amount(maxClaimableAmount)
    into.hex(signature)
    into.u16(tips.length)
    into.bytes(packed[index] ?? new Uint8Array())
  }
  return into.done()
}

/** @throws FrameError */
export function decodeBaskets(frame: Uint8Array): ReceivedBasket[] {
  const from = reader(frame)
  from.u8()
  const first = from.u32()
  const count = from.u16()
  if (count === 0) throw new FrameError('the frame holds no basket')
  const baskets: ReceivedBasket[] = []
  for (let at = 0; at < count; at += 1) {
    baskets.push({
      request: first + at,
      channelId: from.hex(32),
      maxClaimableAmount: from.amount(),
      signature: from.hex(65),
      tips: takeTips(from, frame),
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
    ({ proofs, siblings }) => sizes.receipt + proofs.length + siblings.length,
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

/** What was decided for each tip of a receipt, in order. */
export function unpackProofs(proofs: Uint8Array): TipProof[] {
  const from = reader(proofs)
  return Array.from({ length: proofs.length / proofBytes }, () => ({
    salt: from.hex(32),
    fee: from.amount(),
    chargedAfter: from.amount(),
    acceptedAfter: from.amount(),
  }))
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
  const { request, channel, firstIndex, proofs, siblings } = receipt
  into.u32(request)
  for (const amount of [channel.ceiling, channel.charged, channel.held, channel.escrowCap])
    into.amount(amount)
  into.u32(firstIndex)
  into.u16(proofs.length / proofBytes)
  into.bytes(proofs)
  into.u8(siblings.length / 32)
  into.bytes(siblings)
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
  const proofs = from.bytes(from.u16() * proofBytes)
  const siblings = from.bytes(from.u8() * 32)
  const channel = { ceiling, charged, held, escrowCap, available }
  return { request, channel, firstIndex, proofs, siblings }
}

function takeTips(from: Reader, frame: Uint8Array): PackedTips {
  const count = from.u16()
  if (count < tipsPerBasket.minimum || count > tipsPerBasket.maximum) {
    const { minimum, maximum } = tipsPerBasket
    throw new FrameError(`a basket of ${count} tips, not ${minimum} to ${maximum}`)
  }
  const starts: number[] = []
  let messages: Map<number, TipMessage> | undefined
  for (let index = 0; index < count; index += 1) {
    const start = from.skip(tipBytes)
    starts.push(start)
    if (from.isZero(start + tipOffsets.amount, 16))
      throw new FrameError(`tip ${index}: its amount must be above zero`)
    const length = from.view.getUint16(start + tipOffsets.messageLength)
    if (length === noMessage) continue
    messages ??= new Map()
    messages.set(index, takeMessage(from, length))
  }
  return { bytes: frame, view: from.view, starts, messages: messages ?? noMessages }
}

const noMessages: ReadonlyMap<number, TipMessage> = new Map()

function takeMessage(from: Reader, length: number): TipMessage {
  if (length > maxMessageBytes) throw new FrameError(`a message of ${length} bytes`)
  const salt = from.hex(32)
  try {
    return { salt, text: utf8.decode(from.bytes(length)) }
  } catch (cause) {
    if (cause instanceof TypeError) throw new FrameError('a message is not UTF-8', { cause })
    throw cause
  }
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
    view,
    skip: take,
    isZero(place: number, length: number): boolean {
      for (let offset = 0; offset < length; offset += 4)
        if (view.getUint32(place + offset) !== 0) return false
      return true
    },
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
