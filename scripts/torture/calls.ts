// Random calls that mostly make sense: amounts around the edges of what the model holds, signatures that mostly hold,
// senders that mostly may.

import type { Address } from 'viem'
import { keccak256, numberToHex, zeroAddress, zeroHash } from 'viem'
import { type ChannelConfig, channelId } from '#protocol/channel.ts'
import { tipVoucherDigest } from '#protocol/tip.ts'
import { refundDigest, voucherDigest } from '#protocol/voucher.ts'
import {
  drawCollect,
  drawDepositDirect,
  drawErc3009Deposit,
  drawPermit2Deposit,
} from './deposits.ts'
import { paymentDigest } from './model/authorization.ts'
import { batchDigest, type ClaimRow, type PackedRow } from './model/channels.ts'
import type { Call } from './model/hub.ts'
import { accountOf, channelOf, heldBy, owedIn, receiverOf } from './model/state.ts'
import {
  anyone,
  asHub,
  asReceiverSide,
  credited,
  type Draw,
  funded,
  payerSide,
  recipient,
  type Scene,
  signedBy,
  voucherSigner,
} from './scene.ts'
import { drawClaimTicks } from './streams.ts'

/** The `index`th call of a sequence. The first ones deposit, so that there is something to claim. */
export function drawCall(scene: Scene, index: number): Draw {
  const { random, cast } = scene
  const draw = index < 4 ? drawDepositDirect(scene) : random.pick(draws)(scene)
  return random.once(12) ? { ...draw, sender: anyone(random, cast) } : draw
}

const draws: readonly ((scene: Scene) => Draw)[] = [
  drawDepositDirect,
  drawDepositDirect,
  drawErc3009Deposit,
  drawPermit2Deposit,
  drawPermit2Deposit,
  drawCollect,
  drawClaim,
  drawClaimWithSignature,
  drawClaimPacked,
  drawClaimPacked,
  drawClaimTicks,
  drawClaimTicks,
  drawClaimTicks,
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

function drawSettle({ random, cast, setting, state }: Scene): Draw {
  const all = setting.tokens.flatMap((token) =>
    [setting.vault, cast.merchant].map((receiver) => ({ receiver, token })),
  )
  const waiting = all.filter(({ receiver, token }) => {
    const { claimed, settled } = receiverOf(state, receiver, token)
    return claimed > settled
  })
  const whose = random.pick(waiting.length > 0 && !random.once(6) ? waiting : all)
  return { sender: cast.stranger, call: { kind: 'settle', ...whose } }
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
  const freeOf = (token: Address) => {
    const { claimed, settled } = receiverOf(state, setting.vault, token)
    return heldBy(state, token, setting.vault) + claimed - settled - owedIn(state, token)
  }
  const some = setting.tokens.filter((token) => freeOf(token) > 0n)
  const token = random.pick(some.length > 0 && !random.once(6) ? some : setting.tokens)
  const free = freeOf(token)
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
