// What chain events do to the books and the channels (R6, R11), and what is remembered of it so that a reorg can take it back.

import type { Address, Hex } from 'viem'
import { smaller } from '#protocol/amount.ts'
import { toJson } from '#protocol/messages/wire.ts'
import type { Channel, ChannelOnChain, ChannelTerms } from '../channels/channel.ts'
import { newChannel, observe } from '../channels/channel.ts'
import type { ChannelRegistry } from '../channels/registry.ts'
import type { VaultAccount, VaultAccounts } from '../creators/vault-accounts.ts'
import { accounts } from '../ledger/accounts.ts'
import type { Balances, Entry, Leg } from '../ledger/entry.ts'
import { balanceKey, balanceOf, move } from '../ledger/entry.ts'
import type { Change } from '../store/group-log.ts'
import type { ChainEvent } from './logs.ts'

/**
 * What a domain adds to the booking of an event: rows, entries and events for the same commit. `again` is empty, or tells a
 * booking from earlier ones of the same event that reorgs took back: ids end with it.
 */
export type Consequence = (event: ChainEvent, again: string) => Change

export type BookingDeps = {
  channels: ChannelRegistry
  vaultAccounts: VaultAccounts
  /** The books before the range; they change when it is committed. */
  balances: Balances
  terms: ChannelTerms
  feeAccount: Address
  now: () => number
  consequences: readonly Consequence[]
  /** What domains add when a reorg takes an event back. */
  reversals: readonly Consequence[]
  /** How often an event was booked and taken back, by its {@link causeOf}. */
  timesUndone: (cause: string) => number
}

/** An event that was booked, with what it takes to undo it. Base units. */
export type Booked = {
  event: ChainEvent
  entry?: Entry
  /** The channel as the chain had it before, and what of the claim no tip explained then. */
  channel?: { before: ChannelOnChain; foreign: bigint }
  account?: VaultAccount
}

export type Booking = { change: Change; booked: Booked[] }

/** Books events in order. Synchronous: it must be committed in the same tick. */
export function bookEvents(deps: BookingDeps, events: readonly ChainEvent[]): Booking {
  const credited: Credited = new Map()
  const changes: Change[] = []
  const booked: Booked[] = []
  for (const event of events) {
    const effect = bookEvent(deps, event, credited)
    const again = againOf(deps, event)
    if (effect.booked) booked.push({ event, ...effect.booked })
    changes.push(effect.change, ...deps.consequences.map((of) => of(event, again)))
  }
  changes.push(tellChannels(deps, channelsIn(booked)))
  return { change: joinChanges(changes), booked }
}

/** The channels that booked events are about, each once. */
export function channelsIn(booked: readonly Booked[]): Hex[] {
  const ids = booked.flatMap(({ event }) => ('channelId' in event ? [event.channelId] : []))
  return [...new Set(ids)]
}

/** Tells the payer sides what their channels have come to. */
export function tellChannels({ channels }: BookingDeps, ids: readonly Hex[]): Change {
  const events = ids.map((id) => {
    const channel = channels.get(id)
    const data = toJson({ channelId: id, ...channels.amounts(channel) })
    const audience = [...new Set([channel.config.payer, channel.config.payerAuthorizer])]
    return { audience, type: 'channel', data }
  })
  return { events }
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

/** Nothing is `booked` of an event that concerns nobody here, or says what is known. */
type Effect = { change: Change; booked?: Omit<Booked, 'event'> }

const noEffect: Effect = { change: {} }

function bookEvent(deps: BookingDeps, event: ChainEvent, credited: Credited): Effect {
  switch (event.kind) {
    case 'channel-created':
      return bookCreated(deps, event)
    case 'deposited': {
      const { balance } = event
      return bookOnChannel(deps, event, () => ({ balance }))
    }
    case 'withdraw-initiated': {
      const { amount, finalizeAfter } = event
      return bookOnChannel(deps, event, () => ({ pendingWithdrawal: { amount, finalizeAfter } }))
    }
    case 'withdraw-finalized':
      return bookOnChannel(deps, event, ({ balance }) => ({
        balance: balance - event.amount,
        pendingWithdrawal: undefined,
      }))
    case 'refunded':
      return bookOnChannel(deps, event, (channel) => afterRefund(channel, event.amount))
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
      const before = deps.vaultAccounts.get(token, account)
      const row = deps.vaultAccounts.raise({ token, account }, { paid })
      return { change: { rows: [row] }, booked: { account: before } }
    }
  }
}

function bookCreated(
  { channels, terms }: BookingDeps,
  event: ChainEvent & { kind: 'channel-created' },
): Effect {
  const { channelId: id, config, contract } = event
  if (config.receiver !== terms.receiver || channels.find(id)) return noEffect
  const row = channels.update(newChannel(id, { config, contract, terms }))
  return { change: { rows: [row] }, booked: {} }
}

