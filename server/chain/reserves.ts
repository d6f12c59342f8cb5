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

/** Both sides of one line of the equality, in base units. `where` names the ledger accounts and what they are held against. */
export type ReserveLine = {
  token: Address
  line: string
  where: string
  books: bigint
  truth: bigint
}

/** `unknown` means that the chain could not be asked, not that anything is wrong. */
export type ReserveReport =
  | { verdict: 'unknown'; reason: string }
  | {
      verdict: 'equal' | 'unequal'
      block: bigint
      lines: ReserveLine[]
      /** Tips beyond what their channels hold: the chain took a deposit back, or a withdrawal was finalised. */
      uncovered: { token: Address; amount: bigint }[]
      /** What the vault owes for each token: credited and not paid out. */
      credited: { token: Address; amount: bigint }[]
    }

/** The books' side at one moment, to be held against the chain at the block that they go up to. */
export type Captured = {
  at: bigint
  books: readonly Omit<ReserveLine, 'truth'>[]
  unclaimed: ReadonlyMap<Address, bigint>
  uncovered: { token: Address; amount: bigint }[]
}

/** What the chain says of one token at a block. */
type Seen = { token: Address; unallocated: bigint; unsettled: bigint; credited: bigint }

export type Reserves = {
  /** Asks the chain now and remembers the verdict. */
  check(): Promise<ReserveReport>
  newest(): ReserveReport
  /** What the books say now; reads nothing. */
  capture(): Captured
  /** Asks the chain about what was captured, and remembers nothing. */
  compare(captured: Captured): Promise<ReserveReport>
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
  /** How many checks began, and which of them is heard last: one that was slow must not speak over a newer one. */
  const turns = { begun: 0, reported: 0, decided: 0 }

  return {
    async check() {
      turns.begun += 1
      const turn = turns.begun
      const found = await compare(capture())
      if (turn > turns.reported) {
        turns.reported = turn
        report = found
      }
      if (found.verdict !== 'unknown' && turn > turns.decided) {
        turns.decided = turn
        decided = found
      }
      return found
    },
    newest: () => report,
    capture,
    compare,
    assertEqual() {
      if (decided.verdict !== 'unequal') return
      const [wrong] = decided.lines.filter(({ books, truth }) => books !== truth)
      throw new HubError('reserves_unequal', wrong ? describe(wrong) : '')
    },
  }

  function capture(): Captured {
    const unclaimed = new Map(
      deployment.tokens.map(({ address }): [Address, bigint] => [address, unclaimedOf(address)]),
    )
    const books = deployment.tokens.flatMap(({ address }) => booksOf(address))
    return { at: block(), books, unclaimed, uncovered: uncovered() }
  }

  /** At the block of the books, whatever was booked since: the chain remembers its own past. */
  async function compare({ at, books, unclaimed, ...rest }: Captured): Promise<ReserveReport> {
    try {
      const seen = await Promise.all(deployment.tokens.map(({ address }) => readToken(address, at)))
      const truths = new Map(
        seen.map((one) => [one.token, truthsOf(one, unclaimed.get(one.token) ?? 0n)]),
      )
      const lines = books.map((line) => ({
        ...line,
        truth: truths.get(line.token)?.[line.line] ?? 0n,
      }))
      const credited = seen.map(({ token, credited: amount }) => ({ token, amount }))
      const equal = lines.every((line) => line.books === line.truth)
      return { verdict: equal ? 'equal' : 'unequal', block: at, lines, credited, ...rest }
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

  function unclaimedOf(token: Address): bigint {
    let sum = 0n
    for (const { config, charged, totalClaimed } of channels.all())
      if (config.token === token) sum += charged - totalClaimed
    return sum
  }

  async function readToken(token: Address, blockNumber: bigint): Promise<Seen> {
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
    return { token, unallocated: held - owed, unsettled, credited: owed }
  }

  function booksOf(token: Address): Omit<ReserveLine, 'truth'>[] {
    const book = (account: string) => balanceOf(balances, account, token)
    let recipients = 0n
    for (const [key, amount] of balances) if (isRecipient(key, token)) recipients += amount
    const { claimed, notClaimed, notCredited, owed } = lineNames
    const contracts = channelsContracts(deployment).join(' and ')
    return [
      {
        token,
        line: notClaimed,
        where: `account ${accounts.channels} against the hub’s channels`,
        books: book(accounts.channels),
      },
      {
        token,
        line: claimed,
        where: `account ${accounts.claimed} against channels contract ${contracts}`,
        books: book(accounts.claimed),
      },
      {
        token,
        line: notCredited,
        where: `account ${accounts.vault} against vault ${deployment.vault}`,
        books: book(accounts.vault),
      },
      {
        token,
        line: owed,
        where: `accounts of creators, ${accounts.fees} and ${accounts.suspense} against all of these`,
        books: -(recipients + book(accounts.fees) + book(accounts.suspense)),
      },
    ]
  }
}

const lineNames = {
  notClaimed: 'charged, not claimed',
  claimed: 'claimed, not settled',
  notCredited: 'in the vault, not credited',
  owed: 'owed',
} as const

function truthsOf({ unsettled, unallocated }: Seen, unclaimed: bigint): { [line: string]: bigint } {
  return {
    [lineNames.notClaimed]: unclaimed,
    [lineNames.claimed]: unsettled,
    [lineNames.notCredited]: unallocated,
    [lineNames.owed]: unclaimed + unsettled + unallocated,
  }
}

function describe({ line, token, where, books, truth }: ReserveLine): string {
  return `${line} of ${token}: ${books} in the books, ${truth} in truth (${where})`
}

/** A creator's account, or what a restore found credited to somebody for tips that the books lost. */
function isRecipient(key: string, token: Address): boolean {
  return key.startsWith(`${token}|creator:`) || key.startsWith(`${token}|suspense:`)
}
