// What open transactions need until they are mined: to be sent again, to offer more, or to be cancelled.

import type { PublicClient } from 'viem'
import { BaseError, keccak256 } from 'viem'
import type { PrivateKeyAccount } from 'viem/accounts'
import type { Bid } from './fees.ts'
import { ceilingAt, nextBid } from './fees.ts'
import { asRefusal, isRefused } from './revert.ts'
import type { Attempt, Sent, SentBook } from './sent-book.ts'

/**
 * What may be offered for gas. Wei for one unit; milliseconds; `passedOver` is how many blocks must have left a transaction out
 * before it offers more.
 */
export type FeePolicy = {
  budgetPerGas: bigint
  deadlineMs: number
  patienceMs: number
  passedOver: bigint
}

/**
 * What is remembered of an open transaction between looks, and need not survive a restart: when it was last sent and whether a
 * node took it, and the block at which it was first looked at since.
 */
type Watch = { broadcastAt: number; isTaken: boolean; blockThen: bigint | undefined }

/** When a look is: the newest block, the next nonce that the chain knows, and the price of gas, asked for once. */
type Moment = { head: bigint; used: number; market: () => Promise<Bid> }

const unwatched: Watch = { broadcastAt: 0, isTaken: false, blockThen: undefined }

/** What nodes say of bytes that they have. */
const alreadyKnown = /already known|known transaction|already imported|already in the pool/i

const gasOfCancel = 21_000n

export type Upkeep = {
  /** The signature of a nonce under a bid. */
  sign(call: Unsigned, bid: Bid, kind: Attempt['kind']): Promise<Attempt>
  /** Sends what was signed for a nonce. */
  broadcast(sent: Sent): Promise<void>
  /** Looks at what is not mined, in the order of nonces; `head` is the newest block, `used` the next nonce it knows. */
  look(pending: readonly Sent[], at: { head: bigint; used: number }): Promise<void>
  /** Replaces a transaction by one that does nothing, for all of the budget if need be. */
  cancel(nonce: number): Promise<void>
}

export type Unsigned = Pick<Sent, 'to' | 'data' | 'nonce' | 'gas'>

export type UpkeepDeps = {
  book: SentBook
  chain: PublicClient
  account: PrivateKeyAccount
  chainId: number
  fees: FeePolicy
  /** Keeps two replacements of one nonce apart. */
  inLine: <T>(work: () => Promise<T>) => Promise<T>
  now: () => number
}

