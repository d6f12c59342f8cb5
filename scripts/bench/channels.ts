// Channels to measure with: each with a voucher key of its own, all paid for by one funder.

import type { Address, Hex } from 'viem'
import { createWalletClient, http, maxUint256, toHex } from 'viem'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import { hardhat } from 'viem/chains'
import { paymentChannelsAbi, testTokenAbi } from '#protocol/abi.ts'
import type { ChannelConfig } from '#protocol/channel.ts'
import { channelId, channelsDomainSeparator } from '#protocol/channel.ts'
import { creatorDomain, creatorTypes } from '#protocol/creator.ts'
import { lowerCase } from '#protocol/signature.ts'
import type { World } from '../world/world.ts'

/** What the load needs to sign for a channel. */
export type BenchChannel = { channelId: Hex; key: Hex; separator: Hex; creator: Address }

const perChannel = 1_000_000_000_000n

/** Opens channels by plain deposits and registers one creator; resolves when the hub knows them all. */
export async function openBenchChannels(world: World, count: number): Promise<BenchChannel[]> {
  const { deployment, token, wallets, rpcUrl } = world
  const funder = wallets['funder']
  const creator = wallets['creator']
  if (!funder || !creator) throw new Error('the world lacks a funder or a creator')
  await world.fundGas(funder.address)
  await world.mint(funder.address, perChannel * BigInt(count))
  const account = privateKeyToAccount(funder.privateKey)
  const wallet = createWalletClient({ account, chain: hardhat, transport: http(rpcUrl) })
  await wallet.writeContract({
    address: token.address,
    abi: testTokenAbi,
    functionName: 'approve',
    args: [deployment.channels, maxUint256],
  })
  const separator = channelsDomainSeparator({
    chainId: deployment.chainId,
    address: deployment.channels,
  })
  const channels: BenchChannel[] = []
  while (channels.length < count) {
    const key = generatePrivateKey()
    const voucherKey = lowerCase(privateKeyToAccount(key).address)
    const config: ChannelConfig = {
      payer: voucherKey,
      payerAuthorizer: voucherKey,
      receiver: deployment.vault,
      receiverAuthorizer: deployment.hubAccount,
      token: token.address,
      withdrawDelay: 86_400,
      salt: toHex(channels.length, { size: 32 }),
    }
    await wallet.writeContract({
      address: deployment.channels,
      abi: paymentChannelsAbi,
      functionName: 'depositDirect',
      args: [config, perChannel],
    })
    channels.push({
      channelId: channelId(config, separator),
      key,
      separator,
      creator: creator.address,
    })
  }
  await registerCreator(world)
  await hubKnows(world, count)
  return channels
}

async function registerCreator({ wallets, hub, deployment }: World) {
  const creator = wallets['creator']
  if (!creator) throw new Error('the world lacks a creator')
  const message = { handle: 'bench', account: creator.address, displayName: 'Bench' }
  const signature = await privateKeyToAccount(creator.privateKey).signTypedData({
    domain: creatorDomain(deployment),
    types: creatorTypes,
    primaryType: 'Creator',
    message,
  })
  const response = await fetch(new URL('/v1/creators', hub.url), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...message, signature }),
  })
  if (!response.ok) throw new Error(`the hub answered ${response.status} to a registration`)
}

async function hubKnows({ hub }: World, count: number) {
  for (;;) {
    const text = await (await fetch(new URL('/metrics', hub.url))).text()
    if (Number(/^jandon_channels (\d+)$/m.exec(text)?.[1]) >= count) return
    await new Promise((resolve) => {
      setTimeout(resolve, 100)
    })
  }
}
