// A random history of one hub: bursts of requests, kills in the middle of them, and what happens on the chain in between. After
// each part every channel must be as the model has it.

import { join } from 'node:path'
import { zeroAddress } from 'viem'
import { lowerCase } from '#protocol/signature.ts'
import { createRandom } from '../random.ts'
import type { Burst } from './burst.ts'
import { burst } from './burst.ts'
import type { Drawn } from './draw.ts'
import { drawCopies, drawForgeries, drawLadder, drawRefund, drawRequest, shuffled } from './draw.ts'
import type { Channel, Done, Scene } from './scene.ts'
import {
  assertViews,
  eventually,
  Fault,
  observeChain,
  openChannel,
  openScene,
  viewChannels,
} from './scene.ts'
import type { Stage } from './stage.ts'
import { createHubProcess } from './stage.ts'

/** How much: parts of a history, and requests in each. */
export type HistoryEffort = { parts: number; requests: number; channels: number }

/** Plays the history of a seed on sources of the hub. @throws Fault */
export async function playHistory(
  stage: Stage,
  {
    sources,
    seed,
    effort,
    done,
  }: { sources: string; seed: number; effort: HistoryEffort; done: Done },
) {
  const random = createRandom(seed)
  const confirmations = random.below(3)
  const hub = createHubProcess(stage, {
    sources,
    directory: join(stage.folder, `history-${seed}`),
    changes: { JANDON_CONFIRMATIONS: String(confirmations) },
  })
  await hub.start()
  try {
    const scene = await openScene(stage, hub, { random, confirmations, done })
    await openChannels(scene, effort.channels)
    await catchUp(scene)
    for (let part = 0; part < effort.parts; part += 1) await playPart(scene, part, effort)
    await assertEnd(scene)
  } finally {
    await hub.kill()
    await stage.chain.setAutomine(true)
  }
}

/** Good channels of all sizes, and one of each kind that gets no credit (R7). */
export async function openChannels(scene: Scene, count: number) {
  const { random, info } = scene
  for (let index = 0; index < count; index += 1) {
    const deposit = random.pick([10n, 1_000n, 10n ** 6n, 10n ** 9n, 10n ** 18n])
    await openChannel(scene, { deposit: deposit + random.between(0n, 9n) })
  }
  await openChannel(scene, {
    deposit: 1_000n,
    changes: { payerAuthorizer: zeroAddress },
    refusal: 'authorizer_required',
  })
  await openChannel(scene, {
    deposit: 1_000n,
    changes: { receiverAuthorizer: lowerCase(scene.stage.funder.address) },
    refusal: 'wrong_receiver_authorizer',
  })
  await openChannel(scene, {
    deposit: 1_000n,
    changes: { withdrawDelay: info.withdrawDelay.minimum - 1 },
    refusal: 'withdraw_delay_out_of_range',
  })
  await scene.stage.chain.mine({ blocks: scene.confirmations + 1 })
}

/** Of three parts one kills the hub and one stops it in order, in the middle, so that even the shortest history does. */
async function playPart(scene: Scene, part: number, { requests }: HistoryEffort) {
  const { chain } = scene.stage
  await chain.setAutomine(false)
  const drawn = [
    ...drawForgeries(scene, scene.random.pick(scene.channels)),
    ...drawMany(scene, requests),
  ]
  const endAfter = 1 + scene.random.below(drawn.length)
  const ends = [{}, { endAfter, by: 'kill' as const }, { endAfter, by: 'signal' as const }]
  const left = await burst(scene, drawn, ends[part % ends.length])
  await chain.setAutomine(true)
  await finishRefunds(scene, left)
  await changeChain(scene)
  await catchUp(scene)
  await assertReserves(scene)
}

/** Copies of one basket, a ladder of baskets, or anything; with a refund among them. */
function drawMany(scene: Scene, requests: number): Drawn[] {
  const { random, channels } = scene
  const channel = random.pick(channels)
  const refund = drawRefund(scene, random.pick(channels.filter(({ model }) => !model.refusal)))
  if (random.once(4)) return [refund, ...drawCopies(scene, channel, requests)]
  if (random.once(3)) {
    const ladder = drawLadder(scene, channel, requests)
    if (ladder.length > 0) return ladder
  }
  return [refund, ...Array.from({ length: requests - 1 }, () => drawRequest(scene))]
}

/** Lets the chain take the refunds; each must arrive, and take from its channel what was held for it. */
export async function finishRefunds(scene: Scene, { refunds }: Burst) {
  await blocksUntil(scene, async () => {
    const views = [...(await viewChannels(scene)).values()]
    return views.every(({ amounts }) => amounts.held === 0n)
  })
  for (const { refundId, session: token } of refunds) {
    const { state } = await eventually(
      () => scene.client.ask({ path: `/v1/refunds/${refundId}`, token }),
      (found) => found['state'] !== 'sending',
    )
    if (state !== 'done') throw new Fault(`refund ${refundId} is ${state}`)
  }
  for (const channel of scene.channels) {
    const { state } = channel.model
    channel.balance -= state.held
    state.held = 0n
  }
}

