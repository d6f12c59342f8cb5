// Sending transactions so that nothing leaves a hole in the nonces or has a second effect (R12): not a crash, a lost broadcast,
// a price that rises, a node that forgets, a reorg, or another hand on the key.

import { setTimeout as sleep } from 'node:timers/promises'
import type { Address, Hex, PublicClient, TransactionReceipt } from 'viem'
import { BaseError, TransactionReceiptNotFoundError } from 'viem'
import type { PrivateKeyAccount } from 'viem/accounts'
import { HubError } from '#protocol/errors.ts'
import type { GroupLog } from '../store/group-log.ts'
import type { Database, Row } from '../store/table.ts'
import type { Consequence } from './bookings.ts'
import { firstBid } from './fees.ts'
import { asRefusal } from './revert.ts'
import type { Call, Outcome, Sent, SentBook } from './sent-book.ts'
import { createSentBook } from './sent-book.ts'
import type { FeePolicy } from './upkeep.ts'
import { createUpkeep } from './upkeep.ts'

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

/** For tests and tools; a hub takes its own from the configuration. */
export const defaultFees: FeePolicy = {
  budgetPerGas: 500_000_000_000n,
  deadlineMs: 600_000,
  patienceMs: 30_000,
  passedOver: 2n,
}

/** How often in a row a nonce must be found used and none of its attempts mined, before it counts as displaced. */
const looksForDisplaced = 3

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
  /** What a reorg takes back has no end any more, and is sent again. */
  reversal: Consequence
  /** Looks at every open transaction: takes note of its end, sends it again, or offers more for it. */
  tick(): Promise<void>
  waiting: SentBook['waiting']
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

export function createTransactions(deps: TransactionDeps): Transactions {
  const { db, log, chain, account, chainId } = deps
  const { fees = defaultFees, confirmations = 0, otherHand = nobodyElse, now = Date.now } = deps
  const { address } = account
  const book = createSentBook({ db, log })
  const upkeep = createUpkeep({ book, chain, account, chainId, fees, inLine, now })
  const foreignLooks = new Map<number, number>()
  const stopping = new AbortController()
  let line: Promise<unknown> = Promise.resolve()
  let looking: Promise<void> | undefined

  return {
    sender: address,
    send: (call, rowsWith = () => []) => inLine(() => sendNow(call, rowsWith)),
    async mined(hash) {
      const former = book.former(hash)
      if (former) return former.outcome
      const nonce = nonceOf(hash)
      for (;;) {
        stopping.signal.throwIfAborted()
        const outcome = book.outcomeOf(nonce)
        if (outcome) return outcome
        await lookOrWait()
        if (!book.outcomeOf(nonce)) await sleep(chain.pollingInterval)
      }
    },
    async cancel(hash) {
      await book.load()
      if (!book.former(hash)) await upkeep.cancel(nonceOf(hash))
    },
    isOurs: (hash) => book.nonceOf(hash) !== undefined || book.former(hash) !== undefined,
    firstHash: book.firstHash,
    reversal({ transaction }) {
      const nonce = book.nonceOf(transaction)
      return nonce === undefined ? {} : { rows: book.reopen(nonce) }
    },
    tick: look,
    waiting: book.waiting,
    stop: () => stopping.abort(new Error('the hub is stopping')),
  }

  /** One after the other, so that nonces are given away in order and none is replaced twice at once. */
  function inLine<T>(work: () => Promise<T>): Promise<T> {
    const done = line.then(work)
    line = done.catch(() => undefined)
    return done
  }

  function nonceOf(hash: Hex): number {
    const nonce = book.nonceOf(hash)
    if (nonce === undefined) throw new Error(`transaction ${hash} was not sent from here`)
    return nonce
  }

  async function sendNow(call: Call, rowsWith: (hash: Hex) => readonly Row[]): Promise<Hex> {
    await book.load()
    assertAlone()
    const { gas, market, used } = await prepare(call)
    await compareNonces(used)
    assertAlone()
    const nonce = book.next() ?? used
    const bid = firstBid(market, fees.budgetPerGas)
    const attempt = await upkeep.sign({ ...call, nonce, gas }, bid, 'call')
    const deadline = call.deadline ?? now() + fees.deadlineMs
    const sent: Sent = { ...call, nonce, gas, deadline, attempts: [attempt] }
    await book.put(sent, rowsWith(attempt.hash))
    await upkeep.broadcast(sent)
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
    await book.load()
    stopping.signal.throwIfAborted()
    const [head, used] = await Promise.all([
      chain.getBlockNumber({ cacheTime: 0 }),
      chain.getTransactionCount({ address, blockTag: 'latest' }),
    ])
    await inLine(() => compareNonces(used))
    await inLine(() => book.reopenFrom(used))
    const open = book.open()
    const mined = open.filter(({ nonce }) => nonce < used)
    await Promise.all(mined.map((sent) => lookAtMined(sent, head)))
    if (otherHand.isSuspected()) return
    await upkeep.look(
      open.filter(({ nonce }) => nonce >= used),
      { head, used },
    )
  }

  /** The chain never knows of a nonce before this data directory does, unless somebody else has the key. */
  async function compareNonces(used: number) {
    const next = book.next()
    if (next !== undefined && used <= next) return
    if (next === undefined || otherHand.isExpected()) await book.takeOver(used)
    else await otherHand.onForeignNonce(next)
  }

  async function lookAtMined(sent: Sent, head: bigint) {
    const receipt = await receiptOf(chain, sent)
    if (!receipt) return lookForOther(sent, head)
    foreignLooks.delete(sent.nonce)
    const { transactionHash: hash, blockNumber } = receipt
    if (head - blockNumber < BigInt(confirmations)) return
    const attempt = sent.attempts.find((candidate) => candidate.hash === hash)
    const status = attempt?.kind === 'cancel' ? 'cancelled' : receipt.status
    await end(sent, { status, hash, blockNumber })
  }

  /** A nonce that is used at depth, and by none of its attempts, was used by somebody else. */
  async function lookForOther({ nonce, ...sent }: Sent, head: bigint) {
    const depth = BigInt(Math.min(confirmations, deepestStateRead))
    const blockNumber = head > depth ? head - depth : 0n
    const used = await chain.getTransactionCount({ address, blockNumber })
    const looks = used > nonce ? (foreignLooks.get(nonce) ?? 0) + 1 : 0
    foreignLooks.set(nonce, looks)
    if (looks < looksForDisplaced) return
    if (!otherHand.isExpected()) await otherHand.onForeignNonce(nonce)
    foreignLooks.delete(nonce)
    const [{ hash }] = sent.attempts
    await end({ nonce }, { status: 'displaced', hash, blockNumber })
  }

  function end({ nonce }: Pick<Sent, 'nonce'>, outcome: Outcome): Promise<void> {
    return inLine(() => book.end(nonce, outcome))
  }
}

async function receiptOf(
  chain: PublicClient,
  { attempts }: Sent,
): Promise<TransactionReceipt | undefined> {
  for (const { hash } of attempts.toReversed()) {
    try {
      return await chain.getTransactionReceipt({ hash })
    } catch (cause) {
      if (!(cause instanceof TransactionReceiptNotFoundError)) throw cause
    }
  }
  return undefined
}
