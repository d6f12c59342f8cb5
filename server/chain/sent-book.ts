// What was sent from this data directory: each nonce with every signature that was ever made for it, and its end.

import type { Address, Hex } from 'viem'
import type { GroupLog } from '../store/group-log.ts'
import type { Database, Row } from '../store/table.ts'
import { sortable, table } from '../store/table.ts'
import type { Bid } from './fees.ts'

/**
 * A call to send. `purpose` names the cause, so that the log and the store say why a transaction exists. `deadline` is when it
 * should be mined at the latest, in Unix milliseconds: by then it offers all of the budget.
 */
export type Call = { to: Address; data: Hex; purpose: string; deadline?: number }

/** One signature for a nonce. A `cancel` does nothing but use the nonce up. */
export type Attempt = Bid & { kind: 'call' | 'cancel'; raw: Hex; hash: Hex; at: number }

/** A nonce that was given away, with everything that was ever signed for it: only one of them can be mined. */
export type Sent = Call & {
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

export const openRows = table<Sent>('transaction-open')
export const endedRows = table<Sent & { outcome: Outcome }>('transaction')
/** Nonces by hash, of every attempt. */
export const nonceByHash = table<number>('transaction-hash')
/** Nonces taken over from the chain: the next one after them. */
export const takenOver = table<number>('transaction-nonce')

/** What a former operator key sent: its name, which is its first hash, and how it ended. By every hash. */
export type Former = { first: Hex; outcome: Outcome }
export const formerRows = table<Former>('transaction-former')

export type SentBook = {
  /** Reads what is on disk, once. To be awaited before the others but those that take a hash. */
  load(): Promise<void>
  /** The nonce to give away next; unknown before anything was sent or taken over. */
  next(): number | undefined
  /** Goes on after nonces that were not given away here. */
  takeOver(next: number): Promise<void>
  /** What has no end yet, in the order of nonces. */
  open(): Sent[]
  find(nonce: number): Sent | undefined
  /** Stores a new nonce or a new attempt of one, and resolves when it is on disk: before, nothing may leave. */
  put(sent: Sent, rows?: readonly Row[]): Promise<void>
  end(nonce: number, outcome: Outcome): Promise<void>
  /**
   * Takes back the end of what was sent, which a reorg undid. The rows are to be committed in the same tick; none when it has
   * no end or was not sent from here.
   */
  reopen(nonce: number): Row[]
  /**
   * The same for all from a nonce on, the next that the chain knows: it has forgotten them, or an endpoint that is behind does not
   * know them yet. They end again when they are seen.
   */
  reopenFrom(used: number): Promise<void>
  /** What waits for its end: how many, how often they were replaced, and since when the oldest waits, Unix milliseconds. */
  waiting(): { count: number; replacements: number; since: number | undefined }
  nonceOf(hash: Hex): number | undefined
  /** What a former operator key sent from this data directory. */
  former(hash: Hex): Former | undefined
  outcomeOf(nonce: number): Outcome | undefined
  firstHash(hash: Hex): Hex | undefined
}

export function createSentBook({ db, log }: { db: Database; log: GroupLog }): SentBook {
  const open = new Map<number, Sent>()
  let next: number | undefined
  let loading: Promise<void> | undefined

  return {
    load() {
      loading ??= read()
      return loading
    },
    next: () => next,
    async takeOver(after) {
      if (after > 0) await log.commit({ rows: [takenOver.put('', after)] })
      next = after
    },
    open: inOrder,
    find: (nonce) => open.get(nonce),
    async put(sent, rows = []) {
      const hashes = sent.attempts.map(({ hash }) => nonceByHash.put(hash, sent.nonce))
      await log.commit({ rows: [openRows.put(sortable(sent.nonce), sent), ...hashes, ...rows] })
      open.set(sent.nonce, sent)
      next = Math.max(next ?? 0, sent.nonce + 1)
    },
    async end(nonce, outcome) {
      const sent = open.get(nonce)
      if (!sent) return
      const key = sortable(nonce)
      await log.commit({ rows: [openRows.remove(key), endedRows.put(key, { ...sent, outcome })] })
      open.delete(nonce)
    },
    reopen,
    async reopenFrom(used) {
      const rows: Row[] = []
      for (let nonce = (next ?? used) - 1; nonce >= used; nonce -= 1) rows.push(...reopen(nonce))
      if (rows.length > 0) await log.commit({ rows })
    },
    waiting() {
      const replacements = inOrder().reduce((sum, { attempts }) => sum + attempts.length - 1, 0)
      return { count: open.size, replacements, since: inOrder()[0]?.attempts[0].at }
    },
    nonceOf: (hash) => nonceByHash.get(db, hash),
    former: (hash) => formerRows.get(db, hash),
    outcomeOf: (nonce) =>
      open.has(nonce) ? undefined : endedRows.get(db, sortable(nonce))?.outcome,
    firstHash(hash) {
      const nonce = nonceByHash.get(db, hash)
      if (nonce === undefined) return formerRows.get(db, hash)?.first
      const key = sortable(nonce)
      return (openRows.get(db, key) ?? endedRows.get(db, key))?.attempts[0].hash
    },
  }

  /** One that was taken back comes after others into the map. */
  function inOrder(): Sent[] {
    return [...open.values()].sort((a, b) => a.nonce - b.nonce)
  }

  function reopen(nonce: number): Row[] {
    const key = sortable(nonce)
    const ended = endedRows.get(db, key)
    if (!ended || open.has(nonce)) return []
    const { outcome: _, ...sent } = ended
    open.set(nonce, sent)
    return [endedRows.remove(key), openRows.put(key, sent)]
  }

  async function read() {
    for (const { value } of await openRows.list(db)) open.set(value.nonce, value)
    const [newest] = await endedRows.list(db, { limit: 1, reverse: true })
    const given = Math.max(newest?.value.nonce ?? -1, ...open.keys())
    const after = Math.max(given + 1, takenOver.get(db, '') ?? 0)
    if (after > 0) next = after
  }
}
