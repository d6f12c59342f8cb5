// What the chain says, read from its own events and balances: no word of the hub is taken.

import type { Address, Hex, PublicClient } from 'viem'
import { erc20Abi, getAbiItem } from 'viem'
import { creatorVaultAbi, paymentChannelsAbi } from '#protocol/abi.ts'
import { unpackCredited } from '#protocol/packed-credit.ts'
import { lowerCase } from '#protocol/signature.ts'
import type { Deployment } from '#server/chain/deployment.ts'
import { channelsContracts } from '#server/chain/deployment.ts'
import type { Check } from './check.ts'
import { same, sumOf } from './check.ts'

/** A token's state at one block. Amounts in base units. */
export type ChainSide = {
  token: Address
  escrows: {
    contract: Address
    held: bigint
    open: bigint
    unsettled: bigint
    vaultUnsettled: bigint
  }[]
  channels: Map<Hex, { balance: bigint; totalClaimed: bigint }>
  vault: { held: bigint; owed: bigint }
  accounts: Map<Address, { credited: bigint; paid: bigint }>
  treasury: bigint
}

type Client = Pick<PublicClient, 'getLogs' | 'readContract' | 'getBlockNumber'>

export async function readChain(
  chain: Client,
  { deployment, token, treasury }: { deployment: Deployment; token: Address; treasury: Address },
): Promise<ChainSide> {
  const blockNumber = await chain.getBlockNumber()
  const { vault } = deployment
  const range = { fromBlock: BigInt(deployment.startBlock), toBlock: blockNumber }
  const balanceOf = (holder: Address) =>
    chain.readContract({
      address: token,
      abi: erc20Abi,
      functionName: 'balanceOf',
      args: [holder],
      blockNumber,
    })
  const channels: ChainSide['channels'] = new Map()
  const escrows: ChainSide['escrows'] = []
  for (const contract of channelsContracts(deployment)) {
    const escrow = await readEscrow(chain, { contract, token, vault, ...range })
    for (const [id, channel] of escrow.channels) channels.set(id, channel)
    escrows.push({ contract, held: await balanceOf(contract), ...escrow.sums })
  }
  const event = getAbiItem({ abi: creatorVaultAbi, name: 'CreditedPacked' })
  const credits = await chain.getLogs({
    address: vault,
    event,
    args: { token },
    strict: true,
    ...range,
  })
  const accounts: ChainSide['accounts'] = new Map()
  const entries = credits.flatMap(({ args }) => unpackCredited(args.entries))
  for (const account of new Set(entries.map((entry) => lowerCase(entry.account)))) {
    const [credited, paid] = await chain.readContract({
      address: vault,
      abi: creatorVaultAbi,
      functionName: 'accounts',
      args: [token, account],
      blockNumber,
    })
    accounts.set(account, { credited, paid })
  }
  const owed = await chain.readContract({
    address: vault,
    abi: creatorVaultAbi,
    functionName: 'owed',
    args: [token],
    blockNumber,
  })
  return {
    token,
    escrows,
    channels,
    vault: { held: await balanceOf(vault), owed },
    accounts,
    treasury: await balanceOf(treasury),
  }
}

async function readEscrow(
  chain: Client,
  {
    contract,
    token,
    vault,
    fromBlock,
    toBlock,
  }: { contract: Address; token: Address; vault: Address; fromBlock: bigint; toBlock: bigint },
) {
  const event = getAbiItem({ abi: paymentChannelsAbi, name: 'ChannelCreated' })
  const created = await chain.getLogs({
    address: contract,
    event,
    strict: true,
    fromBlock,
    toBlock,
  })
  const mine = created.filter(({ args }) => lowerCase(args.config.token) === token)
  const at = { address: contract, abi: paymentChannelsAbi, blockNumber: toBlock } as const
  const channels: ChainSide['channels'] = new Map()
  const unsettled = new Map<Address, bigint>()
  for (const { args } of mine) {
    const [balance, totalClaimed] = await chain.readContract({
      ...at,
      functionName: 'channels',
      args: [args.channelId],
    })
    channels.set(args.channelId, { balance, totalClaimed })
    const { receiver } = args.config
    const [claimed, settled] = await chain.readContract({
      ...at,
      functionName: 'receivers',
      args: [receiver, token],
    })
    unsettled.set(lowerCase(receiver), claimed - settled)
  }
  const sums = {
    open: sumOf([...channels.values()].map(({ balance, totalClaimed }) => balance - totalClaimed)),
    unsettled: sumOf(unsettled.values()),
    vaultUnsettled: unsettled.get(vault) ?? 0n,
  }
  return { channels, sums }
}

/** What must hold on chain whatever the hub says (I1, I6). */
export function chainChecks({ escrows, vault, accounts }: ChainSide): Check[] {
  const owed = sumOf([...accounts.values()].map(({ credited, paid }) => credited - paid))
  const missing = vault.owed > vault.held ? vault.owed - vault.held : 0n
  return [
    ...escrows.map(({ contract, held, open, unsettled }) =>
      same(
        `escrow ${contract}: tokens held = unspent + claimed, not settled`,
        held,
        open + unsettled,
      ),
    ),
    same('vault: owed = Σ credited − paid', vault.owed, owed),
    same('vault: owed beyond what is held', missing, 0n),
  ]
}
