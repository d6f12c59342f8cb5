// The leaves of a commit group, hashed straight from its packed row, many in one call. What each hash is of, protocol/receipt.ts
// says; the tests hold the two against each other.

import { copyBytes } from '#protocol/hex.ts'
import { layAmount } from '#protocol/packed-tips.ts'
import { createBatch, hashing, hashMessage, message } from '#protocol/sponge.ts'
import type { ReadRow } from './tip-codec.ts'
import { basketAt, readRow, saltBytes, saltsOf, tipAt } from './tip-codec.ts'

/** A zero byte and thirteen words. */
const leafBytes = 417
const hashed = createBatch({ length: leafBytes, most: 256 })

/** Where the words of a leaf begin. Numbers stand at the end of theirs, and nothing else is ever written before them. */
const wordAt = {
  salt: 1,
  epoch: 33,
  group: 65,
  index: 97,
  channelId: 129,
  basketId: 161,
  signatureHash: 193,
  to: 225,
  ref: 257,
  amount: 289,
  fee: 321,
  chargedAfter: 353,
  acceptedAfter: 385,
} as const

/** The leaves' hashes and the salts of a group's tips, packed in order, and the row that they are of. */
export type Leaves = { read: ReadRow | undefined; hashes: Uint8Array; salts: Uint8Array }

/** @throws Error when the row has another format */
export function hashLeaves(row: Uint8Array | undefined, group: bigint): Leaves {
  if (!row) return { read: undefined, hashes: new Uint8Array(), salts: new Uint8Array() }
  const read = readRow(row, group)
  const salts = saltsOf(read.secret, { first: 0, count: read.count })
  const hashes = new Uint8Array(read.count * 32)
  const lay = layLeavesOf(read, { group, salts })
  for (let done = 0; done < read.count; done += hashed.most) {
    const some = Math.min(hashed.most, read.count - done)
    for (let index = 0; index < some; index += 1) lay(hashed.messageAt(index), done + index)
    hashed.hash(some)
    hashes.set(hashing.bytes.subarray(hashed.digests, hashed.digests + some * 32), done * 32)
  }
  return { read, hashes, salts }
}

/** The tips of a basket stand together: what they share is hashed for the first of them. */
function layLeavesOf(
  row: ReadRow,
  { group, salts }: { group: bigint; salts: Uint8Array },
): (at: number, index: number) => void {
  const { view } = hashing
  const saltView = viewOf(salts)
  const epochView = viewOf(row.epoch)
  const shared = new DataView(new ArrayBuffer(64))
  let basket = -1

  return (at, index) => {
    const place = row.placeOf(index)
    if (row.basketOf(place) !== basket) {
      basket = row.basketOf(place)
      hashShared(row, basket, shared)
    }
    const word = (name: keyof typeof wordAt) => ({ into: view, at: at + wordAt[name], length: 32 })
    copyBytes(word('salt'), saltView, index * saltBytes)
    copyBytes(word('epoch'), epochView, 0)
    view.setBigUint64(at + wordAt.group + 24, group)
    view.setUint32(at + wordAt.index + 28, index)
    copyBytes(word('channelId'), row.view, basket + basketAt.channelId)
    copyBytes(word('basketId'), shared, 0)
    copyBytes(word('signatureHash'), shared, 32)
    copyBytes(word('to'), row.view, place + tipAt.to)
    copyBytes(word('ref'), row.view, place + tipAt.ref)
    layAmount(at + wordAt.amount, row.view, place + tipAt.amount)
    layAmount(at + wordAt.fee, row.view, place + tipAt.fee)
    layAmount(at + wordAt.chargedAfter, row.view, place + tipAt.chargedAfter)
    layAmount(at + wordAt.acceptedAfter, row.view, place + tipAt.acceptedAfter)
  }
}

/** The basket's id, which is the hash of its first two fields, and the hash of its signature. */
function hashShared(row: ReadRow, basket: number, into: DataView) {
  const fields = { into: hashing.view, at: message.at, length: 64 }
  copyBytes(fields, row.view, basket + basketAt.channelId)
  copyBytes({ into: into, at: 0, length: 32 }, hashing.view, hashMessage(64))
  const from = basket + basketAt.signature
  hashing.bytes.set(row.bytes.subarray(from, from + 65), message.at)
  copyBytes({ into: into, at: 32, length: 32 }, hashing.view, hashMessage(65))
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength)
}
