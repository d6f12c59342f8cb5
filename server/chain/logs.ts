// The events that the hub lives by: which logs of the chain they are in, parsed once, in chain order.

import type { Address, Hex, Log } from 'viem'
import { encodeEventTopics, erc20Abi, pad, parseEventLogs, toEventSelector } from 'viem'
import { creatorVaultAbi, paymentChannelsAbi } from '#protocol/abi.ts'
import type { ChannelConfig } from '#protocol/channel.ts'
import { unpackClaimed } from '#protocol/packed-claim.ts'
import { unpackCredited } from '#protocol/packed-credit.ts'
import { lowerCase } from '#protocol/signature.ts'
import type { Deployment } from './deployment.ts'
import { channelsContracts } from './deployment.ts'

/** Where an event stands; `contract` emitted it. */
type Place = { contract: Address; block: bigint; transaction: Hex; logIndex: number }

export type ChainEvent = Place &
  (
    | { kind: 'channel-created'; channelId: Hex; config: ChannelConfig }
    | { kind: 'deposited'; channelId: Hex; amount: bigint; balance: bigint }
    | { kind: 'refunded'; channelId: Hex; amount: bigint }
    | { kind: 'withdraw-initiated'; channelId: Hex; amount: bigint; finalizeAfter: bigint }
    | { kind: 'withdraw-finalized'; channelId: Hex; amount: bigint }
    | { kind: 'claimed'; channelId: Hex; totalClaimed: bigint }
    | { kind: 'settled'; token: Address; amount: bigint }
    | { kind: 'foreign-transfer'; token: Address; amount: bigint }
    | { kind: 'credited'; token: Address; account: Address; credited: bigint }
    | {
        kind: 'paid'
        token: Address
        account: Address
        to: Address
        amount: bigint
        paid: bigint
        memo: Hex
      }
  )

/** A log as a node tells it, in a block. Addresses and hashes in lower case. */
export type ChainLog = {
  address: Address
  topics: readonly Hex[]
  data: Hex
  blockNumber: bigint
  blockHash: Hex
  transactionHash: Hex
  logIndex: number
}

/** Where events come from: all logs of `contracts`, and the transfers of `tokens` to `receiver`. */
export type Watched = { contracts: Address[]; tokens: Address[]; receiver: Address }

export function watchedBy(deployment: Deployment): Watched {
  return {
    contracts: [...channelsContracts(deployment), deployment.vault],
    tokens: deployment.tokens.map(({ address }) => address),
    receiver: deployment.vault,
  }
}

/** The topics of a transfer to an address. */
export function transferTopics(to: Address): [signature: Hex, from: null, to: Hex] {
  const [signature = '0x'] = encodeEventTopics({ abi: erc20Abi, eventName: 'Transfer' })
  return [signature, null, pad(to)]
}

/** The first topics of all events of the contracts. */
export const contractTopics: readonly Hex[] = [...paymentChannelsAbi, ...creatorVaultAbi].flatMap(
  (item) => (item.type === 'event' ? [toEventSelector(item)] : []),
)

/** Whether a log is among those that events come from. */
export function isWatched(
  { address, topics }: Pick<ChainLog, 'address' | 'topics'>,
  { contracts, tokens, receiver }: Watched,
): boolean {
  if (contracts.includes(address)) return true
  const [signature, , to] = transferTopics(receiver)
  return tokens.includes(address) && topics[0] === signature && topics[2] === to
}

/** The events in logs that {@link isWatched} lets through. */
export function eventsOf(logs: readonly ChainLog[], deployment: Deployment): ChainEvent[] {
  const { tokens, receiver } = watchedBy(deployment)
  const [signature] = transferTopics(receiver)
  const isTransfer = ({ address, topics }: ChainLog) =>
    tokens.includes(address) && topics[0] === signature
  const own = logs.filter((log) => !isTransfer(log)).map(asViemLog)
  const events = [
    ...parseEventLogs({ abi: paymentChannelsAbi, logs: own }).flatMap((log) =>
      channelsEvents(log, deployment),
    ),
    ...parseEventLogs({ abi: creatorVaultAbi, logs: own }).flatMap(vaultEvents),
  ]
  const transfers = parseEventLogs({ abi: erc20Abi, logs: logs.filter(isTransfer).map(asViemLog) })
  events.push(...foreignTransfers(transfers, events))
  return events.sort((a, b) => Number(a.block - b.block) || a.logIndex - b.logIndex)
}

/** The shape that viem parses; what it asks for beyond a log means nothing here. */
function asViemLog(log: ChainLog): Log<bigint, number, false> {
  return { ...log, topics: [...log.topics] as [Hex, ...Hex[]], transactionIndex: 0, removed: false }
}

