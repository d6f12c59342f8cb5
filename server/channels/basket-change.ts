// What an accepted basket writes: its tips, one ledger entry, one event per tip, and the rows that find it again. Pure.

import type { Address, Hex } from 'viem'
import { mulDiv } from '#protocol/amount.ts'
import type { TipsRequest } from '#protocol/messages/tips.ts'
import { toJson } from '#protocol/messages/wire.ts'
import { accounts } from '../ledger/accounts.ts'
import type { Entry } from '../ledger/entry.ts'
import { move } from '../ledger/entry.ts'
import type { TipDraft } from '../store/group-log.ts'
import type { EventDraft } from '../store/group-rows.ts'
import { placeKey } from '../store/group-rows.ts'
import type { Row } from '../store/table.ts'
import { table } from '../store/table.ts'
import type { Channel } from './channel.ts'
import { tipsByChannel, tipsByRecipient } from './tip-list.ts'

/** Where the tips of an accepted basket stand in the group log. */
export type StoredBasket = { channelId: Hex; group: bigint; firstIndex: number; count: number }

export const basketRows = table<StoredBasket>('basket')

/** How the hub charges tips: `basisPoints` of each, rounded down, to the fee account; tips to that account are free. */
export type TipFees = { basisPoints: bigint; account: Address }

const wholeInBasisPoints = 10_000n

/** The account that a `to` names: its last 20 bytes. */
export function recipientAccount(to: Hex): Address {
  return `0x${to.slice(26)}`
}

/** The tips of a basket in order. `acceptedBefore` is what a recipient had been accepted in all, base units. */
export function draftTips(
  channel: Channel,
  { tips, signature }: Pick<TipsRequest, 'tips' | 'signature'>,
  {
    id,
    at,
    fees,
    acceptedBefore,
  }: { id: Hex; at: number; fees: TipFees; acceptedBefore: (account: Address) => bigint },
): TipDraft[] {
  const { payer, token } = channel.config
  const accepted = new Map<Address, bigint>()
  let chargedAfter = channel.charged
  return tips.map(({ to, ref, amount, message }) => {
    const account = recipientAccount(to)
    const fee = tipFee(account, { amount, fees })
    const acceptedAfter = (accepted.get(account) ?? acceptedBefore(account)) + amount - fee
    accepted.set(account, acceptedAfter)
    chargedAfter += amount
    return {
      leaf: {
        channelId: channel.id,
        basketId: id,
        voucherSignature: signature,
        to,
        ref,
        amount,
        fee,
        chargedAfter,
        acceptedAfter,
      },
      note: { payer, token, message: message?.text ?? null, acceptedAt: at },
    }
  })
}

/** The ledger account that owes a recipient. */
export function recipientLedgerAccount(account: Address, feeAccount: Address): string {
  return account === feeAccount ? accounts.fees : accounts.creator(account)
}

/** One entry for the whole basket: the channel owes more, recipients and fees are owed it. */
export function basketEntry(
  channel: Channel,
  tips: readonly TipDraft[],
  { id, at, fees }: { id: Hex; at: number; fees: TipFees },
): Entry {
  const currency = channel.config.token
  const legs = tips.flatMap(({ leaf }) => {
    const credit = recipientLedgerAccount(recipientAccount(leaf.to), fees.account)
    const net = move(
      { debit: accounts.channels, credit },
      { currency, amount: leaf.amount - leaf.fee },
    )
    const fee = move(
      { debit: accounts.channels, credit: accounts.fees },
      { currency, amount: leaf.fee },
    )
    return leaf.fee > 0n ? [...net, ...fee] : net
  })
  return { id: `basket:${id}`, at, reason: 'basket accepted', reference: id, legs }
}

/** The rows by which a basket and its tips are found: by id, by channel and by recipient. */
export function basketIndex(
  channel: Channel,
  tips: readonly TipDraft[],
  { id, group, firstIndex }: { id: Hex; group: bigint; firstIndex: number },
): Row[] {
  const stored = { channelId: channel.id, group, firstIndex, count: tips.length }
  const lists = tips.flatMap(({ leaf }, index) => {
    const place = placeKey(group, firstIndex + index)
    return [
      tipsByChannel.put(`${channel.id}/${place}`, null),
      tipsByRecipient.put(`${leaf.to}/${place}`, null),
    ]
  })
  return [basketRows.put(id, stored), ...lists]
}

/** One event per tip, to its recipient and to the payer side. */
export function basketEvents(channel: Channel, tips: readonly TipDraft[]): EventDraft[] {
  const payerSide = [channel.config.payer, channel.config.payerAuthorizer]
  return tips.map(({ leaf, note }) => {
    const { basketId, channelId, to, ref, amount, fee } = leaf
    return {
      audience: [...new Set([recipientAccount(to), ...payerSide])],
      type: 'tip',
      data: toJson({ basketId, channelId, to, ref, amount, fee, ...note }),
    }
  })
}

function tipFee(account: Address, { amount, fees }: { amount: bigint; fees: TipFees }): bigint {
  if (account === fees.account) return 0n
  return mulDiv(amount, {
    numerator: fees.basisPoints,
    denominator: wholeInBasisPoints,
    rounding: 'down',
  })
}
