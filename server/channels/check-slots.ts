// What the main thread and a signature worker share: slots in one memory, each a signature to check and the answer.

import type { Address, Hex } from 'viem'
import { hexBytes, writeHex } from '#protocol/hex.ts'

/** Bytes of a slot: mode 1, v 1, answer 1, digest 32, signature 64, signer 20, public key 65. */
const slotBytes = 184
const offsets = { mode: 0, v: 1, answer: 2, digest: 3, signature: 35, signer: 99, key: 119 }

export const slotsPerBatch = 128

export const publicKeyBytes = 65

/** Check against a known public key, or find the key of a known address. */
const modes = { verify: 1, recover: 2 }

export type Check = { digest: Hex; signature: Hex; signer: Address; key: Uint8Array | undefined }

export function newSlots(): SharedArrayBuffer {
  return new SharedArrayBuffer(slotBytes * slotsPerBatch)
}

/** Writes a check. A signature that is not 65 bytes is one that cannot be right. */
export function writeCheck(slots: Uint8Array, slot: number, check: Check) {
  const start = slot * slotBytes
  const { signature, digest, signer, key } = check
  slots[start + offsets.mode] = key ? modes.verify : modes.recover
  slots[start + offsets.answer] = 0
  slots[start + offsets.v] = 0
  writeHex(slots, start + offsets.digest, digest)
  if (hexBytes(signature) === 65) {
    // The last byte, v, lands where the signer comes.
    writeHex(slots, start + offsets.signature, signature)
    slots[start + offsets.v] = slots[start + offsets.signer] ?? 0
  }
  writeHex(slots, start + offsets.signer, signer)
  if (key) slots.set(key, start + offsets.key)
}

/** A check as the worker sees it: views of the shared memory. Without a key, the signer's is to be found. */
export function readCheck(slots: Uint8Array, slot: number) {
  const start = slot * slotBytes
  const part = (at: number, length: number) => slots.subarray(start + at, start + at + length)
  return {
    isKeyKnown: slots[start + offsets.mode] === modes.verify,
    v: slots[start + offsets.v] ?? 0,
    digest: part(offsets.digest, 32),
    signature: part(offsets.signature, 64),
    signer: part(offsets.signer, 20),
    key: part(offsets.key, publicKeyBytes),
    answer(isRight: boolean, key?: Uint8Array) {
      slots[start + offsets.answer] = isRight ? 1 : 0
      if (key) slots.set(key, start + offsets.key)
    },
  }
}

/** Whether the signature is the signer's. */
export function isRight(slots: Uint8Array, slot: number): boolean {
  return slots[slot * slotBytes + offsets.answer] === 1
}

/** The public key of a signature that is right. */
export function keyIn(slots: Uint8Array, slot: number): Uint8Array {
  const start = slot * slotBytes + offsets.key
  return slots.slice(start, start + publicKeyBytes)
}