type ChannelsLog = ReturnType<typeof parseEventLogs<typeof paymentChannelsAbi>>[number]
type VaultLog = ReturnType<typeof parseEventLogs<typeof creatorVaultAbi>>[number]

function channelsEvents(log: ChannelsLog, { vault }: Deployment): ChainEvent[] {
  const place = placeOf(log)
  switch (log.eventName) {
    case 'ChannelCreated': {
      const config = lowerCaseConfig(log.args.config)
      return [{ ...place, kind: 'channel-created', channelId: log.args.channelId, config }]
    }
    case 'Deposited': {
      const { channelId, amount, newBalance: balance } = log.args
      return [{ ...place, kind: 'deposited', channelId, amount, balance }]
    }
    case 'WithdrawInitiated': {
      const { channelId, amount, finalizeAfter } = log.args
      const after = BigInt(finalizeAfter)
      return [{ ...place, kind: 'withdraw-initiated', channelId, amount, finalizeAfter: after }]
    }
    case 'WithdrawFinalized': {
      const { channelId, amount } = log.args
      return [{ ...place, kind: 'withdraw-finalized', channelId, amount }]
    }
    case 'Refunded': {
      const { channelId, amount } = log.args
      return [{ ...place, kind: 'refunded', channelId, amount }]
    }
    case 'Claimed': {
      const { channelId, newTotalClaimed } = log.args
      return [{ ...place, kind: 'claimed', channelId, totalClaimed: newTotalClaimed }]
    }
    case 'ClaimedPacked':
      return unpackClaimed(log.args.entries).map((entry) => ({
        ...place,
        kind: 'claimed',
        ...entry,
      }))
    case 'Settled': {
      if (lowerCase(log.args.receiver) !== vault) return []
      return [
        { ...place, kind: 'settled', token: lowerCase(log.args.token), amount: log.args.amount },
      ]
    }
    case 'ChannelClosed':
    case 'ClaimSkipped':
    case 'EIP712DomainChanged':
      return []
  }
}

function vaultEvents(log: VaultLog): ChainEvent[] {
  const place = placeOf(log)
  switch (log.eventName) {
    case 'CreditedPacked': {
      const token = lowerCase(log.args.token)
      return unpackCredited(log.args.entries).map(({ account, credited }) => ({
        ...place,
        kind: 'credited',
        token,
        account: lowerCase(account),
        credited,
      }))
    }
    case 'Paid': {
      const { token, account, to, amount, newPaid, memo } = log.args
      const parties = { token: lowerCase(token), account: lowerCase(account), to: lowerCase(to) }
      return [{ ...place, kind: 'paid', ...parties, amount, paid: newPaid, memo }]
    }
    case 'Journal':
    case 'NonceCancelled':
    case 'EIP712DomainChanged':
      return []
  }
}

/**
 * Tokens that reach the vault other than by a settlement are nobody's claim: they go to suspense. Even a channels contract
 * sends such, when a stranger's channel names the vault as its payer and is refunded.
 */
function foreignTransfers(
  transfers: readonly ReturnType<typeof parseEventLogs<typeof erc20Abi>>[number][],
  events: readonly ChainEvent[],
): ChainEvent[] {
  const settlements = events.flatMap((event) =>
    event.kind === 'settled' ? [transferKey(event, event.contract)] : [],
  )
  return transfers.flatMap((log) => {
    if (log.eventName !== 'Transfer') return []
    const { from, value: amount } = log.args
    const transfer = { ...placeOf(log), token: lowerCase(log.address), amount }
    const settlement = settlements.indexOf(transferKey(transfer, lowerCase(from)))
    if (settlement < 0) return [{ ...transfer, kind: 'foreign-transfer' as const }]
    settlements.splice(settlement, 1)
    return []
  })
}

/** What a settlement and its transfer have in common; of two that are alike, either will do. */
function transferKey(
  { transaction, token, amount }: { transaction: Hex; token: Address; amount: bigint },
  from: Address,
): string {
  return `${transaction}/${from}/${token}/${amount}`
}

function placeOf(log: Log<bigint, number, false>): Place {
  const { address, blockNumber, transactionHash, logIndex } = log
  return {
    contract: lowerCase(address),
    block: blockNumber,
    transaction: transactionHash,
    logIndex,
  }
}

function lowerCaseConfig(config: ChannelConfig): ChannelConfig {
  return {
    payer: lowerCase(config.payer),
    payerAuthorizer: lowerCase(config.payerAuthorizer),
    receiver: lowerCase(config.receiver),
    receiverAuthorizer: lowerCase(config.receiverAuthorizer),
    token: lowerCase(config.token),
    withdrawDelay: config.withdrawDelay,
    salt: config.salt,
  }
}
