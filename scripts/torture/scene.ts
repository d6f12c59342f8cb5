// What the draw of a call looks at, and how it picks whom and what: mostly so that the call makes sense.

import type { Address, Hex } from 'viem'
import { keccak256, zeroAddress } from 'viem'
import { type ChannelConfig, channelId } from '#protocol/channel.ts'
import type { ChannelsCall } from './model/channels.ts'
import { type Call, type TokenCall, targetOf, type VaultCall } from './model/hub.ts'
import { accountOf, channelOf, type Setting, type Signature, type State } from './model/state.ts'
import type { Random } from './random.ts'
import type { Stream } from './streams.ts'

/** Who may appear in a call. */
export type Cast = {
  configs: readonly ChannelConfig[]
  creators: readonly Address[]
  operators: readonly Address[]
  claimers: readonly Address[]
  merchant: Address
  stranger: Address
}

/** What a draw can look at. `streams` are what payers committed to in this sequence, and grows. */
export type Scene = {
  random: Random
  cast: Cast
  setting: Setting
  state: State
  time: bigint
  streams: Stream[]
}

/** A call and who makes it. */
export type Draw = { sender: Address; call: Call }

/** Mostly a channel that holds something. */
export function funded(
  random: Random,
  { cast, setting, state }: Pick<Scene, 'cast' | 'setting' | 'state'>,
): ChannelConfig {
  const holds = (config: ChannelConfig) =>
    channelOf(state, channelId(config, setting.separators.channels)).balance > 0n
  const some = cast.configs.filter(holds)
  return random.pick(some.length > 0 && !random.once(8) ? some : cast.configs)
}

/** Mostly an account that can pay. */
export function credited(
  random: Random,
  { cast, setting, state }: Pick<Scene, 'cast' | 'setting' | 'state'>,
): { token: Address; account: Address } {
  const all = setting.tokens.flatMap((token) =>
    cast.creators.map((account) => ({ token, account })),
  )
  const able = all.filter(({ token, account }) => {
    const totals = accountOf(state, token, account)
    return totals.credited > totals.paid
  })
  return random.pick(able.length > 0 && !random.once(8) ? able : all)
}

/** As the receiver side would call: the merchant by itself, the hub through its account. */
export function asReceiverSide(scene: Scene, config: ChannelConfig, call: ChannelsCall): Draw {
  if (config.receiverAuthorizer === scene.setting.hub) return asHub(scene, call)
  const { random } = scene
  return { sender: random.pick([config.receiver, config.receiverAuthorizer]), call }
}

/** Through the hub's account, sometimes with a second call, sometimes as a claimer. */
export function asHub(scene: Scene, call: ChannelsCall | VaultCall | TokenCall): Draw {
  const { random, cast, state, setting } = scene
  const calls = [call]
  const token = random.pick(setting.tokens)
  if (random.once(6)) calls.push({ kind: 'settle', receiver: setting.vault, token })
  if (random.once(15)) calls.push({ kind: 'transfer', token, to: cast.stranger, amount: 0n })
  const isClaim = targetOf(call, setting) === setting.channels
  const sender = random.once(isClaim ? 4 : 10) ? random.pick(cast.claimers) : state.operator
  if (random.once(20)) return { sender, call }
  return { sender, call: { kind: 'run', calls } }
}

/** Mostly signed as it should be; else by a stranger, over something else, or malformed. */
export function signedBy(
  { random, cast, setting, state }: Scene,
  who: Address,
  digest: Hex,
): Signature {
  const named = who === setting.hub ? state.operator : (setting.owners.get(who) ?? who)
  const signer = named === zeroAddress ? cast.stranger : named
  const good: Signature = { signer, digest, flaw: 'none' }
  switch (random.below(14)) {
    case 0:
      return { ...good, signer: cast.stranger }
    case 1:
      return { ...good, digest: keccak256(digest) }
    case 2:
      return {
        ...good,
        flaw: random.pick(['high s', 'low v', 'short', 'zero r', 'zero s'] as const),
      }
    default:
      return good
  }
}

export function voucherSigner({ payer, payerAuthorizer }: ChannelConfig): Address {
  return payerAuthorizer === zeroAddress ? payer : payerAuthorizer
}

export function payerSide(random: Random, { payer, payerAuthorizer }: ChannelConfig): Address {
  return payerAuthorizer !== zeroAddress && random.once(3) ? payerAuthorizer : payer
}

export function recipient(random: Random, cast: Cast, setting: Setting): Address {
  if (random.once(20)) return random.pick([zeroAddress, setting.vault])
  return random.pick([...cast.creators, cast.merchant])
}

export function anyone(random: Random, cast: Cast): Address {
  return random.pick([cast.stranger, cast.merchant, ...cast.creators, ...cast.operators])
}

/** Sometimes a config with which no channel can be opened. */
export function spoilt(random: Random, config: ChannelConfig): ChannelConfig {
  if (!random.once(15)) return config
  return {
    ...config,
    ...random.pick([
      { payer: zeroAddress },
      { receiver: zeroAddress },
      { receiverAuthorizer: zeroAddress },
      { token: zeroAddress },
      { withdrawDelay: 899 },
      { withdrawDelay: 2_592_001 },
    ]),
  }
}