/** What an event says of a channel, of which the contract reports each change. */
function bookOnChannel(
  { channels }: BookingDeps,
  event: ChainEvent & { channelId: Hex },
  seen: (channel: Channel) => Partial<ChannelOnChain>,
): Effect {
  const channel = channels.find(event.channelId)
  if (!channel) return noEffect
  const row = channels.update(observe(channel, { ...onChain(channel), ...seen(channel) }))
  return {
    change: { rows: [row] },
    booked: { channel: { before: onChain(channel), foreign: 0n } },
  }
}

/** A refund shrinks a withdrawal under way, and ends one that it covers. */
function afterRefund(
  { balance, pendingWithdrawal: pending, refundNonce }: Channel,
  amount: bigint,
): Partial<ChannelOnChain> {
  return {
    balance: balance - amount,
    refundNonce: refundNonce + 1n,
    pendingWithdrawal:
      pending && pending.amount > amount
        ? { ...pending, amount: pending.amount - amount }
        : undefined,
  }
}

/** A claim turns what channels owe into what is claimed. What was never charged is foreign money: suspense. */
function bookClaim(deps: BookingDeps, event: ChainEvent & { kind: 'claimed' }): Effect {
  const channel = deps.channels.find(event.channelId)
  if (!channel || event.totalClaimed <= channel.totalClaimed) return noEffect
  const currency = channel.config.token
  const owed =
    smaller(event.totalClaimed, channel.charged) - smaller(channel.totalClaimed, channel.charged)
  const foreign = event.totalClaimed - channel.totalClaimed - owed
  const legs = [
    ...legsOf(owed, { currency, debit: accounts.claimed, credit: accounts.channels }),
    ...legsOf(foreign, { currency, debit: accounts.claimed, credit: accounts.suspense }),
  ]
  const before = onChain(channel)
  const next = observe(channel, { ...before, totalClaimed: event.totalClaimed })
  const entry = entryOf(deps, event, { reason: 'claimed', legs })
  return {
    change: { rows: [deps.channels.update(next)], entries: [entry] },
    booked: { entry, channel: { before, foreign } },
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
): Effect {
  const { token, account, credited } = event
  const known = deps.vaultAccounts.get(token, account)
  const amount = credited - known.credited
  if (amount <= 0n) return noEffect
  const debit = account === deps.feeAccount ? accounts.fees : accounts.creator(account)
  const key = balanceKey(debit, token)
  const owed = -balanceOf(deps.balances, debit, token) - (before.get(key) ?? 0n)
  const explained = owed <= 0n ? 0n : smaller(owed, amount)
  before.set(key, (before.get(key) ?? 0n) + explained)
  const legs = [
    ...legsOf(explained, { currency: token, debit, credit: accounts.vault }),
    ...legsOf(amount - explained, {
      currency: token,
      debit: accounts.suspenseOf(account),
      credit: accounts.vault,
    }),
  ]
  const row = deps.vaultAccounts.raise({ token, account }, { credited })
  const data = toJson({ token, account, amount, credited, transaction: event.transaction })
  const entry = entryOf(deps, event, { reason: 'credited', legs })
  const events = [{ audience: [account], type: 'credited', data }]
  return {
    change: { entries: [entry], rows: [row], events },
    booked: { entry, account: known },
  }
}

function book(
  deps: BookingDeps,
  event: ChainEvent & { token: Address; amount: bigint },
  { reason, debit, credit }: { reason: string; debit: string; credit: string },
): Effect {
  const legs = legsOf(event.amount, { currency: event.token, debit, credit })
  const entry = entryOf(deps, event, { reason, legs })
  return { change: { entries: [entry] }, booked: { entry } }
}

function entryOf(
  deps: BookingDeps,
  event: ChainEvent,
  { reason, legs }: { reason: string; legs: Leg[] },
): Entry {
  const id = `${causeOf(event)}${againOf(deps, event)}`
  return { id, at: deps.now(), reason, reference: event.transaction, legs }
}

/** Names an event by where it stands, which is the same whenever it is seen. */
export function causeOf(event: ChainEvent): string {
  return `${event.transaction}:${event.logIndex}${subjectOf(event)}`
}

/** The end of ids that have to do with an event: empty at first, `~1` after a reorg took it back, and so on. */
export function againOf({ timesUndone }: Pick<BookingDeps, 'timesUndone'>, event: ChainEvent) {
  const times = timesUndone(causeOf(event))
  return times === 0 ? '' : `~${times}`
}

/** A channel's part of which the chain is the truth. */
function onChain({
  balance,
  totalClaimed,
  pendingWithdrawal,
  refundNonce,
}: Channel): ChannelOnChain {
  return { balance, totalClaimed, pendingWithdrawal, refundNonce }
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

export function legsOf(
  amount: bigint,
  { currency, debit, credit }: { currency: Address; debit: string; credit: string },
): Leg[] {
  return amount === 0n ? [] : move({ debit, credit }, { currency, amount })
}
