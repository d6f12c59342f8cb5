// Baskets that the hub accepted, signed for and lost: whoever holds the receipt presents it with the payer's voucher, and it is
// taken in once, under its old basket id (R23). Money that was claimed for it already is booked out of suspense.

import type { Address, Hex } from 'viem'
import { smaller } from '#protocol/amount.ts'
import { HubError } from '#protocol/errors.ts'
import type { SyncAnswer, SyncRequest } from '#protocol/messages/restore.ts'
import { packTips } from '#protocol/packed-tips.ts'
import type { FormerSigner, HubIdentity } from '#protocol/receipt.ts'
import { receiptFault } from '#protocol/receipt.ts'
import {
  basketId,
  messageRef,
  tipsHash,
  tipsTotal,
  tipTo,
  tipVoucherDigest,
} from '#protocol/tip.ts'
import { basketRows } from '../channels/basket-change.ts'
import type { Baskets } from '../channels/baskets.ts'
import { receiptOf } from '../channels/baskets.ts'
import type { Channel, VoucherProof } from '../channels/channel.ts'
import { assertCovered, charge, explain } from '../channels/channel.ts'
import { signatureOf } from '../channels/claim-proof.ts'
import { recipientAccount, recipientLedgerAccount } from '../channels/recipients.ts'
import type { ChannelRegistry } from '../channels/registry.ts'
import type { SignatureBackend } from '../channels/signature-backend.ts'
import type { VaultAccounts } from '../creators/vault-accounts.ts'
import { accounts } from '../ledger/accounts.ts'
import type { Balances, Leg } from '../ledger/entry.ts'
import { balanceOf } from '../ledger/entry.ts'
import type { Committed, GroupLog } from '../store/group-log.ts'
import type { BasketDraft } from '../store/tip-codec.ts'
import type { StreamBook } from '../streams/stream-book.ts'
import { amountsWithout } from '../streams/stream-end.ts'
import type { LostTime } from './lost-time.ts'

export type Sync = {
  /**
   * Takes in what a receipt proves, or answers what is known.
   *
   * @throws HubError `unknown_channel` or the channel's own refusal, `receipt_rejected`, `message_mismatch`,
   * `stream_closed` when these books ended the stream otherwise, `deposit_exceeded`, `ceiling_too_low`, `bad_signature`.
   */
  takeIn(request: SyncRequest): Promise<SyncAnswer>
}

export type SyncDeps = {
  log: GroupLog
  balances: Balances
  channels: ChannelRegistry
  vaultAccounts: VaultAccounts
  baskets: Baskets
  streamBook: StreamBook
  lostTime: LostTime
  backend: SignatureBackend
  separatorOf: (contract: Address) => Hex
  hub: HubIdentity
  receiptSigner: Address
  formerSigners: readonly FormerSigner[]
  feeAccount: Address
  assertOpen: () => void
}

export function createSync(deps: SyncDeps): Sync {
  const { channels, baskets, lostTime } = deps
  return {
    async takeIn(request) {
      const { receipt, basket } = request
      const { id } = usableChannel(deps, request)
      const fault = (await receiptFault(receipt, deps)) ?? paperFault(id, request)
      if (fault) throw rejected(fault)
      assertMessages(basket)
      const known = baskets.isKnown(receipt.basketId)
      const committed = await baskets.once(receipt.basketId, () => takeInNew(deps, request))
      if (known) await lostTime.note(id, request)
      return {
        state: known ? 'known' : 'taken-in',
        receipt: receiptOf(receipt.basketId, committed),
        channel: channels.amounts(channels.get(id)),
      }
    },
  }
}

/** Synchronous up to the commit, as the life of a tip is. */
function takeInNew(deps: SyncDeps, request: SyncRequest): Promise<Committed> {
  const { log, channels, streamBook, lostTime } = deps
  const { receipt, basket } = request
  const channel = usableChannel(deps, request)
  deps.assertOpen()
  const total = tipsTotal(basket.tips)
  const claimed = smaller(total, channel.unexplained)
  const added = total - claimed
  const offered = basket.maxClaimableAmount
  const ended = streamBook.namedBy(channel.id, basket.tips)
  const amounts = channels.amounts(channel)
  if (added > 0n)
    assertCovered(ended ? amountsWithout(ended, amounts) : amounts, { added, offered })
  const proof = proofIn(basket)
  assertSigned(deps, channel, proof)
  log.assertRoom()
  const explained = explain(channel, { amount: claimed, proof })
  const next = added > 0n ? charge(explained, { added, proof }) : explained
  const closed = ended ? streamBook.close(ended, receipt.basketId) : []
  const draft = draftAgain(deps, { request, channel, chargedBefore: channel.charged - claimed })
  return log.commit({
    rows: [...closed, channels.update(next), ...lostTime.present(channel.id, request)],
    baskets: [draft],
    legs: legsOf(deps, { request, claimed, added, token: channel.config.token }),
    rowsAt: (place) => [basketRows.put(receipt.basketId, { ...place, count: receipt.tips.length })],
  })
}

