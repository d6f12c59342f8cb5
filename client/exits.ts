// Leaving with nothing but a key and an RPC endpoint: no hub, no store. The chain alone remembers how far it is, so that
// whoever stops half-way goes on with the same call.

import type { Address, Hex } from 'viem'
import { z } from 'zod'
import { paymentChannelsAbi } from '#protocol/abi.ts'
import { smaller } from '#protocol/amount.ts'
import type { ChannelConfig } from '#protocol/channel.ts'
import { address } from '#protocol/messages/wire.ts'
import { lowerCase } from '#protocol/signature.ts'
import type { ChainContext } from './chain.ts'
import { ask, readerOf } from './chain.ts'
import { payFromVault, vaultOwes } from './creators.ts'
import { ClientError } from './errors.ts'
import type { OnChain, Withdrawal } from './withdrawal.ts'
import { aboveLeft, initiateOn, readOnChain, waitOrFinalize } from './withdrawal.ts'

/** Where a hub's money lies, out of the file that deploying the contracts wrote. */
export const exitContracts = z.object({
  chainId: z.int().positive(),
  channels: address,
  vault: address,
  startBlock: z.int().min(0),
  tokens: z.array(z.object({ address, symbol: z.string(), decimals: z.int() })).min(1),
})

export type ExitContracts = z.output<typeof exitContracts>

type Deposit = { channelId: Hex; config: ChannelConfig; chain: OnChain }

/** How many blocks one question is about; many endpoints answer no more. */
const blocksPerRead = 10_000n

/**
 * Takes the next step on every channel of this key: begins a withdrawal of all that is not claimed, says how long it still
 * waits, or finishes it. `amount` (base units) takes only so much, of the one channel. What was tipped stays for the creators as
 * far as the hub or its watchtower claims it before the end.
 *
 * Throws `no_channel` when the chain knows none with money in it.
 */
export async function leave(
  context: ChainContext,
  contracts: ExitContracts,
  { amount }: { amount?: bigint | undefined } = {},
): Promise<Withdrawal[]> {
  const deposits = await findDeposits(context, contracts)
  const [first, second] = deposits
  if (!first) throw new ClientError('no_channel', `${context.account.address} has money in none`)
  if (amount !== undefined && second) {
    const detail = `${deposits.length} channels hold money: withdraw without an amount`
    throw new ClientError('invalid_input', detail)
  }
  const steps: Withdrawal[] = []
  for (const deposit of deposits) steps.push(await leaveOne(context, contracts, deposit, amount))
  return steps
}

/** Pays out of the vault: `amount`, or all that is this key's. Throws `nothing_to_withdraw` when that is nothing. */
export async function takeFromVault(
  context: ChainContext,
  contracts: ExitContracts,
  { token, to, amount }: { token: Address; to: Address; amount?: bigint | undefined },
): Promise<{ amount: bigint; transaction: Hex }> {
  const owed = await vaultOwes(context, { hub: contracts, token })
  if (owed === 0n) {
    const detail = `the vault owes ${context.account.address} nothing in ${token}`
    throw new ClientError('nothing_to_withdraw', detail)
  }
  const taken = amount ?? owed
  if (taken > owed) throw aboveLeft(taken, owed)
  const transaction = await payFromVault(context, { hub: contracts, token, to, amount: taken })
  return { amount: taken, transaction }
}

async function leaveOne(
  context: ChainContext,
  hub: ExitContracts,
  { channelId, config, chain }: Deposit,
  amount: bigint | undefined,
): Promise<Withdrawal> {
  const channel = { channelId, config }
  if (chain.pending > 0n) return waitOrFinalize(context, { hub, channel, chain })
  const left = chain.balance - chain.totalClaimed
  if (amount !== undefined && amount > left) throw aboveLeft(amount, left)
  return initiateOn(context, { hub, channel, amount: amount ?? left })
}

/** The channels of this key that hold money, in the order in which they were opened. */
async function findDeposits(context: ChainContext, hub: ExitContracts): Promise<Deposit[]> {
  const configs = await readConfigs(context, hub)
  const deposits: Deposit[] = []
  for (const [channelId, config] of configs) {
    const chain = await readOnChain(context, { hub, channel: { channelId } })
    if (chain.balance > chain.totalClaimed) deposits.push({ channelId, config, chain })
  }
  return deposits
}

/** The event does not name the payer where a node could look for it, so all are read. */
async function readConfigs(
  context: ChainContext,
  hub: ExitContracts,
): Promise<Map<Hex, ChannelConfig>> {
  const reader = await readerOf(context, hub)
  const head = await ask(context, () => reader.getBlockNumber())
  const me = lowerCase(context.account.address)
  const mine = new Map<Hex, ChannelConfig>()
  for (let from = BigInt(hub.startBlock); from <= head; from += blocksPerRead) {
    const logs = await ask(context, () =>
      reader.getContractEvents({
        address: hub.channels,
        abi: paymentChannelsAbi,
        eventName: 'ChannelCreated',
        fromBlock: from,
        toBlock: smaller(head, from + blocksPerRead - 1n),
        strict: true,
      }),
    )
    for (const { args } of logs) {
      const { payer, payerAuthorizer } = args.config
      if (lowerCase(payer) === me || lowerCase(payerAuthorizer) === me)
        mine.set(args.channelId, args.config)
    }
  }
  return mine
}
