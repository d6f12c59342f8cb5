// The life of a tip: cheap refusals in their order, the one rule for money, the signature, one commit (R1, R2, R5, R13).

import type { Address, Hex } from 'viem'
import { hexToBytes } from 'viem'
import { HubError } from '#protocol/errors.ts'
import { keccak } from '#protocol/keccak.ts'
import type { ChannelAmounts, TipsRequest } from '#protocol/messages/tips.ts'
import type { BasketReceipt } from '#protocol/receipt.ts'
import type { Tip } from '#protocol/tip.ts'
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
import type { Committed, GroupLog } from '../store/group-log.ts'
import { readCommitted } from '../store/group-log.ts'
import type { LateRow } from '../store/late-rows.ts'
import type { Database, Row } from '../store/table.ts'
import type { OpenStream } from '../streams/stream.ts'
import type { StreamBook } from '../streams/stream-book.ts'
import { amountsWithout, chargeable, ticksProof } from '../streams/stream-end.ts'
import type { TowerFeed } from '../tower/feed.ts'
import type { StoredBasket, TipFees } from './basket-change.ts'
import {
  basketLegs,
  basketRows,
  draftTips,
  recipientAccount,
  recipientLedgerAccount,
} from './basket-change.ts'
import type { CeilingProof, Channel } from './channel.ts'
import { assertCovered, charge } from './channel.ts'
import type { ChannelRegistry } from './registry.ts'
import type { SignatureBackend } from './signature-backend.ts'
import type { SignatureChecks } from './signature-checks.ts'

/** An accepted basket: where its tips were committed, and the channel's amounts now. */
export type Accepted = { id: Hex; committed: Committed; channel: ChannelAmounts }

export type Baskets = {
  /** Accepts a basket, or answers again for one that was accepted before. */
  accept(request: TipsRequest): Promise<Accepted>
  /** Every check of `accept` short of accepting, on a channel as it would be; for deposits that bring a basket. */
  assertAcceptable(channel: Channel, request: TipsRequest): void
  /**
   * Charges what a stream ticked as one tip under its commitment, and ends it: the very basket that its payer would end it
   * with, so that whoever sends that later gets the same receipt (R28). Nothing is charged when nothing was ticked.
   */
  endStream(stream: OpenStream): Promise<BasketReceipt | undefined>
  /** Whether a basket was accepted before or is being accepted: whoever sends it again pays nothing more (R2). */
  isKnown(id: Hex): boolean
  /**
   * Takes a basket in by other means than a tip request: `takeIn` is called in this tick, and only when the basket is neither
   * known nor being committed (R2). Answers where its tips were committed.
   */
  once(id: Hex, takeIn: () => Promise<Committed>): Promise<Committed>
  /** @throws HubError `unknown_basket` */
  find(id: Hex): { channelId: Hex; receipt: BasketReceipt }
}

/** Who may be paid. */
export type RecipientDeps = { creators: Creators; fees: TipFees }

export type BasketDeps = RecipientDeps & {
  db: Database
  log: GroupLog
  balances: Balances
  channels: ChannelRegistry
  streams: StreamBook
  vaultAccounts: VaultAccounts
  backend: SignatureBackend
  checks: SignatureChecks
  separatorOf: (contract: Address) => Hex
  now: () => number
  /** How many baskets may be in progress at once. */
  maxInProgress: number
  /** Refuses new payments while reserves are unequal or the hub stops. */
  assertOpen: () => void
  /** Before which baskets have to be told to the watchtower, if there is one. */
  tower?: Pick<TowerFeed, 'told' | 'assertTakes'> | undefined
}

type NamedTips = { id: Hex; hashOfTips: Hex }

type NamedTip = NamedTips & { tips: Tip[] }

/** A basket that somebody waits for: how many do, where it stands if it was accepted before, and its commit once asked. */
type InProgress = {
  id: Hex
  waiting: number
  stored: StoredBasket | undefined
  committed: Promise<Committed> | undefined
}

