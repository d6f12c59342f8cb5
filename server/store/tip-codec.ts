// The tips of a commit group in one row, packed. Every field has its place, so one tip can be read without the others.
//
// Row:  format 1 byte, count 4, then for each tip the offset of its record (4 bytes each), then the group's epoch (32) and
//       secret (32), from which every salt follows, then the records.
// Tip:  channelId 32, basketId 32, voucher signature 65, to 32, ref 32, amount 16, fee 16, chargedAfter 16,
//       acceptedAfter 16, payer 20, token 20, acceptedAt 8, message length 2 (0xffff: no message), message.

import type { Address, Hex } from 'viem'
import { bytesToHex } from 'viem'
import { concatBytes, keccak, layWords } from '#protocol/keccak.ts'
import type { ReceiptLeaf } from '#protocol/receipt.ts'

/** What is kept beside a leaf for lists. `acceptedAt` is in Unix milliseconds. */
export type TipNote = { payer: Address; token: Address; message: string | null; acceptedAt: number }

/** A committed tip: what its receipt proves, and its note. */
export type StoredTip = { leaf: ReceiptLeaf; note: TipNote }

const format = 1
const fixedBytes = 307
const noMessage = 0xffff

/** The salt of a tip: 32 bytes that nobody can guess who has not the group's secret. */
export function saltOf(secret: Hex, index: number): Hex {
  return keccak(layWords([secret, BigInt(index)]))
}

/** Packs the tips of a group; their salts must be those of `secret`. */
export function encodeTips(
  tips: readonly StoredTip[],
  { epoch, secret }: { epoch: Hex; secret: Hex },
): Uint8Array {
  const messages = tips.map(({ note }) =>
    note.message === null ? undefined : Buffer.from(note.message),
  )
  const head = Buffer.alloc(5 + tips.length * 4 + 64)
  head.writeUInt8(format)
  head.writeUInt32BE(tips.length, 1)
  head.write(epoch.slice(2), head.length - 64, 'hex')
  head.write(secret.slice(2), head.length - 32, 'hex')
  const messageBytes = messages.reduce((sum, message) => sum + (message?.length ?? 0), 0)
  const records = Buffer.alloc(tips.length * fixedBytes + messageBytes)
  let at = 0
  for (const [index, tip] of tips.entries()) {
    head.writeUInt32BE(head.length + at, 5 + index * 4)
    at = writeTip(records, at, { tip, message: messages[index] })
  }
  return concatBytes([head, records])
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
  const place = { salt: saltOf(secret, index), epoch, group, index }
  return { leaf: { ...place, ...readLeaf(bytes, at) }, note: readNote(bytes, at + 241) }
}

function writeTip(
  into: Buffer,
  start: number,
  { tip: { leaf, note }, message }: { tip: StoredTip; message: Buffer | undefined },
): number {
  let at = start
  for (const field of [leaf.channelId, leaf.basketId, leaf.voucherSignature, leaf.to, leaf.ref]) {
    at += into.write(field.slice(2), at, 'hex')
  }
  for (const amount of [leaf.amount, leaf.fee, leaf.chargedAfter, leaf.acceptedAfter])
    at = writeAmount(into, at, amount)
  for (const field of [note.payer, note.token]) at += into.write(field.slice(2), at, 'hex')
  at = into.writeBigUInt64BE(BigInt(note.acceptedAt), at)
  at = into.writeUInt16BE(message?.length ?? noMessage, at)
  return message ? at + message.copy(into, at) : at
}

function readLeaf(bytes: Buffer, at: number) {
  return {
    channelId: hexAt(bytes, at, 32),
    basketId: hexAt(bytes, at + 32, 32),
    voucherSignature: hexAt(bytes, at + 64, 65),
    to: hexAt(bytes, at + 129, 32),
    ref: hexAt(bytes, at + 161, 32),
    amount: amountAt(bytes, at + 193),
    fee: amountAt(bytes, at + 209),
    chargedAfter: amountAt(bytes, at + 225),
    acceptedAfter: amountAt(bytes, at + 241),
  }
}

function readNote(bytes: Buffer, afterLeaf: number): TipNote {
  const at = afterLeaf + 16
  const length = bytes.readUInt16BE(at + 48)
  return {
    payer: hexAt(bytes, at, 20),
    token: hexAt(bytes, at + 20, 20),
    acceptedAt: Number(bytes.readBigUInt64BE(at + 40)),
    message: length === noMessage ? null : bytes.toString('utf8', at + 50, at + 50 + length),
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
  return bytesToHex(bytes.subarray(at, at + length))
}

function viewOf(row: Uint8Array): Buffer {
  return Buffer.from(row.buffer, row.byteOffset, row.byteLength)
}
