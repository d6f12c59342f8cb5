// One hub on one chain with its payers, channels and creators, and the model beside it.

import type { Address, Hex } from 'viem'
import { toHex } from 'viem'
import type { PrivateKeyAccount } from 'viem/accounts'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import { larger } from '#protocol/amount.ts'
import type { ChannelConfig } from '#protocol/channel.ts'
import { channelId, channelsDomainSeparator } from '#protocol/channel.ts'
import { creatorDomain, creatorTypes } from '#protocol/creator.ts'
import type { ErrorCode } from '#protocol/errors.ts'
import type { HubInfo } from '#protocol/messages/hub.ts'
import { hubInfo } from '#protocol/messages/hub.ts'
import type { ChannelView } from '#protocol/messages/tips.ts'
import { channelList } from '#protocol/messages/tips.ts'
import { toJson } from '#protocol/messages/wire.ts'
import { lowerCase } from '#protocol/signature.ts'
import type { Tip } from '#protocol/tip.ts'
import { tipTo } from '#protocol/tip.ts'
import type { Random } from '../random.ts'
import type { Client } from './client.ts'
import { createClient } from './client.ts'
import type { ModelChannel } from './model.ts'
import { amountsOf } from './model.ts'
import type { Receipts } from './receipts.ts'
import { createReceipts } from './receipts.ts'
import type { HubProcess, Stage } from './stage.ts'

export type Payer = { account: PrivateKeyAccount; session: string }

export type Channel = {
  model: ModelChannel
  config: ChannelConfig
  payer: Payer
  /** The key that signs vouchers. */
  key: Hex
  /** What the channel holds on chain after all that was done to it, base units. */
  balance: bigint
}

export type Creator = { account: PrivateKeyAccount; to: Hex; handle: string; session: string }

/** A basket that was accepted, with the text that it was sent as. */
export type Accepted = { channelId: Hex; basketId: Hex; tips: readonly Tip[]; body: string }

/** What was done so far; kept outside, because it must survive a failure. */
export type Done = { operations: number; kills: number; answers: Map<string, number> }

export type Scene = {
  stage: Stage
  hub: HubProcess
  client: Client
  info: HubInfo
  random: Random
  confirmations: number
  separator: Hex
  payers: Payer[]
  creators: Creator[]
  channels: Channel[]
  accepted: Accepted[]
  receipts: Receipts
  /** All that may be tipped. */
  recipients: Set<Hex>
  done: Done
}

/** A fault that was found: what the hub did and what the rules say. */
export class Fault extends Error {}

const deadlineMs = 8_000
const pauseMs = 10

/** Signs payers in and registers creators at a hub that runs, without channels yet. */
export async function openScene(
  stage: Stage,
  hub: HubProcess,
  {
    random,
    confirmations,
    done,
    clockSeconds = 0,
  }: { random: Random; confirmations: number; done: Done; clockSeconds?: number },
): Promise<Scene> {
  const client = createClient(hub.url)
  const info = hubInfo.parse(await client.ask({ path: '/.well-known/jandon' }))
  const { chainId, hubAccount, feeAccount, receiptSigner } = info
  const payers: Payer[] = []
  for (let count = 0; count < 2; count += 1) {
    const account = privateKeyToAccount(generatePrivateKey())
    await stage.fund(account.address)
    payers.push({ account, session: await client.signIn(account, chainId, clockSeconds) })
  }
  const creators: Creator[] = []
  for (const handle of ['ann', 'bob', 'cho', 'dan']) {
    creators.push(await register({ client, info, clockSeconds }, handle))
  }
  return {
    stage,
    hub,
    client,
    info,
    random,
    confirmations,
    separator: channelsDomainSeparator({ chainId, address: info.channels.address }),
    payers,
    creators,
    channels: [],
    accepted: [],
    receipts: createReceipts({
      hub: { chainId, hubAccount },
      receiptSigner,
      feeTo: tipTo(feeAccount),
      feeBasisPoints: BigInt(info.tipFeeBasisPoints),
    }),
    recipients: new Set([tipTo(feeAccount), ...creators.map(({ to }) => to)]),
    done,
  }
}

