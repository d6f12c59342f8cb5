// The tips of a commit group in one row, packed. Every field has its place, so one tip can be read without the others, and what
// a frame brought is copied as it is. Places are counted from the first record.
//
// Row:     format 1 byte, count 4, for each tip the place of its record (4 bytes each), then the group's epoch (32) and secret
//          (32), from which every salt follows, then the records.
// Basket:  channelId 32, tipsHash 32, voucher signature 65, maxClaimableAmount 16, payer 20, token 20, acceptedAt 8. It stands
//          before the first of its tips.
// Tip:     place of its basket 4, to 32, amount 16, ref 32, fee 16, chargedAfter 16, acceptedAfter 16, message length 2
//          (0xffff: no message), message.

import { createCipheriv } from 'node:crypto'
import type { Address, Hex } from 'viem'
import { copyBytes, readAmount, readHex, writeAmount, writeHex } from '#protocol/hex.ts'
import type { PackedTips } from '#protocol/packed-tips.ts'
import { noMessage, tipTermsBytes } from '#protocol/packed-tips.ts'
import type { ReceiptLeaf } from '#protocol/receipt.ts'
import { basketId } from '#protocol/tip.ts'

/**
 * What is kept beside a leaf: for lists, and of its voucher, from which the channel follows. `acceptedAt` is in Unix
 * milliseconds, `maxClaimableAmount` in base units.
 */
export type TipNote = {
  payer: Address
  token: Address
  message: string | null
  acceptedAt: number
  tipsHash: Hex
  maxClaimableAmount: bigint
}

/** A committed tip: what its receipt proves, and its note. */
export type StoredTip = { leaf: ReceiptLeaf; note: TipNote }

/** What the hub decided for a tip: its fee, and the totals after it, in base units. */
export type TipOutcome = Pick<ReceiptLeaf, 'fee' | 'chargedAfter' | 'acceptedAfter'>

/** A basket on its way into a group: what its voucher says, its tips as they came, and what was decided for each of them. */
export type BasketDraft = Pick<ReceiptLeaf, 'channelId' | 'basketId' | 'voucherSignature'> &
  Omit<TipNote, 'message'> & {
    tips: PackedTips
    /** Whom each tip is to, in order. */
    recipients: readonly Hex[]
    outcomes: readonly TipOutcome[]
  }

/** A basket that has its place in a group: its first tip's, those of its others follow. `chargedAfter` is its last tip's. */
export type PlacedBasket = Pick<BasketDraft, 'channelId' | 'recipients'> & {
  firstIndex: number
  chargedAfter: bigint
}

const format = 4
const basketBytes = 193
const tipBytes = 134

/** Where the fields of a basket and of a tip begin. What the hub decided for a tip stands in one piece, from its fee on. */
export const basketAt = {
  channelId: 0,
  tipsHash: 32,
  signature: 64,
  maxClaimableAmount: 129,
  payer: 145,
  token: 165,
  acceptedAt: 185,
} as const
export const tipAt = {
  basket: 0,
  to: 4,
  amount: 36,
  ref: 52,
  fee: 84,
  chargedAfter: 100,
  acceptedAfter: 116,
  message: 132,
} as const
export const outcomeBytes = 48

export const saltBytes = 32

/** Some tips of a group, those from the place `first` on. */
export type TipRange = { first: number; count: number }

/** The salts of tips: key stream of AES-256 in counter mode, two blocks for each, which nobody can guess without the secret. */
export function saltsOf(secret: Uint8Array, { first, count }: TipRange): Buffer {
  const counter = Buffer.alloc(16)
  counter.writeUInt32BE(2 * first, 12)
  return createCipheriv('aes-256-ctr', secret, counter).update(new Uint8Array(count * saltBytes))
}

/** A row that is being filled. */
export type OpenRow = {
  /** How many tips it holds. */
  count(): number
  add(draft: BasketDraft): void
  /** The row; nothing can be added after. */
  close(shared: { epoch: Hex; secret: Uint8Array }): Uint8Array
}

export function openRow(): OpenRow {
  let records = Buffer.allocUnsafe(firstRoom)
  let view = viewOf(records)
  let length = 0
  const places: number[] = []

  return {
    count: () => places.length,
    add(draft) {
      makeRoom(sizeOf(draft))
      const basket = length
      length = writeBasket(records, view, basket, draft)
      for (let index = 0; index < draft.outcomes.length; index += 1) {
        const start = draft.tips.starts[index] ?? 0
        places.push(length)
        view.setUint32(length + tipAt.basket, basket)
        const terms = { into: view, at: length + tipAt.to, length: tipTermsBytes }
        copyBytes(terms, draft.tips.view, start)
        writeOutcome(view, length + tipAt.fee, draft.outcomes[index] ?? nothing)
        const text = draft.tips.messages.get(index)?.text
        length = writeMessage(records, length + tipAt.message, text)
      }
    },
    close({ epoch, secret }) {
      const head = headBytes(places.length)
      const row = Buffer.allocUnsafe(head + length)
      row.writeUInt8(format)
      row.writeUInt32BE(places.length, 1)
      for (const [index, place] of places.entries()) row.writeUInt32BE(place, 5 + index * 4)
      writeHex(row, head - 64, epoch)
      row.set(secret, head - 32)
      records.copy(row, head, 0, length)
      return row
    },
  }

  function makeRoom(more: number) {
    if (length + more <= records.length) return
    const larger = Buffer.allocUnsafe(2 * (length + more))
    records.copy(larger, 0, 0, length)
    records = larger
    view = viewOf(records)
  }
}

