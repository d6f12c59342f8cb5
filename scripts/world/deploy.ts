// Puts the contracts on a local chain: jandon's own, and the same code where x402 clients look for the canonical ones.

import { readFile } from 'node:fs/promises'
import type { Abi, Address, Hex } from 'viem'
import { createTestClient, createWalletClient, http, publicActions } from 'viem'
import type { PrivateKeyAccount } from 'viem/accounts'
import { hardhat } from 'viem/chains'
import { hubAccountAbi } from '#protocol/abi.ts'
import { lowerCase } from '#protocol/signature.ts'
import type { Deployment } from '#server/chain/deployment.ts'

/** Where every chain has the x402 contracts; npm clients know no other place. */
const canonical: { channels: Address; erc3009Collector: Address } = {
  channels: '0x4020074e9dF2ce1deE5A9C1b5c3f541D02a10003',
  erc3009Collector: '0x4020806089470a89826cB9fB1f4059150b550004',
}

type Artifact = { abi: Abi; bytecode: Hex }

/** Deploys everything with a test token. `deployer` needs gas; `operator` will run the hub account. */
export async function deployWorld({
  rpcUrl,
  deployer,
  operator,
}: {
  rpcUrl: string
  deployer: PrivateKeyAccount
  operator: Address
}): Promise<Deployment> {
  const chain = connectChain(rpcUrl)
  const wallet = createWalletClient({ account: deployer, chain: hardhat, transport: http(rpcUrl) })
  const startBlock = Number(await chain.getBlockNumber())

  async function deploy(path: string, args: readonly unknown[] = []): Promise<Address> {
    const { abi, bytecode } = await readArtifact(path)
    const hash = await wallet.deployContract({ abi, bytecode, args })
    const { contractAddress } = await chain.waitForTransactionReceipt({ hash })
    if (!contractAddress) throw new Error(`${path} was not deployed`)
    return lowerCase(contractAddress)
  }

  async function place(address: Address, { codeOf }: { codeOf: Address }) {
    const bytecode = await chain.getCode({ address: codeOf })
    if (!bytecode) throw new Error(`there is no code at ${codeOf}`)
    await chain.setCode({ address, bytecode })
  }

  const channels = await deploy('contracts/PaymentChannels.sol/PaymentChannels.json')
  const collector = 'contracts/collectors/Erc3009DepositCollector.sol/Erc3009DepositCollector.json'
  const erc3009Collector = await deploy(collector, [channels])
  await place(canonical.channels, { codeOf: channels })
  await place(canonical.erc3009Collector, { codeOf: await deploy(collector, [canonical.channels]) })
  const hubAccount = await deploy('contracts/HubAccount.sol/HubAccount.json', [
    deployer.address,
    operator,
    channels,
    canonical.channels,
  ])
  const vault = await chain.readContract({
    address: hubAccount,
    abi: hubAccountAbi,
    functionName: 'vault',
  })
  const token = await deploy('contracts/test/TestToken.sol/TestToken.json')
  return {
    chainId: hardhat.id,
    startBlock,
    channels,
    canonicalChannels: lowerCase(canonical.channels),
    erc3009Collector,
    hubAccount,
    vault: lowerCase(vault),
    tokens: [
      { address: token, name: 'Jandon Test Dollar', version: '1', symbol: 'JTD', decimals: 6 },
    ],
  }
}

/** A client that can also do what only a test chain allows. */
export function connectChain(rpcUrl: string) {
  return createTestClient({
    chain: hardhat,
    mode: 'hardhat',
    transport: http(rpcUrl),
    pollingInterval: 50,
  }).extend(publicActions)
}

async function readArtifact(path: string): Promise<Artifact> {
  const text = await readFile(new URL(`../../artifacts/${path}`, import.meta.url), 'utf8')
  return JSON.parse(text) as Artifact
}