/** Opens a channel with a voucher key of its own, paid for by the funder. */
export async function openChannel(
  scene: Scene,
  {
    deposit,
    changes = {},
    refusal,
  }: { deposit: bigint; changes?: Partial<ChannelConfig>; refusal?: ErrorCode },
): Promise<Channel> {
  const { stage, info, random, separator } = scene
  const payer = random.pick(scene.payers)
  const key = generatePrivateKey()
  const config: ChannelConfig = {
    payer: lowerCase(payer.account.address),
    payerAuthorizer: lowerCase(privateKeyToAccount(key).address),
    receiver: info.receiver,
    receiverAuthorizer: info.receiverAuthorizer,
    token: stage.token,
    withdrawDelay: info.withdrawDelay.minimum,
    salt: toHex(random.between(0n, 2n ** 200n), { size: 32 }),
    ...changes,
  }
  await stage.onChannels(stage.funder, 'depositDirect', [config, deposit])
  const state = { ceiling: 0n, charged: 0n, held: 0n, escrowCap: 0n, baskets: new Set<Hex>() }
  const model = { id: channelId(config, separator), refusal, state }
  const channel = { model, config, payer, key, balance: deposit }
  scene.channels.push(channel)
  return channel
}

/** Reads again until it is so, or returns what was read last. */
export async function eventually<T>(read: () => Promise<T>, isSo: (value: T) => boolean) {
  const deadline = Date.now() + deadlineMs
  for (;;) {
    const value = await read()
    if (isSo(value) || Date.now() > deadline) return value
    await new Promise((resolve) => setTimeout(resolve, pauseMs))
  }
}

/** The chain's word on every channel, taken into the model: money in at policy depth, money out at once (R6). */
export async function observeChain(scene: Scene) {
  const { chain } = scene.stage
  const head = await chain.getBlockNumber({ cacheTime: 0 })
  const block = head - BigInt(scene.confirmations)
  for (const { model } of scene.channels) {
    const [[balance], [pending], [early]] = await Promise.all([
      read<[bigint, bigint]>('channels', model.id, block),
      read<[bigint, number]>('pendingWithdrawals', model.id, block),
      read<[bigint, number]>('pendingWithdrawals', model.id, head),
    ])
    const leaving = larger(early, pending)
    model.state.escrowCap = balance > leaving ? balance - leaving : 0n
  }

  function read<T>(functionName: string, id: Hex, blockNumber: bigint): Promise<T> {
    return scene.stage.readChannels<T>(functionName, { args: [id], blockNumber })
  }
}

/** Every channel as the payers see it. */
export async function viewChannels(scene: Scene): Promise<Map<Hex, ChannelView>> {
  const views = new Map<Hex, ChannelView>()
  for (const { session: token } of scene.payers) {
    const { channels } = channelList.parse(await scene.client.ask({ path: '/v1/channels', token }))
    for (const view of channels) views.set(view.channelId, view)
  }
  return views
}

/** What differs between the channels as the hub shows them and as the model has them. */
export function viewFault(scene: Scene, views: ReadonlyMap<Hex, ChannelView>): string | undefined {
  for (const { model } of scene.channels) {
    const view = views.get(model.id)
    const wanted = toJson({ ...amountsOf(model.state), refusal: model.refusal ?? null })
    const found = view && toJson({ ...inOrder(view.amounts), refusal: view.refusal })
    if (found !== wanted) return `channel ${model.id} is ${wanted}, the hub shows ${found}`
  }
  return undefined
}

/** Asserts that all channels are as the model has them: at once, or as soon as the hub has seen the chain. */
export async function assertViews(scene: Scene, when: 'now' | 'soon') {
  const views =
    when === 'now'
      ? await viewChannels(scene)
      : await eventually(
          () => viewChannels(scene),
          (found) => viewFault(scene, found) === undefined,
        )
  const fault = viewFault(scene, views)
  if (fault) throw new Fault(fault)
}

async function register(
  { client, info, clockSeconds }: Pick<Scene, 'client' | 'info'> & { clockSeconds: number },
  handle: string,
): Promise<Creator> {
  const account = privateKeyToAccount(generatePrivateKey())
  const creator = { handle, account: lowerCase(account.address) as Address, displayName: handle }
  const signature = await account.signTypedData({
    domain: creatorDomain(info),
    types: creatorTypes,
    primaryType: 'Creator',
    message: creator,
  })
  await client.ask({ path: '/v1/creators', body: { ...creator, signature } }, 201)
  const session = await client.signIn(account, info.chainId, clockSeconds)
  return { account, to: tipTo(creator.account), handle, session }
}

function inOrder({ ceiling, charged, held, escrowCap, available }: ChannelView['amounts']) {
  return { ceiling, charged, held, escrowCap, available }
}
