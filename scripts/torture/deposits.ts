// Random deposits by each way that there is, and calls to the collectors past the contract that they serve.

import type { Address, Hex } from 'viem'
import { maxUint128, maxUint256 } from 'viem'
import { type ChannelConfig, channelId } from '#protocol/channel.ts'
import { depositNonce } from '#protocol/deposit.ts'
import { authorizationDigest, permit2Digest, permitDigest } from './model/authorization.ts'
import type { Authority, Permit } from './model/collectors.ts'
import { permitNonceOf, type Signature } from './model/state.ts'
import type { Random } from './random.ts'
import { anyone, type Draw, type Scene, signedBy, spoilt } from './scene.ts'

/** A deposit by a collector before it is sent. */
type Plan = { config: ChannelConfig; amount: bigint }

// Permit2 keeps the nonces of an owner in words of 256 bits: one word's first and last bit, and the last word of all.
const permit2Nonces = [0n, 255n, maxUint256]

export function drawDepositDirect({ random, cast }: Scene): Draw {
  const good = random.pick(cast.configs)
  const sender = random.once(6) ? anyone(random, cast) : good.payer
  const config = spoilt(random, good)
  return { sender, call: { kind: 'depositDirect', config, amount: drawAmount(random) } }
}

export function drawErc3009Deposit(scene: Scene): Draw {
  const plan = drawPlan(scene)
  return deposit(scene, plan, drawAuthorization(scene, plan))
}

export function drawPermit2Deposit(scene: Scene): Draw {
  const plan = drawPlan(scene)
  return deposit(scene, plan, drawPermit2(scene, plan))
}

/** Whoever has a payer's leave for a channel must not be able to spend it elsewhere than in a deposit. */
export function drawCollect(scene: Scene): Draw {
  const { random, cast } = scene
  const plan = drawPlan(scene)
  const draw = random.pick([drawAuthorization, drawPermit2])
  return {
    sender: anyone(random, cast),
    call: { kind: 'collect', ...plan, authority: draw(scene, plan) },
  }
}

function drawPlan({ random, cast }: Scene): Plan {
  return { config: spoilt(random, random.pick(cast.configs)), amount: drawAmount(random) }
}

/** Mostly what payers have, else more than fits beside anything that is there already. */
function drawAmount(random: Random): bigint {
  return random.once(30) ? maxUint128 - random.between(0n, 2n) : random.near(1_000n)
}

function deposit({ random, cast }: Scene, plan: Plan, authority: Authority): Draw {
  const call = { kind: 'deposit', ...plan, isCollectorNamed: !random.once(20), authority } as const
  return { sender: cast.stranger, call }
}

function drawAuthorization(scene: Scene, { config, amount }: Plan): Authority {
  const { random, setting, time } = scene
  const salt = BigInt(random.below(3))
  const validAfter = random.once(10) ? time : 0n
  const validBefore = random.once(10) ? time : 1n << 46n
  const nonce = depositNonce(channelId(config, setting.separators.channels), salt)
  const to = setting.collectors.erc3009
  const digest = authorizationDigest(
    { from: config.payer, to, value: amount, validAfter, validBefore, nonce },
    setting.separators.token(config.token),
  )
  const signature = wellFormed(scene, config.payer, digest)
  return { kind: 'erc3009', validAfter, validBefore, salt, signature }
}

function drawPermit2(scene: Scene, { config, amount }: Plan): Authority {
  const { random, setting, time } = scene
  const nonce = random.pick(permit2Nonces)
  const deadline = random.once(8) ? time - 1n : random.pick([time, 1n << 46n])
  const asked = {
    channelId: channelId(config, setting.separators.channels),
    token: config.token,
    amount,
    spender: setting.collectors.permit2,
    nonce,
    deadline,
  }
  const change = random.once(4) ? drawChange(scene, asked) : {}
  const digest = permit2Digest({ ...asked, ...change }, setting.separators.permit2)
  const signature = permit2Signature(scene, config.payer, digest)
  const permit = random.once(3) ? drawPermit(scene, config) : undefined
  return { kind: 'permit2', nonce, deadline, signature, permit }
}

/** One thing that the payer signed and that is not what is asked for. */
function drawChange(
  { random, cast, setting }: Scene,
  { amount, deadline }: { amount: bigint; deadline: bigint },
): Partial<Parameters<typeof permit2Digest>[0]> {
  const other = random.pick(cast.configs)
  return random.pick([
    { channelId: channelId(other, setting.separators.channels) },
    { token: random.pick(setting.tokens) },
    { amount: random.pick([amount + 1n, amount * 2n, maxUint256]) },
    { spender: random.pick([setting.collectors.erc3009, setting.channels, cast.stranger]) },
    { nonce: random.pick(permit2Nonces) },
    { deadline: deadline + 1n },
  ])
}

/** An ERC-2612 permit toward Permit2, as a payer without an allowance would sign it. */
function drawPermit(scene: Scene, { payer, token }: ChannelConfig): Permit {
  const { random, setting, state, time } = scene
  const value = random.pick([random.near(2_000n), maxUint256])
  const deadline = random.once(8) ? time - 1n : random.pick([time, 1n << 46n])
  const current = permitNonceOf(state, token, payer)
  const nonce = random.once(8) ? random.near(current) : current
  const digest = permitDigest(
    { owner: payer, spender: setting.permit2, value, nonce, deadline },
    setting.separators.token(token),
  )
  return { value, deadline, signature: wellFormed(scene, payer, digest) }
}

/** Tokens refuse malformed signatures in their own ways; here only a foreign signer is wrong. */
function wellFormed(scene: Scene, who: Address, digest: Hex): Signature {
  return { ...signedBy(scene, who, digest), flaw: 'none' }
}

/**
 * A signature for Permit2. What a wallet says to a malformed one is the wallet's affair; 64 bytes are not short for Permit2,
 * which reads ERC-2098.
 */
function permit2Signature(scene: Scene, who: Address, digest: Hex): Signature {
  const signature = signedBy(scene, who, digest)
  const isWallet = scene.setting.owners.has(who)
  return isWallet || signature.flaw === 'short' ? { ...signature, flaw: 'none' } : signature
}
