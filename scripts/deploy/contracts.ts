// Puts jandon's contracts on a chain, or finds them there: the same addresses either way.

import type { Account, Address, Chain, Hex, PublicClient, Transport, WalletClient } from 'viem'
import { getContractAddress } from 'viem'
import { creatorVaultAbi, hubAccountAbi } from '#protocol/abi.ts'
import { lowerCase } from '#protocol/signature.ts'
import type { Planned } from './create2.ts'
import { isCodeOf, plan, proxy, proxyCall, readArtifact } from './create2.ts'

/** Where every chain has the x402 contracts; npm clients know no other place. */
export const canonical: {
  channels: Address
  erc3009Collector: Address
  permit2Collector: Address
} = {
  channels: '0x4020074e9dF2ce1deE5A9C1b5c3f541D02a10003',
  erc3009Collector: '0x4020806089470a89826cB9fB1f4059150b550004',
  permit2Collector: '0x4020425FAf3B746C082C2f942b4E5159887B0005',
}

export const erc3009CollectorPath = 'collectors/Erc3009DepositCollector.sol/Erc3009DepositCollector'
export const testTokenPath = 'test/TestToken.sol/TestToken'
export const permit2CollectorPath = 'collectors/Permit2DepositCollector.sol/Permit2DepositCollector'

/** Where the contracts are, and which of them were there already. */
export type Deployed = {
  channels: Address
  erc3009Collector: Address
  permit2Collector: Address
  hubAccount: Address
  vault: Address
  found: readonly string[]
}

export type DeployDeps = {
  chain: Pick<PublicClient, 'call' | 'getCode' | 'readContract' | 'waitForTransactionReceipt'>
  wallet: Pick<WalletClient<Transport, Chain, Account>, 'sendTransaction'>
  report: (line: string) => void
}

/** A chain that these contracts cannot stand on, or something else where one of them should be. */
export class DeployError extends Error {}

/** Returns 1 if the chain can store for one transaction: TSTORE and TLOAD of slot 0, then the word as code. */
const transientProbe: Hex = '0x600160005d60005c60005260206000f3'

/**
 * Deploys channels, collectors and an operator's hub account with its vault. What stands at an address already is
 * checked and left. `admin` names the keys of the hub account, `operator` is its first.
 *
 * @throws DeployError when the chain lacks transient storage or the deployment proxy, or a check fails.
 */
export async function deployContracts(
  deps: DeployDeps,
  { admin, operator, salt }: { admin: Address; operator: Address; salt: Hex },
): Promise<Deployed> {
  await assertTransientStorage(deps)
  await assertProxy(deps)
  const found: string[] = []
  const put = async (path: string, args: readonly unknown[]) => {
    const { name, address, wasThere } = await deployContract(deps, path, { args, salt })
    if (wasThere) found.push(name)
    return address
  }

  const channels = await put('PaymentChannels.sol/PaymentChannels', [])
  const erc3009Collector = await put(erc3009CollectorPath, [channels])
  const permit2Collector = await put(permit2CollectorPath, [channels])
  const hubArgs = [admin, operator, channels, canonical.channels]
  const hubAccount = await put('HubAccount.sol/HubAccount', hubArgs)
  const vault = lowerCase(getContractAddress({ from: hubAccount, nonce: 1n }))
  await assertVault(deps, { hubAccount, vault, channels })
  return { channels, erc3009Collector, permit2Collector, hubAccount, vault, found }
}

/** Deploys one contract of `contracts/`, given as `folder/File.sol/Name`, or finds it where it would be. */
export async function deployContract(
  deps: DeployDeps,
  path: string,
  terms: { args: readonly unknown[]; salt: Hex },
): Promise<{ name: string; address: Address; wasThere: boolean }> {
  const { chain, wallet, report } = deps
  const planned = await plan(path, terms)
  const { name, address } = planned
  const wasThere = (await chain.getCode({ address })) !== undefined
  if (!wasThere) {
    const hash = await wallet.sendTransaction({ to: proxy.address, data: proxyCall(planned) })
    report(`${name}: sent ${hash}`)
    const { status } = await chain.waitForTransactionReceipt({ hash })
    if (status !== 'success') throw new DeployError(`${name}: transaction ${hash} reverted`)
  }
  await assertCode(deps, planned)
  report(`${name}: ${wasThere ? 'found and verified' : 'deployed'} at ${address}`)
  return { name, address, wasThere }
}

async function assertTransientStorage({ chain }: DeployDeps) {
  const one = 1n
  const answer = await chain.call({ data: transientProbe }).catch((cause: unknown) => {
    throw new DeployError('this chain has no transient storage (EIP-1153)', { cause })
  })
  if (BigInt(answer.data ?? 0) !== one) {
    throw new DeployError(`this chain answers ${answer.data} where transient storage holds 1`)
  }
}

async function assertProxy({ chain }: DeployDeps) {
  const code = await chain.getCode({ address: proxy.address })
  if (code === undefined) {
    throw new DeployError(`this chain has no deterministic deployment proxy at ${proxy.address}`)
  }
  if (lowerCase(code) !== proxy.code) {
    throw new DeployError(`other code than the deployment proxy's stands at ${proxy.address}`)
  }
}

async function assertCode(
  { chain }: DeployDeps,
  { name, address, runtime }: Pick<Planned, 'name' | 'address' | 'runtime'>,
) {
  const code = await chain.getCode({ address })
  if (code === undefined) throw new DeployError(`${name}: there is no code at ${address}`)
  if (!isCodeOf(runtime, code)) throw new DeployError(`${name}: other code stands at ${address}`)
}

/** The account's constructor deployed the vault: it must be this code, bound to this account and these contracts. */
async function assertVault(
  deps: DeployDeps,
  { hubAccount, vault, channels }: { hubAccount: Address; vault: Address; channels: Address },
) {
  const { runtime } = await readArtifact('CreatorVault.sol/CreatorVault')
  await assertCode(deps, { name: 'CreatorVault', address: vault, runtime })
  const { chain } = deps
  const of = { address: vault, abi: creatorVaultAbi } as const
  const account = { address: hubAccount, abi: hubAccountAbi } as const
  const pairs: [what: string, found: Address, wanted: Address][] = [
    ['vault', await chain.readContract({ ...account, functionName: 'vault' }), vault],
    ['hub', await chain.readContract({ ...of, functionName: 'hub' }), hubAccount],
    ['channels', await chain.readContract({ ...of, functionName: 'channels' }), channels],
  ]
  for (const [what, address, wanted] of pairs) {
    if (lowerCase(address) !== wanted) {
      throw new DeployError(`CreatorVault ${vault}: ${what} is ${address}, not ${wanted}`)
    }
  }
  deps.report(`CreatorVault: verified at ${vault}`)
}
