// Puts the contracts on a local chain: jandon's own, and the same code where x402 clients look for the canonical ones.

import type { Address } from 'viem'
import {
  createTestClient,
  createWalletClient,
  http,
  keccak256,
  publicActions,
  stringToHex,
} from 'viem'
import type { PrivateKeyAccount } from 'viem/accounts'
import { hardhat } from 'viem/chains'
import { lowerCase } from '#protocol/signature.ts'
import type { Deployment } from '#server/chain/deployment.ts'
import {
  canonical,
  deployContract,
  deployContracts,
  erc3009CollectorPath,
  permit2CollectorPath,
  testTokenPath,
} from '../deploy/contracts.ts'
import { proxy } from '../deploy/create2.ts'

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
  const salt = keccak256(stringToHex('jandon'))
  const deps = { chain, wallet, report: () => {} }
  const place = (address: Address, bytecode: `0x${string}`) => chain.setCode({ address, bytecode })

  async function placeCanonical(address: Address, path: string, args: readonly unknown[]) {
    const deployed = await deployContract(deps, path, { args, salt })
    await place(address, await codeAt(deployed.address))
  }

  async function codeAt(address: Address) {
    const code = await chain.getCode({ address })
    if (!code) throw new Error(`there is no code at ${address}`)
    return code
  }

  await place(proxy.address, proxy.code)
  const { found: _, ...deployed } = await deployContracts(deps, {
    admin: deployer.address,
    operator,
    salt,
  })
  await place(canonical.channels, await codeAt(deployed.channels))
  await placeCanonical(canonical.erc3009Collector, erc3009CollectorPath, [canonical.channels])
  await placeCanonical(canonical.permit2Collector, permit2CollectorPath, [canonical.channels])
  const { address: token } = await deployContract(deps, testTokenPath, { args: [], salt })
  return {
    chainId: hardhat.id,
    startBlock,
    ...deployed,
    canonicalChannels: lowerCase(canonical.channels),
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
