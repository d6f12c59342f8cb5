// The life of a tip: cheap refusals in their order, the one rule for money, the signature, one commit (R1, R2, R5, R13).

import type { Address, Hex } from 'viem'
import { hexToBytes } from 'viem'
import { HubError } from '#protocol/errors.ts'
import { readHex } from '#protocol/hex.ts'
import { keccak } from '#protocol/keccak.ts'
import type { ChannelAmounts } from '#protocol/messages/tips.ts'
import type { PackedBasket, PackedTips } from '#protocol/packed-tips.ts'
import { packedTipsHash, packedTotal, packTips, tipOffsets } from '#protocol/packed-tips.ts'
import type { BasketReceipt } from '#protocol/receipt.ts'
import { basketId, messageRef, tipVoucherDigest } from '#protocol/tip.ts'
import type { VaultAccounts } from '../creators/vault-accounts.ts'
import type { Balances } from '../ledger/entry.ts'
import { balanceOf } from '../ledger/entry.ts'
import type { Committed, GroupLog } from '../store/group-log.ts'
import { committedTips, readCommitted } from '../store/group-log.ts'
import type { LateRow } from '../store/late-rows.ts'
import type { Database, Row } from '../store/table.ts'
import type { OpenStream } from '../streams/stream.ts'
import type { StreamBook } from '../streams/stream-book.ts'
import { amountsWithout, chargeable, ticksProof } from '../streams/stream-end.ts'
import type { TowerFeed } from '../tower/feed.ts'
import type { NamedBasket, StoredBasket } from './basket-change.ts'
import { basketRows, draftBasket } from './basket-change.ts'
import type { CeilingProof, Channel } from './channel.ts'
import { assertCovered, charge } from './channel.ts'
import type { Recipient, RecipientDeps, Recipients } from './recipients.ts'
import { createRecipients, recipientOf } from './recipients.ts'
import type { ChannelRegistry } from './registry.ts'
import type { SignatureBackend } from './signature-backend.ts'
import type { SignatureChecks } from './signature-checks.ts'

/** An accepted basket: where its tips were committed, and the channel's amounts now. */
export type Accepted = { id: Hex; committed: Committed; channel: ChannelAmounts }

