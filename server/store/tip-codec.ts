// The tips of a commit group in one row, packed. Every field has its place, so one tip can be read without the others.
//
// Row:     format 1 byte, count 4, then for each tip the offset of its record (4 bytes each), then the group's epoch (32) and
//          secret (32), from which every salt follows, then the records.
// Basket:  channelId 32, tipsHash 32, voucher signature 65, maxClaimableAmount 16, payer 20, token 20, acceptedAt 8. It stands
//          before the first of its tips.
// Tip:     offset of its basket 4, to 32, ref 32, amount 16, fee 16, chargedAfter 16, acceptedAfter 16, message length 2
//          (0xffff: no message), message.

import type { Address, Hex } from 'viem'
import { keccak, layWords } from '#protocol/keccak.ts'
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

const format = 3
const basketBytes = 193
const tipBytes = 134
const noMessage = 0xffff

/** The salt of a tip: 32 bytes that nobody can guess who has not the group's secret. */
export function saltOf(secret: Hex, index: number): Hex {
  return keccak(layWords([secret, BigInt(index)]))
}

/** Packs the tips of a group; their salts must be those of `secret`, and the tips of a basket stand together. */
export function encodeTips(
  tips: readonly StoredTip[],
  { epoch, secret }: { epoch: Hex; secret: Hex },
): Uint8Array {
  const headBytes = 5 + tips.length * 4 + 64
  const row = Buffer.allocUnsafe(headBytes + recordBytes(tips))
  row.writeUInt8(format)
  row.writeUInt32BE(tips.length, 1)
  row.write(epoch.slice(2), headBytes - 64, 'hex')
  row.write(secret.slice(2), headBytes - 32, 'hex')
  let at = headBytes
  let basketAt = at
  for (const [index, tip] of tips.entries()) {
    if (!isSameBasket(tips[index - 1], tip)) {
      basketAt = at
      at = writeBasket(row, at, tip)
    }
    row.writeUInt32BE(at, 5 + index * 4)
    at = writeTip(row, at, { tip, basketAt })
  }
  return row
}

/** How many tips a row holds. */
export function countTips(row: Uint8Array): number {
  return viewOf(row).readUInt32BE(1)
}

/** All tips of a group's row, in order. */
export function decodeTips(row: Uint8Array, group: bigint): StoredTip[] {
  return Array.from({ length: countTips(row) }, (_, index) => decodeTip(row, { group, index }))
}

/** One tip of a group's row. @throws Error when the row has no such tip or another format. */
export function decodeTip(
  row: Uint8Array,
  { group, index }: { group: bigint; index: number },
): StoredTip {
  const bytes = viewOf(row)
  const count = countTips(row)
  if (bytes[0] !== format || index >= count) throw new Error(`group ${group} has no tip ${index}`)
  const shared = 5 + count * 4
  const epoch = hexAt(bytes, shared, 32)
  const secret = hexAt(bytes, shared + 32, 32)
  const at = bytes.readUInt32BE(5 + index * 4)
  const basketAt = bytes.readUInt32BE(at)
  const place = { salt: saltOf(secret, index), epoch, group, index }
  const channelId = hexAt(bytes, basketAt, 32)
  const tipsHash = hexAt(bytes, basketAt + 32, 32)
  const leaf = {
    ...place,
    channelId,
    basketId: basketId(channelId, tipsHash),
    voucherSignature: hexAt(bytes, basketAt + 64, 65),
    ...readTip(bytes, at + 4),
  }
  const note = {
    ...readNote(bytes, basketAt + 129),
    tipsHash,
    message: readMessage(bytes, at + 132),
  }
  return { leaf, note }
}

/** Whether two tips stand under one voucher: a basket is committed once, as a whole. */
function isSameBasket(before: StoredTip | undefined, { leaf }: StoredTip): boolean {
  return before?.leaf.basketId === leaf.basketId
}

function recordBytes(tips: readonly StoredTip[]): number {
  let bytes = 0
  for (const [index, tip] of tips.entries()) {
    if (!isSameBasket(tips[index - 1], tip)) bytes += basketBytes
    bytes += tipBytes
    if (tip.note.message !== null) bytes += Buffer.byteLength(tip.note.message)
  }
  return bytes
}

function writeBasket(into: Buffer, start: number, { leaf, note }: StoredTip): number {
  let at = start
  for (const field of [leaf.channelId, note.tipsHash, leaf.voucherSignature])
    at += into.write(field.slice(2), at, 'hex')
  at = writeAmount(into, at, note.maxClaimableAmount)
  for (const field of [note.payer, note.token]) at += into.write(field.slice(2), at, 'hex')
  return into.writeBigUInt64BE(BigInt(note.acceptedAt), at)
}

function writeTip(
  into: Buffer,
  start: number,
  { tip: { leaf, note }, basketAt }: { tip: StoredTip; basketAt: number },
): number {
  let at = into.writeUInt32BE(basketAt, start)
  for (const field of [leaf.to, leaf.ref]) at += into.write(field.slice(2), at, 'hex')
  for (const amount of [leaf.amount, leaf.fee, leaf.chargedAfter, leaf.acceptedAfter])
    at = writeAmount(into, at, amount)
  if (note.message === null) return into.writeUInt16BE(noMessage, at)
  const length = into.write(note.message, at + 2)
  into.writeUInt16BE(length, at)
  return at + 2 + length
}

function readTip(bytes: Buffer, at: number) {
  return {
    to: hexAt(bytes, at, 32),
    ref: hexAt(bytes, at + 32, 32),
    amount: amountAt(bytes, at + 64),
    fee: amountAt(bytes, at + 80),
    chargedAfter: amountAt(bytes, at + 96),
    acceptedAfter: amountAt(bytes, at + 112),
  }
}

function readMessage(bytes: Buffer, at: number): string | null {
  const length = bytes.readUInt16BE(at)
  return length === noMessage ? null : bytes.toString('utf8', at + 2, at + 2 + length)
}

function readNote(bytes: Buffer, at: number) {
  return {
    maxClaimableAmount: amountAt(bytes, at),
    payer: hexAt(bytes, at + 16, 20),
    token: hexAt(bytes, at + 36, 20),
    acceptedAt: Number(bytes.readBigUInt64BE(at + 56)),
  }
}

function writeAmount(into: Buffer, at: number, amount: bigint): number {
  into.writeBigUInt64BE(amount >> 64n, at)
  return into.writeBigUInt64BE(amount & 0xffff_ffff_ffff_ffffn, at + 8)
}

function amountAt(bytes: Buffer, at: number): bigint {
  return (bytes.readBigUInt64BE(at) << 64n) | bytes.readBigUInt64BE(at + 8)
}

function hexAt(bytes: Buffer, at: number, length: number): Hex {
  return `0x${bytes.toString('hex', at, at + length)}`
}

function viewOf(row: Uint8Array): Buffer {
  return Buffer.from(row.buffer, row.byteOffset, row.byteLength)
}
