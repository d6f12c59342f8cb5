// What the hub's export says, added up anew, and held against the chain.

import type { Address, Hex } from 'viem'
import { z } from 'zod'
import { address, hash } from '#protocol/messages/wire.ts'
import type { ChainSide } from './chain-side.ts'
import type { Check } from './check.ts'
import { add, same, sumOf } from './check.ts'

const amount = z
  .string()
  .regex(/^-?\d+$/)
  .transform(BigInt)

const line = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('channel'),
    channelId: hash,
    config: z.object({ token: address }),
    charged: amount,
    unexplained: amount,
  }),
  z.object({
    kind: z.literal('tip'),
    channelId: hash,
    to: hash,
    token: address,
    amount,
    fee: amount,
  }),
  z.object({
    kind: z.literal('entry'),
    id: z.string(),
    legs: z.array(z.object({ account: z.string(), currency: z.string(), amount })),
  }),
  z.object({
    kind: z.literal('payout'),
    payoutId: hash,
    state: z.string(),
    net: amount,
    currency: z.string(),
    endToEndId: z.string().nullable(),
  }),
])

type Line = z.output<typeof line>
type Of<K extends Line['kind']> = Extract<Line, { kind: K }>

export type Books = {
  channels: Of<'channel'>[]
  tips: Of<'tip'>[]
  entries: Of<'entry'>[]
  payouts: Of<'payout'>[]
  /** Sum of legs by `currency|account`. */
  balances: Map<string, bigint>
}

export async function readExport(hub: string, operatorToken: string): Promise<Books> {
  const response = await fetch(new URL('/v1/export', hub), {
    headers: { authorization: `Bearer ${operatorToken}` },
  })
  const text = await response.text()
  if (!response.ok)
    throw new Error(`the hub answered ${response.status} when asked for its export: ${text}`)
  const lines = text
    .split('\n')
    .filter((row) => row !== '')
    .map((row) => line.parse(JSON.parse(row)))
  const books: Books = {
    channels: lines.filter((row) => row.kind === 'channel'),
    tips: lines.filter((row) => row.kind === 'tip'),
    entries: lines.filter((row) => row.kind === 'entry'),
    payouts: lines.filter((row) => row.kind === 'payout'),
    balances: new Map(),
  }
  for (const { legs } of books.entries) {
    for (const { account, currency, amount: moved } of legs)
      add(books.balances, `${currency}|${account}`, moved)
  }
  return books
}

/** What must hold inside the books: entries balance (I4), and what was charged is what was tipped. */
export function bookChecks({ entries, channels, tips }: Books): Check[] {
  const lopsided = entries.filter(({ legs }) => !isBalanced(legs))
  const tipped = new Map<string, bigint>()
  for (const { channelId, amount: given } of tips) add(tipped, channelId, given)
  return [
    same('books: entries that do not add up to zero', BigInt(lopsided.length), 0n),
    same(
      'books: entries booked twice',
      BigInt(entries.length - new Set(entries.map(({ id }) => id)).size),
      0n,
    ),
    ...channels.map(({ channelId, charged, unexplained }) =>
      same(
        `books: channel ${channelId} charged = Σ tips + claimed above the books`,
        charged,
        (tipped.get(channelId) ?? 0n) + unexplained,
      ),
    ),
  ]
}

/** The books against the chain, line by line (I5). */
export function chainBookChecks(books: Books, seen: ChainSide): Check[] {
  const { token } = seen
  const book = (account: string) => books.balances.get(`${token}|${account}`) ?? 0n
  const mine = books.channels.filter(({ config }) => config.token === token)
  const claimedOf = (id: Hex) => seen.channels.get(id)?.totalClaimed ?? 0n
  const unclaimed = sumOf(mine.map(({ channelId, charged }) => charged - claimedOf(channelId)))
  const unsettled = sumOf(seen.escrows.map(({ vaultUnsettled }) => vaultUnsettled))
  return [
    same('channels: booked = charged − claimed on chain', book('channels'), unclaimed),
    same('claimed: booked = claimed − settled on chain', book('claimed'), unsettled),
    same('vault: booked = held − owed on chain', book('vault'), seen.vault.held - seen.vault.owed),
    same('treasury: booked = held on chain', book('treasury'), seen.treasury),
    ...recipientChecks(books, seen),
  ]
}

/** Per recipient: what the tips came to is what the books still owe and what the chain has credited. */
function recipientChecks(books: Books, { token, accounts }: ChainSide): Check[] {
  const earned = new Map<string, bigint>()
  const fees = sumOf(books.tips.filter((tip) => tip.token === token).map(({ fee }) => fee))
  for (const { to, amount: given, fee } of books.tips.filter((tip) => tip.token === token)) {
    add(earned, `0x${to.slice(26)}`, given - fee)
  }
  const balance = (account: string) => books.balances.get(`${token}|${account}`) ?? 0n
  const owed = (account: string) => -balance(account)
  /** Credited for tips that a restore lost, and accepted as such. */
  const lost = (account: string) => balance(`suspense:${account}`)
  const credited = (account: string) => accounts.get(account as Address)?.credited ?? 0n
  const isCreator = (account: string) => books.balances.has(`${token}|creator:${account}`)
  const others = [...new Set([...earned.keys(), ...accounts.keys()])].filter(
    (account) => !isCreator(account),
  )
  const creators = [...earned.keys()].filter(isCreator)
  return [
    ...creators.map((account) =>
      same(
        `creator ${account}: tips − fees = owed + credited`,
        earned.get(account) ?? 0n,
        owed(`creator:${account}`) + credited(account) - lost(account),
      ),
    ),
    same(
      'fees: fees and relay fees = owed + credited',
      fees + sumOf(others.map((account) => earned.get(account) ?? 0n)),
      owed('fees') + sumOf(others.map((account) => credited(account) - lost(account))),
    ),
  ]
}

function isBalanced(legs: Of<'entry'>['legs']): boolean {
  const sums = new Map<string, bigint>()
  for (const { currency, amount: moved } of legs) add(sums, currency, moved)
  return [...sums.values()].every((sum) => sum === 0n)
}
