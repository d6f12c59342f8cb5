// The life of a tip: cheap refusals in their order, the one rule for money, the signature, one commit (R1, R2, R5, R13).

import type { Address, Hex } from 'viem'
import { HubError } from '#protocol/errors.ts'
import type { ChannelAmounts, TipsRequest } from '#protocol/messages/tips.ts'
import type { BasketReceipt } from '#protocol/receipt.ts'
import {
  basketId,
  messageRef,
  tipsHash,
  tipsTotal,
  tipTo,
  tipVoucherDigest,
} from '#protocol/tip.ts'
import type { Creators } from '../creators/creators.ts'
import type { VaultAccounts } from '../creators/vault-accounts.ts'
import type { Balances } from '../ledger/entry.ts'
import { balanceOf } from '../ledger/entry.ts'
import type { GroupLog } from '../store/group-log.ts'
import { readCommitted } from '../store/group-log.ts'
import type { Database } from '../store/table.ts'
import type { TipFees } from './basket-change.ts'
import {
  basketLegs,
  basketRows,
  draftTips,
  recipientAccount,
  recipientLedgerAccount,
} from './basket-change.ts'
import type { Channel } from './channel.ts'
import { assertCovered, charge } from './channel.ts'
import type { ChannelRegistry } from './registry.ts'
import type { SignatureBackend } from './signature-backend.ts'

export type Baskets = {
  /** Accepts a basket, or answers again for one that was accepted before. */
  accept(request: TipsRequest): Promise<{ receipt: BasketReceipt; channel: ChannelAmounts }>
  /** Every check of `accept` short of accepting, on a channel as it would be; for deposits that bring a basket. */
  assertAcceptable(channel: Channel, request: TipsRequest): void
  /** Whether a basket was accepted before or is being accepted: whoever sends it again pays nothing more (R2). */
  isKnown(id: Hex): boolean
  /** Takes a basket in by other means than a tip request, at most once; one that is known answers as it did (R2). */
  once(id: Hex, takeIn: () => Promise<BasketReceipt>): Promise<BasketReceipt>
  /** @throws HubError `unknown_basket` */
  find(id: Hex): { channelId: Hex; receipt: BasketReceipt }
}

export type BasketDeps = {
  db: Database
  log: GroupLog
  balances: Balances
  channels: ChannelRegistry
  creators: Creators
  vaultAccounts: VaultAccounts
  backend: SignatureBackend
  separatorOf: (contract: Address) => Hex
  fees: TipFees
  now: () => number
  /** Refuses new payments while reserves are unequal or the hub stops. */
  assertOpen: () => void
}

type KnownTips = { id: Hex; hashOfTips: Hex }

export function createBaskets(deps: BasketDeps): Baskets {
  const { db, channels } = deps
  const inProgress = new Map<Hex, Promise<BasketReceipt>>()

  return {
    async accept(request) {
      const channel = channels.get(request.channelId)
      if (channel.refusal) throw channelRefusal(channel)
      const hashOfTips = tipsHash(request.tips)
      const id = basketId(channel.id, hashOfTips)
      const known = inProgress.get(id) ?? readReceipt(db, id)
      if (known) assertSigned(deps, channel, request)
      const receipt = await (known ?? acceptOnce(channel, request, { id, hashOfTips }))
      return { receipt, channel: channels.amounts(channels.get(channel.id)) }
    },
    assertAcceptable: (channel, request) => assertAcceptable(deps, channel, request),
    isKnown: (id) => inProgress.has(id) || basketRows.get(db, id) !== undefined,
    async once(id, takeIn) {
      return inProgress.get(id) ?? readReceipt(db, id) ?? keepInProgress(id, takeIn())
    },
    find(id) {
      const stored = basketRows.get(db, id)
      if (!stored) {
        throw new HubError('unknown_basket', `basket ${id} is not known here`, {
          values: { basketId: id },
        })
      }
      const receipt = { basketId: id, ...readCommitted(db, stored) }
      const [first] = receipt.tips
      if (!first) throw new Error(`basket ${id} is known but holds no tip`)
      return { channelId: first.leaf.channelId, receipt }
    },
  }

  function acceptOnce(channel: Channel, request: TipsRequest, known: KnownTips) {
    return keepInProgress(known.id, acceptNew(deps, channel, { ...request, ...known }))
  }

  function keepInProgress(id: Hex, receipt: Promise<BasketReceipt>) {
    inProgress.set(id, receipt)
    return receipt.finally(() => inProgress.delete(id))
  }
}

