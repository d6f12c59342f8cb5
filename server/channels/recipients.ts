// Who may be paid (R8), looked up by the bytes of a tip: every tip names one, and most name one that was named before.

import type { Address, Hex } from 'viem'
import { readHex, writeHex } from '#protocol/hex.ts'
import type { PackedTips } from '#protocol/packed-tips.ts'
import { tipOffsets } from '#protocol/packed-tips.ts'
import { tipTo } from '#protocol/tip.ts'
import type { Creators } from '../creators/creators.ts'
import { accounts } from '../ledger/accounts.ts'
import type { TipFees } from './basket-change.ts'

/** Somebody who may be paid: the `to` of their tips, and the ledger account that owes them. */
export type Recipient = { to: Hex; account: Address; ledgerAccount: string; paysFees: boolean }

export type RecipientDeps = { creators: Pick<Creators, 'byAccount'>; fees: TipFees }

export type Recipients = {
  /** Whom a tip of a basket is to, if they may be paid. */
  of(tips: PackedTips, index: number): Recipient | undefined
}

type Known = { recipient: Recipient; to: DataView }

export function createRecipients(deps: RecipientDeps): Recipients {
  /** By the last four bytes of their `to`. Of two with the same the one named last is kept. */
  const known = new Map<number, Known>()

  return {
    of({ bytes, view, starts }, index) {
      const at = (starts[index] ?? 0) + tipOffsets.to
      const name = view.getInt32(at + 28)
      const found = known.get(name)
      if (found && isSameWord(found.to, view, at)) return found.recipient
      const to = readHex(bytes, at, at + 32)
      if (!isRecipient(deps, to)) return undefined
      const recipient = recipientOf(to, deps.fees)
      known.set(name, { recipient, to: wordOf(to) })
      return recipient
    },
  }
}

/** Whether a `to` is the address of a registered creator or the hub's fee account (R8). */
export function isRecipient({ creators, fees }: RecipientDeps, to: Hex): boolean {
  const account = recipientAccount(to)
  if (tipTo(account) !== to) return false
  return account === fees.account || creators.byAccount(account) !== undefined
}

/** The account that a `to` names: its last 20 bytes. */
export function recipientAccount(to: Hex): Address {
  return `0x${to.slice(26)}`
}

/** The ledger account that owes a recipient. */
export function recipientLedgerAccount(account: Address, feeAccount: Address): string {
  return account === feeAccount ? accounts.fees : accounts.creator(account)
}

/** A recipient by the `to` of their tips, whoever that is. Tips to the fee account are free. */
export function recipientOf(to: Hex, fees: Pick<TipFees, 'account'>): Recipient {
  const account = recipientAccount(to)
  const ledgerAccount = recipientLedgerAccount(account, fees.account)
  return { to, account, ledgerAccount, paysFees: account !== fees.account }
}

function isSameWord(word: DataView, view: DataView, at: number): boolean {
  for (let offset = 0; offset < 32; offset += 4)
    if (word.getInt32(offset) !== view.getInt32(at + offset)) return false
  return true
}

function wordOf(to: Hex): DataView {
  const word = new Uint8Array(32)
  writeHex(word, 0, to)
  return new DataView(word.buffer)
}
