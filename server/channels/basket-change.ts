// What an accepted basket writes: its tips, their ledger legs, the row that finds it again, and the event each tip is. Pure.

import type { Address, Hex } from 'viem'
import { mulDiv } from '#protocol/amount.ts'
import { toJson } from '#protocol/messages/wire.ts'
import type { PackedBasket } from '#protocol/packed-tips.ts'
import { amountOf } from '#protocol/packed-tips.ts'
import { accounts } from '../ledger/accounts.ts'
import type { Leg } from '../ledger/entry.ts'
import type { EventDraft } from '../store/group-rows.ts'
import { codedTable } from '../store/table.ts'
import type { BasketDraft, StoredTip } from '../store/tip-codec.ts'
import type { Channel } from './channel.ts'
import type { Recipient } from './recipients.ts'
import { recipientAccount } from './recipients.ts'

/** Where the tips of an accepted basket stand in the group log. */
export type StoredBasket = { group: bigint; firstIndex: number; count: number }

/** By basket id: group (8 bytes), first place (4), count (2). */
export const basketRows = codedTable<StoredBasket>('basket', {
  encode({ group, firstIndex, count }) {
    const bytes = Buffer.allocUnsafe(14)
    bytes.writeBigUInt64BE(group)
    bytes.writeUInt32BE(firstIndex, 8)
    bytes.writeUInt16BE(count, 12)
    return bytes
  },
  decode(bytes) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    return { group: view.getBigUint64(0), firstIndex: view.getUint32(8), count: view.getUint16(12) }
  },
})

/** How the hub charges tips: `basisPoints` of each, rounded down, to the fee account; tips to that account are free. */
export type TipFees = { basisPoints: bigint; account: Address }

const wholeInBasisPoints = 10_000n

/** What a basket of new tips says, and what it is called. */
export type NamedBasket = Omit<PackedBasket, 'channelId'> & { id: Hex; hashOfTips: Hex }

/**
 * A basket as it goes into a group, and its ledger legs: the channel owes more, recipients and fees are owed it. `recipients` are
 * those of its tips in order, `acceptedBefore` is what one had been accepted in all, base units.
 */
export function draftBasket(
  channel: Channel,
  { id, hashOfTips, tips, signature, maxClaimableAmount }: NamedBasket,
  {
    at,
    fees,
    recipients,
    acceptedBefore,
  }: {
    at: number
    fees: TipFees
    recipients: readonly Recipient[]
    acceptedBefore: (recipient: Recipient) => bigint
  },
): { draft: BasketDraft; legs: Leg[] } {
  const { payer, token } = channel.config
  const accepted = new Map<Recipient, { before: bigint; after: bigint }>()
  const charges = { total: 0n, fees: 0n }
  const outcomes = recipients.map((recipient, index) => {
    const amount = amountOf(tips, index)
    const fee = tipFee(recipient, { amount, fees })
    const totals = accepted.get(recipient) ?? totalsFrom(acceptedBefore(recipient))
    totals.after += amount - fee
    accepted.set(recipient, totals)
    charges.total += amount
    charges.fees += fee
    const chargedAfter = channel.charged + charges.total
    return { fee, chargedAfter, acceptedAfter: totals.after }
  })
  const draft = {
    channelId: channel.id,
    basketId: id,
    voucherSignature: signature,
    payer,
    token,
    acceptedAt: at,
    tipsHash: hashOfTips,
    maxClaimableAmount,
    tips,
    recipients: recipients.map(({ to }) => to),
    outcomes,
  }
  return { draft, legs: basketLegs(token, { charges, accepted }) }
}

function totalsFrom(before: bigint) {
  return { before, after: before }
}

/** The fee account may be a recipient as well: then it has two legs. */
function basketLegs(
  currency: Address,
  {
    charges,
    accepted,
  }: {
    charges: { total: bigint; fees: bigint }
    accepted: ReadonlyMap<Recipient, { before: bigint; after: bigint }>
  },
): Leg[] {
  const legs: Leg[] = [{ account: accounts.channels, currency, amount: charges.total }]
  for (const [{ ledgerAccount }, { before, after }] of accepted)
    legs.push({ account: ledgerAccount, currency, amount: before - after })
  if (charges.fees > 0n) legs.push({ account: accounts.fees, currency, amount: -charges.fees })
  return legs
}

/** A tip as an event for its recipient and for the payer side. */
export function tipEvent({ leaf, note }: StoredTip, payerAuthorizer: Address): EventDraft {
  const { basketId, channelId, to, ref, amount, fee } = leaf
  const { payer, token, message, acceptedAt } = note
  return {
    audience: [...new Set([recipientAccount(to), payer, payerAuthorizer])],
    type: 'tip',
    data: toJson({ basketId, channelId, to, ref, amount, fee, payer, token, message, acceptedAt }),
  }
}

function tipFee(
  { paysFees }: Recipient,
  { amount, fees }: { amount: bigint; fees: TipFees },
): bigint {
  if (!paysFees) return 0n
  return mulDiv(amount, {
    numerator: fees.basisPoints,
    denominator: wholeInBasisPoints,
    rounding: 'down',
  })
}
