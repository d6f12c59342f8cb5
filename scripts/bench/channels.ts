// Channels to measure with: each with a voucher key of its own, all paid for by one funder.

import type { Account, Address, Hex, WalletClient } from 'viem'
import {
  type Chain,
  createWalletClient,
  encodeFunctionData,
  http,
  maxUint256,
  parseAbi,
  type Transport,
  toHex,
} from 'viem'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import { hardhat } from 'viem/chains'
import { paymentChannelsAbi, testTokenAbi } from '#protocol/abi.ts'
import type { ChannelConfig } from '#protocol/channel.ts'
import { channelId, channelsDomainSeparator } from '#protocol/channel.ts'
import { creatorDomain, creatorTypes } from '#protocol/creator.ts'
import { lowerCase } from '#protocol/signature.ts'
import { readArtifact } from '../deploy/create2.ts'
import type { World } from '../world/world.ts'

/** What the load needs to sign for a channel. */
export type BenchChannel = { channelId: Hex; key: Hex; separator: Hex; creator: Address }

type FunderWallet = WalletClient<Transport, Chain, Account>

const multicallAbi = parseAbi([
  'function tryAggregate(bool requireSuccess, (address target, bytes callData)[] calls) returns ((bool success, bytes returnData)[])',
])

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

/** Deposits of one transaction. */
const perTransaction = 100

/** Opens channels by deposits out of one contract, many in each transaction. */
export async function depositOn(
  world: World,
  count: number,
  { channels, receiver, receiverAuthorizer }: Payee,
): Promise<OpenedChannel[]> {
  const { deployment, token, wallets, rpcUrl } = world
  const funder = wallets['funder']
  if (!funder) throw new Error('the world lacks a funder')
  await world.fundGas(funder.address)
  const account = privateKeyToAccount(funder.privateKey)
  const wallet = createWalletClient({ account, chain: hardhat, transport: http(rpcUrl) })
  const separator = channelsDomainSeparator({ chainId: deployment.chainId, address: channels })
  const callMany = await deployMulticall(world, wallet)
  await world.mint(callMany.address, perChannel * BigInt(count))
  await callMany.call([
    [
      token.address,
      encodeFunctionData({
        abi: testTokenAbi,
        functionName: 'approve',
        args: [channels, maxUint256],
      }),
    ],
  ])
  const opened = Array.from({ length: count }, (_, index): OpenedChannel => {
    const key = generatePrivateKey()
    const voucherKey = lowerCase(privateKeyToAccount(key).address)
    const config: ChannelConfig = {
      payer: voucherKey,
      payerAuthorizer: voucherKey,
      receiver,
      receiverAuthorizer,
      token: token.address,
      withdrawDelay: 86_400,
      salt: toHex(index, { size: 32 }),
    }
    return { config, channelId: channelId(config, separator), key, separator }
  })
  for (let at = 0; at < count; at += perTransaction) {
    await callMany.call(
      opened.slice(at, at + perTransaction).map(({ config }) => [
        channels,
        encodeFunctionData({
          abi: paymentChannelsAbi,
          functionName: 'depositDirect',
          args: [config, perChannel],
        }),
      ]),
    )
  }
  return opened
}

/** A contract that calls others as often as it is told to, in one transaction. */
async function deployMulticall({ chain }: World, wallet: FunderWallet) {
  const { abi, bytecode } = await readArtifact('test/TestMulticall.sol/TestMulticall')
  const hash = await wallet.deployContract({ abi, bytecode })
  const { contractAddress: address } = await chain.waitForTransactionReceipt({ hash })
  if (!address) throw new Error('the multicall contract was not deployed')
  return {
    address,
    async call(calls: readonly [target: Address, callData: Hex][]) {
      const hash = await wallet.writeContract({
        address,
        abi: multicallAbi,
        functionName: 'tryAggregate',
        args: [true, calls.map(([target, callData]) => ({ target, callData }))],
      })
      const { status } = await chain.waitForTransactionReceipt({ hash })
      if (status !== 'success') throw new Error('a transaction of deposits was reverted')
    },
  }
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
