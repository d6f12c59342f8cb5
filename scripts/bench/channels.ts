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

/** Who is paid through a channel, and where it lives. */
export type Payee = {
  channels: Address
  receiver: Address
  receiverAuthorizer: Address
}

export type OpenedChannel = { config: ChannelConfig; channelId: Hex; key: Hex; separator: Hex }

/** Opens channels of the hub and registers one creator; resolves when the hub knows them all. */
export async function openBenchChannels(world: World, count: number): Promise<BenchChannel[]> {
  const { deployment, wallets } = world
  const creator = wallets['creator']
  if (!creator) throw new Error('the world lacks a creator')
  const opened = await depositOn(world, count, {
    channels: deployment.channels,
    receiver: deployment.vault,
    receiverAuthorizer: deployment.hubAccount,
  })
  await registerCreator(world, { privateKey: creator.privateKey, handle: 'bench' })
  await hubKnows(world, count)
  return opened.map(({ channelId, key, separator }) => ({
    channelId,
    key,
    separator,
    creator: creator.address,
  }))
}

/** Opens channels by plain deposits of the world's funder. */
export async function depositOn(
  world: World,
  count: number,
  { channels, receiver, receiverAuthorizer }: Payee,
): Promise<OpenedChannel[]> {
  const { deployment, token, wallets, rpcUrl } = world
  const funder = wallets['funder']
  if (!funder) throw new Error('the world lacks a funder')
  await world.fundGas(funder.address)
  await world.mint(funder.address, perChannel * BigInt(count))
  const account = privateKeyToAccount(funder.privateKey)
  const wallet = createWalletClient({ account, chain: hardhat, transport: http(rpcUrl) })
  await wallet.writeContract({
    address: token.address,
    abi: testTokenAbi,
    functionName: 'approve',
    args: [channels, maxUint256],
  })
  const separator = channelsDomainSeparator({ chainId: deployment.chainId, address: channels })
  const opened: OpenedChannel[] = []
  while (opened.length < count) {
    const key = generatePrivateKey()
    const voucherKey = lowerCase(privateKeyToAccount(key).address)
    const config: ChannelConfig = {
      payer: voucherKey,
      payerAuthorizer: voucherKey,
      receiver,
      receiverAuthorizer,
      token: token.address,
      withdrawDelay: 86_400,
      salt: toHex(opened.length, { size: 32 }),
    }
    await wallet.writeContract({
      address: channels,
      abi: paymentChannelsAbi,
      functionName: 'depositDirect',
      args: [config, perChannel],
    })
    opened.push({ config, channelId: channelId(config, separator), key, separator })
  }
  return opened
}

/** Registers a creator under a handle. */
export async function registerCreator(
  { hub, deployment }: World,
  { privateKey, handle }: { privateKey: Hex; handle: string },
) {
  const account = privateKeyToAccount(privateKey)
  const message = { handle, account: lowerCase(account.address), displayName: 'Bench' }
  const signature = await account.signTypedData({
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
