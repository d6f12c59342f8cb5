// A real chain with the contracts on it, and a hub's books that follow it, for tests of what lies between the two.

import type { Address, Hex, PrivateKeyAccount, WriteContractParameters } from 'viem'
import {
  createPublicClient,
  createWalletClient,
  custom,
  encodeFunctionData,
  http,
  parseEther,
} from 'viem'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import { hardhat } from 'viem/chains'
import { creatorVaultAbi, hubAccountAbi, paymentChannelsAbi, testTokenAbi } from '#protocol/abi.ts'
import type { ChannelConfig } from '#protocol/channel.ts'
import { channelId, channelsDomain, channelsDomainSeparator } from '#protocol/channel.ts'
import { creatorDomain, creatorTypes } from '#protocol/creator.ts'
import { lowerCase } from '#protocol/signature.ts'
import type { Tip } from '#protocol/tip.ts'
import { tipsTotal, tipTo, tipVoucherTypes } from '#protocol/tip.ts'
import { voucherTypes } from '#protocol/voucher.ts'
import type { ChainKind } from '../../scripts/world/chains.ts'
import { startChain } from '../../scripts/world/chains.ts'
import { connectChain, deployWorld } from '../../scripts/world/deploy.ts'
import type { Deployment } from '../chain/deployment.ts'
import { randomHash } from './disk.ts'

export type ChainFixture = Awaited<ReturnType<typeof openChain>>

type ContractCall = Pick<WriteContractParameters, 'address' | 'functionName'> & {
  abi: unknown
  args: readonly unknown[]
}

/** Starts a chain and deploys everything. `operator` runs the hub account. */
export async function openChain(kind: ChainKind = 'edr') {
  const part = await startChain(kind)
  const node = connectChain(part.url)
  const operator = privateKeyToAccount(generatePrivateKey())
  const deployer = privateKeyToAccount(generatePrivateKey())
  const fund = (address: Address) => node.setBalance({ address, value: parseEther('100') })
  await Promise.all([fund(operator.address), fund(deployer.address)])
  const rpcUrl = part.url
  const deployment = await deployWorld({ rpcUrl, deployer, operator: operator.address })
  const { hubAccount } = deployment
  const [listed] = deployment.tokens
  if (!listed) throw new Error('the deployment lists no token')
  const token = listed.address
  const line = faultyLine(rpcUrl)

  /** Sends a transaction of a key, and returns when it is mined. */
  async function transact(account: PrivateKeyAccount, call: ContractCall): Promise<Hex> {
    const wallet = createWalletClient({ account, chain: hardhat, transport: http(rpcUrl) })
    const hash = await wallet.writeContract(call as WriteContractParameters)
    const { status } = await node.waitForTransactionReceipt({ hash })
    if (status !== 'success') throw new Error(`${call.functionName} was reverted`)
    return hash
  }

  return {
    rpcUrl,
    node,
    /** As the hub's client, over a line that a test can cut. */
    client: createPublicClient({
      chain: hardhat,
      transport: custom(line, { retryCount: 0 }),
      pollingInterval: 20,
      cacheTime: 0,
    }),
    line,
    deployment,
    operator,
    token,
    transact,
    /** A key with gas, and with tokens if it needs any. */
    async party({ tokens = 0n }: { tokens?: bigint } = {}): Promise<PrivateKeyAccount> {
      const account = privateKeyToAccount(generatePrivateKey())
      await fund(account.address)
      if (tokens > 0n) {
        const args = [account.address, tokens]
        await transact(deployer, {
          address: token,
          abi: testTokenAbi,
          functionName: 'mint',
          args,
        })
      }
      return account
    },
    /** Runs calls through the hub account, in one transaction. */
    runHub(calls: readonly { target: Address; data: Hex }[]): Promise<Hex> {
      return transact(operator, {
        address: hubAccount,
        abi: hubAccountAbi,
        functionName: 'run',
        args: [calls],
      })
    },
    stop: () => part.stop(),
  }
}

/** A line to a node that refuses the methods that it is told to, as an outage would. */
function faultyLine(rpcUrl: string) {
  const node = http(rpcUrl, { retryCount: 0 })({ chain: hardhat })
  const line = {
    down: new Set<string>(),
    /** Cuts or heals the whole line. */
    cut: false,
    asked: [] as string[],
    async request(call: { method: string; params?: unknown }): Promise<unknown> {
      line.asked.push(call.method)
      if (line.cut || line.down.has(call.method))
        throw new Error(`${call.method}: the line is down`)
      return node.request(call as Parameters<typeof node.request>[0])
    },
  }
  return line
}