function usableChannel({ channels }: SyncDeps, { receipt }: SyncRequest): Channel {
  const id = receipt.tips[0]?.leaf.channelId
  if (id === undefined) throw rejected('the receipt names no tip')
  const channel = channels.get(id)
  if (!channel.refusal) return channel
  throw new HubError(channel.refusal, `no credit is given on channel ${id}`, {
    values: { channelId: id, ...channel.config },
  })
}

/** Whether the receipt is of the basket as it was presented: every tip of it, in order, and nothing else. */
function paperFault(
  channelId: Hex,
  { receipt, basket: { tips } }: SyncRequest,
): string | undefined {
  if (tips.length !== receipt.tips.length) {
    return `the receipt names ${receipt.tips.length} tips, the basket has ${tips.length}`
  }
  if (basketId(channelId, tipsHash(tips)) !== receipt.basketId) {
    return `the tips are not those of basket ${receipt.basketId}`
  }
  for (const [index, { to, ref, amount }] of tips.entries()) {
    const leaf = receipt.tips[index]?.leaf
    const same = leaf?.to === to && leaf.ref === ref && leaf.amount === amount
    if (!same || leaf.channelId !== channelId) return `tip ${index} is not the one of the receipt`
    if (leaf.fee > amount || tipTo(recipientAccount(to)) !== to) {
      return `tip ${index} could not have been accepted`
    }
  }
  return undefined
}

function assertMessages({ tips }: SyncRequest['basket']) {
  for (const [index, { ref, message }] of tips.entries()) {
    if (!message || messageRef(message) === ref) continue
    throw new HubError('message_mismatch', `tip ${index}: ref is not keccak256(salt ‖ message)`, {
      values: { index },
    })
  }
}

function proofIn({ maxClaimableAmount, tips, signature }: SyncRequest['basket']): VoucherProof {
  return { kind: 'voucher', maxClaimableAmount, tipsHash: tipsHash(tips), signature }
}

/** With either v, as a basket that is sent. */
function assertSigned(
  { backend, separatorOf }: SyncDeps,
  { id, contract, config }: Channel,
  proof: VoucherProof,
) {
  const digest = tipVoucherDigest({ channelId: id, ...proof }, separatorOf(contract))
  const expected = config.payerAuthorizer
  if (signatureOf(expected, digest, { signature: proof.signature, backend })) return
  throw new HubError('bad_signature', `the voucher is not signed by ${expected}`, {
    values: { expected },
  })
}

/** The tips as they were accepted, with the fees of then, in the totals of now. */
function draftAgain(
  deps: SyncDeps,
  {
    request: { receipt, basket },
    channel,
    chargedBefore,
  }: { request: SyncRequest; channel: Channel; chargedBefore: bigint },
): BasketDraft {
  const { maxClaimableAmount, tipsHash: hashOfTips, signature } = proofIn(basket)
  const { payer, token } = channel.config
  const accepted = new Map<Address, bigint>()
  let chargedAfter = chargedBefore
  const outcomes = receipt.tips.map(({ leaf: { to, amount, fee } }) => {
    const account = recipientAccount(to)
    const before = accepted.get(account) ?? acceptedBy(deps, { account, token })
    const acceptedAfter = before + amount - fee
    accepted.set(account, acceptedAfter)
    chargedAfter += amount
    return { fee, chargedAfter, acceptedAfter }
  })
  return {
    channelId: channel.id,
    basketId: receipt.basketId,
    voucherSignature: signature,
    payer,
    token,
    acceptedAt: Number(receipt.header.closedAt),
    tipsHash: hashOfTips,
    maxClaimableAmount,
    tips: packTips(basket.tips),
    recipients: basket.tips.map(({ to }) => to),
    outcomes,
  }
}

/** What was claimed already comes out of suspense; what was credited already goes back to where a reconciliation put it. */
function legsOf(
  { balances, feeAccount }: SyncDeps,
  {
    request,
    claimed,
    added,
    token: currency,
  }: { request: SyncRequest; claimed: bigint; added: bigint; token: Address },
): Leg[] {
  const legs: Leg[] = []
  const open = new Map<string, bigint>()
  const add = (account: string, amount: bigint) => {
    if (amount !== 0n) legs.push({ account, currency, amount })
  }
  const credit = (to: Address, amount: bigint) => {
    const lost = accounts.suspenseOf(to)
    const left = open.get(lost) ?? balanceOf(balances, lost, currency)
    const known = smaller(left, amount)
    open.set(lost, left - known)
    add(lost, -known)
    add(recipientLedgerAccount(to, feeAccount), known - amount)
  }
  add(accounts.suspense, claimed)
  add(accounts.channels, added)
  for (const { leaf } of request.receipt.tips) {
    credit(recipientAccount(leaf.to), leaf.amount - leaf.fee)
    credit(feeAccount, leaf.fee)
  }
  return legs
}

/** A recipient's total so far, without what was credited for tips that the books lost. */
function acceptedBy(
  { vaultAccounts, balances, feeAccount }: SyncDeps,
  { account, token }: { account: Address; token: Address },
): bigint {
  const owed =
    balanceOf(balances, recipientLedgerAccount(account, feeAccount), token) +
    balanceOf(balances, accounts.suspenseOf(account), token)
  return vaultAccounts.get(token, account).credited - owed
}

function rejected(fault: string): HubError {
  return new HubError('receipt_rejected', fault)
}
