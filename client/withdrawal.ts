// Taking a deposit back alone: initiateWithdraw, wait out the withdraw delay, finalizeWithdraw.

import type { Hex, PublicClient } from 'viem'
import { paymentChannelsAbi } from '#protocol/abi.ts'
import { larger, smaller } from '#protocol/amount.ts'
import { ask, readerOf, transact } from './chain.ts'
import { adoptChannels, withChannel } from './channels.ts'
import type { Context } from './context.ts'
import { connect, readWallet, writeWallet } from './context.ts'
import { ClientError } from './errors.ts'
import type { ChannelRecord, HubPin, WalletRecord } from './records.ts'

/** Amounts in base units; `finalizeAfter` in Unix seconds of the chain's clock, `remainingSeconds` until then. */
export type Withdrawal =
  | {
      state: 'waiting'
      channelId: Hex
      amount: bigint
      finalizeAfter: bigint
      remainingSeconds: number
    }
  | { state: 'done'; channelId: Hex; amount: bigint; transaction: Hex }

type OnChain = {
  balance: bigint
  totalClaimed: bigint
  pending: bigint
  initiatedAt: number
  now: bigint
}

/**
 * Takes the next step of a withdrawal: begins it, says how long it still waits, or finishes it.
 *
 * What was tipped stays for the creators: `balance − charged` is asked back. From the first step on the channel is not
 * tipped from any more, and the next opening uses a new salt.
 */
export async function withdraw(context: Context): Promise<Withdrawal> {
  const wallet = await walletAlone(context)
  const channel = leavingChannel(wallet)
  const { hub } = wallet
  const chain = await readOnChain(context, { hub, channel })
  if (chain.pending === 0n) return initiate(context, { wallet, channel, chain })
  const finalizeAfter = BigInt(chain.initiatedAt + channel.config.withdrawDelay)
  if (chain.now < finalizeAfter) return waiting(channel, chain, finalizeAfter)
  const call = channelCall(hub, 'finalizeWithdraw', [channel.config])
  const transaction = await transact(context, { hub, call })
  await writeWallet(context, withChannel(wallet, { ...channel, status: 'closed' }))
  const left = chain.balance - chain.totalClaimed
  const amount = smaller(chain.pending, left)
  return { state: 'done', channelId: channel.channelId, amount, transaction }
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
  { wallet, channel, chain }: { wallet: WalletRecord; channel: ChannelRecord; chain: OnChain },
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
  await writeWallet(context, withChannel(wallet, { ...channel, status: 'withdrawing' }))
  const call = channelCall(hub, 'initiateWithdraw', [channel.config, chain.balance - spent])
  try {
    await transact(context, { hub, call })
  } catch (error) {
    const nothingSent = error instanceof ClientError && error.outcome === 'refused'
    if (nothingSent) await writeWallet(context, withChannel(wallet, channel))
    throw error
  }
  const begun = await readOnChain(context, { hub, channel })
  const finalizeAfter = BigInt(begun.initiatedAt + channel.config.withdrawDelay)
  return waiting(channel, begun, finalizeAfter)
}

function waiting(
  { channelId }: ChannelRecord,
  { pending, now }: OnChain,
  finalizeAfter: bigint,
): Withdrawal {
  const remainingSeconds = Math.max(0, Number(finalizeAfter - now))
  return { state: 'waiting', channelId, amount: pending, finalizeAfter, remainingSeconds }
}

async function readOnChain(
  context: Context,
  { hub, channel }: { hub: HubPin; channel: ChannelRecord },
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
  { channels }: HubPin,
  functionName: 'initiateWithdraw' | 'finalizeWithdraw',
  args: readonly unknown[],
) {
  return { address: channels, abi: paymentChannelsAbi, functionName, args }
}
