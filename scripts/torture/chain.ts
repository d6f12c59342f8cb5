// A simulated chain with the contracts on it, which goes back to its beginning for each sequence of calls.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import hre from 'hardhat'
import type { Abi, Address, Hex } from 'viem'
import {
  domainSeparator,
  encodeDeployData,
  encodeFunctionData,
  maxUint256,
  numberToHex,
  toHex,
} from 'viem'
import { mnemonicToAccount } from 'viem/accounts'
import { hubAccountAbi, testTokenAbi } from '#protocol/abi.ts'
import { type ChannelConfig, channelsDomainSeparator } from '#protocol/channel.ts'
import { permit2 as permit2Address, tokenDomain } from '#protocol/deposit.ts'
import { vaultDomain } from '#protocol/payment.ts'
import { createDigestSigner } from '../../server/channels/signature-backend.ts'
import type { Encoder } from './encode.ts'
import type { Setting, State } from './model/state.ts'
import type { Cast } from './scene.ts'
import { projectRoot } from './workshop.ts'

/** Bytecode that takes the place of the compiled one, by contract name. */
export type Bytecodes = Readonly<Record<string, Hex>>

type Provider = Awaited<ReturnType<typeof hre.network.create>>['provider']

/** What came of a transaction: its events, or what it reverted with. */
export type Mined = { logs: Log[]; revert: Hex | undefined }

export type Log = { address: Address; data: Hex; topics: [Hex, ...Hex[]] }

export type Chain = {
  setting: Setting
  cast: Cast
  encoder: Encoder
  reader: Address
  /** What the model begins with. */
  initial: State
  start: bigint
  rewind(): Promise<void>
  send(call: { from: Address; to: Address; data: Hex }, time: bigint): Promise<Mined>
  read(to: Address, data: Hex): Promise<Hex>
  /** What a call would return; nothing when it would be refused. */
  attempt(call: { from: Address; to: Address; data: Hex }): Promise<Hex | undefined>
}

const permit2 = permit2Address.toLowerCase() as Address
const mnemonic = 'test test test test test test test test test test test junk'
const roles = [
  'payerA',
  'payerB',
  'sessionA',
  'sessionB',
  'merchant',
  'merchantKey',
  'admin',
  'operatorA',
  'operatorB',
  'claimerA',
  'claimerB',
  'creatorA',
  'creatorB',
  'stranger',
  'payerOwner',
  'creatorOwner',
] as const

export async function createChain(bytecodes: Bytecodes = {}): Promise<Chain> {
  const { provider } = await hre.network.create({
    override: { allowUnlimitedContractSize: true },
  })
  const { addressOf, sign } = createKeys()
  const deploy = (name: string, path: string, args: unknown[] = []) =>
    deployContract(provider, { name, path, args, from: addressOf('stranger'), bytecodes })

  const tokens = [await deploy('TestToken', 'test'), await deploy('TestToken', 'test')]
  const channels = await deploy('PaymentChannels', '')
  const collectors = {
    erc3009: await deploy('Erc3009DepositCollector', 'collectors', [channels]),
    permit2: await deploy('Permit2DepositCollector', 'collectors', [channels]),
  }
  await provider.request({ method: 'hardhat_setCode', params: [permit2, readPermit2()] })
  const hub = await deploy('HubAccount', '', [
    addressOf('admin'),
    addressOf('operatorA'),
    channels,
    channels,
  ])
  const vault = await vaultOf(provider, hub)
  const walletPayer = await deploy('TestWallet', 'test', [addressOf('payerOwner')])
  const walletCreator = await deploy('TestWallet', 'test', [addressOf('creatorOwner')])
  const reader = await deploy('TestMulticall', 'test')

  await provider.request({
    method: 'eth_sendTransaction',
    params: [
      {
        from: addressOf('admin'),
        to: hub,
        data: encodeFunctionData({
          abi: hubAccountAbi,
          functionName: 'setClaimer',
          args: [addressOf('claimerA'), true],
        }),
      },
    ],
  })
  for (const wallet of [walletPayer, walletCreator]) {
    await provider.request({ method: 'hardhat_impersonateAccount', params: [wallet] })
    await provider.request({ method: 'hardhat_setBalance', params: [wallet, toHex(10n ** 24n)] })
  }

  const chainId = Number(await provider.request({ method: 'eth_chainId' }))
  const separators = {
    channels: channelsDomainSeparator({ chainId, address: channels }),
    vault: domainSeparator({ domain: vaultDomain({ chainId, vault }) }),
    permit2: domainSeparator({
      domain: { name: 'Permit2', chainId, verifyingContract: permit2 },
    }),
    token: (address: Address) =>
      domainSeparator({
        domain: tokenDomain({ name: 'Jandon Test Dollar', version: '1', address }, chainId),
      }),
  }
  const setting: Setting = {
    channels,
    vault,
    hub,
    collectors,
    permit2,
    admin: addressOf('admin'),
    tokens,
    owners: new Map([
      [walletPayer, addressOf('payerOwner')],
      [walletCreator, addressOf('creatorOwner')],
    ]),
    separators,
  }
  const cast: Cast = {
    configs: createConfigs(setting, { addressOf, walletPayer }),
    creators: [addressOf('creatorA'), addressOf('creatorB'), walletCreator],
    operators: [addressOf('operatorA'), addressOf('operatorB')],
    claimers: [addressOf('claimerA'), addressOf('claimerB')],
    merchant: addressOf('merchant'),
    stranger: addressOf('stranger'),
  }
  const payers = [addressOf('payerA'), addressOf('payerB'), walletPayer, cast.stranger]
  const initial = await fund(provider, setting, {
    payers,
    operator: addressOf('operatorA'),
    claimer: addressOf('claimerA'),
  })
  const latest = await provider.request({
    method: 'eth_getBlockByNumber',
    params: ['latest', false],
  })
  let snapshot = await provider.request({ method: 'evm_snapshot' })

  return {
    setting,
    cast,
    encoder: { setting, sign },
    reader,
    initial,
    start: BigInt((latest as { timestamp: Hex }).timestamp),
    async rewind() {
      await provider.request({ method: 'evm_revert', params: [snapshot] })
      snapshot = await provider.request({ method: 'evm_snapshot' })
    },
    send: (call, time) => mine(provider, call, time),
    async read(to, data) {
      return (await provider.request({
        method: 'eth_call',
        params: [{ to, data }, 'latest'],
      })) as Hex
    },
    async attempt(call) {
      try {
        return (await provider.request({ method: 'eth_call', params: [call, 'latest'] })) as Hex
      } catch (cause) {
        revertData(cause)
        return undefined
      }
    },
  }
}

