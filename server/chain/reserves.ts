// The reserve equality (I5, R14): what the chain holds for the hub, and what the hub owes, per token at one block.

import type { Address, PublicClient } from 'viem'
import { erc20Abi } from 'viem'
import { creatorVaultAbi, paymentChannelsAbi } from '#protocol/abi.ts'
import { HubError } from '#protocol/errors.ts'
import type { ChannelRegistry } from '../channels/registry.ts'
import { accounts } from '../ledger/accounts.ts'
import type { Balances } from '../ledger/entry.ts'
import { balanceOf } from '../ledger/entry.ts'
import type { Deployment } from './deployment.ts'
import { channelsContracts } from './deployment.ts'

/** Both sides of one line of the equality, in base units. */
export type ReserveLine = { token: Address; line: string; books: bigint; truth: bigint }

/** `unknown` means that the chain could not be asked, not that anything is wrong. */
export type ReserveReport =
  | { verdict: 'unknown'; reason: string }
  | { verdict: 'equal' | 'unequal'; block: bigint; lines: ReserveLine[] }

export type Reserves = {
  /** Asks the chain now and remembers the verdict. */
  check(): Promise<ReserveReport>
  newest(): ReserveReport
  /** @throws HubError `reserves_unequal` while the newest check found a difference. */
  assertEqual(): void
}

export function createReserves({
  chain,
  deployment,
  channels,
  balances,
  cursor,
}: {
  chain: PublicClient
  deployment: Deployment
  channels: ChannelRegistry
  balances: Balances
  cursor: () => bigint
}): Reserves {
  let report: ReserveReport = { verdict: 'unknown', reason: 'not checked yet' }

  return {
    async check() {
      report = await compare()
      return report
    },
    newest: () => report,
    assertEqual() {
      if (report.verdict !== 'unequal') return
      const [wrong] = report.lines.filter(({ books, truth }) => books !== truth)
      const detail = wrong
        ? `${wrong.line} of ${wrong.token}: ${wrong.books} in the books, ${wrong.truth} in truth`
        : ''
      throw new HubError('reserves_unequal', detail)
    },
  }

  async function compare(): Promise<ReserveReport> {
    try {
      const { block, onChain } = await readAll()
      const lines = onChain.flatMap(linesOf)
      const equal = lines.every(({ books, truth }) => books === truth)
      return { verdict: equal ? 'equal' : 'unequal', block, lines }
    } catch (cause) {
      return { verdict: 'unknown', reason: cause instanceof Error ? cause.message : String(cause) }
    }
  }

  /** The chain's side at the block up to which the books go; again when they went on meanwhile. */
  async function readAll() {
    for (;;) {
      const block = cursor()
      const onChain = await Promise.all(
        deployment.tokens.map(({ address }) => readToken(address, block)),
      )
      if (cursor() === block) return { block, onChain }
    }
  }

  async function readToken(token: Address, blockNumber: bigint) {
    const { vault } = deployment
    const [held, owed, ...receivers] = await Promise.all([
      chain.readContract({
        address: token,
        abi: erc20Abi,
        functionName: 'balanceOf',
        args: [vault],
        blockNumber,
      }),
      chain.readContract({
        address: vault,
        abi: creatorVaultAbi,
        functionName: 'owed',
        args: [token],
        blockNumber,
      }),
      ...channelsContracts(deployment).map((address) =>
        chain.readContract({
          address,
          abi: paymentChannelsAbi,
          functionName: 'receivers',
          args: [vault, token],
          blockNumber,
        }),
      ),
    ])
    const unsettled = receivers.reduce((sum, [claimed, settled]) => sum + claimed - settled, 0n)
    return { token, unallocated: held - owed, unsettled }
  }

  function linesOf(seen: {
    token: Address
    unallocated: bigint
    unsettled: bigint
  }): ReserveLine[] {
    const { token } = seen
    const book = (account: string) => balanceOf(balances, account, token)
    const mine = [...channels.all()].filter(({ config }) => config.token === token)
    const unclaimed = mine.reduce(
      (sum, { charged, totalClaimed }) => sum + charged - totalClaimed,
      0n,
    )
    const creators = [...balances].reduce(
      (sum, [key, amount]) => (key.startsWith(`${token}|creator:`) ? sum + amount : sum),
      0n,
    )
    const owed = -(creators + book(accounts.fees) + book(accounts.suspense))
    return [
      { token, line: 'charged, not claimed', books: book(accounts.channels), truth: unclaimed },
      { token, line: 'claimed, not settled', books: book(accounts.claimed), truth: seen.unsettled },
      {
        token,
        line: 'in the vault, not credited',
        books: book(accounts.vault),
        truth: seen.unallocated,
      },
      { token, line: 'owed', books: owed, truth: unclaimed + seen.unsettled + seen.unallocated },
    ]
  }
}
