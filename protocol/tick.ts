// Ticks: one signature commits to a stream of equal payments, then each of them is one hash preimage.

import type { Hex } from 'viem'
import { bytesToHex, hexToBytes, size } from 'viem'
import { keccak, keccakBytes, layWords, typedDigest, typeHash } from './keccak.ts'

/** How many ticks one commitment may be to. */
export const ticksPerCommitment = { minimum: 1, maximum: 1024 } as const

export const tickCommitmentTypes = {
  TickCommitment: [
    { name: 'channelId', type: 'bytes32' },
    { name: 'to', type: 'bytes32' },
    { name: 'baseAmount', type: 'uint128' },
    { name: 'tickAmount', type: 'uint128' },
    { name: 'maxTicks', type: 'uint32' },
    { name: 'root', type: 'bytes32' },
  ],
} as const

/**
 * What a payer signs for a stream to the creator `to`: the channel's claimable total is `baseAmount` before the first tick,
 * and each tick adds `tickAmount` (base units). `root` is the end of a hash chain of `maxTicks` links.
 */
export type TickCommitment = TickBase & {
  to: Hex
  tickAmount: bigint
  maxTicks: number
  root: Hex
}

/** What every link of a chain names, so that its preimages are worth nothing in another channel or from another base. */
export type TickBase = { channelId: Hex; baseAmount: bigint }

/** Ticks that were paid: so many, proved by this preimage. Before the first, the preimage is the root. */
export type Ticks = { ticks: number; preimage: Hex }

/** Why ticks are not taken. */
export type TickFault = 'not_forward' | 'beyond_commitment' | 'wrong_preimage'

/** The payer's secret side of a commitment. */
export type TickChain = {
  root: Hex
  /** What pays `ticks` ticks. Handing it out pays all ticks up to it. */
  preimage(ticks: number): Hex
}

const commitmentTypeHash = typeHash(
  'TickCommitment(bytes32 channelId,bytes32 to,uint128 baseAmount,uint128 tickAmount,uint32 maxTicks,bytes32 root)',
)

/** The digest that the payer side signs for a stream. */
export function tickCommitmentDigest(commitment: TickCommitment, separator: Hex): Hex {
  const { channelId, to, baseAmount, tickAmount, maxTicks, root } = commitment
  const words = [commitmentTypeHash, channelId, to, baseAmount, tickAmount, BigInt(maxTicks), root]
  return typedDigest(separator, keccak(layWords(words)))
}

/** What a commitment makes claimable after a number of ticks, in base units (cumulative). */
export function tickedAmount({ baseAmount, tickAmount }: TickCommitment, ticks: number): bigint {
  return baseAmount + tickAmount * BigInt(ticks)
}

/**
 * The chain of a seed (32 fresh random bytes, to be kept secret and used once).
 *
 * Keeps every k-th link and the k links last asked from, with k the square root of `maxTicks`: 64 hashes for the longest
 * chain instead of 1,024, and one hash a tick on average.
 */
export function createTickChain(seed: Hex, chain: TickBase & { maxTicks: number }): TickChain {
  const { maxTicks } = chain
  if (!isTickCount(maxTicks) || maxTicks === 0) {
    throw new RangeError(`a chain of ${maxTicks} ticks, not 1 to ${ticksPerCommitment.maximum}`)
  }
  if (size(seed) !== 32) throw new RangeError(`a seed of ${size(seed)} bytes, not 32`)
  const follow = linksOf(chain)
  const spacing = Math.ceil(Math.sqrt(maxTicks))
  const checkpoints: Uint8Array[] = []
  let end = hexToBytes(seed)
  for (let link = 0; link < maxTicks; link += 1) {
    if (link % spacing === 0) checkpoints.push(end)
    end = follow(end, 1)
  }
  let window: { checkpoint: number; links: Uint8Array[] } | undefined

  return {
    root: bytesToHex(end),
    preimage(ticks) {
      if (!isTickCount(ticks) || ticks > maxTicks) {
        throw new RangeError(`${ticks} ticks of a chain of ${maxTicks}`)
      }
      if (ticks === 0) return bytesToHex(end)
      const link = maxTicks - ticks
      const checkpoint = Math.floor(link / spacing)
      if (window?.checkpoint !== checkpoint) window = { checkpoint, links: linksFrom(checkpoint) }
      return bytesToHex(window.links[link % spacing] ?? end)
    },
  }

  function linksFrom(checkpoint: number): Uint8Array[] {
    const links = checkpoints.slice(checkpoint, checkpoint + 1)
    for (let last = links[0]; last && links.length < spacing; links.push(last)) {
      last = follow(last, 1)
    }
    return links
  }
}

/**
 * Checks ticks against what is known already, one step or a jump: as many hashes as there are new ticks.
 *
 * `known` is the highest tick taken so far, `{ ticks: 0, preimage: root }` before the first. The same ticks again are not
 * forward. Says nothing of the commitment's signature and of whether the channel can pay.
 */
export function tickFault(
  claim: Ticks,
  known: Ticks,
  commitment: TickCommitment,
): TickFault | undefined {
  if (claim.ticks <= known.ticks) return 'not_forward'
  if (!isTickCount(claim.ticks) || claim.ticks > commitment.maxTicks) return 'beyond_commitment'
  if (size(claim.preimage) !== 32) return 'wrong_preimage'
  const end = linksOf(commitment)(hexToBytes(claim.preimage), claim.ticks - known.ticks)
  return bytesToHex(end) === known.preimage.toLowerCase() ? undefined : 'wrong_preimage'
}

/** Follows the chain of a base: each link is keccak256(preimage ‖ channelId ‖ baseAmount), 32 bytes each. */
export function linksOf({ channelId, baseAmount }: TickBase) {
  const words = layWords([0n, channelId, baseAmount])
  return (preimage: Uint8Array, steps: number): Uint8Array => {
    let link = preimage
    for (let step = 0; step < steps; step += 1) {
      words.set(link)
      link = keccakBytes(words)
    }
    return link
  }
}

function isTickCount(ticks: number): boolean {
  return Number.isInteger(ticks) && ticks >= 0 && ticks <= ticksPerCommitment.maximum
}
