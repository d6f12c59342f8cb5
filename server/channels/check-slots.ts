// What the main thread and a signature worker share: slots in one memory, each a signature to check and the answer.

import type { Address, Hex } from 'viem'
import { hexToBytes } from 'viem'

/** Bytes of a slot: mode 1, v 1, answer 1, digest 32, signature 64, signer 20, public key 65. */
const slotBytes = 184
const offsets = { mode: 0, v: 1, answer: 2, digest: 3, signature: 35, signer: 99, key: 119 }

export const slotsPerBatch = 64

export const publicKeyBytes = 65

/** Check against a known public key, or find the key of a known address. */
const modes = { verify: 1, recover: 2 }

export type Check = { digest: Hex; signature: Hex; signer: Address; key: Uint8Array | undefined }

export function newSlots(): SharedArrayBuffer {
  return new SharedArrayBuffer(slotBytes * slotsPerBatch)
}

export function writeCheck(slots: SharedArrayBuffer, slot: number, check: Check) {
  const bytes = bytesOf(slots, slot)
  const signature = hexToBytes(check.signature)
  bytes[offsets.mode] = check.key ? modes.verify : modes.recover
  bytes[offsets.v] = signature[64] ?? 0
  bytes[offsets.answer] = 0
  bytes.set(hexToBytes(check.digest), offsets.digest)
  bytes.set(signature.subarray(0, 64), offsets.signature)
  bytes.set(hexToBytes(check.signer), offsets.signer)
  if (check.key) bytes.set(check.key, offsets.key)
}

/** A check as the worker sees it: views of the shared memory. Without a key, the signer's is to be found. */
export function readCheck(slots: SharedArrayBuffer, slot: number) {
  const bytes = bytesOf(slots, slot)
  const part = (at: number, length: number) => bytes.subarray(at, at + length)
  return {
    isKeyKnown: bytes[offsets.mode] === modes.verify,
    v: bytes[offsets.v] ?? 0,
    digest: part(offsets.digest, 32),
    signature: part(offsets.signature, 64),
    signer: part(offsets.signer, 20),
    key: part(offsets.key, publicKeyBytes),
    answer(isRight: boolean, key?: Uint8Array) {
      bytes[offsets.answer] = isRight ? 1 : 0
      if (key) bytes.set(key, offsets.key)
    },
  }
}

/** Whether the signature is the signer's, and if so the signer's key. */
export function readAnswer(slots: SharedArrayBuffer, slot: number): Uint8Array | undefined {
  const bytes = bytesOf(slots, slot)
  if (bytes[offsets.answer] !== 1) return undefined
  return bytes.subarray(offsets.key, offsets.key + publicKeyBytes)
}

function bytesOf(slots: SharedArrayBuffer, slot: number): Uint8Array {
  return new Uint8Array(slots, slot * slotBytes, slotBytes)
}
