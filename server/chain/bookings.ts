// What chain events do to the books and the channels (R6, R11). Totals in the events make a second booking harmless.

import type { Address, Hex } from 'viem'
import { larger, smaller } from '#protocol/amount.ts'
import { toJson } from '#protocol/messages/wire.ts'
import type { ChannelOnChain, ChannelTerms } from '../channels/channel.ts'
import { newChannel, observe } from '../channels/channel.ts'
import type { ChannelRegistry } from '../channels/registry.ts'
import type { VaultAccounts } from '../creators/vault-accounts.ts'
import { accounts } from '../ledger/accounts.ts'
import type { Balances, Entry, Leg } from '../ledger/entry.ts'
import { balanceKey, balanceOf, move } from '../ledger/entry.ts'
import type { Change } from '../store/group-log.ts'
import type { ChainEvent } from './logs.ts'

/** What a domain adds to the booking of an event: rows, entries and events for the same commit. */
export type Consequence = (event: ChainEvent) => Change

export type BookingDeps = {
  channels: ChannelRegistry
  vaultAccounts: VaultAccounts
  /** The books before the range; they change when it is committed. */
  balances: Balances
  terms: ChannelTerms
  feeAccount: Address
  now: () => number
  consequences: readonly Consequence[]
}

/** The channels that events of a range are about and that pay the vault; their state on chain is to be read. */
export function touchedChannels(
  events: readonly ChainEvent[],
  { channels, terms }: BookingDeps,
): Map<Hex, Address> {
  const touched = new Map<Hex, Address>()
  for (const event of events) {
    if (!('channelId' in event)) continue
    const ours = event.kind === 'channel-created' && event.config.receiver === terms.receiver
    if (ours || touched.has(event.channelId) || channels.find(event.channelId)) {
      touched.set(event.channelId, event.contract)
    }
  }
  return touched
}

/**
 * Books the events of a range in order, then takes over what the chain says of each touched channel at its end.
 * Synchronous: it must be committed in the same tick.
 */
export function bookEvents(
  deps: BookingDeps,
  events: readonly ChainEvent[],
  snapshots: ReadonlyMap<Hex, ChannelOnChain>,
): Change {
  const credited: Credited = new Map()
  const changes = events.flatMap((event) => [
    bookEvent(deps, event, credited),
    ...deps.consequences.map((consequence) => consequence(event)),
  ])
  for (const [id, seen] of snapshots) {
    const channel = observe(deps.channels.get(id), seen)
    const row = deps.channels.update(channel)
    const data = toJson({ channelId: id, ...deps.channels.amounts(channel) })
    const audience = [...new Set([channel.config.payer, channel.config.payerAuthorizer])]
    changes.push({ rows: [row], events: [{ audience, type: 'channel', data }] })
  }
  return joinChanges(changes)
}

/** Several changes as one, in order. */
export function joinChanges(changes: readonly Change[]): Change {
  return {
    rows: changes.flatMap(({ rows = [] }) => rows),
    entries: changes.flatMap(({ entries = [] }) => entries),
    events: changes.flatMap(({ events = [] }) => events),
  }
}

/** What each ledger account was credited by events of the range so far. */
type Credited = Map<string, bigint>

function bookEvent(deps: BookingDeps, event: ChainEvent, credited: Credited): Change {
  switch (event.kind) {
    case 'channel-created':
      return bookCreated(deps, event)
    case 'claimed':
      return bookClaim(deps, event)
    case 'settled':
      return book(deps, event, {
        reason: 'settled',
        debit: accounts.vault,
        credit: accounts.claimed,
      })
    case 'foreign-transfer':
      return book(deps, event, {
        reason: 'foreign transfer',
        debit: accounts.vault,
        credit: accounts.suspense,
      })
    case 'credited':
      return bookCredit(deps, event, credited)
    case 'paid': {
      const { token, account, paid } = event
      return { rows: [deps.vaultAccounts.raise({ token, account }, { paid })] }
    }
    case 'channel-touched':
    case 'refunded':
    case 'withdraw-initiated':
      return {}
  }
}