/** Money in, money on its way out, money gone, or claims. */
async function changeChain(scene: Scene) {
  const { random, stage, channels } = scene
  const channel = random.pick(channels)
  const what = random.pick(['deposit', 'withdraw', 'withdraw', 'claim', 'finalize', 'nothing'])
  if (what === 'deposit') {
    const amount = random.between(1n, 1_000_000n)
    await stage.onChannels(stage.funder, 'depositDirect', [channel.config, amount])
    channel.balance += amount
  }
  if (what === 'withdraw') await withdrawSome(scene)
  if (what === 'claim') await claimAll(scene)
  if (what === 'finalize') await finalizeOne(scene)
}

async function withdrawSome(scene: Scene) {
  const { random, stage, channels } = scene
  for (const channel of shuffled(channels, random)) {
    const room = channel.balance - channel.model.state.charged
    if (room <= 0n || (await pendingOf(scene, channel)) > 0n) continue
    const amount = random.between(1n, room)
    await stage.onChannels(channel.payer.account, 'initiateWithdraw', [channel.config, amount])
    return
  }
}

/** Withdraws from a channel whose time has come, after everything charged was claimed. */
async function finalizeOne(scene: Scene) {
  const { stage, channels } = scene
  for (const channel of channels) {
    const pending = await pendingOf(scene, channel)
    if (!pending) continue
    await claimAll(scene)
    await stage.chain.increaseTime({ seconds: channel.config.withdrawDelay + 1 })
    await stage.onChannels(channel.payer.account, 'finalizeWithdraw', [channel.config])
    channel.balance -= pending
    return
  }
}

async function pendingOf({ stage }: Scene, { model }: Channel): Promise<bigint> {
  const blockNumber = await stage.chain.getBlockNumber({ cacheTime: 0 })
  const args = [model.id]
  const [amount] = await stage.readChannels<[bigint, number]>('pendingWithdrawals', {
    args,
    blockNumber,
  })
  return amount
}

async function claimAll(scene: Scene) {
  const { client, stage } = scene
  const { operatorToken: token } = stage.secrets
  let isDone = false
  const claiming = client.ask({ method: 'POST', path: '/v1/claims', token }, 202).finally(() => {
    isDone = true
  })
  await Promise.all([claiming, blocksUntil(scene, async () => isDone)])
}

/** Mines blocks until it is so: what waits for policy depth needs them. */
async function blocksUntil({ stage }: Scene, isSo: () => Promise<boolean>) {
  const mined = await eventually(
    async () => {
      await stage.chain.mine({ blocks: 1 })
      return isSo()
    },
    (found) => found,
  )
  if (!mined) throw new Fault('the hub did not finish what it began on the chain')
}

/** Waits until the hub has seen the chain, and holds every channel against chain and model. */
export async function catchUp(scene: Scene) {
  await observeChain(scene)
  await assertViews(scene, 'soon')
  for (const { model, balance } of scene.channels) {
    const { chain } = scene.stage
    const blockNumber = await chain.getBlockNumber({ cacheTime: 0 })
    const [found] = await scene.stage.readChannels<[bigint, bigint]>('channels', {
      args: [model.id],
      blockNumber,
    })
    if (found !== balance) throw new Fault(`channel ${model.id} holds ${found}, not ${balance}`)
  }
}

async function assertReserves({ client, stage }: Scene) {
  const { operatorToken: token } = stage.secrets
  const report = await eventually(
    () => client.ask({ path: '/v1/reserves', token }),
    ({ verdict }) => verdict === 'equal',
  )
  if (report['verdict'] !== 'equal') throw new Fault(`reserves are ${JSON.stringify(report)}`)
}

/** After a last stop and start: every receipt again, letter by letter, and what creators were accepted in all. */
async function assertEnd(scene: Scene) {
  const { hub, client, accepted, receipts, channels, creators } = scene
  const code = await hub.stop()
  if (code !== 0) throw new Fault(`the hub stopped with ${code}: ${hub.printed()}`)
  await hub.start()
  for (const { channelId, basketId, tips } of accepted) {
    const token = channels.find(({ model }) => model.id === channelId)?.payer.session
    const receipt = await client.ask({ path: `/v1/baskets/${basketId}`, token })
    const fault = await receipts.take({ channelId, basketId, tips }, receipt)
    if (fault) throw new Fault(fault)
  }
  for (const { handle, session: token, to } of creators) {
    const { amounts } = await client.ask({ path: `/v1/creators/${handle}/amounts`, token })
    const [{ accepted: found } = {}] = amounts as { accepted?: string }[]
    const wanted = String(receipts.acceptedOf(to))
    if (found !== wanted) throw new Fault(`@${handle} was accepted ${wanted}, not ${found}`)
  }
  await claimAll(scene)
  await catchUp(scene)
  await assertReserves(scene)
  assertNoSecrets(scene)
}

/** Keys and tokens never appear in what a hub prints (28). */
function assertNoSecrets({ stage, payers, creators, hub }: Scene) {
  const { operatorKey, receiptKey, operatorToken } = stage.secrets
  const sessions = [...payers, ...creators].map(({ session }) => session)
  const secrets = [operatorKey.slice(2), receiptKey.slice(2), operatorToken, ...sessions]
  const printed = hub.printed()
  if (secrets.some((secret) => printed.includes(secret))) {
    throw new Fault('a key or a token stands in what the hub printed')
  }
}
