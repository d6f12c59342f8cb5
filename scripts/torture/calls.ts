// Random calls that mostly make sense: amounts around the edges of what the model holds, signatures that mostly hold,
// senders that mostly may.

import type { Address, Hex } from 'viem'
import { keccak256, numberToHex, zeroAddress, zeroHash } from 'viem'
import { type ChannelConfig, channelId } from '#protocol/channel.ts'
import { depositNonce } from '#protocol/deposit.ts'
import { tipVoucherDigest } from '#protocol/tip.ts'
import { refundDigest, voucherDigest } from '#protocol/voucher.ts'
import { authorizationDigest, paymentDigest } from './model/authorization.ts'
import { batchDigest, type ChannelsCall, type ClaimRow, type PackedRow } from './model/channels.ts'
import { type Call, type TokenCall, targetOf, type VaultCall } from './model/hub.ts'
import {
  accountOf,
  channelOf,
  heldBy,
  owedIn,
  receiverOf,
  type Setting,
  type Signature,
  type State,
} from './model/state.ts'
import type { Random } from './random.ts'

/** Who may appear in a call. */
export type Cast = {
  configs: readonly ChannelConfig[]
  creators: readonly Address[]
  operators: readonly Address[]
  claimers: readonly Address[]
  merchant: Address
  stranger: Address
}

/** What a draw can look at. */
export type Scene = { random: Random; cast: Cast; setting: Setting; state: State; time: bigint }

/** A call and who makes it. */
export type Draw = { sender: Address; call: Call }

/** The `index`th call of a sequence. The first ones deposit, so that there is something to claim. */
export function drawCall(scene: Scene, index: number): Draw {
  const { random, cast } = scene
  const draw = index < 4 ? drawDepositDirect(scene) : random.pick(draws)(scene)
  return random.once(12) ? { ...draw, sender: anyone(random, cast) } : draw
}

const draws: readonly ((scene: Scene) => Draw)[] = [
  drawDepositDirect,
  drawDepositDirect,
  drawDeposit,
  drawClaim,
  drawClaimWithSignature,
  drawClaimPacked,
  drawClaimPacked,
  drawSettle,
  drawInitiateWithdraw,
  drawFinalizeWithdraw,
  drawRefund,
  drawRefundWithSignature,
  drawCredit,
  drawCredit,
  drawPay,
  drawPayWithSignature,
  drawPayWithSignature,
  drawCancel,
  drawTransfer,
  drawRotation,
]

function drawDepositDirect({ random, cast }: Scene): Draw {
  const good = random.pick(cast.configs)
  const sender = random.once(6) ? anyone(random, cast) : good.payer
  const config = spoilt(random, good)
  return { sender, call: { kind: 'depositDirect', config, amount: random.near(1_000n) } }
}

function drawDeposit(scene: Scene): Draw {
  const { random, cast, setting, time } = scene
  const config = spoilt(random, random.pick(cast.configs))
  const amount = random.near(1_000n)
  const salt = BigInt(random.below(3))
  const validAfter = random.once(10) ? time : 0n
  const validBefore = random.once(10) ? time : 1n << 46n
  const id = channelId(config, setting.separators.channels)
  const nonce = depositNonce(id, salt)
  const digest = authorizationDigest(
    { from: config.payer, to: setting.collector, value: amount, validAfter, validBefore, nonce },
    setting.separators.token(config.token),
  )
  // Tokens refuse malformed signatures in their own ways; here only a foreign signer is wrong.
  const signature = { ...signedBy(scene, config.payer, digest), flaw: 'none' } as const
  return {
    sender: cast.stranger,
    call: {
      kind: 'deposit',
      config,
      amount,
      collector: random.once(20) ? zeroAddress : setting.collector,
      authorization: { validAfter, validBefore, salt, signature },
    },
  }
}

function drawClaim(scene: Scene): Draw {
  const { random } = scene
  const first = funded(random, scene)
  const rows = drawRows(scene, first)
  return asReceiverSide(scene, first, { kind: 'claim', rows })
}

function drawClaimWithSignature(scene: Scene): Draw {
  const { random, cast } = scene
  const first = funded(random, scene)
  const rows = drawRows(scene, first)
  const signature = signedBy(scene, first.receiverAuthorizer, batchDigest(scene, rows))
  return { sender: cast.stranger, call: { kind: 'claimWithSignature', rows, signature } }
}