/** Synchronous up to the commit, so that the check and the write see the same channel. */
function acceptNew(
  deps: BasketDeps,
  channel: Channel,
  request: TipsRequest & KnownTips,
): Promise<BasketReceipt> {
  const { log, channels, fees } = deps
  const { id, tips, signature, maxClaimableAmount, hashOfTips } = request
  assertAcceptable(deps, channel, request)
  log.assertRoom()
  const at = deps.now()
  const acceptedBefore = (account: Address) =>
    acceptedBy(deps, { account, token: channel.config.token })
  const drafts = draftTips(channel, request, { id, at, fees, acceptedBefore })
  const proof = { maxClaimableAmount, tipsHash: hashOfTips, signature }
  const committed = log.commit({
    rows: [channels.update(charge(channel, { added: tipsTotal(tips), proof }))],
    tips: drafts,
    legs: basketLegs(channel, drafts, { fees }),
    rowsAt: (place) => [basketRows.put(id, { ...place, count: drafts.length })],
  })
  return committed.then((proved) => ({ basketId: id, ...proved }))
}

function assertAcceptable(deps: BasketDeps, channel: Channel, request: TipsRequest) {
  const { tips, maxClaimableAmount } = request
  assertTips(deps, tips)
  deps.assertOpen()
  assertCovered(deps.channels.amounts(channel), {
    added: tipsTotal(tips),
    offered: maxClaimableAmount,
  })
  assertSigned(deps, channel, request)
}

function assertTips(deps: BasketDeps, tips: TipsRequest['tips']) {
  assertFreshRefs(tips)
  for (const [index, { ref, message }] of tips.entries()) {
    if (message && messageRef(message) !== ref) {
      throw new HubError('message_mismatch', `tip ${index}: ref is not keccak256(salt ‖ message)`, {
        values: { index },
      })
    }
  }
  for (const [index, { to }] of tips.entries()) {
    if (!isRecipient(deps, to)) {
      throw new HubError('unknown_creator', `tip ${index} names ${to}, who has not joined`, {
        values: { index, to },
      })
    }
  }
}

function assertFreshRefs(tips: TipsRequest['tips']) {
  const refs = new Set<Hex>()
  for (const [index, { ref }] of tips.entries()) {
    if (refs.has(ref)) {
      throw new HubError('duplicate_ref', `tip ${index} repeats ref ${ref}`, {
        values: { index, ref },
      })
    }
    refs.add(ref)
  }
}

function isRecipient({ creators, fees }: BasketDeps, to: Hex): boolean {
  const account = recipientAccount(to)
  if (tipTo(account) !== to) return false
  return account === fees.account || creators.byAccount(account) !== undefined
}

function assertSigned(
  { backend, separatorOf }: BasketDeps,
  { id, contract, config }: Channel,
  { maxClaimableAmount, tips, signature }: TipsRequest,
) {
  const voucher = { channelId: id, maxClaimableAmount, tipsHash: tipsHash(tips) }
  const signer = backend.recover(tipVoucherDigest(voucher, separatorOf(contract)), signature)
  const expected = config.payerAuthorizer
  if (signer === expected) return
  const found = signer ? `was signed by ${signer}` : 'has no canonical signature'
  throw new HubError('bad_signature', `the voucher ${found}, the channel takes ${expected}`, {
    values: { expected },
  })
}

/** A recipient's total so far: credited on chain, and owed on the way there. */
function acceptedBy(
  { vaultAccounts, balances, fees }: BasketDeps,
  { account, token }: { account: Address; token: Address },
): bigint {
  const owed = -balanceOf(balances, recipientLedgerAccount(account, fees.account), token)
  return vaultAccounts.get(token, account).credited + owed
}

function readReceipt(db: Database, id: Hex): BasketReceipt | undefined {
  const stored = basketRows.get(db, id)
  return stored && { basketId: id, ...readCommitted(db, stored) }
}

function channelRefusal({ id, refusal, config }: Channel): HubError {
  const values = { channelId: id, ...config }
  return new HubError(refusal ?? 'unknown_channel', `no credit is given on channel ${id}`, {
    values,
  })
}
