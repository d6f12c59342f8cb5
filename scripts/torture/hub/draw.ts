// Random requests, most of them nearly right: what is signed, what is sent, and what the model is to make of it.

import type { Hex } from 'viem'
import { numberToHex, sliceHex, toHex, zeroAddress } from 'viem'
import { larger } from '#protocol/amount.ts'
import { channelsDomainSeparator } from '#protocol/channel.ts'
import { toJson } from '#protocol/messages/wire.ts'
import type { Tip } from '#protocol/tip.ts'
import { basketId, messageRef, tipsHash, tipsTotal, tipVoucherDigest } from '#protocol/tip.ts'
import { voucherDigest } from '#protocol/voucher.ts'
import { createDigestSigner } from '#server/channels/signature-backend.ts'
import type { Random } from '../random.ts'
import type { BasketOrder, Order } from './model.ts'
import { amountsOf } from './model.ts'
import type { Accepted, Channel, Scene } from './scene.ts'

/** A request that is ready to go, and where to. */
export type Drawn = {
  order: Order
  signature: Hex | undefined
  path: string
  token: string | undefined
  body: string
  /** The tips of a basket, for its receipt. */
  tips: readonly Tip[]
}

type WireTip = Tip & { message?: { text: string; salt: Hex } }

/** By whom, for what and how a voucher is signed when not by the rules. */
const spoilers = [
  'by a stranger',
  'with a high s',
  'with v 0 or 1',
  'with s zero',
  'for another chain',
  'for another contract',
  'for another channel',
  'for other tips',
  'as a plain voucher',
] as const

const secp256k1Order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
const mostTips = 4
/** Amounts at which numbers are mistaken. */
const edges = [0n, 2n ** 53n - 1n, 2n ** 53n + 1n, 2n ** 128n - 1n, 2n ** 128n, 10n ** 29n]

/** One request of any kind. */
export function drawRequest(scene: Scene): Drawn {
  const { random } = scene
  const channel = random.pick(scene.channels)
  if (random.once(12) && !channel.model.refusal) return drawRefund(scene, channel)
  if (random.once(8) && scene.accepted.length > 0) return drawRepetition(scene)
  return drawBasket(scene, channel)
}

/** Baskets on one channel with rising maxima in any order: each must be accepted, whichever comes first. */
export function drawLadder(scene: Scene, channel: Channel, count: number): Drawn[] {
  const { random } = scene
  const { available, charged, held } = amountsOf(channel.model.state)
  const most = available / BigInt(count)
  if (most === 0n) return []
  let maximum = charged + held
  const rungs = Array.from({ length: count }, () => {
    const tips = [drawTip(scene, random.between(1n, most))]
    maximum += tipsTotal(tips)
    return sign(scene, channel, { tips, maximum })
  })
  return shuffled(rungs, random)
}

/** A basket that all but the signature allows, in every way in which a signature can be wrong. */
export function drawForgeries(scene: Scene, channel: Channel): Drawn[] {
  const maximum = channel.model.state.escrowCap
  return spoilers.map((spoiler) =>
    sign(scene, channel, { tips: [drawTip(scene, 1n)], maximum, spoiler }),
  )
}

/** The same basket again and again, now and then under a higher maximum. */
export function drawCopies(scene: Scene, channel: Channel, count: number): Drawn[] {
  const first = drawBasket(scene, channel)
  if (first.order.kind !== 'basket') return [first]
  const { maximum, tips } = first.order
  const higher = sign(scene, channel, {
    tips: first.tips,
    maximum: maximum + 1n,
    isCommitted: tips.map(({ isCommitted }) => isCommitted),
  })
  return Array.from({ length: count }, () => (scene.random.once(3) ? higher : first))
}

export function drawBasket(scene: Scene, channel: Channel): Drawn {
  const { random } = scene
  const count = random.once(3) ? 1 + random.below(mostTips) : 1
  const { available, charged, held, ceiling } = amountsOf(channel.model.state)
  const share = available / BigInt(count * (random.once(2) ? 1 : 20))
  const tips: WireTip[] = Array.from({ length: count }, () => {
    const amount = random.near(share)
    return drawTip(scene, amount > 0n ? amount : 1n)
  })
  const isCommitted = spoilTips(scene, tips)
  const [first] = tips
  if (first && random.once(40)) first.amount = random.pick(edges)
  const needed = charged + held + tipsTotal(tips)
  const maximum = random.once(60)
    ? 2n ** 128n - 1n
    : random.pick([
        needed,
        needed,
        needed,
        larger(needed - 1n, 0n),
        needed + 5n,
        ceiling,
        needed * 2n,
      ])
  const id = random.once(40) ? randomHash(random) : channel.model.id
  return sign(scene, channel, {
    tips,
    maximum,
    isCommitted,
    id,
    spoiler: random.once(8) ? random.pick(spoilers) : undefined,
  })
}

/** A refund of some, of too much, or of all. */
export function drawRefund(scene: Scene, channel: Channel): Drawn {
  const { random } = scene
  const { available } = amountsOf(channel.model.state)
  const some = random.near(available / 8n)
  const amount = random.once(5) || some === 0n ? undefined : some
  return {
    order: { kind: 'refund', channelId: channel.model.id, amount },
    signature: undefined,
    path: `/v1/channels/${channel.model.id}/refunds`,
    token: channel.payer.session,
    body: toJson(amount === undefined ? {} : { amount }),
    tips: [],
  }
}