/** Up to three rows, mostly of one receiver side. */
function drawRows(scene: Scene, first: ChannelConfig): ClaimRow[] {
  const { random, cast } = scene
  const kin = cast.configs.filter((config) => config.receiver === first.receiver)
  const count = random.once(15) ? 0 : 1 + random.below(3)
  return Array.from({ length: count }, (_, index) => {
    const others = random.once(20) ? cast.configs : kin
    return drawRow(scene, index === 0 ? first : random.pick(others))
  })
}

function drawRow(scene: Scene, config: ChannelConfig): ClaimRow {
  const { random, setting, state } = scene
  const id = channelId(config, setting.separators.channels)
  const { balance } = channelOf(state, id)
  const max = random.near(balance)
  const digest = voucherDigest(
    { channelId: id, maxClaimableAmount: max },
    setting.separators.channels,
  )
  const signature = signedBy(scene, voucherSigner(config), digest)
  return { config, max, total: random.near(max), signature }
}

function drawClaimPacked(scene: Scene): Draw {
  const { random, cast } = scene
  const shared = funded(random, scene)
  const kin = cast.configs.filter(
    (config) =>
      config.receiver === shared.receiver &&
      config.token === shared.token &&
      config.withdrawDelay === shared.withdrawDelay,
  )
  const count = random.once(15) ? 0 : 1 + random.below(5)
  const rows = Array.from({ length: count }, () => drawPackedRow(scene, random.pick(kin)))
  const call = { kind: 'claimPacked', shared, rows, isCut: random.once(20) } as const
  return asReceiverSide(scene, shared, { ...call, rows })
}

function drawPackedRow(scene: Scene, original: ChannelConfig): PackedRow {
  const { random, setting, state } = scene
  const config = {
    ...original,
    ...(random.once(12) && { payerAuthorizer: zeroAddress }),
    ...(random.once(12) && { salt: numberToHex(99, { size: 32 }) }),
  }
  const id = channelId(config, setting.separators.channels)
  const max = random.near(channelOf(state, id).balance * 2n)
  const tips = random.once(2) ? zeroHash : keccak256(numberToHex(random.below(9)))
  const voucher = { channelId: id, maxClaimableAmount: max }
  const digest =
    tips === zeroHash
      ? voucherDigest(voucher, setting.separators.channels)
      : tipVoucherDigest({ ...voucher, tipsHash: tips }, setting.separators.channels)
  const { signer } = signedBy(scene, voucherSigner(config), digest)
  return {
    config,
    max,
    total: random.near(max),
    // A voucher is good for the tips that it names and for no others.
    tipsHash: random.once(12) ? keccak256('0x7469') : tips,
    signature: { signer, digest, flaw: 'none' },
  }
}

function drawSettle({ random, cast, setting }: Scene): Draw {
  const receiver = random.pick([setting.vault, cast.merchant])
  const token = random.pick(setting.tokens)
  return { sender: cast.stranger, call: { kind: 'settle', receiver, token } }
}

function drawInitiateWithdraw({ random, cast, setting, state }: Scene): Draw {
  const config = funded(random, { cast, setting, state })
  const { balance, claimed } = channelOf(state, channelId(config, setting.separators.channels))
  const amount = random.near(balance - claimed)
  return { sender: payerSide(random, config), call: { kind: 'initiateWithdraw', config, amount } }
}

function drawFinalizeWithdraw({ random, cast, setting, state }: Scene): Draw {
  const isArmed = (config: ChannelConfig) =>
    channelOf(state, channelId(config, setting.separators.channels)).pending !== undefined
  const armed = cast.configs.filter(isArmed)
  const config = random.pick(armed.length > 0 && !random.once(6) ? armed : cast.configs)
  return { sender: payerSide(random, config), call: { kind: 'finalizeWithdraw', config } }
}

function drawRefund(scene: Scene): Draw {
  const { random, setting, state } = scene
  const config = funded(random, scene)
  const { balance, claimed } = channelOf(state, channelId(config, setting.separators.channels))
  const amount = random.near(balance - claimed)
  return asReceiverSide(scene, config, { kind: 'refund', config, amount })
}

function drawRefundWithSignature(scene: Scene): Draw {
  const { random, cast, setting, state } = scene
  const config = funded(random, scene)
  const id = channelId(config, setting.separators.channels)
  const channel = channelOf(state, id)
  const amount = random.near(channel.balance - channel.claimed)
  const nonce = random.once(8) ? random.near(channel.nonce) : channel.nonce
  const digest = refundDigest({ channelId: id, nonce, amount }, setting.separators.channels)
  const signature = signedBy(scene, config.receiverAuthorizer, digest)
  return {
    sender: cast.stranger,
    call: { kind: 'refundWithSignature', config, amount, nonce, signature },
  }
}

