// The reserve equality (I5, R14): what the chain holds for the hub, and what the hub owes, per token at one block.

import type { Address, Hex, PublicClient } from 'viem'
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
  | {
      verdict: 'equal' | 'unequal'
      block: bigint
      lines: ReserveLine[]
      /** Tips beyond what their channels hold: the chain took a deposit back, or a withdrawal was finalised. */
      uncovered: { token: Address; amount: bigint }[]
    }

export type Reserves = {
  /** Asks the chain now and remembers the verdict. */
  check(): Promise<ReserveReport>
  newest(): ReserveReport
  /** @throws HubError `reserves_unequal` from a check that found a difference to one that finds none. */
  assertEqual(): void
}

export function createReserves({
  chain,
  deployment,
  channels,
  balances,
  block,
  hashOf,
}: {
  chain: PublicClient
  deployment: Deployment
  channels: ChannelRegistry
  balances: Balances
  /** The block up to which the books in memory go. */
  block: () => bigint
  /** The hash by which that block was booked: a chain that is on another branch by now cannot say. */
  hashOf: (block: bigint) => Hex | undefined
}): Reserves {
  let report: ReserveReport = { verdict: 'unknown', reason: 'not checked yet' }
  /** The newest check that came to a verdict: a chain that cannot be asked makes nothing equal again. */
  let decided: ReserveReport = report

  return {
    async check() {
      report = await compare()
      if (report.verdict !== 'unknown') decided = report
      return report
    },
    newest: () => report,
    assertEqual() {
      if (decided.verdict !== 'unequal') return
      const [wrong] = decided.lines.filter(({ books, truth }) => books !== truth)
      const detail = wrong
        ? `${wrong.line} of ${wrong.token}: ${wrong.books} in the books, ${wrong.truth} in truth`
        : ''
      throw new HubError('reserves_unequal', detail)
    },
  }

  async function compare(): Promise<ReserveReport> {
    try {
      const { at, lines } = await readLines()
      const equal = lines.every(({ books, truth }) => books === truth)
      return { verdict: equal ? 'equal' : 'unequal', block: at, lines, uncovered: uncovered() }
    } catch (cause) {
      return { verdict: 'unknown', reason: cause instanceof Error ? cause.message : String(cause) }
    }
  }

  function uncovered() {
    return deployment.tokens.map(({ address: token }) => {
      const over = channels.overcharged().filter(({ config }) => config.token === token)
      return { token, amount: over.reduce((sum, one) => sum + one.charged - one.balance, 0n) }
    })
  }

  /** Both sides at the block up to which the books go; read again when they went on meanwhile. */
  async function readLines() {
    for (;;) {
      const at = block()
      const onChain = await Promise.all(
        deployment.tokens.map(({ address }) => readToken(address, at)),
      )
      if (block() === at) return { at, lines: onChain.flatMap(linesOf) }
    }
  }

  async function readToken(token: Address, blockNumber: bigint) {
    const { vault } = deployment
    const blockHash = hashOf(blockNumber)
    const at = blockHash ? { blockHash, requireCanonical: true } : { blockNumber }
    const [held, owed, ...receivers] = await Promise.all([
      chain.readContract({
        address: token,
        abi: erc20Abi,
        functionName: 'balanceOf',
        args: [vault],
        ...at,
      }),
      chain.readContract({
        address: vault,
        abi: creatorVaultAbi,
        functionName: 'owed',
        args: [token],
        ...at,
      }),
      ...channelsContracts(deployment).map((address) =>
        chain.readContract({
          address,
          abi: paymentChannelsAbi,
          functionName: 'receivers',
          args: [vault, token],
          ...at,
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
    const recipients = [...balances].reduce(
      (sum, [key, amount]) => (isRecipient(key, token) ? sum + amount : sum),
      0n,
    )
    const owed = -(recipients + book(accounts.fees) + book(accounts.suspense))
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

/** A creator's account, or what a restore found credited to somebody for tips that the books lost. */
function isRecipient(key: string, token: Address): boolean {
  return key.startsWith(`${token}|creator:`) || key.startsWith(`${token}|suspense:`)
}
