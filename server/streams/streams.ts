// Streams of ticks: opened by a commitment, paid by preimages, ended by one tip (R26, R27, R28). No transport.

import type { Address, Hex } from 'viem'
import { HubError } from '#protocol/errors.ts'
import type { BasketReceipt } from '#protocol/receipt.ts'
import type { TickCommitment } from '#protocol/tick.ts'
import { tickCommitmentDigest, tickedAmount } from '#protocol/tick.ts'
import type { Baskets } from '../channels/baskets.ts'
import { assertCredited } from '../channels/baskets.ts'
import { assertCovered } from '../channels/channel.ts'
import type { RecipientDeps } from '../channels/recipients.ts'
import { isRecipient } from '../channels/recipients.ts'
import type { ChannelRegistry } from '../channels/registry.ts'
import type { SignatureChecks } from '../channels/signature-checks.ts'
import type { GroupLog } from '../store/group-log.ts'
import type { OpenStream } from './stream.ts'
import { assertBase, assertForward, assertShape, isPaid, tickedTotal } from './stream.ts'
import type { StreamBook } from './stream-book.ts'
import { isSameCommitment, streamClosed } from './stream-book.ts'

/** How far a stream is. `amount` is what was ticked, in base units; `number` names it in reveals. */
export type StreamView = { number: number; ticks: number; amount: bigint }

/** A commitment with its payer side's signature (65 bytes, canonical), and the session that is to reveal. */
export type StreamRequest = { commitment: TickCommitment; signature: Hex; session: string }

export type StreamLimits = {
  /** How many streams may be open at once. A channel has one. */
  maxOpen: number
  /** How many ticks one reveal may pay. */
  maxTicksPerReveal: number
  /** After this long without a tick the hub ends a stream, in milliseconds. */
  idleMs: number
}

export type Streams = {
  /**
   * Opens a stream, or answers how far it is when the session opened the same one before.
   *
   * @throws HubError, in this order: `invalid_request`, `unknown_channel` and the channel's own refusal, `not_your_stream`,
   * `root_used`, `stream_closed`, `unknown_creator`, `stream_open`, `too_many_requests`, `reserves_unequal` or `stopping`,
   * `base_too_low`, `deposit_exceeded`, `bad_signature`
   */
  open(request: StreamRequest): Promise<StreamView>
  /**
   * Takes the preimage (32 bytes) for `ticks` ticks in all. Resolves when it is on disk.
   *
   * @throws HubError, in this order: `stream_closed`, `unknown_stream`, `not_your_stream`, `tick_not_forward`,
   * `beyond_commitment`, `tick_jump_too_far`, `reserves_unequal` or `stopping`, `deposit_exceeded`, `ceiling_too_low`,
   * `too_many_requests`, and `wrong_preimage`, which ends the stream with what was proved
   */
  reveal(
    number: number,
    session: string,
    paid: { ticks: number; preimage: Uint8Array },
  ): Promise<void>
  /** Charges what was ticked and ends a stream; nothing is charged when nothing was ticked. */
  end(number: number): Promise<BasketReceipt | undefined>
  /** Ends all streams of a session that is no more. */
  endSession(session: string): Promise<void>
  /** Ends streams that are idle, and those whose money is about to leave the channel. */
  sweep(): Promise<void>
}

/** How many streams the hub ends in one go: about 20 ms of work. */
const endsAtOnce = 200

export type StreamDeps = RecipientDeps & {
  log: GroupLog
  channels: ChannelRegistry
  baskets: Baskets
  book: StreamBook
  checks: SignatureChecks
  separatorOf: (contract: Address) => Hex
  limits: StreamLimits
  now: () => number
  /** Refuses new payments while reserves are unequal or the hub stops. */
  assertOpen: () => void
}

