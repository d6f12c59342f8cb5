// Sending transactions so that nothing leaves a hole in the nonces or has a second effect (R12): not a crash, a lost broadcast,
// a price that rises, a node that forgets, a reorg, or another hand on the key.

import { setTimeout as sleep } from 'node:timers/promises'
import type { Address, Hex, PublicClient, TransactionReceipt } from 'viem'
import { BaseError, keccak256, TransactionReceiptNotFoundError } from 'viem'
import type { PrivateKeyAccount } from 'viem/accounts'
import { HubError } from '#protocol/errors.ts'
import type { GroupLog } from '../store/group-log.ts'
import type { Database, Row } from '../store/table.ts'
import { sortable, table } from '../store/table.ts'
import type { Bid } from './fees.ts'
import { ceilingAt, firstBid, nextBid } from './fees.ts'
import { asRefusal, isRefused } from './revert.ts'

/**
 * A call to send. `purpose` names the cause, so that the log and the store say why a transaction exists. `deadline` is when it
 * should be mined at the latest, in Unix milliseconds: by then it offers all of the budget.
 */
export type Call = { to: Address; data: Hex; purpose: string; deadline?: number }

/** One signature for a nonce. A `cancel` does nothing but use the nonce up. */
type Attempt = Bid & { kind: 'call' | 'cancel'; raw: Hex; hash: Hex; at: number }

/** A nonce that was given away, with everything that was ever signed for it: only one of them can be mined. */
type Open = Call & {
  nonce: number
  gas: bigint
  attempts: readonly [Attempt, ...Attempt[]]
  deadline: number
}

/**
 * How a transaction ended. `displaced`: another transaction of the key took its nonce, so it never happens. `hash` is what was
 * mined, at `blockNumber`; of a displaced one its own, and the block at which that was certain.
 */
export type Outcome = {
  status: 'success' | 'reverted' | 'cancelled' | 'displaced'
  hash: Hex
  blockNumber: bigint
}

type Ended = Open & { outcome: Outcome }

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

export const defaultFees: FeePolicy = {
  budgetPerGas: 500_000_000_000n,
  deadlineMs: 600_000,
  patienceMs: 30_000,
  passedOver: 2n,
}

/** What is done about another hand on the key. */
export type OtherHand = {
  /** Whether it may be at work now: then nothing is sent. */
  isSuspected: () => boolean
  /** Whether the books are known to be behind, so that nonces which they do not know are taken over. */
  isExpected: () => boolean
  /** A transaction that was not sent from here used this nonce. */
  onForeignNonce: (nonce: number) => Promise<void>
}

const nobodyElse: OtherHand = {
  isSuspected: () => false,
  isExpected: () => false,
  onForeignNonce: (nonce) =>
    Promise.reject(new Error(`nonce ${nonce} was used by a transaction not sent from here`)),
}

const openRows = table<Open>('transaction-open')
const endedRows = table<Ended>('transaction')
/** Nonces by hash, of every attempt. */
const nonceByHash = table<number>('transaction-hash')
/** Nonces taken over from the chain: the next one after them. */
const takenOver = table<number>('transaction-nonce')

/** How often in a row a nonce must be found used and none of its attempts mined, before it counts as displaced. */
const looksForDisplaced = 3

/** What nodes say of bytes that they have. */
const alreadyKnown = /already known|known transaction|already imported|already in the pool/i

/** Nodes keep the state of so many blocks at least. */
const deepestStateRead = 64

export type Transactions = {
  /** The key's address. */
  sender: Address
  /**
   * Simulates, signs, stores and broadcasts. `rowsWith` adds rows to the batch that stores the signed bytes, so that what
   * asked for the transaction knows its hash as soon as it can exist. That hash stays its name when it is replaced.
   *
   * @throws HubError `chain_refused` when the simulation reverts; nothing was stored then. `chain_unavailable` likewise, and
   * `money_out_locked` while another hand may be on the key.
   */
  send(call: Call, rowsWith?: (hash: Hex) => readonly Row[]): Promise<Hex>
  /** Resolves when a transaction is final: its nonce is used at policy depth. Takes any of its hashes. */
  mined(hash: Hex): Promise<Outcome>
  /** Replaces a transaction by one that does nothing, if the chain still lets it. What came of it, {@link mined} tells. */
  cancel(hash: Hex): Promise<void>
  /** Whether a transaction was signed from this data directory. */
  isOurs(hash: Hex): boolean
  /** The hash that a transaction was first sent with, whichever of its hashes is given. */
  firstHash(hash: Hex): Hex | undefined
  /** Looks at every open transaction: takes note of its end, sends it again, or offers more for it. */
  tick(): Promise<void>
  /** What waits for its end: how many, how often they were replaced, and since when the oldest waits, Unix milliseconds. */
  waiting(): { count: number; replacements: number; since: number | undefined }
  /** Ends every wait; what is not mined yet goes on after the next start. */
  stop(): void
}