export function createBaskets(deps: BasketDeps): Baskets {
  const { db, channels } = deps
  const inProgress = new Map<Hex, InProgress>()
  /** How many requests on a channel are between their first check and their commit. */
  const onChannel = new Map<Hex, number>()

  return {
    async accept(request) {
      const channel = channels.get(request.channelId)
      assertCredited(channel)
      const hashOfTips = tipsHash(request.tips)
      const id = basketId(channel.id, hashOfTips)
      const committed = await acceptOnce(channel, { ...request, id, hashOfTips })
      const told = deps.tower?.told(committed)
      if (told !== undefined) await told
      return { id, committed, channel: channels.amounts(channels.get(channel.id)) }
    },
    assertAcceptable(channel, request) {
      assertTakes(deps, request)
      assertAffordable(deps, channel, request)
      assertSigned(deps, channel, request)
    },
    endStream,
    isKnown,
    async once(id, takeIn) {
      const mine = progressOf(id)
      return whileWaiting(mine, async () => committedOnce(mine, takeIn))
    },
    find(id) {
      const stored = basketRows.get(db, id)
      if (!stored) {
        throw new HubError('unknown_basket', `basket ${id} is not known here`, {
          values: { basketId: id },
        })
      }
      const receipt = receiptOf(id, readCommitted(db, stored))
      const [first] = receipt.tips
      if (!first) throw new Error(`basket ${id} is known but holds no tip`)
      return { channelId: first.leaf.channelId, receipt }
    },
  }

  function isKnown(id: Hex): boolean {
    return inProgress.get(id)?.committed !== undefined || basketRows.has(db, id)
  }

  /** Synchronous up to the commit, as it charges what the stream holds. A basket of the payer's that waits gets its receipt. */
  async function endStream(stream: OpenStream): Promise<BasketReceipt | undefined> {
    const { channelId } = stream.commitment
    if (deps.streams.onChannel(channelId) !== stream) return undefined
    deps.log.assertRoom()
    const channel = channels.get(channelId)
    const named = lastTip(channel, stream)
    if (!named) {
      await deps.log.commit({ rows: deps.streams.close(stream, null) })
      return undefined
    }
    const mine = progressOf(named.id)
    return whileWaiting(mine, async () => {
      mine.committed = commitStream(deps, channel, { stream, named })
      return receiptOf(named.id, await mine.committed)
    })
  }

  /**
   * The tip that ends a stream, if it ticked. A payer may have sent the same tip before the stream began, to have its basket
   * known already and the ticks for nothing: then another ref makes it another basket.
   */
  function lastTip(channel: Channel, stream: OpenStream): NamedTip | undefined {
    const amount = chargeable(channel, stream)
    if (amount === 0n) return undefined
    const { to, root } = stream.commitment
    for (let ref = root; ; ref = keccak(hexToBytes(ref))) {
      const tips = [{ to, amount, ref }]
      const hashOfTips = tipsHash(tips)
      const id = basketId(channel.id, hashOfTips)
      if (!isKnown(id)) return { id, hashOfTips, tips }
    }
  }

  /** Whoever sends the same basket meanwhile waits for the same receipt, after a signature of their own (R2). */
  async function acceptOnce(channel: Channel, request: TipsRequest & NamedTips) {
    const mine = progressOf(request.id)
    if (!mine.stored && !mine.committed) assertWorthwhile(channel, request)
    count(onChannel, channel.id, 1)
    try {
      return await whileWaiting(mine, async () => {
        await assertSignedBy(deps, channel, request)
        return committedOnce(mine, () => acceptNew(deps, channels.get(channel.id), request))
      })
    } finally {
      count(onChannel, channel.id, -1)
    }
  }

  function progressOf(id: Hex): InProgress {
    const known = inProgress.get(id)
    return known ?? { id, waiting: 0, stored: basketRows.get(db, id), committed: undefined }
  }

  /** Whoever presents a basket that is worked on joins in: all of them share one commit. */
  async function whileWaiting<T>(mine: InProgress, work: () => Promise<T>): Promise<T> {
    inProgress.set(mine.id, mine)
    mine.waiting += 1
    try {
      return await work()
    } finally {
      mine.waiting -= 1
      if (mine.waiting === 0) inProgress.delete(mine.id)
    }
  }

  /** The first who comes here commits. Whether there was one, and the commit, are of one tick: there is no second. */
  function committedOnce(mine: InProgress, commit: () => Promise<Committed>): Promise<Committed> {
    mine.committed ??= mine.stored ? Promise.resolve(readCommitted(db, mine.stored)) : commit()
    return mine.committed
  }

  /** The cheap refusals. What is in progress on the channel may still change whether it can pay: that is judged after. */
  function assertWorthwhile(channel: Channel, request: TipsRequest) {
    if (inProgress.size >= deps.maxInProgress) {
      const values = { waiting: inProgress.size }
      throw new HubError('too_many_requests', `${inProgress.size} baskets are in progress`, {
        values,
      })
    }
    assertTakes(deps, request)
    deps.tower?.assertTakes(channel, tipsTotal(request.tips))
    if (!onChannel.has(channel.id)) assertAffordable(deps, channel, request)
  }
}

/** The receipt of a committed basket. */
export function receiptOf(
  id: Hex,
  { header, headerSignature, tips }: Pick<Committed, 'header' | 'headerSignature' | 'tips'>,
): BasketReceipt {
  return { basketId: id, header, headerSignature, tips }
}

function count(counts: Map<Hex, number>, key: Hex, change: 1 | -1) {
  const next = (counts.get(key) ?? 0) + change
  if (next === 0) counts.delete(key)
  else counts.set(key, next)
}