/** Mines blocks that differ from any that were on the chain before. */
export async function mineOtherwise({ node }: Pick<ChainFixture, 'node'>, blocks: number) {
  branches += 1n
  for (let left = blocks; left > 0; left -= 1) {
    const { timestamp } = await node.getBlock({ blockTag: 'latest' })
    await node.setNextBlockTimestamp({ timestamp: timestamp + 10n + branches })
    await node.mine({ blocks: 1 })
  }
}

let branches = 0n

export type FundedChannel = {
  id: Hex
  config: ChannelConfig
  contract: Address
  payer: PrivateKeyAccount
}

/** Opens a channel that pays the vault, by `depositDirect`. */
export async function fundChannel(
  chain: ChainFixture,
  {
    deposit = 10_000_000n,
    contract = chain.deployment.channels,
    changes = {},
  }: { deposit?: bigint; contract?: Address; changes?: Partial<ChannelConfig> } = {},
): Promise<FundedChannel> {
  const { deployment, token } = chain
  const payer = await chain.party({ tokens: deposit })
  const config: ChannelConfig = {
    payer: lowerCase(payer.address),
    payerAuthorizer: lowerCase(payer.address),
    receiver: deployment.vault,
    receiverAuthorizer: deployment.hubAccount,
    token,
    withdrawDelay: 86_400,
    salt: randomHash(),
    ...changes,
  }
  const id = channelId(config, channelsDomainSeparator({ chainId: hardhat.id, address: contract }))
  const channel = { id, config, contract, payer }
  await topUp(chain, channel, deposit)
  return channel
}

export async function topUp(
  { transact, token }: ChainFixture,
  { contract, config, payer }: FundedChannel,
  amount: bigint,
) {
  const approval = { abi: testTokenAbi, functionName: 'approve', args: [contract, amount] }
  await transact(payer, { address: token, ...approval })
  await onChannels({ transact }, payer, {
    contract,
    functionName: 'depositDirect',
    args: [config, amount],
  })
}

export function onChannels(
  { transact }: Pick<ChainFixture, 'transact'>,
  from: PrivateKeyAccount,
  {
    contract,
    functionName,
    args,
  }: { contract: Address; functionName: string; args: readonly unknown[] },
): Promise<Hex> {
  return transact(from, { address: contract, abi: paymentChannelsAbi, functionName, args })
}

/** A basket of one tip, signed by the channel's payer. */
export async function signTip(
  { id, contract, payer }: FundedChannel,
  {
    to,
    amount,
    maximum,
    ref = randomHash(),
  }: { to: Address; amount: bigint; maximum: bigint; ref?: Hex },
) {
  const tips: Tip[] = [{ to: tipTo(to), amount, ref }]
  const signature = await payer.signTypedData({
    domain: channelsDomain({ chainId: hardhat.id, address: contract }),
    types: tipVoucherTypes,
    primaryType: 'TipVoucher',
    message: { channelId: id, maxClaimableAmount: maximum, tips },
  })
  return { channelId: id, maxClaimableAmount: maximum, tips, signature, total: tipsTotal(tips) }
}

/** The call of a standard x402 claim up to `total`, under a plain voucher for as much. */
export async function claimCall(channel: FundedChannel, total: bigint) {
  const { id, contract, payer, config } = channel
  const signature = await payer.signTypedData({
    domain: channelsDomain({ chainId: hardhat.id, address: contract }),
    types: voucherTypes,
    primaryType: 'Voucher',
    message: { channelId: id, maxClaimableAmount: total },
  })
  const voucher = { channel: config, maxClaimableAmount: total }
  const rows = [{ voucher, signature, totalClaimed: total }]
  const data = encodeFunctionData({
    abi: paymentChannelsAbi,
    functionName: 'claim',
    args: [rows],
  })
  return { target: contract, data, rows }
}

/** The call that credits accounts up to totals. */
export function creditCall(
  { deployment, token }: ChainFixture,
  rows: readonly { account: Address; credited: bigint }[],
) {
  const data = encodeFunctionData({
    abi: creatorVaultAbi,
    functionName: 'credit',
    args: [token, rows, randomHash()],
  })
  return { target: deployment.vault, data }
}

/** A creator's registration, signed. */
export async function signCreator({ hubAccount }: Deployment, account: PrivateKeyAccount) {
  const creator = {
    handle: `c${account.address.slice(2, 12).toLowerCase()}`,
    account: lowerCase(account.address),
    displayName: 'a creator',
  }
  const signature = await account.signTypedData({
    domain: creatorDomain({ chainId: hardhat.id, hubAccount }),
    types: creatorTypes,
    primaryType: 'Creator',
    message: creator,
  })
  return { ...creator, signature }
}
