// Where keccak256 is computed: messages are laid out in the memory of the WebAssembly code itself, many of one length side by
// side, and one call hashes them all. Nothing is allocated and nothing is copied in between.

import { blockBytes, keccakModule, places, roundConstants } from './keccak-code.ts'

/** As much of WebAssembly as is used here, which browsers and Node have alike. */
declare const WebAssembly: {
  instantiate(code: Uint8Array): Promise<{ instance: { exports: unknown } }>
}

type Sponge = {
  memory: { buffer: ArrayBuffer }
  hash: (from: number, at: number, blocks: number, count: number, into: number) => void
}

/** Pages of 64 KiB. Batches are made once, when their files are loaded, and this is room for all of them. */
const pages = 8
const digestBytes = 32

const { instance } = await WebAssembly.instantiate(keccakModule(pages))
const sponge = instance.exports as Sponge
const bytes = new Uint8Array(sponge.memory.buffer)
const view = new DataView(sponge.memory.buffer)
for (const [round, constant] of roundConstants().entries())
  view.setBigUint64(places.roundConstants + 8 * round, constant, true)

let free: number = places.free
const zeroState = reserve(200)

/** The memory. Hashing never waits, so whoever lays something out in a place of theirs finds it there. */
export const hashing = { bytes, view } as const

/** Places for messages of one length, and for their digests. What is laid out stays until it is laid over. */
export type Batch = {
  /** How many fit. */
  most: number
  /** Where a message begins. */
  messageAt: (index: number) => number
  /** Hashes the first messages; their digests then stand side by side from `digests` on. */
  hash: (count: number) => void
  digests: number
}

/** @throws RangeError when the memory is full */
export function createBatch({ length, most }: { length: number; most: number }): Batch {
  const blocks = Math.floor(length / blockBytes) + 1
  const stride = blocks * blockBytes
  const messages = reserve(stride * most)
  const digests = reserve(digestBytes * most)
  for (let index = 0; index < most; index += 1) pad(messages + index * stride, length)
  return {
    most,
    messageAt: (index) => messages + index * stride,
    hash(count) {
      if (count > most) throw new RangeError(`${count} messages, ${most} fit`)
      // The code counts down after each message, so it must not be asked for none.
      if (count > 0) sponge.hash(zeroState, messages, blocks, count, digests)
    },
    digests,
  }
}

const blocksOfMessage = 8
const roomOfMessage = blocksOfMessage * blockBytes

/** One message of any length: its first bytes are laid out at `at`, as many as fit in `room`. */
export const message = { at: reserve(roomOfMessage), room: roomOfMessage - 1 } as const
const digest = reserve(digestBytes)

/** Hashes a message that was laid out at its place, and returns where its digest stands until the next. */
export function hashMessage(length: number, from: number = zeroState): number {
  const blocks = Math.floor(length / blockBytes) + 1
  bytes.fill(0, message.at + length, message.at + blocks * blockBytes)
  pad(message.at, length)
  sponge.hash(from, message.at, blocks, 1, digest)
  return digest
}

/** Hashes bytes of any length, and returns where the digest stands until the next message. */
export function hashBytes(input: Uint8Array): number {
  let from = zeroState
  let done = 0
  for (; input.length - done > message.room; done += roomOfMessage) {
    bytes.set(input.subarray(done, done + roomOfMessage), message.at)
    sponge.hash(from, message.at, blocksOfMessage, 1, digest)
    from = places.lastState
  }
  bytes.set(done === 0 ? input : input.subarray(done), message.at)
  return hashMessage(input.length - done, from)
}

/** The padding of Ethereum: a one bit after the message, and one at the end of its last block. */
function pad(at: number, length: number) {
  const end = at + (Math.floor(length / blockBytes) + 1) * blockBytes - 1
  bytes[at + length] = 0x01
  bytes[end] = (bytes[end] ?? 0) | 0x80
}

function reserve(size: number): number {
  const at = free
  free = Math.ceil((at + size) / 8) * 8
  if (free > pages * 65_536) throw new RangeError(`no room for ${size} bytes to hash`)
  return at
}
