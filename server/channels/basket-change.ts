// What an accepted basket writes: its tips, their ledger legs, the row that finds it again, and the event each tip is. Pure.

import type { Address, Hex } from 'viem'
import { mulDiv } from '#protocol/amount.ts'
import type { TipsRequest } from '#protocol/messages/tips.ts'
import { toJson } from '#protocol/messages/wire.ts'
import { accounts } from '../ledger/accounts.ts'
import type { Leg } from '../ledger/entry.ts'
import { move } from '../ledger/entry.ts'
import type { TipDraft } from '../store/group-log.ts'
import type { EventDraft } from '../store/group-rows.ts'
import { codedTable } from '../store/table.ts'
import type { StoredTip } from '../store/tip-codec.ts'
import type { Channel } from './channel.ts'

/** Where the tips of an accepted basket stand in the group log. */
export type StoredBasket = { group: bigint; firstIndex: number; count: number }

/** By basket id: group (8 bytes), first place (4), count (2). */
export const basketRows = codedTable<StoredBasket>('basket', {
  encode({ group, firstIndex, count }) {
    const view = new DataView(new ArrayBuffer(14))
    view.setBigUint64(0, group)
    view.setUint32(8, firstIndex)
    view.setUint16(12, count)
    return new Uint8Array(view.buffer)
  },
  decode(bytes) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    return { group: view.getBigUint64(0), firstIndex: view.getUint32(8), count: view.getUint16(12) }
  },
})

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
  {
    tips,
    signature,
    hashOfTips,
    maxClaimableAmount,
  }: Omit<TipsRequest, 'channelId'> & { hashOfTips: Hex },
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
      note: {
        payer,
        token,
        message: message?.text ?? null,
        acceptedAt: at,
        tipsHash: hashOfTips,
        maxClaimableAmount,
      },
    }
  })
}

/** The ledger account that owes a recipient. */
export function recipientLedgerAccount(account: Address, feeAccount: Address): string {
  return account === feeAccount ? accounts.fees : accounts.creator(account)
}

/** What the ledger books of a basket: the channel owes more, recipients and fees are owed it. */
export function basketLegs(
  channel: Channel,
  tips: readonly TipDraft[],
  { fees }: { fees: TipFees },
): Leg[] {
  const currency = channel.config.token
  return tips.flatMap(({ leaf }) => {
    const credit = recipientLedgerAccount(recipientAccount(leaf.to), fees.account)
    const amount = leaf.amount - leaf.fee
    const net = move({ debit: accounts.channels, credit }, { currency, amount })
    if (leaf.fee === 0n) return net
    return [
      ...net,
      ...move({ debit: accounts.channels, credit: accounts.fees }, { currency, amount: leaf.fee }),
    ]
  })
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

function tipFee(account: Address, { amount, fees }: { amount: bigint; fees: TipFees }): bigint {
  if (account === fees.account) return 0n
  return mulDiv(amount, {
    numerator: fees.basisPoints,
    denominator: wholeInBasisPoints,
    rounding: 'down',
  })
}
