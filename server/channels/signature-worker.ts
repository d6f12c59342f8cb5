// A thread that checks signatures: it is told how many slots of a batch are filled, and answers when they are checked.

import assert from 'node:assert/strict'
import { parentPort, workerData } from 'node:worker_threads'
import secp256k1 from 'secp256k1'
import { keccakBytes } from '#protocol/keccak.ts'
import { readCheck } from './check-slots.ts'

const batches = (workerData as SharedArrayBuffer[]).map((slots) => new Uint8Array(slots))
const port = parentPort
assert.ok(port, 'a signature worker runs in a thread')
port.on('message', ({ batch, count }: { batch: number; count: number }) => {
  const slots = batches[batch]
  assert.ok(slots, `there is no batch ${batch}`)
  for (let slot = 0; slot < count; slot += 1) check(slots, slot)
  port.postMessage(batch)
})

function check(slots: Uint8Array, slot: number) {
  const { isKeyKnown, v, digest, signature, signer, key, answer } = readCheck(slots, slot)
  if (v !== 27 && v !== 28) return answer(false)
  try {
    if (isKeyKnown) return answer(secp256k1.ecdsaVerify(signature, digest, key))
    const found = [v - 27, 28 - v]
      .map((parity) => secp256k1.ecdsaRecover(signature, parity, digest, false))
      .find((candidate) => isKeyOf(candidate, signer))
    return answer(found !== undefined && secp256k1.ecdsaVerify(signature, digest, found), found)
  } catch (cause) {
    if (!(cause instanceof Error)) throw cause
    return answer(false)
  }
}

function isKeyOf(key: Uint8Array, signer: Uint8Array): boolean {
  return Buffer.compare(keccakBytes(key.subarray(1)).subarray(12), signer) === 0
}