async function mine(
  provider: Provider,
  call: { from: Address; to: Address; data: Hex },
  time: bigint,
): Promise<Mined> {
  await provider.request({ method: 'evm_setNextBlockTimestamp', params: [toHex(time)] })
  try {
    const hash = await provider.request({
      method: 'eth_sendTransaction',
      params: [{ ...call, gas: toHex(3_000_000) }],
    })
    const receipt = await provider.request({
      method: 'eth_getTransactionReceipt',
      params: [hash],
    })
    return { logs: (receipt as { logs: Log[] }).logs, revert: undefined }
  } catch (cause) {
    return { logs: [], revert: revertData(cause) }
  }
}

/** The revert data in the provider's error. */
function revertData(cause: unknown): Hex {
  if (cause instanceof Error && 'data' in cause) {
    const { data } = cause
    if (typeof data === 'string') return data as Hex
    if (typeof data === 'object' && data !== null && 'data' in data) return data.data as Hex
  }
  throw cause
}

function createKeys() {
  const keys = roles.map((role, addressIndex) => {
    const account = mnemonicToAccount(mnemonic, { addressIndex })
    const { privateKey } = account.getHdKey()
    if (!privateKey) throw new Error(`no key for ${role}`)
    const address = account.address.toLowerCase() as Address
    return { role, address, sign: createDigestSigner(toHex(privateKey)) }
  })
  return {
    addressOf(role: (typeof roles)[number]): Address {
      const key = keys.find((other) => other.role === role)
      if (!key) throw new Error(`nobody plays ${role}`)
      return key.address
    },
    sign(signer: Address, digest: Hex): Hex {
      const key = keys.find(({ address }) => address === signer)
      if (!key) throw new Error(`nobody signs for ${signer}`)
      return key.sign(digest)
    },
  }
}

async function deployContract(
  provider: Provider,
  {
    name,
    path,
    args,
    from,
    bytecodes,
  }: {
    name: string
    path: string
    args: unknown[]
    from: Address
    bytecodes: Bytecodes
  },
): Promise<Address> {
  const file = join(projectRoot, 'artifacts', 'contracts', path, `${name}.sol`, `${name}.json`)
  const artifact: { abi: Abi; bytecode: Hex } = JSON.parse(readFileSync(file, 'utf8'))
  const bytecode = bytecodes[name] ?? artifact.bytecode
  const data = encodeDeployData({ abi: artifact.abi, bytecode, args })
  const hash = await provider.request({
    method: 'eth_sendTransaction',
    params: [{ from, data, gas: toHex(16_000_000) }],
  })
  const receipt = await provider.request({ method: 'eth_getTransactionReceipt', params: [hash] })
  return (receipt as { contractAddress: Address }).contractAddress.toLowerCase() as Address
}

