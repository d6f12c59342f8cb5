// A whole local world: chain, contracts, bank and hub as real processes on the loopback, and wallets with real keys.

import { randomBytes } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Address, Hex } from 'viem'
import { createWalletClient, http, parseEther } from 'viem'
import type { PrivateKeyAccount } from 'viem/accounts'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import { hardhat } from 'viem/chains'
import { testTokenAbi } from '#protocol/abi.ts'
import { lowerCase } from '#protocol/signature.ts'
import type { Deployment, ListedToken } from '#server/chain/deployment.ts'
import type { ChainKind } from './chains.ts'
import { startChain } from './chains.ts'
import { connectChain, deployWorld } from './deploy.ts'
import type { Part } from './process.ts'
import { startPart } from './process.ts'

export type Wallet = { address: Address; privateKey: Hex }

export type World = {
  folder: string
  rpcUrl: string
  chain: ReturnType<typeof connectChain>
  deployment: Deployment
  token: ListedToken
  wallets: { [name: string]: Wallet }
  operatorToken: string
  /** The environment that the hub runs with; a test may start another with changes. */
  hubEnvironment: NodeJS.ProcessEnv
  bank: Part | undefined
  hub: Part
  /** Starts the hub again on the same data and port, after it was stopped or killed. */
  restartHub(changes?: NodeJS.ProcessEnv): Promise<void>
  /** Gives a wallet tokens, in base units. */
  mint(to: Address, amount: bigint): Promise<void>
  /** Gives an address gas money. */
  fundGas(address: Address): Promise<void>
  stop(): Promise<void>
}

export type WorldOptions = {
  /** Where everything is kept. */
  folder: string
  /** Names of the wallets to make. */
  walletNames: readonly string[]
  /** Whether there is a bank, and so cash-out. */
  withBank: boolean
  /** What it stands on. */
  chainKind?: ChainKind
  /** Settings that differ from those of a local world. */
  hubSettings?: NodeJS.ProcessEnv
  /** Hears each step as it is done. */
  onStep?: (text: string) => void
}

/** Won for a dollar, for a local world only: a made-up price that says so. */
const localRate = { currency: 'KRW', price: '1385.2', source: 'fixed price of the local world' }

const root = fileURLToPath(new URL('../..', import.meta.url))
const schemas = join(root, '.jandon', 'xsd')

/** Starts the parts one after the other; what was started is stopped again when a later one fails. */
export async function startWorld(options: WorldOptions): Promise<World> {
  const started: Part[] = []
  try {
    return await startParts(options, started)
  } catch (cause) {
    await Promise.all(started.map((part) => part.stop()))
    throw cause
  }
}

async function startParts(options: WorldOptions, started: Part[]): Promise<World> {
  const { folder, walletNames, withBank, chainKind, onStep = () => undefined } = options
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const chainPart = await startChain(chainKind)
  started.push(chainPart)
  onStep(`chain at ${chainPart.url}`)

  const rpcUrl = chainPart.url
  const chain = connectChain(rpcUrl)
  const keys = makeKeys()
  const fundGas = (address: Address) => chain.setBalance({ address, value: parseEther('100') })
  await Promise.all([fundGas(keys.deployer.address), fundGas(keys.operator.address)])
  const deployment = await deployWorld({
    rpcUrl,
    deployer: keys.deployer,
    operator: keys.operator.address,
  })
  const [token] = deployment.tokens
  if (!token) throw new Error('the deployment lists no token')
  onStep('contracts deployed')

  const bank = withBank ? await startBank(folder) : undefined
  if (bank) started.push(bank)
  if (bank) onStep(`bank at ${bank.url}`)

  const operatorToken = randomBytes(24).toString('base64url')
  const hubEnvironment = {
    ...(await hubSettings({ folder, rpcUrl, deployment, keys, bank })),
    JANDON_OPERATOR_TOKEN: operatorToken,
    ...options.hubSettings,
  }
  const hub = await startHub(hubEnvironment)
  started.push(hub)
  onStep(`hub at ${hub.url}`)

  const world: World = {
    folder,
    rpcUrl,
    chain,
    deployment,
    token,
    wallets: Object.fromEntries(walletNames.map((name) => [name, makeWallet()])),
    operatorToken,
    hubEnvironment,
    bank,
    hub,
    async restartHub(changes = {}) {
      const { port } = new URL(world.hub.url)
      world.hub = await startHub({ ...hubEnvironment, ...changes, JANDON_PORT: port })
      started.push(world.hub)
    },
    async mint(to, amount) {
      await mint({ rpcUrl, chain, minter: keys.deployer }, { token: token.address, to, amount })
    },
    fundGas,
    async stop() {
      for (const part of [...started].reverse()) await part.stop()
    },
  }
  return world
}

