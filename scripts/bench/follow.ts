// How fast a hub that was down catches up with its chain: empty blocks, and among them some with deposits and claims.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Hex } from 'viem'
import { createWalletClient, encodeFunctionData, http } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { hardhat } from 'viem/chains'
import { hubAccountAbi, paymentChannelsAbi } from '#protocol/abi.ts'
import { channelsDomain } from '#protocol/channel.ts'
import { voucherTypes } from '#protocol/voucher.ts'
import type { World } from '../world/world.ts'
import { startWorld } from '../world/world.ts'
import type { OpenedChannel } from './channels.ts'
import { depositOn } from './channels.ts'

export type Followed = {
  blocksPerSecond: number
  blocksPerServerCpuSecond: number
  blocks: number
  eventBlocks: number
}

/** Stretches of empty blocks, with so many deposits and claims after each. */
const stretches = 40
const channelsPerStretch = 5

/** Stops a hub, lets the chain go on for `blocks` blocks and some with events, and starts it again. */
export async function measureFollowing(blocks: number): Promise<Followed> {
  const folder = await mkdtemp(join(tmpdir(), 'jandon-bench-'))
  const world = await startWorld({ folder, walletNames: ['funder'], withBank: false })
  try {
    await world.hub.stop()
    const eventBlocks = await goOn(world, blocks)
    const target = await world.chain.getBlockNumber({ cacheTime: 0 })
    let isUp = false
    const up = world.restartHub().then(() => {
      isUp = true
    })
    const samples: Sample[] = []
    while (!isUp) {
      const sample = await readSample(world)
      if (sample) samples.push(sample)
      await new Promise((resolve) => {
        setTimeout(resolve, sampleMs)
      })
    }
    await up
    return { ...rateOf(samples, target), eventBlocks }
  } finally {
    await world.stop()
    await rm(folder, { recursive: true })
  }
}

/** Mines while nobody looks; answers how many blocks have events of the hub's contracts. */
async function goOn(world: World, blocks: number): Promise<number> {
  const { deployment, chain } = world
  const { channels, vault: receiver, hubAccount: receiverAuthorizer } = deployment
  let eventBlocks = 0
  for (let stretch = 0; stretch < stretches; stretch += 1) {
    await chain.mine({ blocks: Math.floor(blocks / stretches) })
    const opened = await depositOn(world, channelsPerStretch, {
      channels,
      receiver,
      receiverAuthorizer,
    })
    await claimOn(world, opened)
    eventBlocks += channelsPerStretch + 1
  }
  return eventBlocks
}

/** One claim on several channels, with the hub's own key. */
async function claimOn(world: World, opened: readonly OpenedChannel[]) {
  const { deployment, hubEnvironment, rpcUrl, chain } = world
  const operator = privateKeyToAccount(hubEnvironment['JANDON_OPERATOR_KEY'] as Hex)
  const maxClaimableAmount = 1n
  const rows = await Promise.all(
    opened.map(async ({ config, channelId, key }) => {
      const signature = await privateKeyToAccount(key).signTypedData({
        domain: channelsDomain({ chainId: hardhat.id, address: deployment.channels }),
        types: voucherTypes,
        primaryType: 'Voucher',
        message: { channelId, maxClaimableAmount },
      })
      const voucher = { channel: config, maxClaimableAmount }
      return { voucher, signature, totalClaimed: maxClaimableAmount }
    }),
  )
  const data = encodeFunctionData({ abi: paymentChannelsAbi, functionName: 'claim', args: [rows] })
  const wallet = createWalletClient({ account: operator, chain: hardhat, transport: http(rpcUrl) })
  const hash = await wallet.writeContract({
    address: deployment.hubAccount,
    abi: hubAccountAbi,
    functionName: 'run',
    args: [[{ target: deployment.channels, data }]],
  })
  const { status } = await chain.waitForTransactionReceipt({ hash })
  if (status !== 'success') throw new Error('the claim was reverted')
}

const sampleMs = 20

type Sample = { at: number; block: number; cpuSeconds: number }

/** How far the hub is; nothing while it does not listen yet. */
async function readSample({ hub }: World): Promise<Sample | undefined> {
  const text = await fetch(new URL('/metrics', hub.url)).then(
    (response) => response.text(),
    () => undefined,
  )
  if (text === undefined) return undefined
  const value = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1])
  return {
    at: performance.now(),
    block: value('jandon_block'),
    cpuSeconds: value('process_cpu_seconds_total'),
  }
}

/** From the first answer, before anything is followed, to the first that is at the end. */
function rateOf(samples: readonly Sample[], target: bigint): Omit<Followed, 'eventBlocks'> {
  const [first] = samples
  const last = samples.find(({ block }) => BigInt(block) >= target)
  if (!first || !last) throw new Error('the hub was not seen to catch up')
  const blocks = last.block - first.block
  return {
    blocks,
    blocksPerSecond: Math.round((blocks / (last.at - first.at)) * 1_000),
    blocksPerServerCpuSecond: Math.round(blocks / (last.cpuSeconds - first.cpuSeconds)),
  }
}