/** The code of Permit2 on Ethereum's mainnet. */
function readPermit2(): Hex {
  const file = join(projectRoot, 'contracts', 'test', 'permit2.json')
  const { bytecode }: { bytecode: Hex } = JSON.parse(readFileSync(file, 'utf8'))
  return bytecode
}

async function vaultOf(provider: Provider, hub: Address): Promise<Address> {
  const data = encodeFunctionData({ abi: hubAccountAbi, functionName: 'vault' })
  const word = await provider.request({ method: 'eth_call', params: [{ to: hub, data }] })
  return `0x${(word as Hex).slice(26)}`
}

/** Eight channels: three that share a packed claim, a contract wallet as payer, payers that sign for themselves. */
function createConfigs(
  { vault, hub, tokens: [first, second] }: Setting,
  {
    addressOf,
    walletPayer,
  }: { addressOf: (role: (typeof roles)[number]) => Address; walletPayer: Address },
): ChannelConfig[] {
  if (!first || !second) throw new Error('two tokens are needed')
  const none = numberToHex(0, { size: 20 })
  const [payerA, payerB] = [addressOf('payerA'), addressOf('payerB')]
  const [sessionA, sessionB] = [addressOf('sessionA'), addressOf('sessionB')]
  const hubs = { receiver: vault, receiverAuthorizer: hub }
  const shop = { receiver: addressOf('merchant'), receiverAuthorizer: addressOf('merchantKey') }
  const drafts = [
    { payer: payerA, payerAuthorizer: sessionA, ...hubs, token: first, withdrawDelay: 900 },
    { payer: payerB, payerAuthorizer: sessionB, ...hubs, token: first, withdrawDelay: 900 },
    { payer: payerA, payerAuthorizer: sessionB, ...hubs, token: first, withdrawDelay: 900 },
    { payer: payerB, payerAuthorizer: sessionA, ...hubs, token: second, withdrawDelay: 86_400 },
    { payer: payerA, payerAuthorizer: sessionA, ...shop, token: first, withdrawDelay: 900 },
    { payer: walletPayer, payerAuthorizer: sessionB, ...shop, token: first, withdrawDelay: 900 },
    { payer: payerB, payerAuthorizer: none, ...shop, token: second, withdrawDelay: 2_592_000 },
    { payer: walletPayer, payerAuthorizer: none, ...shop, token: second, withdrawDelay: 900 },
  ]
  return drafts.map((draft, index) => ({ ...draft, salt: numberToHex(index, { size: 32 }) }))
}

/** What a payer holds, and may have taken by the channels and by Permit2. */
const purses = [
  { holds: 10_000n, channels: 8_000n, permit2: maxUint256 },
  { holds: 3_000n, channels: 2_000n, permit2: 700n },
  { holds: 10_000n, channels: 1n << 100n, permit2: 5_000n },
  { holds: 5_000n, channels: 0n, permit2: 0n },
]

/** Gives the payers tokens and allowances, the second one few, the last one no allowance at all. */
async function fund(
  provider: Provider,
  setting: Setting,
  {
    payers,
    operator,
    claimer,
  }: { payers: readonly Address[]; operator: Address; claimer: Address },
): Promise<State> {
  const state: State = {
    channels: new Map(),
    receivers: new Map(),
    accounts: new Map(),
    held: new Map(),
    allowances: new Map(),
    used: new Set(),
    permitNonces: new Map(),
    operator,
    claimers: new Set([claimer]),
  }
  for (const token of setting.tokens) {
    for (const [index, payer] of payers.entries()) {
      const purse = purses[index]
      if (!purse) throw new Error(`no purse for payer ${index}`)
      const write = (functionName: 'mint' | 'approve', args: readonly [Address, bigint]) =>
        provider.request({
          method: 'eth_sendTransaction',
          params: [
            {
              from: payer,
              to: token,
              data: encodeFunctionData({ abi: testTokenAbi, functionName, args }),
              gas: toHex(200_000),
            },
          ],
        })
      await write('mint', [payer, purse.holds])
      await write('approve', [setting.channels, purse.channels])
      await write('approve', [setting.permit2, purse.permit2])
      state.held.set(`${token}:${payer}`, purse.holds)
      state.allowances.set(`${token}:${payer}:${setting.channels}`, purse.channels)
      state.allowances.set(`${token}:${payer}:${setting.permit2}`, purse.permit2)
    }
  }
  return state
}