function drawCredit(scene: Scene): Draw {
  const { random, cast, setting, state } = scene
  const token = random.pick(setting.tokens)
  const { claimed, settled } = receiverOf(state, setting.vault, token)
  const held = heldBy(state, token, setting.vault)
  const free = held + claimed - settled - owedIn(state, token)
  const rows = Array.from({ length: random.below(4) }, () => {
    const account = random.once(25)
      ? random.pick([zeroAddress, setting.vault])
      : random.pick(cast.creators)
    const before = accountOf(state, token, account).credited
    const more = random.near(free / 3n)
    return { account, credited: random.once(8) ? random.near(before) : before + more }
  })
  const journal = keccak256(numberToHex(random.below(1_000)))
  return asHub(scene, { kind: 'credit', token, rows, journal })
}

function drawPay({ random, cast, setting, state }: Scene): Draw {
  const { token, account } = credited(random, { cast, setting, state })
  const totals = accountOf(state, token, account)
  const amount = random.near(totals.credited - totals.paid)
  const to = recipient(random, cast, setting)
  return { sender: account, call: { kind: 'pay', token, to, amount, memo: zeroHash } }
}

function drawPayWithSignature(scene: Scene): Draw {
  const { random, cast, setting, state, time } = scene
  const { token, account } = credited(random, scene)
  const totals = accountOf(state, token, account)
  const payment = {
    account,
    token,
    to: recipient(random, cast, setting),
    amount: random.near(totals.credited - totals.paid),
    memo: keccak256('0x01'),
    nonce: BigInt(random.below(5)),
    deadline: random.once(8) ? time - 1n : time,
  }
  const signature = signedBy(scene, account, paymentDigest(payment, setting.separators.vault))
  return { sender: cast.stranger, call: { kind: 'payWithSignature', payment, signature } }
}

function drawCancel({ random, cast }: Scene): Draw {
  const nonce = BigInt(random.below(5))
  return { sender: random.pick(cast.creators), call: { kind: 'cancel', nonce } }
}

function drawTransfer({ random, cast, setting }: Scene): Draw {
  const token = random.pick(setting.tokens)
  const call = { kind: 'transfer', token, to: setting.vault, amount: random.near(100n) } as const
  return { sender: cast.stranger, call }
}

function drawRotation({ random, cast, setting }: Scene): Draw {
  const call: Call = random.once(2)
    ? { kind: 'setOperator', operator: random.pick(cast.operators) }
    : { kind: 'setClaimer', claimer: random.pick(cast.claimers), allowed: random.once(2) }
  return { sender: random.once(6) ? cast.stranger : setting.admin, call }
}

/** Mostly a channel that holds something. */
function funded(
  random: Random,
  { cast, setting, state }: Pick<Scene, 'cast' | 'setting' | 'state'>,
): ChannelConfig {
  const holds = (config: ChannelConfig) =>
    channelOf(state, channelId(config, setting.separators.channels)).balance > 0n
  const some = cast.configs.filter(holds)
  return random.pick(some.length > 0 && !random.once(8) ? some : cast.configs)
}

/** Mostly an account that can pay. */
function credited(
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
function asReceiverSide(scene: Scene, config: ChannelConfig, call: ChannelsCall): Draw {
  if (config.receiverAuthorizer === scene.setting.hub) return asHub(scene, call)
  const { random } = scene
  return { sender: random.pick([config.receiver, config.receiverAuthorizer]), call }
}

/** Through the hub's account, sometimes with a second call, sometimes as a claimer. */
function asHub(scene: Scene, call: ChannelsCall | VaultCall | TokenCall): Draw {
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
function signedBy({ random, cast, setting, state }: Scene, who: Address, digest: Hex): Signature {
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

function voucherSigner({ payer, payerAuthorizer }: ChannelConfig): Address {
  return payerAuthorizer === zeroAddress ? payer : payerAuthorizer
}

function payerSide(random: Random, { payer, payerAuthorizer }: ChannelConfig): Address {
  return payerAuthorizer !== zeroAddress && random.once(3) ? payerAuthorizer : payer
}

function recipient(random: Random, cast: Cast, setting: Setting): Address {
  if (random.once(20)) return random.pick([zeroAddress, setting.vault])
  return random.pick([...cast.creators, cast.merchant])
}

function anyone(random: Random, cast: Cast): Address {
  return random.pick([cast.stranger, cast.merchant, ...cast.creators, ...cast.operators])
}

/** Sometimes a config with which no channel can be opened. */
function spoilt(random: Random, config: ChannelConfig): ChannelConfig {
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