/** Synchronous up to the commit, so that the check and the write see the same channel. */
function acceptNew(
  deps: BasketDeps,
  channel: Channel,
  request: TipsRequest & NamedTips,
): Promise<Committed> {
  const { log, channels, streams } = deps
  const { id, tips, signature, maxClaimableAmount, hashOfTips } = request
  deps.assertOpen()
  assertAffordable(deps, channel, request)
  log.assertRoom()
  const ended = streams.endedBy(channel.id, tips)
  const rows = ended ? streams.close(ended, id) : []
  const proof: CeilingProof = {
    kind: 'voucher',
    maxClaimableAmount,
    tipsHash: hashOfTips,
    signature,
  }
  const late = [channels.charge(charge(channel, { added: tipsTotal(tips), proof }))]
  return commitBasket(deps, channel, { basket: request, late, rows })
}

/** The channel's row goes with the tip: a start could not tell its proof from the tip alone. */
function commitStream(
  deps: BasketDeps,
  channel: Channel,
  { stream, named }: { stream: OpenStream; named: NamedTip },
): Promise<Committed> {
  const proof = ticksProof(stream)
  const closed = deps.streams.close(stream, named.id)
  const charged = deps.channels.update(charge(channel, { added: tipsTotal(named.tips), proof }))
  const { signature, maxClaimableAmount } = proof
  const basket = { ...named, signature, maxClaimableAmount }
  return commitBasket(deps, channel, { basket, late: [], rows: [...closed, charged] })
}

/** Writes a basket of a channel whose next state is taken over already. `channel` is the one before. */
function commitBasket(
  deps: BasketDeps,
  channel: Channel,
  {
    basket,
    late,
    rows,
  }: {
    basket: Omit<TipsRequest, 'channelId'> & NamedTips
    late: readonly LateRow[]
    rows: readonly Row[]
  },
): Promise<Committed> {
  const { log, fees } = deps
  const { id } = basket
  const acceptedBefore = (account: Address) =>
    acceptedBy(deps, { account, token: channel.config.token })
  const drafts = draftTips(channel, basket, { id, at: deps.now(), fees, acceptedBefore })
  return log.commit({
    late,
    rows,
    tips: drafts,
    legs: basketLegs(channel, drafts, { fees }),
    rowsAt: (place) => [basketRows.put(id, { ...place, count: drafts.length })],
  })
}

/** What can be refused without looking at the channel's amounts. */
function assertTakes(deps: BasketDeps, { tips }: TipsRequest) {
  assertTips(deps, tips)
  deps.assertOpen()
}

function assertAffordable(
  { channels, streams }: BasketDeps,
  channel: Channel,
  { tips, maxClaimableAmount }: TipsRequest,
) {
  const ended = streams.endedBy(channel.id, tips)
  const amounts = channels.amounts(channel)
  assertCovered(ended ? amountsWithout(ended, amounts) : amounts, {
    added: tipsTotal(tips),
    offered: maxClaimableAmount,
  })
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

/** Whether a `to` is the address of a registered creator or the hub's fee account (R8). */
export function isRecipient({ creators, fees }: RecipientDeps, to: Hex): boolean {
  const account = recipientAccount(to)
  if (tipTo(account) !== to) return false
  return account === fees.account || creators.byAccount(account) !== undefined
}

async function assertSignedBy(
  deps: BasketDeps,
  channel: Channel,
  request: TipsRequest & NamedTips,
) {
  const digest = digestOf(deps, channel, request)
  if (await deps.checks.isBy(channel.config.payerAuthorizer, digest, request.signature)) return
  throw badSignature(channel)
}

/** As {@link assertSignedBy}, at once and on this thread: for the few baskets that come with a deposit. */
function assertSigned(deps: BasketDeps, channel: Channel, request: TipsRequest) {
  const digest = digestOf(deps, channel, { ...request, hashOfTips: tipsHash(request.tips) })
  const { payerAuthorizer } = channel.config
  if (deps.backend.recover(digest, request.signature) !== payerAuthorizer)
    throw badSignature(channel)
}

function digestOf(
  { separatorOf }: BasketDeps,
  { id, contract }: Channel,
  { maxClaimableAmount, hashOfTips }: { maxClaimableAmount: bigint; hashOfTips: Hex },
): Hex {
  const voucher = { channelId: id, maxClaimableAmount, tipsHash: hashOfTips }
  return tipVoucherDigest(voucher, separatorOf(contract))
}

function badSignature({ config }: Channel): HubError {
  const expected = config.payerAuthorizer
  return new HubError('bad_signature', `the voucher is not signed by ${expected}`, {
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

/** @throws HubError the channel's own refusal (R7) */
export function assertCredited({ id, refusal, config }: Channel) {
  if (!refusal) return
  const values = { channelId: id, ...config }
  throw new HubError(refusal, `no credit is given on channel ${id}`, { values })
}