type Keys = ReturnType<typeof makeKeys>

function makeKeys() {
  const operatorKey = generatePrivateKey()
  return {
    deployer: privateKeyToAccount(generatePrivateKey()),
    operatorKey,
    operator: privateKeyToAccount(operatorKey),
    receiptKey: generatePrivateKey(),
    feeAccount: makeWallet().address,
    treasury: makeWallet().address,
  }
}

function makeWallet(): Wallet {
  const privateKey = generatePrivateKey()
  return { address: lowerCase(privateKeyToAccount(privateKey).address), privateKey }
}

function startHub(environment: NodeJS.ProcessEnv): Promise<Part> {
  return startPart('hub', [join(root, 'server/main.ts')], environment)
}

function startBank(folder: string): Promise<Part> {
  const data = join(folder, 'bank')
  return startPart('bank', [
    join(root, 'scripts/bank/main.ts'),
    '--port',
    '0',
    '--data',
    data,
    '--xsd',
    schemas,
  ])
}

async function hubSettings({
  folder,
  rpcUrl,
  deployment,
  keys,
  bank,
}: {
  folder: string
  rpcUrl: string
  deployment: Deployment
  keys: Keys
  bank: Part | undefined
}): Promise<NodeJS.ProcessEnv> {
  const deploymentFile = join(folder, 'deployment.json')
  await writeFile(deploymentFile, JSON.stringify(deployment, null, 2))
  const ratesFile = join(folder, 'rates.json')
  const asOf = new Date().toISOString()
  const rates = deployment.tokens.map(({ address }) => ({ ...localRate, token: address, asOf }))
  await writeFile(ratesFile, JSON.stringify(rates, null, 2))
  return {
    JANDON_DATA_DIR: join(folder, 'hub'),
    JANDON_PORT: '0',
    JANDON_RPC_URL: rpcUrl,
    JANDON_DEPLOYMENT: deploymentFile,
    JANDON_OPERATOR_KEY: keys.operatorKey,
    JANDON_RECEIPT_KEY: keys.receiptKey,
    JANDON_FEE_ACCOUNT: keys.feeAccount,
    JANDON_TREASURY: keys.treasury,
    JANDON_CONFIRMATIONS: '0',
    JANDON_DEPOSIT_CONFIRMATIONS: '',
    JANDON_POLL_MS: '100',
    // Gas costs next to nothing here, so that everything would be settled at once.
    JANDON_ETHER_PRICE: '0',
    JANDON_WEBHOOKS_LOCAL: 'true',
    JANDON_RATES: ratesFile,
    JANDON_XSD_DIR: schemas,
    ...(bank ? { JANDON_BANK_URL: bank.url, JANDON_BANK_FLOAT: 'KRW:100000000' } : {}),
  }
}

async function mint(
  { rpcUrl, chain, minter }: { rpcUrl: string; chain: World['chain']; minter: PrivateKeyAccount },
  { token, to, amount }: { token: Address; to: Address; amount: bigint },
) {
  const wallet = createWalletClient({ account: minter, chain: hardhat, transport: http(rpcUrl) })
  const hash = await wallet.writeContract({
    address: token,
    abi: testTokenAbi,
    functionName: 'mint',
    args: [to, amount],
  })
  await chain.waitForTransactionReceipt({ hash })
}