export function createStreams(deps: StreamDeps): Streams {
  const { log, channels, baskets, book, limits, now } = deps
  /** How many commitments are having their signature checked. */
  let checking = 0

  return {
    async open(request) {
      const { commitment, signature, session } = request
      assertShape(commitment)
      const before = admit(request)
      if (before) return resume(before)
      await assertSigned(request)
      const meanwhile = admit(request)
      if (meanwhile) return resume(meanwhile)
      log.assertRoom()
      const { stream, rows } = book.open({ commitment, signature, session }, now())
      await log.commit({ rows })
      stream.isOnDisk = true
      return viewOf(stream)
    },
    async reveal(number, session, { ticks, preimage }) {
      const stream = book.get(number)
      assertOwner(stream, session)
      assertForward(stream, ticks, limits.maxTicksPerReveal)
      deps.assertOpen()
      const added = assertPayable(stream, ticks)
      log.assertRoom()
      if (!isPaid(stream, ticks, preimage)) {
        await baskets.endStream(stream)
        throw wrongPreimage(stream, ticks)
      }
      const own = new Uint8Array(preimage)
      const row = book.advance(stream, { ticks, preimage: own, added, at: now() })
      await log.tick({ stream: number, ticks, preimage: own }, row)
    },
    async end(number) {
      return baskets.endStream(book.get(number))
    },
    async endSession(session) {
      await endAll((stream) => stream.session === session)
    },
    async sweep() {
      const idleSince = now() - limits.idleMs
      await endAll((stream) => stream.usedAt <= idleSince || isUncovered(stream))
    },
  }

  /** Every check short of the signature. Returns the stream when the session has opened it already. */
  function admit({ commitment, session }: StreamRequest): OpenStream | undefined {
    const { channelId, to, root } = commitment
    const channel = channels.get(channelId)
    assertCredited(channel)
    const current = book.onChannel(channelId)
    if (current?.commitment.root === root) {
      assertSame(current, { commitment, session })
      return current
    }
    const use = book.useOf(channelId, root)
    if (use) throw streamClosed(root, use)
    if (!isRecipient(deps, to)) {
      const detail = `the commitment names ${to}, who has not joined`
      throw new HubError('unknown_creator', detail, { values: { to } })
    }
    if (current) throw streamOpen(current)
    if (book.count() + checking >= limits.maxOpen) {
      const open = book.count() + checking
      const detail = `${open} streams are open or being opened`
      throw new HubError('too_many_requests', detail, { values: { open } })
    }
    deps.assertOpen()
    assertBase(commitment, channels.amounts(channel))
    return undefined
  }

  /** What is answered was told by groups that may still be on their way to the disk. */
  async function resume(stream: OpenStream): Promise<StreamView> {
    const view = viewOf(stream)
    log.assertRoom()
    await log.commit({})
    return view
  }

  async function assertSigned({ commitment, signature }: StreamRequest) {
    const { contract, config } = channels.get(commitment.channelId)
    const digest = tickCommitmentDigest(commitment, deps.separatorOf(contract))
    const expected = config.payerAuthorizer
    checking += 1
    const isRight = await deps.checks.isBy(expected, digest, signature).finally(() => {
      checking -= 1
    })
    if (isRight) return
    const detail = `the commitment is not signed by ${expected}`
    throw new HubError('bad_signature', detail, { values: { expected } })
  }

  /** The rule for money (R1), with what the commitment makes claimable after these ticks as their maximum. */
  function assertPayable({ commitment, ticks: known }: OpenStream, ticks: number): bigint {
    const added = commitment.tickAmount * BigInt(ticks - known)
    const amounts = channels.amounts(channels.get(commitment.channelId))
    assertCovered(amounts, { added, offered: tickedAmount(commitment, ticks) })
    return added
  }

  /** Whether a withdrawal leaves less in escrow than is charged and held. */
  function isUncovered({ commitment }: OpenStream): boolean {
    const { charged, held, escrowCap } = channels.amounts(channels.get(commitment.channelId))
    return charged + held > escrowCap
  }

  /** Some at a time, with the disk between them, so that the end of many keeps nobody waiting. */
  async function endAll(isOver: (stream: OpenStream) => boolean) {
    const over = [...book.all()].filter((stream) => stream.isOnDisk && isOver(stream))
    while (over.length > 0) {
      const some = over.splice(0, endsAtOnce)
      await Promise.all(some.filter(isOver).map((stream) => baskets.endStream(stream)))
    }
  }
}

function assertOwner(stream: OpenStream, session: string) {
  if (stream.session === session) return
  const { number } = stream
  throw new HubError('not_your_stream', `stream ${number} was opened by another session`, {
    values: { number },
  })
}

function assertSame(
  stream: OpenStream,
  { commitment, session }: Pick<StreamRequest, 'commitment' | 'session'>,
) {
  assertOwner(stream, session)
  if (isSameCommitment(stream.commitment, commitment)) return
  const { root } = commitment
  const values = { stream: stream.number, root }
  throw new HubError('root_used', `root ${root} is that of another commitment`, { values })
}

function streamOpen({ number, commitment }: OpenStream): HubError {
  const { channelId, root } = commitment
  const values = { stream: number, channelId, root }
  return new HubError('stream_open', `stream ${number} is open on channel ${channelId}`, { values })
}

function wrongPreimage({ number, ticks: proved }: OpenStream, ticks: number): HubError {
  const detail = `the preimage does not pay tick ${ticks}; stream ${number} ends with ${proved}`
  return new HubError('wrong_preimage', detail, { values: { number, ticks, proved } })
}

function viewOf(stream: OpenStream): StreamView {
  return { number: stream.number, ticks: stream.ticks, amount: tickedTotal(stream) }
}
