// A chain of its own with the contracts, the parties and the channels that the scenarios spend gas on.

import { network } from 'hardhat'
import type { Address, Hex } from 'viem'
import { encodeFunctionData, keccak256, maxUint128, stringToHex } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { hubAccountAbi } from '#protocol/abi.ts'
import {
  type ChannelConfig,
  channelId,
  channelsDomain,
  channelsDomainSeparator,
} from '#protocol/channel.ts'
import { lowerCase } from '#protocol/signature.ts'

/** Thirty-two bytes that look random and are the same in every run, so that a change of gas is a change of code. */
export function random(name: string): Hex {
  return keccak256(stringToHex(`jandon gas: ${name}`))
}

export function randomKey(name: string) {
  return privateKeyToAccount(random(name))
}

export function randomAddress(name: string): Address {
  return `0x${random(name).slice(-40)}`
}

/** An amount from 0.01 to 50 units of a token with 6 decimals. */
export function randomAmount(name: string): bigint {
  return 10_000n + (BigInt(random(name)) % 49_990_000n)
}

export type GasChain = Awaited<ReturnType<typeof createGasChain>>

/** A hub whose channels contract holds other channels' tokens, and whose vault and token know their holders. */
export async function createGasChain() {
  const { viem, networkHelpers } = await network.create()
  const [deployer, relayer, operator] = await viem.getWalletClients()
  if (!deployer || !relayer || !operator) throw new Error('the local chain has too few accounts')
  const chain = await viem.getPublicClient()
  const token = await viem.deployContract('TestToken')
  const channels = await viem.deployContract('PaymentChannels')
  const collector = await viem.deployContract('Erc3009DepositCollector', [channels.address])
  const canonical = await viem.deployContract('PaymentChannels')
  const hub = await viem.deployContract('HubAccount', [
    deployer.account.address,
    operator.account.address,
    channels.address,
    canonical.address,
  ])
  const vault = await viem.getContractAt('CreatorVault', await hub.read.vault())
  await token.write.mint([deployer.account.address, 10n ** 15n])
  await token.write.approve([channels.address, maxUint128])
  const place = { chainId: await chain.getChainId(), address: lowerCase(channels.address) }
  const separator = channelsDomainSeparator(place)

  function configOf(name: string): ChannelConfig {
    return {
      payer: randomAddress(`payer ${name}`),
      payerAuthorizer: lowerCase(randomKey(`authorizer ${name}`).address),
      receiver: lowerCase(vault.address),
      receiverAuthorizer: lowerCase(hub.address),
      token: lowerCase(token.address),
      withdrawDelay: 86_400,
      salt: random(`salt ${name}`),
    }
  }

  /** Opens a channel with 50 to 100 units. */
  async function openChannel(name: string) {
    const config = configOf(name)
    await channels.write.depositDirect([config, 50_000_000n + randomAmount(`deposit ${name}`)])
    return { config, id: channelId(config, separator), key: randomKey(`authorizer ${name}`) }
  }

  /** A transaction of the operator through the hub account. */
  async function run(...calls: { target: Address; data: Hex }[]): Promise<Hex> {
    const data = encodeFunctionData({ abi: hubAccountAbi, functionName: 'run', args: [calls] })
    return (operator as NonNullable<typeof operator>).sendTransaction({ to: hub.address, data })
  }

  return {
    viem,
    networkHelpers,
    chain,
    deployer,
    relayer,
    token,
    channels,
    collector,
    hub,
    vault,
    separator,
    domain: channelsDomain(place),
    configOf,
    openChannel,
    run,
  }
}