const firstRoom = 4_096
const nothing: TipOutcome = { fee: 0n, chargedAfter: 0n, acceptedAfter: 0n }

/** A row as it is read. */
export type ReadRow = {
  bytes: Buffer
  view: DataView
  count: number
  epoch: Uint8Array
  secret: Uint8Array
  /** Where a tip begins. @throws Error when the row has no such tip */
  placeOf(index: number): number
  /** Where the basket begins that a tip, given by its place, belongs to. */
  basketOf(place: number): number
}

/** @throws Error when the row has another format; the message names the group */
export function readRow(row: Uint8Array, group: bigint): ReadRow {
  const bytes = Buffer.from(row.buffer, row.byteOffset, row.byteLength)
  const view = viewOf(bytes)
  if (bytes[0] !== format) throw new Error(`the tips of group ${group} are of another format`)
  const count = view.getUint32(1)
  const head = headBytes(count)
  return {
    bytes,
    view,
    count,
    epoch: bytes.subarray(head - 64, head - 32),
    secret: bytes.subarray(head - 32, head),
    placeOf(index) {
      if (index >= count) throw new Error(`group ${group} has no tip ${index}`)
      return head + view.getUint32(5 + index * 4)
    },
    basketOf: (place) => head + view.getUint32(place + tipAt.basket),
  }
}

/** Tips of a group's row in order, all or some. @throws Error when the row has no such tips or another format */
export function decodeTips(row: Uint8Array, group: bigint, range?: TipRange): StoredTip[] {
  const read = readRow(row, group)
  const { first, count } = range ?? { first: 0, count: read.count }
  return unpackTipsOf(read, { group, first, count, salts: saltsOf(read.secret, { first, count }) })
}

/** As {@link decodeTips}, of a row that was read already; `salts` are those of the tips asked for. */
export function unpackTipsOf(
  row: ReadRow,
  { group, first, count, salts }: TipRange & { group: bigint; salts: Uint8Array },
): StoredTip[] {
  return Array.from({ length: count }, (_, at) => {
    const salt = readHex(salts, at * saltBytes, (at + 1) * saltBytes)
    return tipOf(row, { group, index: first + at, salt })
  })
}

/** One tip of a group's row. @throws Error when the row has no such tip or another format */
export function decodeTip(
  row: Uint8Array,
  { group, index }: { group: bigint; index: number },
): StoredTip {
  const [tip] = decodeTips(row, group, { first: index, count: 1 })
  if (!tip) throw new Error(`group ${group} has no tip ${index}`)
  return tip
}

function tipOf(
  row: ReadRow,
  { group, index, salt }: { group: bigint; index: number; salt: Hex },
): StoredTip {
  const { bytes, view } = row
  const at = row.placeOf(index)
  const basket = row.basketOf(at)
  const hex = (from: number, length: number) => readHex(bytes, from, from + length)
  const channelId = hex(basket + basketAt.channelId, 32)
  const tipsHash = hex(basket + basketAt.tipsHash, 32)
  return {
    leaf: {
      salt,
      epoch: readHex(row.epoch),
      group,
      index,
      channelId,
      basketId: basketId(channelId, tipsHash),
      voucherSignature: hex(basket + basketAt.signature, 65),
      to: hex(at + tipAt.to, 32),
      ref: hex(at + tipAt.ref, 32),
      amount: readAmount(view, at + tipAt.amount),
      fee: readAmount(view, at + tipAt.fee),
      chargedAfter: readAmount(view, at + tipAt.chargedAfter),
      acceptedAfter: readAmount(view, at + tipAt.acceptedAfter),
    },
    note: {
      payer: hex(basket + basketAt.payer, 20),
      token: hex(basket + basketAt.token, 20),
      message: readMessage(bytes, at + tipAt.message),
      acceptedAt: Number(view.getBigUint64(basket + basketAt.acceptedAt)),
      tipsHash,
      maxClaimableAmount: readAmount(view, basket + basketAt.maxClaimableAmount),
    },
  }
}

function headBytes(count: number): number {
  return 5 + count * 4 + 64
}

function sizeOf({ tips }: BasketDraft): number {
  let bytes = basketBytes + tips.starts.length * tipBytes
  for (const { text } of tips.messages.values()) bytes += Buffer.byteLength(text)
  return bytes
}

function writeBasket(into: Buffer, view: DataView, start: number, draft: BasketDraft): number {
  writeHex(into, start + basketAt.channelId, draft.channelId)
  writeHex(into, start + basketAt.tipsHash, draft.tipsHash)
  writeHex(into, start + basketAt.signature, draft.voucherSignature)
  writeAmount(view, start + basketAt.maxClaimableAmount, draft.maxClaimableAmount)
  writeHex(into, start + basketAt.payer, draft.payer)
  writeHex(into, start + basketAt.token, draft.token)
  view.setBigUint64(start + basketAt.acceptedAt, BigInt(draft.acceptedAt))
  return start + basketBytes
}

function writeOutcome(view: DataView, at: number, outcome: TipOutcome) {
  writeAmount(view, at, outcome.fee)
  writeAmount(view, at + 16, outcome.chargedAfter)
  writeAmount(view, at + 32, outcome.acceptedAfter)
}

function writeMessage(into: Buffer, at: number, text: string | undefined): number {
  if (text === undefined) return into.writeUInt16BE(noMessage, at)
  const length = into.write(text, at + 2)
  into.writeUInt16BE(length, at)
  return at + 2 + length
}

function readMessage(bytes: Buffer, at: number): string | null {
  const length = bytes.readUInt16BE(at)
  return length === noMessage ? null : bytes.toString('utf8', at + 2, at + 2 + length)
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength)
}
