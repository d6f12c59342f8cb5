// What a campaign plays on: a real chain with the contracts, and hubs as real processes on data directories of their own.

import { randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Address } from 'viem'
import { createWalletClient, http, maxUint256, parseEther } from 'viem'
import type { PrivateKeyAccount } from 'viem/accounts'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import { hardhat } from 'viem/chains'
import { paymentChannelsAbi, testTokenAbi } from '#protocol/abi.ts'
import { lowerCase } from '#protocol/signature.ts'
import { connectChain, deployWorld } from '../../world/deploy.ts'
import type { Part } from '../../world/process.ts'
import { startPart } from '../../world/process.ts'

export type Stage = Awaited<ReturnType<typeof openStage>>

/** A hub as a process that can be killed and started again on the same data, and all that it ever printed. */
export type HubProcess = {
  url(): string
  pid(): number
  directory: string
  start(changes?: NodeJS.ProcessEnv): Promise<void>
  kill(): Promise<void>
  stop(): Promise<number | null>
  /** Resolves with the exit code when it has ended by itself, or "still running" if it does not soon. */
  ended(): Promise<number | null | 'still running'>
  printed(): string
}

const root = fileURLToPath(new URL('../../..', import.meta.url))
const patienceMs = 15_000
const funds = 10n ** 30n

/** Starts a chain, deploys everything and gives one wallet, the funder, more tokens than any test spends. */
export async function openStage(folder: string) {
  const part = await startPart('chain', [join(root, 'scripts/world/chain.ts')])
  const rpcUrl = part.url
  const chain = connectChain(rpcUrl)
  const operatorKey = generatePrivateKey()
  const funder = privateKeyToAccount(generatePrivateKey())
  const operator = privateKeyToAccount(operatorKey)
  const fund = (address: Address) => chain.setBalance({ address, value: parseEther('100000') })
  await Promise.all([fund(funder.address), fund(operator.address)])
  const deployment = await deployWorld({ rpcUrl, deployer: funder, operator: operator.address })
  const deploymentFile = join(folder, 'deployment.json')
  writeFileSync(deploymentFile, JSON.stringify(deployment))
  const [listed] = deployment.tokens
  if (!listed) throw new Error('the deployment lists no token')
  const token = { address: listed.address, abi: testTokenAbi } as const
  const secrets = {
    operatorKey,
    receiptKey: generatePrivateKey(),
    operatorToken: randomBytes(24).toString('base64url'),
  }
  const feeAccount = lowerCase(privateKeyToAccount(generatePrivateKey()).address)
  const wallet = (account: PrivateKeyAccount) =>
    createWalletClient({ account, chain: hardhat, transport: http(rpcUrl) })

  async function send(
    account: PrivateKeyAccount,
    call: { address: Address; abi: unknown; functionName: string; args: readonly unknown[] },
  ): Promise<bigint> {
    const hash = await wallet(account).writeContract(
      call as Parameters<ReturnType<typeof wallet>['writeContract']>[0],
    )
    const { status, blockNumber } = await chain.waitForTransactionReceipt({ hash, timeout: 10_000 })
    if (status !== 'success') throw new Error(`${call.functionName} was reverted`)
    return blockNumber
  }

  const channels = { address: deployment.channels, abi: paymentChannelsAbi }
  await send(funder, { ...token, functionName: 'mint', args: [funder.address, funds] })
  await send(funder, {
    ...token,
    functionName: 'approve',
    args: [deployment.channels, maxUint256],
  })
  return {
    folder,
    chain,
    rpcUrl,
    deployment,
    token: listed.address,
    secrets,
    feeAccount,
    funder,
    fund,
    /** Calls the channels contract; resolves with the block. */
    onChannels: (account: PrivateKeyAccount, functionName: string, args: readonly unknown[]) =>
      send(account, { ...channels, functionName, args }),
    /** Reads the channels contract. */
    async readChannels<T>(
      functionName: string,
      { args, blockNumber }: { args: readonly unknown[]; blockNumber: bigint },
    ): Promise<T> {
      const call = { ...channels, functionName, args, blockNumber }
      return (await chain.readContract(call as Parameters<typeof chain.readContract>[0])) as T
    },
    /** The settings of a hub on this chain, in a folder of its own. */
    settings: (directory: string): NodeJS.ProcessEnv => ({
      JANDON_DATA_DIR: directory,
      JANDON_PORT: '0',
      JANDON_RPC_URL: rpcUrl,
      JANDON_DEPLOYMENT: deploymentFile,
      JANDON_OPERATOR_KEY: secrets.operatorKey,
      JANDON_RECEIPT_KEY: secrets.receiptKey,
      JANDON_OPERATOR_TOKEN: secrets.operatorToken,
      JANDON_FEE_ACCOUNT: feeAccount,
      JANDON_TREASURY: feeAccount,
      JANDON_CONFIRMATIONS: '0',
      JANDON_DEPOSIT_CONFIRMATIONS: '',
      JANDON_POLL_MS: '40',
      JANDON_CLAIM_AT_RISK: '1000000000000000000',
      JANDON_CLAIM_MAX_AGE_MS: String(2 ** 31),
      JANDON_ETHER_PRICE: '0',
    }),
    close: () => part.stop(),
  }
}

/** A hub of the sources below `sources`, on a data directory. It does not run yet. */
export function createHubProcess(
  { settings }: Pick<Stage, 'settings'>,
  {
    sources,
    directory,
    changes = {},
  }: { sources: string; directory: string; changes?: NodeJS.ProcessEnv },
): HubProcess {
  mkdirSync(directory, { recursive: true })
  let part: Part | undefined
  let printed = ''
  let port = '0'
  const running = () => {
    if (!part) throw new Error('the hub was not started')
    return part
  }
  return {
    directory,
    url: () => running().url,
    pid: () => running().pid,
    async start(more = {}) {
      const environment = { ...settings(directory), JANDON_PORT: port, ...changes, ...more }
      part = await startPart('hub', [join(sources, 'server/main.ts')], environment, (line) => {
        printed += `${line}\n`
      })
      port = new URL(part.url).port
    },
    kill: () => running().kill(),
    stop: () => running().stop(),
    ended: () => Promise.race([running().ended, afterPatience()]),
    printed: () => printed,
  }
}

/** Sources of the hub as they are. */
export const ownSources = root

/** Not a pause: the end of the wait for something that should have come long before. */
function afterPatience(): Promise<'still running'> {
  return new Promise((resolve) => {
    setTimeout(resolve, patienceMs, 'still running').unref()
  })
}