export type TransactionDeps = {
  db: Database
  log: GroupLog
  chain: PublicClient
  account: PrivateKeyAccount
  chainId: number
  fees?: FeePolicy
  /** Blocks on top of a transaction before it is final. */
  confirmations?: number
  otherHand?: OtherHand
  now?: () => number
}

/**
 * What is remembered of an open transaction between looks, and need not survive a restart: when it was last sent and whether a
 * node took it, the block at which it was first looked at since, and how often in a row its nonce was found used by none of it.
 */
type Watch = {
  broadcastAt: number
  isTaken: boolean
  blockThen: bigint | undefined
  foreignLooks: number
}

const unwatched: Watch = {
  broadcastAt: 0,
  isTaken: false,
  blockThen: undefined,
  foreignLooks: 0,
}

export function createTransactions({
  db,
  log,
  chain,
  account,
  chainId,
  fees = defaultFees,
  confirmations = 0,
  otherHand = nobodyElse,
  now = Date.now,
}: TransactionDeps): Transactions {
  const open = new Map<number, Open>()
  const watches = new Map<number, Watch>()
  const stopping = new AbortController()
  const address = account.address
  /** The nonce to give away next; unknown until the chain was asked for the first time. */
  let next: number | undefined
  let loading: Promise<void> | undefined
  let line: Promise<unknown> = Promise.resolve()
  let looking: Promise<void> | undefined

  return {
    sender: address,
    send: (call, rowsWith = () => []) => inLine(() => sendNow(call, rowsWith)),
    async mined(hash) {
      const nonce = nonceByHash.get(db, hash)
      if (nonce === undefined) throw new Error(`transaction ${hash} was not sent from here`)
      for (;;) {
        stopping.signal.throwIfAborted()
        const ended = endedRows.get(db, sortable(nonce))
        if (ended) return ended.outcome
        await lookOrWait()
        if (!endedRows.has(db, sortable(nonce))) await sleep(chain.pollingInterval)
      }
    },
    cancel: (hash) =>
      inLine(async () => {
        await load()
        const nonce = nonceByHash.get(db, hash)
        const sent = nonce === undefined ? undefined : open.get(nonce)
        if (!sent || sent.attempts.some(({ kind }) => kind === 'cancel')) return
        const market = await chain.estimateFeesPerGas()
        await replace(sent, { market, kind: 'cancel', ceiling: fees.budgetPerGas })
      }),
    isOurs: (hash) => nonceByHash.get(db, hash) !== undefined,
    firstHash(hash) {
      const nonce = nonceByHash.get(db, hash)
      if (nonce === undefined) return undefined
      const key = sortable(nonce)
      return (openRows.get(db, key) ?? endedRows.get(db, key))?.attempts[0].hash
    },
    tick: look,
    waiting() {
      const all = [...open.values()]
      const replacements = all.reduce((sum, { attempts }) => sum + attempts.length - 1, 0)
      return { count: all.length, replacements, since: all[0]?.attempts[0].at }
    },
    stop: () => stopping.abort(new Error('the hub is stopping')),
  }

  /** One after the other, so that nonces are given away in order and none is replaced twice at once. */
  function inLine<T>(work: () => Promise<T>): Promise<T> {
    const done = line.then(work)
    line = done.catch(() => undefined)
    return done
  }

  function load(): Promise<void> {
    loading ??= (async () => {
      for (const { value } of await openRows.list(db)) open.set(value.nonce, value)
      const [newest] = await endedRows.list(db, { limit: 1, reverse: true })
      const known = [newest?.value.nonce, [...open.keys()].at(-1)].map((nonce) => (nonce ?? -1) + 1)
      const after = Math.max(...known, takenOver.get(db, '') ?? 0)
      if (after > 0) next = after
    })()
    return loading
  }

  async function sendNow(call: Call, rowsWith: (hash: Hex) => readonly Row[]): Promise<Hex> {
    await load()
    assertAlone()
    const { gas, market, used } = await prepare(call)
    await compareNonces(used)
    assertAlone()
    const nonce = next ?? used
    const bid = firstBid(market, fees.budgetPerGas)
    const attempt = await sign({ ...call, nonce, gas }, bid, 'call')
    const deadline = call.deadline ?? now() + fees.deadlineMs
    const sent: Open = { ...call, nonce, gas, deadline, attempts: [attempt] }
    await log.commit({ rows: [...rowsOf(sent), ...rowsWith(attempt.hash)] })
    next = nonce + 1
    open.set(nonce, sent)
    await broadcast(sent)
    return attempt.hash
  }

  function assertAlone() {
    if (!otherHand.isSuspected()) return
    throw new HubError('money_out_locked', 'another process may be using the operator key', {
      values: { reason: 'other-hand' },
    })
  }

  async function prepare({ to, data }: Call) {
    try {
      const [gas, market, used] = await Promise.all([
        chain.estimateGas({ account, to, data }),
        chain.estimateFeesPerGas(),
        chain.getTransactionCount({ address, blockTag: 'pending' }),
      ])
      return { gas: gas + gas / 5n, market, used }
    } catch (cause) {
      throw asRefusal(cause)
    }
  }

  async function sign(
    { to, data, nonce, gas }: Pick<Open, 'to' | 'data' | 'nonce' | 'gas'>,
    { maxFeePerGas, maxPriorityFeePerGas }: Bid,
    kind: Attempt['kind'],
  ): Promise<Attempt> {
    const effect = kind === 'call' ? { to, data, gas } : { to: address, gas: 21_000n }
    const bid = { maxFeePerGas, maxPriorityFeePerGas }
    const raw = await account.signTransaction({
      ...effect,
      ...bid,
      nonce,
      chainId,
      type: 'eip1559',
    })
    return { ...bid, kind, raw, hash: keccak256(raw), at: now() }
  }

  function rowsOf(sent: Open): Row[] {
    const hashes = sent.attempts.map(({ hash }) => nonceByHash.put(hash, sent.nonce))
    return [openRows.put(sortable(sent.nonce), sent), ...hashes]
  }

  /**
   * Every signature in order, because a node may know any of them or none. A broadcast that fails is not an error: the bytes
   * are stored, and are sent again.
   */
  async function broadcast({ nonce, attempts }: Open) {
    let isTaken = false
    for (const { raw } of attempts) {
      try {
        await chain.sendRawTransaction({ serializedTransaction: raw })
        isTaken = true
      } catch (cause) {
        if (!(cause instanceof BaseError)) throw cause
        isTaken = alreadyKnown.test(cause.message)
      }
    }
    watches.set(nonce, { ...watchOf(nonce), broadcastAt: now(), isTaken })
  }

  function watchOf(nonce: number): Watch {
    return watches.get(nonce) ?? unwatched
  }

  function look(): Promise<void> {
    looking ??= lookNow().finally(() => {
      looking = undefined
    })
    return looking
  }

  /** A chain that does not answer is no end of a wait. */
  async function lookOrWait() {
    try {
      await look()
    } catch (cause) {
      if (!(cause instanceof BaseError)) throw cause
    }
  }

  async function lookNow() {
    await load()
    stopping.signal.throwIfAborted()
    const [head, used] = await Promise.all([
      chain.getBlockNumber({ cacheTime: 0 }),
      chain.getTransactionCount({ address, blockTag: 'latest' }),
    ])
    await inLine(() => compareNonces(used))
    const all = [...open.values()]
    const mined = all.filter(({ nonce }) => nonce < used)
    await Promise.all(mined.map((sent) => lookAtMined(sent, head)))
    if (otherHand.isSuspected()) return
    await lookAtAllPending(
      all.filter(({ nonce }) => nonce >= used),
      { head, used },
    )
  }

  /** The chain never knows of a nonce before this data directory does, unless somebody else has the key. */
  async function compareNonces(used: number) {
    if (next !== undefined && used <= next) return
    const isFirst = next === undefined
    if (isFirst || otherHand.isExpected()) {
      if (used > 0) await log.commit({ rows: [takenOver.put('', used)] })
      next = used
      return
    }
    await otherHand.onForeignNonce(next ?? used)
  }

  async function lookAtMined(sent: Open, head: bigint) {
    const receipt = await receiptOf(sent)
    if (!receipt) return lookForOther(sent, head)
    watches.delete(sent.nonce)
    if (head - receipt.blockNumber < BigInt(confirmations)) return
    const attempt = sent.attempts.find(({ hash }) => hash === receipt.transactionHash)
    const status = attempt?.kind === 'cancel' ? 'cancelled' : receipt.status
    const { transactionHash: hash, blockNumber } = receipt
    await end(sent, { status, hash, blockNumber })
  }

  /** A nonce that is used at depth, and by none of its attempts, was used by somebody else. */
  async function lookForOther(sent: Open, head: bigint) {
    const depth = BigInt(Math.min(confirmations, deepestStateRead))
    const blockNumber = head > depth ? head - depth : 0n
    const used = await chain.getTransactionCount({ address, blockNumber })
    const watch = watchOf(sent.nonce)
    const foreignLooks = used > sent.nonce ? watch.foreignLooks + 1 : 0
    watches.set(sent.nonce, { ...watch, foreignLooks })
    if (foreignLooks < looksForDisplaced) return
    if (!otherHand.isExpected()) await otherHand.onForeignNonce(sent.nonce)
    await end(sent, { status: 'displaced', hash: sent.attempts[0].hash, blockNumber })
  }

  function end({ nonce }: Open, outcome: Outcome): Promise<void> {
    return inLine(async () => {
      const sent = open.get(nonce)
      if (!sent) return
      const key = sortable(nonce)
      await log.commit({ rows: [openRows.remove(key), endedRows.put(key, { ...sent, outcome })] })
      open.delete(nonce)
      watches.delete(nonce)
    })
  }

  async function receiptOf({ attempts }: Open): Promise<TransactionReceipt | undefined> {
    for (const { hash } of attempts.toReversed()) {
      try {
        return await chain.getTransactionReceipt({ hash })
      } catch (cause) {
        if (!(cause instanceof TransactionReceiptNotFoundError)) throw cause
      }
    }
    return undefined
  }

  /** What no node has taken is sent in order, until one refuses: nodes may want nonces without a gap. */
  async function lookAtAllPending(pending: Open[], at: { head: bigint; used: number }) {
    let isRefused = false
    for (const sent of pending) {
      if (watchOf(sent.nonce).isTaken) await lookAtPending(sent, at)
      else if (!isRefused) {
        await broadcast(sent)
        isRefused = !watchOf(sent.nonce).isTaken
        if (isRefused) await lookAtRefused(sent, at.used)
      }
    }
  }

  /** A node may refuse what offers less than it asks. */
  async function lookAtRefused({ nonce, attempts }: Open, used: number) {
    const newest = attempts.at(-1) ?? attempts[0]
    if (nonce !== used || now() - newest.at < fees.patienceMs) return
    await inLine(() => raise(nonce, { isLeftOut: false }))
  }

  /** Sends again what a node may have forgotten, and offers more for what blocks leave out. */
  async function lookAtPending(sent: Open, { head, used }: { head: bigint; used: number }) {
    const { nonce } = sent
    const { broadcastAt, blockThen = head } = watchOf(nonce)
    watches.set(nonce, { ...watchOf(nonce), blockThen })
    if (now() - broadcastAt < fees.patienceMs) return
    const isLeftOut = nonce === used && head - blockThen >= fees.passedOver
    if (await inLine(() => raise(nonce, { isLeftOut }))) {
      watches.set(nonce, { ...watchOf(nonce), blockThen: head })
      return
    }
    await broadcast(open.get(nonce) ?? sent)
  }

  /**
   * Offers more for a transaction that blocks leave out though it is next in line, or that offers less than the market asks.
   * What would revert by now is cancelled instead: only the next in line can be simulated, because others may build on those
   * before them.
   */
  async function raise(nonce: number, { isLeftOut }: { isLeftOut: boolean }): Promise<boolean> {
    const sent = open.get(nonce)
    const last = sent?.attempts.at(-1)
    if (!sent || !last) return false
    const market = await chain.estimateFeesPerGas()
    if (!isLeftOut && market.maxFeePerGas <= last.maxFeePerGas) return false
    const isDoomed = isLeftOut && last.kind === 'call' && (await wouldRevert(sent))
    const [first] = sent.attempts
    const deadline = deadlineOf(nonce)
    const ramp = { first: first.maxFeePerGas, budget: fees.budgetPerGas, begun: first.at, deadline }
    const ceiling = ceilingAt(ramp, now())
    return replace(sent, { market, kind: isDoomed ? 'cancel' : last.kind, ceiling })
  }

  async function wouldRevert({ to, data }: Open): Promise<boolean> {
    try {
      await chain.estimateGas({ account, to, data })
      return false
    } catch (cause) {
      const refusal = asRefusal(cause)
      if (isRefused(refusal)) return true
      throw cause
    }
  }

  /** Signs the same nonce again for more, or answers that the ceiling does not allow that. */
  async function replace(
    sent: Open,
    { market, kind, ceiling }: { market: Bid; kind: Attempt['kind']; ceiling: bigint },
  ): Promise<boolean> {
    const bid = nextBid(sent.attempts.at(-1) ?? sent.attempts[0], { market, ceiling })
    if (!bid) return false
    const attempt = await sign(sent, bid, kind)
    const replaced: Open = { ...sent, attempts: [...sent.attempts, attempt] }
    await log.commit({ rows: rowsOf(replaced) })
    open.set(sent.nonce, replaced)
    await broadcast(replaced)
    return true
  }

  /** Whatever comes later in line waits for this one, and is as urgent. */
  function deadlineOf(nonce: number): number {
    const behind = [...open.values()].filter((other) => other.nonce >= nonce)
    return Math.min(...behind.map(({ deadline }) => deadline))
  }
}
