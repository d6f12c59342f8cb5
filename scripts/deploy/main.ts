// `npm run deploy`: puts the contracts on a chain by CREATE2 and writes where they are to deployments/<chainId>.json.

import { mkdir, readFile, writeFile } from 'node:fs/promises'
import type { Address } from 'viem'
import {
  createPublicClient,
  createTestClient,
  createWalletClient,
  defineChain,
  erc20Abi,
  http,
  parseAbi,
} from 'viem'
import { mnemonicToAccount, privateKeyToAccount } from 'viem/accounts'
import { hardhat } from 'viem/chains'
import { lowerCase } from '#protocol/signature.ts'
import type { Deployment, ListedToken } from '#server/chain/deployment.ts'
import { readDeployment } from '#server/chain/deployment.ts'
import { help, readArguments, UsageError } from './arguments.ts'
import type { DeployDeps, Deployed } from './contracts.ts'
import {
  canonical,
  DeployError,
  deployContract,
  deployContracts,
  testTokenPath,
} from './contracts.ts'
import { proxy } from './create2.ts'

type Wanted = NonNullable<ReturnType<typeof readArguments>>

main().catch((error: unknown) => {
  const known = error instanceof UsageError || error instanceof DeployError
  const text = known || !(error instanceof Error) ? String(error) : (error.stack ?? error.message)
  process.stderr.write(`${text.replace(/^(Usage|Deploy)?Error: /, '')}\n`)
  process.exitCode = error instanceof UsageError ? 2 : 1
})

async function main() {
  const wanted = readArguments()
  if (!wanted) {
    process.stdout.write(help)
    return
  }
  const transport = http(wanted.rpcUrl)
  const id = await createPublicClient({ transport })
    .getChainId()
    .catch((cause: unknown) => {
      throw new DeployError(`no chain answers at ${wanted.rpcUrl}`, { cause })
    })
  const network = defineChain({
    id,
    name: wanted.network,
    nativeCurrency: { name: 'Ether', symbol: 'ETH', decimals: 18 },
    rpcUrls: { default: { http: [wanted.rpcUrl] } },
  })
  const chain = createPublicClient({ chain: network, transport })
  const report = (line: string) => process.stderr.write(`${line}\n`)
  const isLocal = id === hardhat.id
  const { account, admin, operator } = partiesOf(wanted, { isLocal })
  const wallet = createWalletClient({ account, chain: network, transport })
  report(`chain ${id} (${wanted.network}), paid by ${account.address}`)

  const before = Number(await chain.getBlockNumber())
  const deps = { chain, wallet, report }
  const read = (address: Address) => readToken(chain, address)
  const listed = await Promise.all(wanted.tokens.map(read))
  if (isLocal) await placeProxy(wanted.rpcUrl)
  const deployed = await deployContracts(deps, { admin, operator, salt: wanted.salt })
  const tokens = listed.length > 0 ? listed : [await read(await deployTestToken(deps, wanted))]
  const hasCanonical = (await chain.getCode({ address: canonical.channels })) !== undefined
  const file = `${wanted.out}/${id}.json`
  const deployment: Deployment = {
    chainId: id,
    startBlock: await startBlock({ file, deployed, before, given: wanted.startBlock }),
    channels: deployed.channels,
    canonicalChannels: hasCanonical ? lowerCase(canonical.channels) : null,
    erc3009Collector: deployed.erc3009Collector,
    permit2Collector: deployed.permit2Collector,
    hubAccount: deployed.hubAccount,
    vault: deployed.vault,
    tokens,
  }
  const json = `${JSON.stringify(deployment, null, 2)}\n`
  await mkdir(wanted.out, { recursive: true })
  await writeFile(file, json)
  report(`written to ${file}`)
  if (wanted.json) process.stdout.write(json)
}

/** Who pays and who has the rights: on a local chain its first account, unless others are named. */
function partiesOf(wanted: Wanted, { isLocal }: { isLocal: boolean }) {
  if (isLocal) {
    const account = wanted.key
      ? privateKeyToAccount(wanted.key)
      : mnemonicToAccount('test test test test test test test test test test test junk')
    const { admin = account.address, operator = account.address } = wanted
    return { account, admin, operator }
  }
  const { key, admin, operator, tokens } = wanted
  if (!key) throw new UsageError('JANDON_DEPLOYER_KEY is missing; see --help')
  if (!admin) throw new UsageError('--admin is missing; see --help')
  if (!operator) throw new UsageError('--operator is missing; see --help')
  if (tokens.length === 0) throw new UsageError('--token is missing; see --help')
  return { account: privateKeyToAccount(key), admin, operator }
}

/** Local chains begin empty and let anybody put code anywhere. */
async function placeProxy(rpcUrl: string) {
  const chain = createTestClient({ chain: hardhat, mode: 'hardhat', transport: http(rpcUrl) })
  await chain.setCode({ address: proxy.address, bytecode: proxy.code })
}

async function deployTestToken(deps: DeployDeps, { salt }: Wanted): Promise<Address> {
  return (await deployContract(deps, testTokenPath, { args: [], salt })).address
}

/** What the hub must know of a token; `version` is that of its EIP-712 domain, needed for gasless deposits. */
async function readToken(
  chain: ReturnType<typeof createPublicClient>,
  address: Address,
): Promise<ListedToken> {
  const of = { address, abi: erc20Abi } as const
  try {
    const [name, symbol, decimals] = await Promise.all([
      chain.readContract({ ...of, functionName: 'name' }),
      chain.readContract({ ...of, functionName: 'symbol' }),
      chain.readContract({ ...of, functionName: 'decimals' }),
    ])
    return { address, name, version: await versionOf(chain, address), symbol, decimals }
  } catch (cause) {
    throw new DeployError(`${address} does not answer as a token does`, { cause })
  }
}

/** Tokens tell it by `version()`, or in their ERC-5267 domain; those that do neither mostly mean 1. */
async function versionOf(
  chain: ReturnType<typeof createPublicClient>,
  address: Address,
): Promise<string> {
  const abi = parseAbi([
    'function version() view returns (string)',
    'function eip712Domain() view returns (bytes1 fields, string name, string version, uint256 chainId, address verifyingContract, bytes32 salt, uint256[] extensions)',
  ])
  const stated = await Promise.allSettled([
    chain.readContract({ address, abi, functionName: 'version' }),
    chain
      .readContract({ address, abi, functionName: 'eip712Domain' })
      .then(([, , version]) => version),
  ])
  const [version = '1'] = stated.flatMap((each) =>
    each.status === 'fulfilled' ? [each.value] : [],
  )
  return version
}

/** The block to begin at: an earlier file's, the given one, or the one before this deployment. */
async function startBlock({
  file,
  deployed,
  before,
  given,
}: {
  file: string
  deployed: Deployed
  before: number
  given: number | undefined
}): Promise<number> {
  if (given !== undefined) return given
  const earlier = await readEarlier(file)
  if (earlier?.vault === deployed.vault) return earlier.startBlock
  if (deployed.found.includes('HubAccount')) {
    throw new DeployError(
      `the contracts were there already and ${file} does not say since when: give --start-block`,
    )
  }
  return before
}

async function readEarlier(file: string): Promise<Deployment | undefined> {
  const exists = await readFile(file).then(
    () => true,
    () => false,
  )
  return exists ? readDeployment(file) : undefined
}