function bookCreated(
  { channels, terms }: BookingDeps,
  event: ChainEvent & { kind: 'channel-created' },
): Change {
  const { channelId: id, config, contract } = event
  if (config.receiver !== terms.receiver || channels.find(id)) return {}
  return { rows: [channels.update(newChannel(id, { config, contract, terms }))] }
}

/** A claim turns what channels owe into what is claimed. What was never charged is foreign money: suspense. */
function bookClaim(deps: BookingDeps, event: ChainEvent & { kind: 'claimed' }): Change {
  const channel = deps.channels.find(event.channelId)
  if (!channel || event.totalClaimed <= channel.totalClaimed) return {}
  const currency = channel.config.token
  const owed =
    smaller(event.totalClaimed, channel.charged) - smaller(channel.totalClaimed, channel.charged)
  const foreign = event.totalClaimed - channel.totalClaimed - owed
  const legs = [
    ...legsOf(owed, { currency, debit: accounts.claimed, credit: accounts.channels }),
    ...legsOf(foreign, { currency, debit: accounts.claimed, credit: accounts.suspense }),
  ]
  const { totalClaimed } = event
  const balance = larger(totalClaimed, channel.balance)
  const next = observe(channel, { ...channel, balance, totalClaimed })
  return {
    rows: [deps.channels.update(next)],
    entries: [entryOf(deps, event, { reason: 'claimed', legs })],
  }
}

/**
 * The event carries the new total alone: what was added is what it exceeds the known total by. What the books did not owe was
 * credited for tips that they lost: it stays in suspense under the recipient's name.
 */
function bookCredit(
  deps: BookingDeps,
  event: ChainEvent & { kind: 'credited' },
  before: Credited,
): Change {
  const { token, account, credited } = event
  const amount = credited - deps.vaultAccounts.get(token, account).credited
  if (amount <= 0n) return {}
  const debit = account === deps.feeAccount ? accounts.fees : accounts.creator(account)
  const key = balanceKey(debit, token)
  const owed = -balanceOf(deps.balances, debit, token) - (before.get(key) ?? 0n)
  const known = owed <= 0n ? 0n : smaller(owed, amount)
  before.set(key, (before.get(key) ?? 0n) + known)
  const legs = [
    ...legsOf(known, { currency: token, debit, credit: accounts.vault }),
    ...legsOf(amount - known, {
      currency: token,
      debit: accounts.suspenseOf(account),
      credit: accounts.vault,
    }),
  ]
  const row = deps.vaultAccounts.raise({ token, account }, { credited })
  const data = toJson({ token, account, amount, credited, transaction: event.transaction })
  const entries = [entryOf(deps, event, { reason: 'credited', legs })]
  return { entries, rows: [row], events: [{ audience: [account], type: 'credited', data }] }
}

function book(
  deps: BookingDeps,
  event: ChainEvent & { token: Address; amount: bigint },
  { reason, debit, credit }: { reason: string; debit: string; credit: string },
): Change {
  const legs = legsOf(event.amount, { currency: event.token, debit, credit })
  return { entries: [entryOf(deps, event, { reason, legs })] }
}

function entryOf(
  deps: BookingDeps,
  event: ChainEvent,
  { reason, legs }: { reason: string; legs: Leg[] },
): Entry {
  const id = `${event.transaction}:${event.logIndex}${subjectOf(event)}`
  return { id, at: deps.now(), reason, reference: event.transaction, legs }
}

/** Tells the entries of one packed event apart, also those of a channel or account that stands in it twice. */
function subjectOf(event: ChainEvent): string {
  switch (event.kind) {
    case 'claimed':
      return `:${event.channelId}:${event.totalClaimed}`
    case 'credited':
      return `:${event.account}:${event.credited}`
    default:
      return ''
  }
}

function legsOf(
  amount: bigint,
  { currency, debit, credit }: { currency: Address; debit: string; credit: string },
): Leg[] {
  return amount === 0n ? [] : move({ debit, credit }, { currency, amount })
}