export type Baskets = {
  /** Accepts a basket, or answers again for one that was accepted before. */
  accept(request: PackedBasket): Promise<Accepted>
  /** Every check of `accept` short of accepting, on a channel as it would be; for deposits that bring a basket. */
  assertAcceptable(channel: Channel, request: PackedBasket): void
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

type Deps = BasketDeps & { recipients: Recipients }

/** What the tips of a basket make it, and what they add up to. */
type Named = NamedBasket & { total: bigint }

/** A basket that somebody waits for: how many do, where it stands if it was accepted before, and its commit once asked. */
type InProgress = {
  id: Hex
  waiting: number
  stored: StoredBasket | undefined
  committed: Promise<Committed> | undefined
}

export function createBaskets(basketDeps: BasketDeps): Baskets {
  const deps: Deps = { ...basketDeps, recipients: createRecipients(basketDeps) }
  const { db, channels } = deps
  const inProgress = new Map<Hex, InProgress>()
  /** How many requests on a channel are between their first check and their commit. */
  const onChannel = new Map<Hex, number>()

  return {
    async accept(request) {
      const channel = channels.get(request.channelId)
      assertCredited(channel)
      const basket = nameBasket(request)
      const committed = await acceptOnce(channel, basket)
      const told = deps.tower?.told(committed)
      if (told !== undefined) await told
      return { id: basket.id, committed, channel: channels.amounts(channels.get(channel.id)) }
    },
    assertAcceptable(channel, request) {
      const basket = nameBasket(request)
      assertTakes(deps, basket)
      assertAffordable(deps, channel, basket)
      assertSigned(deps, channel, basket)
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
  function lastTip(channel: Channel, stream: OpenStream): Named | undefined {
    const amount = chargeable(channel, stream)
    if (amount === 0n) return undefined
    const { to, root } = stream.commitment
    const { signature, maxClaimableAmount } = ticksProof(stream)
    for (let ref = root; ; ref = keccak(hexToBytes(ref))) {
      const tips = packTips([{ to, amount, ref }])
      const basket = nameBasket({ channelId: channel.id, tips, signature, maxClaimableAmount })
      if (!isKnown(basket.id)) return basket
    }
  }

  /** Whoever sends the same basket meanwhile waits for the same receipt, after a signature of their own (R2). */
  async function acceptOnce(channel: Channel, basket: Named): Promise<Committed> {
    const mine = progressOf(basket.id)
    if (!mine.stored && !mine.committed) assertWorthwhile(channel, basket)
    count(onChannel, channel.id, 1)
    join(mine)
    try {
      const digest = digestOf(deps, channel, basket)
      const { payerAuthorizer } = channel.config
      if (!(await deps.checks.isBy(payerAuthorizer, digest, basket.signature)))
        throw badSignature(channel)
      return await committedOnce(mine, () => acceptNew(deps, channels.get(channel.id), basket))
    } finally {
      leave(mine)
      count(onChannel, channel.id, -1)
    }
  }

  function progressOf(id: Hex): InProgress {
    const known = inProgress.get(id)
    return known ?? { id, waiting: 0, stored: basketRows.get(db, id), committed: undefined }
  }

  /** Whoever presents a basket that is worked on joins in: all of them share one commit. */
  async function whileWaiting<T>(mine: InProgress, work: () => Promise<T>): Promise<T> {
    join(mine)
    try {
      return await work()
    } finally {
      leave(mine)
    }
  }

  function join(mine: InProgress) {
    inProgress.set(mine.id, mine)
    mine.waiting += 1
  }

  function leave(mine: InProgress) {
    mine.waiting -= 1
    if (mine.waiting === 0) inProgress.delete(mine.id)
  }

  /** The first who comes here commits. Whether there was one, and the commit, are of one tick: there is no second. */
  function committedOnce(mine: InProgress, commit: () => Promise<Committed>): Promise<Committed> {
    mine.committed ??= mine.stored ? Promise.resolve(readCommitted(db, mine.stored)) : commit()
    return mine.committed
  }

  /** The cheap refusals. What is in progress on the channel may still change whether it can pay: that is judged after. */
  function assertWorthwhile(channel: Channel, basket: Named) {
    if (inProgress.size >= deps.maxInProgress) {
      const values = { waiting: inProgress.size }
      throw new HubError('too_many_requests', `${inProgress.size} baskets are in progress`, {
        values,
      })
    }
    assertTakes(deps, basket)
    deps.tower?.assertTakes(channel, basket.total)
    if (!onChannel.has(channel.id)) assertAffordable(deps, channel, basket)
  }
}

/** The receipt of a committed basket. */
export function receiptOf(id: Hex, committed: Committed): BasketReceipt {
  const { header, headerSignature } = committed.group
  return { basketId: id, header, headerSignature, tips: committedTips(committed) }
}

function count(counts: Map<Hex, number>, key: Hex, change: 1 | -1) {
  const next = (counts.get(key) ?? 0) + change
  if (next === 0) counts.delete(key)
  else counts.set(key, next)
}

function nameBasket({ channelId, tips, signature, maxClaimableAmount }: PackedBasket): Named {
  const hashOfTips = packedTipsHash(tips)
  const id = basketId(channelId, hashOfTips)
  return { id, hashOfTips, total: packedTotal(tips), tips, signature, maxClaimableAmount }
}

/** Synchronous up to the commit, so that the check and the write see the same channel. */
function acceptNew(deps: Deps, channel: Channel, basket: Named): Promise<Committed> {
  const { log, channels, streams } = deps
  const { id, tips, total, signature, maxClaimableAmount, hashOfTips } = basket
  deps.assertOpen()
  assertAffordable(deps, channel, basket)
  log.assertRoom()
  const ended = streams.endedBy(channel.id, tips)
  const rows = ended ? streams.close(ended, id) : []
  const proof: CeilingProof = {
    kind: 'voucher',
    maxClaimableAmount,
    tipsHash: hashOfTips,
    signature,
  }
  const late = [channels.charge(charge(channel, { added: total, proof }))]
  const recipients = tips.starts.map((_, index) => recipientAt(deps, tips, index))
  return commitBasket(deps, channel, { basket, recipients, late, rows })
}

/** The channel's row goes with the tip: a start could not tell its proof from the tip alone. */
function commitStream(
  deps: Deps,
  channel: Channel,
  { stream, named }: { stream: OpenStream; named: Named },
): Promise<Committed> {
  const proof = ticksProof(stream)
  const closed = deps.streams.close(stream, named.id)
  const charged = deps.channels.update(charge(channel, { added: named.total, proof }))
  const recipients = [recipientOf(stream.commitment.to, deps.fees)]
  const rows = [...closed, charged]
  return commitBasket(deps, channel, { basket: named, recipients, late: [], rows })
}

/** Writes a basket of a channel whose next state is taken over already. `channel` is the one before. */
function commitBasket(
  deps: Deps,
  channel: Channel,
  {
    basket,
    recipients,
    late,
    rows,
  }: {
    basket: NamedBasket
    recipients: readonly Recipient[]
    late: readonly LateRow[]
    rows: readonly Row[]
  },
): Promise<Committed> {
  const { token } = channel.config
  const { draft, legs } = draftBasket(channel, basket, {
    at: deps.now(),
    fees: deps.fees,
    recipients,
    acceptedBefore: (recipient) => acceptedBy(deps, recipient, token),
  })
  return deps.log.commit({
    late,
    rows,
    baskets: [draft],
    legs,
    rowsAt: (place) => [basketRows.put(basket.id, { ...place, count: recipients.length })],
  })
}

/** What can be refused without looking at the channel's amounts. */
function assertTakes(deps: Deps, { tips }: Named) {
  assertFreshRefs(tips)
  assertMessages(tips)
  for (let index = 0; index < tips.starts.length; index += 1) recipientAt(deps, tips, index)
  deps.assertOpen()
}

function assertAffordable(
  { channels, streams }: BasketDeps,
  channel: Channel,
  { tips, total, maxClaimableAmount }: Named,
) {
  const ended = streams.endedBy(channel.id, tips)
  const amounts = channels.amounts(channel)
  assertCovered(ended ? amountsWithout(ended, amounts) : amounts, {
    added: total,
    offered: maxClaimableAmount,
  })
}

/** Refs that differ in their first four bytes differ: only where those are the same, the whole of all is compared. */
function assertFreshRefs(tips: PackedTips) {
  if (tips.starts.length === 1) return
  const beginnings = new Set<number>()
  for (const start of tips.starts) beginnings.add(tips.view.getInt32(start + tipOffsets.ref))
  if (beginnings.size === tips.starts.length) return
  const refs = new Set<Hex>()
  for (let index = 0; index < tips.starts.length; index += 1) {
    const ref = refOf(tips, index)
    if (refs.has(ref)) {
      throw new HubError('duplicate_ref', `tip ${index} repeats ref ${ref}`, {
        values: { index, ref },
      })
    }
    refs.add(ref)
  }
}

function assertMessages(tips: PackedTips) {
  for (const [index, message] of tips.messages) {
    if (messageRef(message) === refOf(tips, index)) continue
    throw new HubError('message_mismatch', `tip ${index}: ref is not keccak256(salt ‖ message)`, {
      values: { index },
    })
  }
}

function recipientAt({ recipients }: Deps, tips: PackedTips, index: number): Recipient {
  const recipient = recipients.of(tips, index)
  if (recipient) return recipient
  const at = (tips.starts[index] ?? 0) + tipOffsets.to
  const to = readHex(tips.bytes, at, at + 32)
  throw new HubError('unknown_creator', `tip ${index} names ${to}, who has not joined`, {
    values: { index, to },
  })
}

function refOf({ bytes, starts }: PackedTips, index: number): Hex {
  const at = (starts[index] ?? 0) + tipOffsets.ref
  return readHex(bytes, at, at + 32)
}

/** Whether a basket is signed, at once and on this thread: for the few that come with a deposit. */
function assertSigned(deps: BasketDeps, channel: Channel, basket: Named) {
  const digest = digestOf(deps, channel, basket)
  const { payerAuthorizer } = channel.config
  if (deps.backend.recover(digest, basket.signature) !== payerAuthorizer)
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
  { vaultAccounts, balances }: BasketDeps,
  { account, ledgerAccount }: Recipient,
  token: Address,
): bigint {
  const owed = -balanceOf(balances, ledgerAccount, token)
  return vaultAccounts.get(token, account).credited + owed
}

/** @throws HubError the channel's own refusal (R7) */
export function assertCredited({ id, refusal, config }: Channel) {
  if (!refusal) return
  const values = { channelId: id, ...config }
  throw new HubError(refusal, `no credit is given on channel ${id}`, { values })
}
