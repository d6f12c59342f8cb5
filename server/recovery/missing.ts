// The account of what is missing after a restore: what the chain, the bank and the receipts that people present show of the time
// between the backup and the restore, and these books do not.

import type { Address, Hex } from 'viem'
import { keccak256, stringToBytes } from 'viem'
import { larger } from '#protocol/amount.ts'
import type { MissingReport } from '#protocol/messages/restore.ts'
import { toJson } from '#protocol/messages/wire.ts'
import type { ChannelRegistry } from '../channels/registry.ts'
import { accounts } from '../ledger/accounts.ts'
import type { Balances } from '../ledger/entry.ts'
import { ledgerEntries } from '../store/group-rows.ts'
import type { Database } from '../store/table.ts'
import { sortable } from '../store/table.ts'
import type { LostTime } from './lost-time.ts'
import type { StoredRestore, StrayBooking } from './records.ts'

/** Numbers further apart than this are of different restores; what lies between them was never given. */
const longestRun = 2n ** 32n

/** What the bank and the treasury saw and the books cannot say for whom. */
export type Strays = Pick<MissingReport, 'payments' | 'bookings'>

export type MissingDeps = {
  channels: ChannelRegistry
  balances: Balances
  lostTime: LostTime
}

/** Everything that is known to be missing. Synchronous, so that who acts on it acts on what it says. */
export function missingReport(
  deps: MissingDeps,
  { restore, strays }: { restore: StoredRestore | undefined; strays: Strays },
): MissingReport {
  const channels = missingOnChannels(deps)
  const recipients = creditedAbove(deps)
  const differing = channels.filter(({ missing }) => missing > 0n)
  const isWhole =
    differing.length + recipients.length + strays.payments.length + strays.bookings.length === 0
  const proved = differing.map(({ channelId, missing }) => ({ channelId, missing }))
  const difference = keccak256(stringToBytes(toJson({ proved, recipients, ...strays })))
  return {
    groups: groupsSeen(deps.lostTime, restore?.backup.newestGroup ?? 0n),
    tips: tipsSeen(deps.lostTime),
    channels,
    recipients,
    ...strays,
    totals: totalsOf(channels),
    difference: isWhole ? null : difference,
  }
}

/** Payments to the treasury since the restore that belong to no quote, and bookings of payments that are no payout. */
export async function readStrays(
  db: Database,
  {
    restore,
    bookings,
  }: { restore: StoredRestore | undefined; bookings: { key: string; value: StrayBooking }[] },
): Promise<Strays> {
  const entries = restore
    ? await ledgerEntries.list(db, { after: sortable(restore.firstGroup) })
    : []
  const payments = entries.flatMap(({ value: { id, legs } }) =>
    legs
      .filter(({ account }) => account === accounts.treasurySuspense)
      .map(({ currency, amount }) => ({ entry: id, token: currency, amount: -amount })),
  )
  return { payments, bookings: bookings.map(({ key, value }) => ({ reference: key, ...value })) }
}

/**
 * A channel's claims above the books are missing until tips explain them; and what a receipt says was charged is missing as
 * far as presented baskets do not come to it. Both may be of the same tips: the higher counts.
 */
function missingOnChannels({ channels, lostTime }: MissingDeps): MissingReport['channels'] {
  const lost = new Map(lostTime.channels())
  return [...channels.all()].flatMap(({ id, config, unexplained }) => {
    const { charged = 0n, seen = 0n, presented = 0n } = lost.get(id) ?? {}
    const shown = seen > charged + presented ? seen - charged - presented : 0n
    const missing = larger(unexplained, shown)
    if (missing === 0n && presented === 0n) return []
    const amounts = { inBackup: charged, claimedAbove: unexplained, seen, presented, missing }
    return [{ channelId: id, token: config.token, ...amounts }]
  })
}

/** Whom the vault credited more than the books owed. */
function creditedAbove({ balances }: MissingDeps): MissingReport['recipients'] {
  const prefix = accounts.suspenseOf('0x').slice(0, -2)
  return [...balances].flatMap(([key, amount]) => {
    const cut = key.indexOf('|')
    const [token, account] = [key.slice(0, cut) as Address, key.slice(cut + 1)]
    if (amount <= 0n || !account.startsWith(prefix)) return []
    return [{ account: account.slice(prefix.length) as Address, token, creditedAbove: amount }]
  })
}

function groupsSeen(lostTime: LostTime, backup: bigint): MissingReport['groups'] {
  const numbers = [...new Set([...lostTime.groups()].map(({ number }) => number))]
    .filter((number) => number > backup)
    .sort((a, b) => (a < b ? -1 : 1))
  let absent = 0n
  let before = backup
  for (const number of numbers) {
    if (number - before < longestRun) absent += number - before - 1n
    before = number
  }
  return { backup, highest: numbers.at(-1) ?? null, seen: numbers.length, absent }
}

function tipsSeen(lostTime: LostTime): MissingReport['tips'] {
  let [inSeenGroups, presented] = [0, 0]
  for (const { tipCount, places } of lostTime.groups()) {
    inSeenGroups += tipCount
    presented += places.length
  }
  return { inSeenGroups, presented }
}

function totalsOf(channels: MissingReport['channels']): MissingReport['totals'] {
  const totals = new Map<Hex, MissingReport['totals'][number]>()
  for (const { token, presented, missing } of channels) {
    const before = totals.get(token) ?? { token, presented: 0n, missing: 0n }
    totals.set(token, {
      token,
      presented: before.presented + presented,
      missing: before.missing + missing,
    })
  }
  return [...totals.values()]
}
