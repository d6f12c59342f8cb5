// What can happen to a channel and its money on the chain, each as transactions that can be sent again on another branch.

import type { Address, Hex, PrivateKeyAccount } from 'viem'
import { createWalletClient, encodeFunctionData, http } from 'viem'
import { hardhat } from 'viem/chains'
import { creatorVaultAbi, hubAccountAbi, paymentChannelsAbi, testTokenAbi } from '#protocol/abi.ts'
import type { ChannelConfig } from '#protocol/channel.ts'
import { channelId, channelsDomainSeparator } from '#protocol/channel.ts'
import { lowerCase } from '#protocol/signature.ts'
import type { Books, openBooks } from '#server/testing/books.ts'
import { feeAccount } from '#server/testing/books.ts'
import type { ChainFixture, FundedChannel } from '#server/testing/chain.ts'
import { claimCall, creditCall } from '#server/testing/chain.ts'
import type { Disk } from '#server/testing/disk.ts'
import { randomHash } from '#server/testing/disk.ts'
import type { Part } from '../../world/process.ts'
import type { Random } from '../random.ts'
import type { Tally } from './truth.ts'

/** In the order of a channel's life. */
export const stepNames = [
  'deposit',
  'top up',
  'claim',
  'settle',
  'credit',
  'claim, settle and credit',
  'pay',
  'gift',
  'claim above the books',
  'withdraw',
  'finish a withdrawal',
  'refund',
] as const
export type StepName = (typeof stepNames)[number]

type Party = { key: PrivateKeyAccount; account: Address }

export type Scene = {
  chain: ChainFixture
  random: Random
  tally: Tally
  disk: Disk
  books: Books
  settings: NonNullable<Parameters<typeof openBooks>[2]>
  /** What lies between the books and the chain; nothing when they ask it themselves. */
  proxies: readonly Part[]
  payers: PrivateKeyAccount[]
  creators: Party[]
  stranger: PrivateKeyAccount
  channels: FundedChannel[]
  tipped: Map<Hex, bigint>
  /** The signed bytes of what was sent since the newest mark. */
  sent: Hex[]
}

export const steps: Readonly<Record<StepName, (scene: Scene) => Promise<unknown>>> = {
  deposit: (scene) => deposit(scene, scene.random.between(1_000n, 90_000n)),
  'top up': (scene) => topUp(scene, newest(scene), scene.random.between(1_000n, 90_000n)),
  /** In two parts in one transaction: then it matters which is undone first. */
  async claim(scene) {
    const total = await claimable(scene)
    const parts = [await claimCall(newest(scene), (total + 1n) / 2n)]
    parts.push(await claimCall(newest(scene), total))
    await runHub(
      scene,
      parts.map(({ target, data }) => ({ target, data })),
    )
  },
  settle: ({ chain, ...scene }) =>
    send({ chain, ...scene }, scene.stranger, {
      address: chain.deployment.channels,
      abi: paymentChannelsAbi,
      functionName: 'settle',
      args: [chain.deployment.vault, chain.token],
    }),
  credit: async (scene) => runHub(scene, [creditCall(scene.chain, await creditRows(scene))]),
  async 'claim, settle and credit'(scene) {
    const { target, data } = await claimCall(newest(scene), await claimable(scene))
    const credit = creditCall(scene.chain, await creditRows(scene))
    await runHub(scene, [{ target, data }, credit])
  },
  async pay(scene) {
    const { chain, creators, stranger } = scene
    for (const { key, account } of creators) {
      const { credited, paid } = scene.books.vaultAccounts.get(chain.token, account)
      if (credited === paid) continue
      await send(scene, key, {
        address: chain.deployment.vault,
        abi: creatorVaultAbi,
        functionName: 'pay',
        args: [
          chain.token,
          stranger.address,
          scene.random.between(1n, credited - paid),
          randomHash(),
        ],
      })
    }
  },
  gift: (scene) =>
    send(scene, scene.stranger, {
      address: scene.chain.token,
      abi: testTokenAbi,
      functionName: 'transfer',
      args: [scene.chain.deployment.vault, scene.random.between(1n, 500n)],
    }),
  async 'claim above the books'(scene) {
    const charged = await claimable(scene)
    const { target, data } = await claimCall(
      newest(scene),
      charged + scene.random.between(1n, 300n),
    )
    await runHub(scene, [{ target, data }])
  },
  withdraw: (scene) => {
    const { contract, config, payer } = newest(scene)
    const args = [config, scene.random.between(1n, 5_000n)]
    const call = { address: contract, abi: paymentChannelsAbi, functionName: 'initiateWithdraw' }
    return send(scene, payer, { ...call, args })
  },
  'finish a withdrawal': (scene) => {
    const { contract, config, payer } = newest(scene)
    const call = { address: contract, abi: paymentChannelsAbi, functionName: 'finalizeWithdraw' }
    return send(scene, payer, { ...call, args: [config] })
  },
  async refund(scene) {
    const { contract, config } = newest(scene)
    const args = [config, scene.random.between(1n, 5_000n)] as const
    const data = encodeFunctionData({ abi: paymentChannelsAbi, functionName: 'refund', args })
    await runHub(scene, [{ target: contract, data }])
  },
}

