// Streams that payers commit to, and claims of their ticks: of one stream after the other, of one twice, of two that share a
// base or a root.

import type { Hex } from 'viem'
import { maxUint128, numberToHex } from 'viem'
import { type ChannelConfig, channelId } from '#protocol/channel.ts'
import {
  createTickChain,
  type TickChain,
  type TickCommitment,
  tickCommitmentDigest,
  tickedAmount,
  ticksPerCommitment,
} from '#protocol/tick.ts'
import { voucherDigest } from '#protocol/voucher.ts'
import { channelOf, least } from './model/state.ts'
import { asReceiverSide, type Draw, funded, type Scene, signedBy, voucherSigner } from './scene.ts'

/** A commitment and the payer's chain, which may have been made for another one. */
export type Stream = {
  config: ChannelConfig
  commitment: TickCommitment
  chain: TickChain
  links: number
}

const { maximum } = ticksPerCommitment
const maxUint32 = 0xffffffff

/** Chains of no link, around the sixteen that the contract unrolls, and around the longest. */
const edgesOfMaxTicks = [0, 1, 2, 15, 16, 17, 31, 32, 33, maximum - 1, maximum, maximum + 1]

export function drawClaimTicks(scene: Scene): Draw {
  const { random, streams } = scene
  const stream = streams.length > 0 && !random.once(3) ? random.pick(streams) : commit(scene)
  const { config, commitment } = stream
  const ticks = Math.min(Number(random.near(BigInt(commitment.maxTicks))), maxUint32)
  const { to, baseAmount, tickAmount, maxTicks, root } = commitment
  return asReceiverSide(scene, config, {
    kind: 'claimTicks',
    config,
    terms: { to, baseAmount, tickAmount, maxTicks, root },
    preimage: drawPreimage(scene, stream, ticks),
    ticks,
    total: drawTotal(scene, stream, ticks),
    signature: signedBy(scene, voucherSigner(config), drawDigest(scene, stream)),
  })
}

/** A new stream, sometimes in the channel and from the base of an earlier one, sometimes with its root. */
function commit(scene: Scene): Stream {
  const { random, setting, state, streams } = scene
  const earlier = streams.length > 0 && random.once(2) ? random.pick(streams) : undefined
  const config = earlier && !random.once(3) ? earlier.config : funded(random, scene)
  const id = channelId(config, setting.separators.channels)
  const { balance, claimed } = channelOf(state, id)
  const baseAmount =
    earlier && !random.once(3)
      ? earlier.commitment.baseAmount
      : random.pick([0n, claimed, random.near(balance), maxUint128 - random.between(0n, 2_000n)])
  const maxTicks = drawMaxTicks(scene)
  const links = Math.min(Math.max(maxTicks, 1), maximum)
  const { chain, links: length } =
    earlier && random.once(2)
      ? earlier
      : {
          chain: createTickChain(drawSeed(scene), { channelId: id, baseAmount, maxTicks: links }),
          links,
        }
  const room = (maxUint128 - baseAmount) / BigInt(links)
  const tickAmount = random.pick([
    0n,
    1n,
    random.near(balance / BigInt(links)),
    least(random.near(room), maxUint128),
    maxUint128,
  ])
  const to = numberToHex(random.below(9), { size: 32 })
  const commitment = { channelId: id, to, baseAmount, tickAmount, maxTicks, root: chain.root }
  const stream = { config, commitment, chain, links: length }
  streams.push(stream)
  return stream
}

function drawMaxTicks({ random }: Scene): number {
  if (random.once(2)) return 1 + random.below(64)
  if (random.once(4)) return maximum
  return random.once(20) ? maxUint32 : random.pick(edgesOfMaxTicks)
}

/** Mostly what leads to the root in so many links; else of a tick beside it, or of no chain. */
function drawPreimage(scene: Scene, { chain, links }: Stream, ticks: number): Hex {
  const { random } = scene
  const near = ticks + random.pick([-1, 1])
  const asked = random.once(10) ? near : ticks
  if (random.once(30)) return chain.root
  if (asked < 0 || asked > links || random.once(20)) return drawSeed(scene)
  return chain.preimage(asked)
}

/** Around what the ticks are worth, or around as much of that as the channel holds. */
function drawTotal({ random, state }: Scene, { commitment }: Stream, ticks: number): bigint {
  const worth = tickedAmount(commitment, ticks)
  const { balance } = channelOf(state, commitment.channelId)
  return least(random.near(random.once(4) ? worth : least(worth, balance)), maxUint128)
}

/** What the payer signed: this commitment, the same for another channel, one with another field, or a voucher over it all. */
function drawDigest({ random, cast, setting }: Scene, { commitment }: Stream): Hex {
  const separator = setting.separators.channels
  const { channelId: id, baseAmount, tickAmount, maxTicks } = commitment
  switch (random.below(24)) {
    case 0: {
      const other = channelId(random.pick(cast.configs), separator)
      return tickCommitmentDigest({ ...commitment, channelId: other }, separator)
    }
    case 1: {
      const change = random.pick([
        { to: numberToHex(9, { size: 32 }) },
        { baseAmount: baseAmount > 0n ? baseAmount - 1n : 1n },
        { tickAmount: tickAmount > 0n ? tickAmount - 1n : 1n },
        { maxTicks: maxTicks > 0 ? maxTicks - 1 : 1 },
        { root: numberToHex(9, { size: 32 }) },
      ])
      return tickCommitmentDigest({ ...commitment, ...change }, separator)
    }
    case 2:
      return voucherDigest({ channelId: id, maxClaimableAmount: maxUint128 }, separator)
    default:
      return tickCommitmentDigest(commitment, separator)
  }
}

function drawSeed({ random }: Scene): Hex {
  return numberToHex(random.between(1n, 1n << 50n), { size: 32 })
}