export function createUpkeep(deps: UpkeepDeps): Upkeep {
  const { book, chain, fees, inLine, now } = deps
  const watches = new Map<number, Watch>()

  return {
    sign: (call, bid, kind) => signAttempt(deps, call, { bid, kind }),
    broadcast,
    /** What no node has taken is sent in order, until one refuses: nodes may want nonces without a gap. */
    async look(pending, { head, used }) {
      forgetBefore(used)
      let asked: Promise<Bid> | undefined
      const market = () => {
        asked ??= chain.estimateFeesPerGas()
        return asked
      }
      const at = { head, used, market }
      let isRefused = false
      for (const sent of pending) {
        if (watchOf(sent).isTaken) await lookAtTaken(sent, at)
        else if (!isRefused) {
          await broadcast(sent)
          if (!watchOf(sent).isTaken) await lookAtRefused(sent, at)
          isRefused = !watchOf(sent).isTaken
        }
      }
    },
    cancel: (nonce) =>
      inLine(async () => {
        const sent = book.find(nonce)
        if (!sent || sent.attempts.some(({ kind }) => kind === 'cancel')) return
        const market = await chain.estimateFeesPerGas()
        await replace(sent, { market, kind: 'cancel', ceiling: fees.budgetPerGas })
      }),
  }

  function watchOf({ nonce }: Pick<Sent, 'nonce'>): Watch {
    return watches.get(nonce) ?? unwatched
  }

  function forgetBefore(used: number) {
    for (const nonce of watches.keys()) if (nonce < used) watches.delete(nonce)
  }

  /** The newest signature, and if no node takes it those before it, because a node may know any of them or none. */
  async function broadcast(sent: Sent) {
    const isTaken = await isAccepted(chain, newestOf(sent.attempts))
    if (!isTaken) for (const older of sent.attempts.slice(0, -1)) await isAccepted(chain, older)
    watches.set(sent.nonce, { ...watchOf(sent), broadcastAt: now(), isTaken })
  }

  /** A node may refuse what offers less than it asks: then all that wait are raised in one look, not one with each block. */
  async function lookAtRefused({ nonce, attempts }: Sent, { market }: Moment) {
    if (now() - newestOf(attempts).at < fees.patienceMs) return
    await inLine(() => raise(nonce, { isLeftOut: false, market }))
  }

  /** Sends again what a node may have forgotten, and offers more for what blocks leave out. */
  async function lookAtTaken(sent: Sent, { head, used, market }: Moment) {
    const { nonce } = sent
    const { broadcastAt, blockThen = head } = watchOf(sent)
    watches.set(nonce, { ...watchOf(sent), blockThen })
    if (now() - broadcastAt < fees.patienceMs) return
    const isLeftOut = nonce === used && head - blockThen >= fees.passedOver
    const isRaised = await inLine(() => raise(nonce, { isLeftOut, market }))
    if (isRaised) watches.set(nonce, { ...watchOf(sent), blockThen: head })
    else await broadcast(book.find(nonce) ?? sent)
  }

  /**
   * Offers more for a transaction that blocks leave out though it is next in line, or that offers less than the market asks.
   * What would revert by now is cancelled instead: only the next in line can be simulated, because others may build on those
   * before them.
   */
  async function raise(
    nonce: number,
    { isLeftOut, market: ask }: { isLeftOut: boolean; market: Moment['market'] },
  ): Promise<boolean> {
    const sent = book.find(nonce)
    if (!sent) return false
    const { kind, maxFeePerGas } = newestOf(sent.attempts)
    const market = await ask()
    if (!isLeftOut && market.maxFeePerGas <= maxFeePerGas) return false
    const isDoomed = isLeftOut && kind === 'call' && (await wouldRevert(deps, sent))
    return replace(sent, { market, kind: isDoomed ? 'cancel' : kind, ceiling: ceilingOf(sent) })
  }

  /** Whatever comes later in line waits for this one, which is as urgent. */
  function ceilingOf({ nonce, attempts: [first] }: Sent): bigint {
    const behind = book.open().filter((other) => other.nonce >= nonce)
    const deadline = Math.min(...behind.map((other) => other.deadline))
    const { budgetPerGas } = fees
    const ramp = { first: first.maxFeePerGas, budget: budgetPerGas, begun: first.at, deadline }
    return ceilingAt(ramp, now())
  }

  /** Signs the same nonce again for more, or answers that the ceiling does not allow that. */
  async function replace(
    sent: Sent,
    { market, kind, ceiling }: { market: Bid; kind: Attempt['kind']; ceiling: bigint },
  ): Promise<boolean> {
    const bid = nextBid(newestOf(sent.attempts), { market, ceiling })
    if (!bid) return false
    const attempt = await signAttempt(deps, sent, { bid, kind })
    const replaced: Sent = { ...sent, attempts: [...sent.attempts, attempt] }
    await book.put(replaced)
    await broadcast(replaced)
    return true
  }
}

async function signAttempt(
  { account, chainId, now }: Pick<UpkeepDeps, 'account' | 'chainId' | 'now'>,
  { to, data, nonce, gas }: Unsigned,
  { bid, kind }: { bid: Bid; kind: Attempt['kind'] },
): Promise<Attempt> {
  const { maxFeePerGas, maxPriorityFeePerGas } = bid
  const offered = { maxFeePerGas, maxPriorityFeePerGas }
  const effect = kind === 'call' ? { to, data, gas } : { to: account.address, gas: gasOfCancel }
  const type = 'eip1559'
  const raw = await account.signTransaction({ ...effect, ...offered, nonce, chainId, type })
  return { ...offered, kind, raw, hash: keccak256(raw), at: now() }
}

/** A node that refuses or does not answer is no error: the bytes are stored, and are sent again. */
async function isAccepted(
  chain: Pick<PublicClient, 'sendRawTransaction'>,
  { raw }: Attempt,
): Promise<boolean> {
  try {
    await chain.sendRawTransaction({ serializedTransaction: raw })
    return true
  } catch (cause) {
    if (!(cause instanceof BaseError)) throw cause
    return alreadyKnown.test(cause.message)
  }
}

async function wouldRevert(
  { chain, account }: Pick<UpkeepDeps, 'chain' | 'account'>,
  { to, data }: Sent,
): Promise<boolean> {
  try {
    await chain.estimateGas({ account, to, data })
    return false
  } catch (cause) {
    if (isRefused(asRefusal(cause))) return true
    throw cause
  }
}

function newestOf(attempts: Sent['attempts']): Attempt {
  return attempts.at(-1) ?? attempts[0]
}