export async function deposit(scene: Scene, amount: bigint) {
  const { chain, random, payers } = scene
  const { vault, hubAccount, channels: contract } = chain.deployment
  const payer = random.pick(payers)
  const config: ChannelConfig = {
    payer: lowerCase(payer.address),
    payerAuthorizer: lowerCase(payer.address),
    receiver: vault,
    receiverAuthorizer: hubAccount,
    token: chain.token,
    withdrawDelay: 86_400,
    salt: randomHash(),
  }
  const id = channelId(config, channelsDomainSeparator({ chainId: hardhat.id, address: contract }))
  const channel = { id, config, contract, payer }
  scene.channels.push(channel)
  await topUp(scene, channel, amount)
}

function topUp(scene: Scene, { contract, config, payer }: FundedChannel, amount: bigint) {
  const call = { address: contract, abi: paymentChannelsAbi, functionName: 'depositDirect' }
  return send(scene, payer, { ...call, args: [config, amount] })
}

function newest({ channels }: Scene): FundedChannel {
  const channel = channels.at(-1)
  if (!channel) throw new Error('no channel was opened')
  return channel
}

/** What was charged on the newest channel. */
async function claimable(scene: Scene): Promise<bigint> {
  return scene.books.channels.get(newest(scene).id).charged
}

/** New totals for everybody whom the books owe something, within what the chain holds free after a settlement. */
async function creditRows({ chain, books, creators, channels }: Scene) {
  const { deployment, token, node } = chain
  const [held, owed, [claimed, settled]] = await Promise.all([
    node.readContract({
      address: token,
      abi: testTokenAbi,
      functionName: 'balanceOf',
      args: [deployment.vault],
    }),
    node.readContract({
      address: deployment.vault,
      abi: creatorVaultAbi,
      functionName: 'owed',
      args: [token],
    }),
    node.readContract({
      address: deployment.channels,
      abi: paymentChannelsAbi,
      functionName: 'receivers',
      args: [deployment.vault, token],
    }),
  ])
  const last = channels.at(-1)
  const coming = last ? books.channels.find(last.id) : undefined
  let free = held - owed + claimed - settled + (coming ? coming.charged - coming.totalClaimed : 0n)
  return [...creators.map(({ account }) => account), feeAccount].flatMap((account) => {
    const name = account === feeAccount ? 'fees' : `creator:${account}`
    const due = -books.book(name)
    if (due <= 0n || due > free) return []
    free -= due
    return [{ account, credited: books.vaultAccounts.get(token, account).credited + due }]
  })
}

function runHub(scene: Scene, calls: readonly { target: Address; data: Hex }[]) {
  const { chain } = scene
  return send(scene, chain.operator, {
    address: chain.deployment.hubAccount,
    abi: hubAccountAbi,
    functionName: 'run',
    args: [calls],
  })
}

/** Sends a transaction and keeps its bytes, to send them again on another branch. */
async function send(
  { chain, sent }: Pick<Scene, 'chain' | 'sent'>,
  account: PrivateKeyAccount,
  call: { address: Address; abi: unknown; functionName: string; args: readonly unknown[] },
) {
  const wallet = createWalletClient({ account, chain: hardhat, transport: http(chain.rpcUrl) })
  const data = encodeFunctionData(call as Parameters<typeof encodeFunctionData>[0])
  const request = await wallet.prepareTransactionRequest({
    to: call.address,
    data,
    gas: 3_000_000n,
  })
  const raw = await wallet.signTransaction(request)
  const hash = await chain.node.sendRawTransaction({ serializedTransaction: raw })
  const { status } = await chain.node.waitForTransactionReceipt({ hash })
  if (status !== 'success') throw new Error(`${call.functionName} was reverted`)
  sent.push(raw)
}
