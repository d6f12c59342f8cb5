// Taking a deposit back alone: initiateWithdraw, wait out the withdraw delay, finalizeWithdraw.

import type { Hex, PublicClient } from 'viem'
import { paymentChannelsAbi } from '#protocol/abi.ts'
import { larger, smaller } from '#protocol/amount.ts'
import type { ChainContext, GasNeed } from './chain.ts'
import { ask, gasNeed, readerOf, transact } from './chain.ts'
import { adoptChannels, withChannel } from './channels.ts'
import type { Context } from './context.ts'
import { connect, readWallet, writeWallet } from './context.ts'
import { ClientError } from './errors.ts'
import type { ChannelRecord, HubPin, WalletRecord } from './records.ts'

/** What is needed to leave: where the channels are, and which one. */
export type Contracts = Pick<HubPin, 'chainId' | 'channels'>
export type Leaving = Pick<ChannelRecord, 'channelId' | 'config'>

/** Gas of `finalizeWithdraw` with room for dearer tokens; the test token takes about 60,000. */
const finalizeGas = 100_000n

/**
 * Amounts in base units; `finalizeAfter` in Unix seconds of the chain's clock, `remainingSeconds` until then. `gas` says what
 * the last step costs by today's price, and what is there for it, in wei.
 */
export type Withdrawal =
  | {
      state: 'waiting'
      channelId: Hex
      amount: bigint
      finalizeAfter: bigint
      remainingSeconds: number
      gas: GasNeed
    }
  | { state: 'done'; channelId: Hex; amount: bigint; transaction: Hex }

/** A channel as the chain has it, base units; `now` and `initiatedAt` in Unix seconds. */
export type OnChain = {
  balance: bigint
  totalClaimed: bigint
  pending: bigint
  initiatedAt: number
  now: bigint
}

/**
 * Takes the next step of a withdrawal: begins it, says how long it still waits, or finishes it.
 *
 * What was tipped stays for the creators: `balance − charged` is asked back, or `amount` of it. From the first step on the channel is not
 * tipped from any more, and the next opening uses a new salt.
 */
export async function withdraw(
  context: Context,
  { amount }: { amount?: bigint | undefined } = {},
): Promise<Withdrawal> {
  const wallet = await walletAlone(context)
  const channel = leavingChannel(wallet)
  const { hub } = wallet
  const chain = await readOnChain(context, { hub, channel })
  if (chain.pending === 0n) return initiate(context, { wallet, channel, chain, amount })
  const step = await waitOrFinalize(context, { hub, channel, chain })
  if (step.state === 'waiting') return step
  await writeWallet(context, withChannel(wallet, { ...channel, status: 'closed' }))
  return step
}

/** The second step of a withdrawal that was begun: how long it still waits, or its end. */
export async function waitOrFinalize(
  context: ChainContext,
  { hub, channel, chain }: { hub: Contracts; channel: Leaving; chain: OnChain },
): Promise<Withdrawal> {
  const { channelId, config } = channel
  const finalizeAfter = BigInt(chain.initiatedAt + config.withdrawDelay)
  if (chain.now < finalizeAfter) {
    const remainingSeconds = Math.max(0, Number(finalizeAfter - chain.now))
    const gas = await gasNeed(context, { hub, units: finalizeGas })
    const { pending: amount } = chain
    return { state: 'waiting', channelId, amount, finalizeAfter, remainingSeconds, gas }
  }
  const call = channelCall(hub, 'finalizeWithdraw', [config])
  const transaction = await transact(context, { hub, call })
  const amount = smaller(chain.pending, chain.balance - chain.totalClaimed)
  return { state: 'done', channelId, amount, transaction }
}

/** The first step: asks `amount` back. */
export async function initiateOn(
  context: ChainContext,
  { hub, channel, amount }: { hub: Contracts; channel: Leaving; amount: bigint },
): Promise<Withdrawal> {
  const call = channelCall(hub, 'initiateWithdraw', [channel.config, amount])
  await transact(context, { hub, call })
  const chain = await readOnChain(context, { hub, channel })
  return waitOrFinalize(context, { hub, channel, chain })
}

/** Works with the store alone; only a store that knows no channel asks the hub. */
async function walletAlone(context: Context): Promise<WalletRecord> {
  const wallet = await readWallet(context)
  if (wallet?.channels.some(({ status }) => status !== 'closed')) return wallet
  await adoptChannels(context)
  return (await connect(context)).wallet
}

function leavingChannel({ channels }: WalletRecord): ChannelRecord {
  for (const status of ['withdrawing', 'open', 'opening'] as const) {
    const channel = channels.find((candidate) => candidate.status === status)
    if (channel) return channel
  }
  throw new ClientError('no_channel', 'there is no channel to withdraw from')
}

async function initiate(
  context: Context,
  {
    wallet,
    channel,
    chain,
    amount,
  }: {
    wallet: WalletRecord
    channel: ChannelRecord
    chain: OnChain
    amount: bigint | undefined
  },
): Promise<Withdrawal> {
  const { hub } = wallet
  const spent = larger(channel.charged, chain.totalClaimed)
  if (chain.balance <= spent) {
    await writeWallet(context, withChannel(wallet, { ...channel, status: 'closed' }))
    const { balance } = chain
    throw new ClientError(
      'nothing_to_withdraw',
      `nothing is left in channel ${channel.channelId}: ${balance} deposited, ${spent} spent`,
      { values: { balance, spent } },
    )
  }
  const left = chain.balance - spent
  if (amount !== undefined && amount > left) throw aboveLeft(amount, left)
  await writeWallet(context, withChannel(wallet, { ...channel, status: 'withdrawing' }))
  try {
    return await initiateOn(context, { hub, channel, amount: amount ?? left })
  } catch (error) {
    const nothingSent = error instanceof ClientError && error.outcome === 'refused'
    if (nothingSent) await writeWallet(context, withChannel(wallet, channel))
    throw error
  }
}

/** The refusal of a withdrawal of more than is unspent. */
export function aboveLeft(amount: bigint, available: bigint): ClientError {
  const detail = `${amount} is more than the ${available} that is unspent`
  return new ClientError('invalid_amount', detail, { values: { amount, available } })
}

export async function readOnChain(
  context: ChainContext,
  { hub, channel }: { hub: Contracts; channel: Pick<Leaving, 'channelId'> },
): Promise<OnChain> {
  const reader: PublicClient = await readerOf(context, hub)
  const contract = { address: hub.channels, abi: paymentChannelsAbi } as const
  const args = [channel.channelId] as const
  return ask(context, async () => {
    const [balance, totalClaimed] = await reader.readContract({
      ...contract,
      functionName: 'channels',
      args,
    })
    const [pending, initiatedAt] = await reader.readContract({
      ...contract,
      functionName: 'pendingWithdrawals',
      args,
    })
    const { timestamp } = await reader.getBlock()
    // A quiet chain's newest block is old; the next one will carry about the time of this clock.
    const now = larger(timestamp, BigInt(Math.floor(context.now() / 1_000)))
    return { balance, totalClaimed, pending, initiatedAt, now }
  })
}

function channelCall(
  { channels }: Contracts,
  functionName: 'initiateWithdraw' | 'finalizeWithdraw',
  args: readonly unknown[],
) {
  return { address: channels, abi: paymentChannelsAbi, functionName, args }
}
