// The events that the hub lives by, read from the chain and parsed once, in chain order.

import type { Address, Hex, PublicClient } from 'viem'
import { erc20Abi, parseEventLogs } from 'viem'
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
    | { kind: 'channel-touched'; channelId: Hex }
    | { kind: 'refunded'; channelId: Hex; amount: bigint }
    | { kind: 'withdraw-initiated'; channelId: Hex; amount: bigint }
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

type LogPlace = {
  address: Address
  blockNumber: bigint | null
  transactionHash: Hex | null
  logIndex: number | null
}

/** The events of blocks `from` to `to`, both inclusive. */
export async function readEvents(
  chain: Pick<PublicClient, 'getLogs'>,
  deployment: Deployment,
  { from, to }: { from: bigint; to: bigint },
): Promise<ChainEvent[]> {
  const range = { fromBlock: from, toBlock: to }
  const [own, transfers] = await Promise.all([
    chain.getLogs({ address: [...channelsContracts(deployment), deployment.vault], ...range }),
    chain.getLogs({
      address: deployment.tokens.map((token) => token.address),
      event: erc20Abi.find(
        (item) => item.type === 'event' && item.name === 'Transfer',
      ) as TransferEvent,
      args: { to: deployment.vault },
      ...range,
    }),
  ])
  const events = [
    ...parseEventLogs({ abi: paymentChannelsAbi, logs: own }).flatMap((log) =>
      channelsEvents(log, deployment),
    ),
    ...parseEventLogs({ abi: creatorVaultAbi, logs: own }).flatMap(vaultEvents),
  ]
  events.push(...foreignTransfers(transfers, events))
  return events.sort((a, b) => Number(a.block - b.block) || a.logIndex - b.logIndex)
}

type TransferEvent = Extract<(typeof erc20Abi)[number], { type: 'event'; name: 'Transfer' }>
type ChannelsLog = ReturnType<typeof parseEventLogs<typeof paymentChannelsAbi>>[number]
type VaultLog = ReturnType<typeof parseEventLogs<typeof creatorVaultAbi>>[number]

function channelsEvents(log: ChannelsLog, { vault }: Deployment): ChainEvent[] {
  const place = placeOf(log)
  switch (log.eventName) {
    case 'ChannelCreated': {
      const config = lowerCaseConfig(log.args.config)
      return [{ ...place, kind: 'channel-created', channelId: log.args.channelId, config }]
    }
    case 'Deposited':
    case 'WithdrawFinalized':
    case 'ChannelClosed':
      return [{ ...place, kind: 'channel-touched', channelId: log.args.channelId }]
    case 'WithdrawInitiated':
      return [
        {
          ...place,
          kind: 'withdraw-initiated',
          channelId: log.args.channelId,
          amount: log.args.amount,
        },
      ]
    case 'Refunded':
      return [
        { ...place, kind: 'refunded', channelId: log.args.channelId, amount: log.args.amount },
      ]
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

type TransferLog = LogPlace & {
  args: { from?: Address | undefined; value?: bigint | undefined }
}

/**
 * Tokens that reach the vault other than by a settlement are nobody's claim: they go to suspense. Even a channels contract
 * sends such, when a stranger's channel names the vault as its payer and is refunded.
 */
function foreignTransfers(
  transfers: readonly TransferLog[],
  events: readonly ChainEvent[],
): ChainEvent[] {
  const settlements = events.flatMap((event) =>
    event.kind === 'settled' ? [transferKey(event, event.contract)] : [],
  )
  return transfers.flatMap((log) => {
    const transfer = {
      ...placeOf(log),
      token: lowerCase(log.address),
      amount: log.args.value ?? 0n,
    }
    const settlement = settlements.indexOf(transferKey(transfer, lowerCase(log.args.from ?? '0x')))
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

function placeOf({ address, blockNumber, transactionHash, logIndex }: LogPlace): Place {
  if (blockNumber === null || transactionHash === null || logIndex === null) {
    throw new Error(`a log of ${address} stands in no block`)
  }
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
