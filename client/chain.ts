// The chain without the hub: the two exits that need nobody's permission, an RPC endpoint, and gas.

import type { Abi, Address, Hex, PublicClient } from 'viem'
import {
  BaseError,
  ContractFunctionRevertedError,
  createPublicClient,
  createWalletClient,
  defineChain,
  encodeFunctionData,
  formatEther,
  getContractError,
  http,
  parseAbi,
} from 'viem'
import type { Context } from './context.ts'
import { ClientError } from './errors.ts'
import type { HubPin } from './records.ts'

/** A call of a contract: what is needed to encode it, and to read why it was refused. */
export type ContractCall = {
  address: Address
  abi: Abi
  functionName: string
  args: readonly unknown[]
}

/** Who asks a chain, through which endpoint. */
export type ChainContext = Pick<Context, 'account' | 'rpcUrl' | 'now'>

/** The chain that is meant. */
type ChainPin = Pick<HubPin, 'chainId'>

/** What gas for a step costs and where it has to be, and what is there, in wei. */
export type GasNeed = { address: Address; needed: bigint; held: bigint }

const balanceAbi = parseAbi(['function balanceOf(address) view returns (uint256)'])
const minedPatienceMs = 180_000

/** A reader of the hub's chain. Throws `rpc_required` without an endpoint and `chain_mismatch` on another chain. */
export async function readerOf(context: ChainContext, hub: ChainPin): Promise<PublicClient> {
  if (!context.rpcUrl) throw new ClientError('rpc_required', 'this goes to the chain directly')
  const reader = createPublicClient({ transport: http(context.rpcUrl) })
  const chainId = await ask(context, () => reader.getChainId())
  if (chainId === hub.chainId) return reader
  throw new ClientError('chain_mismatch', `the endpoint is on chain ${chainId}, not ${hub.chainId}`)
}

/** What the wallet holds of a token outside any channel, in base units. */
export async function readTokens(
  context: ChainContext,
  { hub, token }: { hub: ChainPin; token: Address },
): Promise<bigint> {
  const reader = await readerOf(context, hub)
  const { address } = context.account
  return ask(context, () =>
    reader.readContract({
      address: token,
      abi: balanceAbi,
      functionName: 'balanceOf',
      args: [address],
    }),
  )
}

/**
 * Sends a transaction from the wallet and waits until it is mined. Answers its hash.
 *
 * Throws `transaction_refused` when it would revert or did, `gas_needed` when the wallet cannot pay for it.
 */
export async function transact(
  context: ChainContext,
  { hub, call }: { hub: ChainPin; call: ContractCall },
): Promise<Hex> {
  const reader = await readerOf(context, hub)
  const { account } = context
  const data = encodeFunctionData(call)
  const request = { account, to: call.address, data }
  const gas = await reader.estimateGas(request).catch((cause: unknown) => {
    throw refusalOf(call, cause)
  })
  const fees = await ask(context, () => reader.estimateFeesPerGas())
  await requireGas(context, reader, gas * fees.maxFeePerGas)
  const chain = defineChain({
    id: hub.chainId,
    name: `chain ${hub.chainId}`,
    nativeCurrency: { name: 'coin', symbol: 'coin', decimals: 18 },
    rpcUrls: { default: { http: [context.rpcUrl ?? ''] } },
  })
  const writer = createWalletClient({ account, chain, transport: http(context.rpcUrl) })
  const hash = await ask(context, () => writer.sendTransaction({ ...request, gas, ...fees }))
  const { status } = await ask(context, () =>
    reader.waitForTransactionReceipt({ hash, timeout: minedPatienceMs }),
  )
  if (status === 'success') return hash
  throw new ClientError('transaction_refused', `transaction ${hash} was reverted`)
}

/** What so many units of gas cost at today's price, and what the wallet has for it. */
export async function gasNeed(
  context: ChainContext,
  { hub, units }: { hub: ChainPin; units: bigint },
): Promise<GasNeed> {
  const reader = await readerOf(context, hub)
  const { address } = context.account
  return ask(context, async () => {
    const { maxFeePerGas } = await reader.estimateFeesPerGas()
    return { address, needed: units * maxFeePerGas, held: await reader.getBalance({ address }) }
  })
}

/** Runs a request to the endpoint; its failures become `rpc_failed`. */
export async function ask<T>(context: ChainContext, request: () => Promise<T>): Promise<T> {
  try {
    return await request()
  } catch (cause) {
    throw rpcFailure(context, cause)
  }
}

function rpcFailure({ rpcUrl }: ChainContext, cause: unknown): unknown {
  if (!(cause instanceof BaseError)) return cause
  return new ClientError('rpc_failed', `${rpcUrl} failed: ${cause.shortMessage}`, { cause })
}

async function requireGas(context: ChainContext, reader: PublicClient, wei: bigint): Promise<void> {
  const { address } = context.account
  const held = await ask(context, () => reader.getBalance({ address }))
  if (held >= wei) return
  throw new ClientError(
    'gas_needed',
    `${address} holds ${formatEther(held)} for gas and needs about ${formatEther(wei)}`,
    { values: { address, held, needed: wei } },
  )
}

function refusalOf({ abi, address, functionName, args }: ContractCall, cause: unknown): unknown {
  if (!(cause instanceof BaseError)) return cause
  const error = getContractError(cause, { abi, address, functionName, args })
  const revert = error.walk((inner) => inner instanceof ContractFunctionRevertedError)
  if (!(revert instanceof ContractFunctionRevertedError)) {
    return new ClientError('rpc_failed', `${functionName} failed: ${error.shortMessage}`, { cause })
  }
  const { data, reason } = revert
  const named = data ? `${data.errorName}(${(data.args ?? []).join(', ')})` : reason
  return new ClientError('transaction_refused', `${functionName} would revert: ${named}`, { cause })
}