/** An accepted basket once more: as it was, under another maximum, badly signed, or on another channel. */
function drawRepetition(scene: Scene): Drawn {
  const { random } = scene
  const known: Accepted = random.pick(scene.accepted)
  const owner = scene.channels.find(({ model }) => model.id === known.channelId)
  if (!owner) throw new Error(`channel ${known.channelId} is not in the scene`)
  const channel = random.once(5) ? random.pick(scene.channels) : owner
  const { charged, held } = amountsOf(channel.model.state)
  return sign(scene, channel, {
    tips: known.tips,
    maximum: random.pick([charged + held + tipsTotal(known.tips), charged, 0n]),
    spoiler: random.once(5) ? random.pick(spoilers) : undefined,
  })
}

/** Makes tips wrong now and then; returns which of them keep to what their ref commits to. */
function spoilTips({ random }: Scene, tips: WireTip[]): boolean[] {
  const [first] = tips
  const last = tips.at(-1)
  if (!first || !last) return []
  if (random.once(25)) last.to = toHex(random.between(1n, 2n ** 160n - 1n), { size: 32 })
  if (random.once(50)) last.to = `0x01${last.to.slice(4)}`
  const isWrong = random.once(20)
  if (isWrong) first.message = { text: 'not what was signed', salt: randomHash(random) }
  if (tips.length > 1 && random.once(6)) {
    last.ref = first.ref
    delete last.message
  }
  return tips.map((_tip, index) => !(isWrong && index === 0))
}

function drawTip({ random, creators, info }: Scene, amount: bigint): WireTip {
  const fee: Hex = `0x${'00'.repeat(12)}${info.feeAccount.slice(2)}`
  const to = random.once(12) ? fee : random.pick(creators).to
  if (!random.once(4)) return { to, amount, ref: randomHash(random) }
  const message = { text: `잔돈 ${random.below(1_000)}`, salt: randomHash(random) }
  return { to, amount, ref: messageRef(message), message }
}

function sign(
  scene: Scene,
  channel: Channel,
  {
    tips,
    maximum,
    isCommitted = tips.map(() => true),
    id = channel.model.id,
    spoiler,
  }: {
    tips: readonly WireTip[]
    maximum: bigint
    isCommitted?: readonly boolean[]
    id?: Hex
    spoiler?: (typeof spoilers)[number] | undefined
  },
): Drawn {
  const hashOfTips = tipsHash(tips)
  const voucher = { channelId: id, maxClaimableAmount: maximum, tipsHash: hashOfTips }
  const order: BasketOrder = {
    kind: 'basket',
    channelId: id,
    basketId: basketId(id, hashOfTips),
    tips: tips.map(({ to, amount, ref }, index) => {
      return { to, amount, ref, isCommitted: isCommitted[index] ?? true }
    }),
    maximum,
    isSigned: spoiler === undefined && channel.config.payerAuthorizer !== zeroAddress,
  }
  const signature = spoiler
    ? signWrongly(scene, channel, { voucher, spoiler })
    : createDigestSigner(channel.key)(tipVoucherDigest(voucher, scene.separator))
  const body = toJson({ channelId: id, maxClaimableAmount: maximum, tips, signature })
  return { order, signature, path: '/v1/tips', token: undefined, body, tips }
}

function signWrongly(
  { separator, info, stage, channels, random }: Scene,
  channel: Channel,
  {
    voucher,
    spoiler,
  }: {
    voucher: { channelId: Hex; maxClaimableAmount: bigint; tipsHash: Hex }
    spoiler: (typeof spoilers)[number]
  },
): Hex {
  const signed = createDigestSigner(channel.key)
  const { chainId } = info
  const { address } = info.channels
  const under = (changed: typeof voucher, domain = separator) =>
    signed(tipVoucherDigest(changed, domain))
  const good = under(voucher)
  switch (spoiler) {
    case 'by a stranger':
      return createDigestSigner(randomHash(random))(tipVoucherDigest(voucher, separator))
    case 'with a high s':
      return withParts(good, { s: secp256k1Order - partsOf(good).s, v: 55n - partsOf(good).v })
    case 'with v 0 or 1':
      return withParts(good, { v: partsOf(good).v - 27n })
    case 'with s zero':
      return withParts(good, { s: 0n })
    case 'for another chain':
      return under(voucher, channelsDomainSeparator({ chainId: chainId + 1, address }))
    case 'for another contract': {
      const other = stage.deployment.canonicalChannels ?? zeroAddress
      return under(voucher, channelsDomainSeparator({ chainId, address: other }))
    }
    case 'for another channel': {
      const others = channels.filter(({ model }) => model.id !== voucher.channelId)
      return under({ ...voucher, channelId: random.pick(others).model.id })
    }
    case 'for other tips':
      return under({ ...voucher, tipsHash: randomHash(random) })
    case 'as a plain voucher':
      return signed(voucherDigest(voucher, separator))
  }
}

function partsOf(signature: Hex) {
  return {
    r: BigInt(sliceHex(signature, 0, 32)),
    s: BigInt(sliceHex(signature, 32, 64)),
    v: BigInt(sliceHex(signature, 64)),
  }
}

function withParts(signature: Hex, changes: { s?: bigint; v?: bigint }): Hex {
  const { r, s, v } = { ...partsOf(signature), ...changes }
  const words = [numberToHex(r, { size: 32 }), numberToHex(s, { size: 32 }), toHex(v, { size: 1 })]
  return `0x${words.map((word) => word.slice(2)).join('')}`
}

export function shuffled<T>(values: readonly T[], random: Random): T[] {
  return values
    .map((value) => ({ value, place: random.below(1_000_000) }))
    .sort((a, b) => a.place - b.place)
    .map(({ value }) => value)
}

function randomHash(random: Random): Hex {
  const word = () => random.between(1n, 2n ** 50n - 1n)
  return toHex((word() << 200n) + (word() << 150n) + (word() << 100n) + (word() << 50n) + word(), {
    size: 32,
  })
}
