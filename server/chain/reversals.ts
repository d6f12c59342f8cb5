// What a reorg takes back: the bookings of blocks that are no longer on the chain are undone by entries of their own, newest first.

import { smaller } from '#protocol/amount.ts'
import { takeBack } from '../channels/channel.ts'
import { accounts } from '../ledger/accounts.ts'
import type { Entry, Leg } from '../ledger/entry.ts'
import { balanceKey, balanceOf } from '../ledger/entry.ts'
import type { Change } from '../store/group-log.ts'
import type { Booked, BookingDeps } from './bookings.ts'
import { againOf, causeOf, channelsIn, joinChanges, legsOf, tellChannels } from './bookings.ts'

/**
 * Undoes what was booked, given newest first. The ledger only grows: each entry is met by one that takes it back, under an id
 * made of its own. `causes` are to be counted, so that the same event can be booked again.
 *
 * Synchronous: it must be committed in the same tick.
 */
export function undoBookings(
  deps: BookingDeps,
  booked: readonly Booked[],
): { change: Change; causes: string[] } {
  const moved: Moved = new Map()
  const changes = booked.map((one) => undo(deps, one, moved))
  changes.push(tellChannels(deps, channelsIn(booked)))
  return {
    change: joinChanges(changes),
    causes: [...new Set(booked.map(({ event }) => causeOf(event)))],
  }
}

/** What the entries of this change move so far, by balance. */
type Moved = Map<string, bigint>

function undo(deps: BookingDeps, booked: Booked, moved: Moved): Change {
  const { event, channel: seen, account: totals } = booked
  const entry = reversalOf(deps, booked, moved)
  for (const { account, currency, amount } of entry?.legs ?? []) {
    const key = balanceKey(account, currency)
    moved.set(key, (moved.get(key) ?? 0n) + amount)
  }
  const rows = []
  const channel = 'channelId' in event ? deps.channels.find(event.channelId) : undefined
  if (seen && channel) rows.push(deps.channels.update(takeBack(channel, seen)))
  if (totals && (event.kind === 'credited' || event.kind === 'paid'))
    rows.push(deps.vaultAccounts.takeBack(event, totals))
  return joinChanges([
    ...deps.reversals.map((reversal) => reversal(event, againOf(deps, event))),
    { rows, entries: entry ? [entry] : [] },
  ])
}

/** Before the channel is taken back, because what no tip explains is read from it. */
function reversalOf(deps: BookingDeps, booked: Booked, moved: Moved): Entry | undefined {
  const { entry } = booked
  if (!entry) return undefined
  return {
    id: `undo:${entry.id}`,
    at: deps.now(),
    reason: `${entry.reason}, taken back by the chain`,
    reference: entry.reference,
    legs: legsBack(deps, booked, { legs: entry.legs, moved }),
  }
}

/**
 * The legs the other way. Receipts that came to light since the booking may have explained what stood in suspense then: that
 * much is owed by the channel, or to the creator, and no longer foreign.
 */
function legsBack(
  deps: BookingDeps,
  { event, channel: seen }: Booked,
  { legs, moved }: { legs: readonly Leg[]; moved: Moved },
): Leg[] {
  if (event.kind === 'claimed') {
    const channel = deps.channels.get(event.channelId)
    const currency = channel.config.token
    const total = event.totalClaimed - (seen?.before.totalClaimed ?? 0n)
    const foreign = smaller(seen?.foreign ?? 0n, channel.unexplained)
    const owed = total - foreign
    return [
      ...legsOf(owed, { currency, debit: accounts.channels, credit: accounts.claimed }),
      ...legsOf(foreign, { currency, debit: accounts.suspense, credit: accounts.claimed }),
    ]
  }
  if (event.kind === 'credited') {
    const { token: currency, account } = event
    const lost = accounts.suspenseOf(account)
    const credit = account === deps.feeAccount ? accounts.fees : accounts.creator(account)
    const sumOf = (name: string) =>
      legs.reduce((sum, leg) => (leg.account === name ? sum + leg.amount : sum), 0n)
    const left =
      balanceOf(deps.balances, lost, currency) + (moved.get(balanceKey(lost, currency)) ?? 0n)
    const unexplained = smaller(sumOf(lost), left > 0n ? left : 0n)
    const amount = -sumOf(accounts.vault)
    return [
      ...legsOf(amount - unexplained, { currency, debit: accounts.vault, credit }),
      ...legsOf(unexplained, { currency, debit: accounts.vault, credit: lost }),
    ]
  }
  return legs.map((leg) => ({ ...leg, amount: -leg.amount }))
}
