// Tips and the voucher that names them: one signature over any number of itemised tips.

import type { Address, Hex } from 'viem'
import { hexToBytes, pad, stringToBytes } from 'viem'
import { writeHex } from './hex.ts'
import {
  concatBytes,
  hashDigests,
  hashWords,
  hashWordsToHex,
  keccak,
  layWords,
  typedDigest,
  typeHash,
} from './keccak.ts'
import { createBatch, hashing } from './sponge.ts'

/** How many tips one voucher may name. */
export const tipsPerBasket = { minimum: 1, maximum: 256 } as const

/** A basket of tips under one signature. `maxClaimableAmount` is cumulative over the channel's life. */
export const tipVoucherTypes = {
  TipVoucher: [
    { name: 'channelId', type: 'bytes32' },
    { name: 'maxClaimableAmount', type: 'uint128' },
    { name: 'tips', type: 'Tip[]' },
  ],
  Tip: [
    { name: 'to', type: 'bytes32' },
    { name: 'amount', type: 'uint128' },
    { name: 'ref', type: 'bytes32' },
  ],
} as const

/**
 * One tip. `to` is the creator's address padded to 32 bytes, `amount` is in base units and above zero, and `ref` is fresh
 * random, or the commitment to a message ({@link messageRef}).
 */
export type Tip = { to: Hex; amount: bigint; ref: Hex }

const tipType = 'Tip(bytes32 to,uint128 amount,bytes32 ref)'
const tipTypeHash = typeHash(tipType)
const tipVoucherTypeHash = typeHash(
  `TipVoucher(bytes32 channelId,uint128 maxClaimableAmount,Tip[] tips)${tipType}`,
)

/** Each tip's hash is of its type and fields, one word each. */
const hashed = createBatch({ length: 128, most: 256 })
for (let index = 0; index < hashed.most; index += 1)
  writeHex(hashing.bytes, hashed.messageAt(index), tipTypeHash)

/** The EIP-712 hash of the list of tips: keccak256 of the concatenated tip hashes. */
export function tipsHash(tips: readonly Tip[]): Hex {
  return hashTips(tips.length, (index, at) => {
    const { to, amount, ref } = tips[index] ?? noTip
    const words = layWords([to, amount, ref])
    hashing.bytes.set(words, at)
  })
}

/**
 * As {@link tipsHash}, of tips that are laid out rather than given: `lay` writes `to`, the amount and `ref` of one as three words
 * to a place of the memory for hashing.
 */
export function hashTips(count: number, lay: (index: number, at: number) => void): Hex {
  if (count <= hashed.most) {
    hashSome(0, count, lay)
    return hashDigests(hashed, count)
  }
  const hashes = new Uint8Array(count * 32)
  for (let done = 0; done < count; done += hashed.most) {
    const some = Math.min(hashed.most, count - done)
    hashSome(done, some, lay)
    hashes.set(hashing.bytes.subarray(hashed.digests, hashed.digests + some * 32), done * 32)
  }
  return keccak(hashes)
}

function hashSome(first: number, count: number, lay: (index: number, at: number) => void) {
  for (let index = 0; index < count; index += 1) lay(first + index, hashed.messageAt(index) + 32)
  hashed.hash(count)
}

/** What a basket is called, whatever maximum it is signed with: keccak256(channelId ‖ tipsHash). */
export function basketId(channelId: Hex, hashOfTips: Hex): Hex {
  return hashWordsToHex([channelId, hashOfTips])
}

/** The digest that the payer side signs for a basket, given the hash of its tips. */
export function tipVoucherDigest(
  {
    channelId,
    maxClaimableAmount,
    tipsHash,
  }: { channelId: Hex; maxClaimableAmount: bigint; tipsHash: Hex },
  separator: Hex,
): Hex {
  const words = [tipVoucherTypeHash, channelId, maxClaimableAmount, tipsHash]
  return typedDigest(separator, hashWords(words))
}

/** The `to` of a tip for a creator's address. */
export function tipTo(address: Address): Hex {
  return pad(address, { size: 32 })
}

/**
 * The `ref` of a tip that carries a message: keccak256(salt ‖ message). The payer's signature thereby covers the words,
 * and the salt (32 fresh random bytes) keeps the ref unique and the words unguessable.
 */
export function messageRef({ salt, text }: { salt: Hex; text: string }): Hex {
  return keccak(concatBytes([hexToBytes(salt), stringToBytes(text)]))
}

/** What the tips of a basket add up to, in base units. */
export function tipsTotal(tips: readonly Tip[]): bigint {
  return tips.reduce((total, tip) => total + tip.amount, 0n)
}

const noTip: Tip = { to: '0x', amount: 0n, ref: '0x' }
