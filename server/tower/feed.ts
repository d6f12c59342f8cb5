// The hub's side of the feed. Tips do not wait for it: what changed is noted by channel and told every so often, many
// channels in a message. Only a basket that would leave too much of a channel untold is answered after the tower has it.

import type { Hex } from 'viem'
import { larger, smaller } from '#protocol/amount.ts'
import { HubError } from '#protocol/errors.ts'
import type { Channel } from '../channels/channel.ts'
import type { ChannelRegistry } from '../channels/registry.ts'
import type { Committed, GroupLog } from '../store/group-log.ts'
import type { PlacedBasket } from '../store/tip-codec.ts'
import { decodeTip } from '../store/tip-codec.ts'
import type { OpenStream } from '../streams/stream.ts'
import type { StreamBook } from '../streams/stream-book.ts'
import { ticksProof } from '../streams/stream-end.ts'
import type { TowerLine } from './line.ts'
import type { NamedRow, RowsAnswer, TowerRow } from './row.ts'
import { rowsPerMessage } from './row.ts'

export type TowerFeed = {
  /** Hears of the baskets of a group that is on disk. */
  committed(baskets: readonly PlacedBasket[]): void
  /** Tells what is untold. Rejects when the tower does not take it; the next call begins there. */
  feed(): Promise<void>
  /**
   * Resolves when the tower knows what a basket charged; `undefined` when nobody needs to wait for that.
   *
   * Rejects with HubError `tower_unavailable`: the basket is accepted, and sent again it is answered later.
   */
  told(committed: Committed): Promise<void> | undefined
  /** @throws HubError `tower_unavailable` for a basket that would have to wait for a tower that does not answer */
  assertTakes(channel: Channel, added: bigint): void
  /** Whether the rows of the tower were compared with the books since the hub started. */
  isCompared(): boolean
  /** How long the oldest untold change has waited, in milliseconds. */
  lagMs(): number
}

export type TowerFeedDeps = {
  line: TowerLine
  log: GroupLog
  channels: ChannelRegistry
  streams: StreamBook
  /** What may be untold of a channel before its next basket waits, base units; without one, none waits. */
  untoldAtMost: bigint | undefined
  /** Nothing is asked of the tower before: a channel that it knows must be known here. */
  mayCompare: () => boolean
  /** Whether the books are of a backup, and what the tower has above them is to be taken over. */
  isRestored: () => boolean
  takeOver: (row: NamedRow) => Promise<void>
  /** Hears of a channel of which the tower knows more, although the books are not of a backup. */
  onAhead: (channelId: Hex) => void
  channelIdOf: (row: TowerRow) => Hex
  logFailure: (what: string, cause: unknown) => void
  now: () => number
}

/** What is on disk here and not yet there. `since` in Unix milliseconds. */
type Untold = { charged: bigint; since: number }

type Waiting = { charged: bigint; done: () => void; failed: (error: HubError) => void }

export function createTowerFeed(deps: TowerFeedDeps): TowerFeed {
  const { line, log, channels, streams, untoldAtMost, now } = deps
  const untold = new Map<Hex, Untold>()
  /** What the tower has acknowledged, by channel. */
  const toldCharged = new Map<Hex, bigint>()
  /** How many ticks of which stream it has. */
  const toldTicks = new Map<Hex, { stream: number; ticks: number }>()
  const waiting = new Map<Hex, Waiting[]>()
  let storeId: Hex | undefined
  let isDown = false
  let running: Promise<void> | undefined

  return {
    committed(baskets) {
      for (const { channelId, chargedAfter } of baskets) note(channelId, chargedAfter)
    },
    feed,
    told({ group, firstIndex, count }) {
      if (untoldAtMost === undefined || group.row === undefined || count === 0) return undefined
      const last = { group: group.header.number, index: firstIndex + count - 1 }
      const { channelId, chargedAfter: charged } = decodeTip(group.row.bytes, last).leaf
      if (untoldOf(channelId, charged) <= untoldAtMost) return undefined
      return new Promise((done, failed) => {
        const others = waiting.get(channelId) ?? []
        waiting.set(channelId, [...others, { charged, done, failed }])
        feed().then(undefined, refuseWaiting)
      })
    },
    assertTakes({ id, charged }, added) {
      if (!isDown || untoldAtMost === undefined) return
      if (untoldOf(id, charged + added) > untoldAtMost) throw unavailable()
    },
    isCompared: () => storeId !== undefined,
    lagMs() {
      const since = [...untold.values()].map((change) => change.since)
      for (const { usedAt } of untoldStreams()) since.push(usedAt)
      return since.reduce((lag, at) => Math.max(lag, now() - at), 0)
    },
  }

  function note(channelId: Hex, charged: bigint) {
    const before = untold.get(channelId)
    if (before) before.charged = larger(before.charged, charged)
    else untold.set(channelId, { charged, since: now() })
  }

  function untoldOf(channelId: Hex, charged: bigint): bigint {
    return charged - (toldCharged.get(channelId) ?? 0n)
  }

  /** All who ask at once share one run. */
  function feed(): Promise<void> {
    running ??= feedAll().finally(() => {
      running = undefined
    })
    return running
  }

  async function feedAll() {
    try {
      if (storeId === undefined) await compare()
      if (storeId === undefined) return
      noteTicks()
      while (untold.size > 0) await feedSome(storeId)
      isDown = false
    } catch (cause) {
      isDown = true
      refuseWaiting(cause)
      throw cause
    }
  }

  async function feedSome(expected: Hex) {
    const some = [...untold].slice(0, rowsPerMessage).map(([id, { charged }]) => ({
      id,
      charged,
      row: rowOf(channels.get(id), charged, streams.onChannel(id)),
    }))
    const answer = await line.feed(some.map(({ row }) => row))
    const refused = new Map(answer.refused.map(({ row, reason }) => [row, reason]))
    for (const [index, told] of some.entries()) {
      const reason = refused.get(index)
      if (reason === undefined) acknowledged(told)
      else notTaken(told.id, reason)
    }
    if (answer.storeId === expected) return
    storeId = undefined
    throw new Error('the tower has another store than before: all of it is compared again')
  }

  function acknowledged({ id, charged, row }: { id: Hex; charged: bigint; row: TowerRow }) {
    toldCharged.set(id, charged)
    const open = streams.onChannel(id)
    if (row.stream && open) toldTicks.set(id, { stream: open.number, ticks: row.stream.ticks })
    if (untold.get(id)?.charged === charged) untold.delete(id)
    const still = (waiting.get(id) ?? []).filter((one) => {
      if (one.charged > charged) return true
      one.done()
      return false
    })
    if (still.length > 0) waiting.set(id, still)
    else waiting.delete(id)
  }

  /** A row that the tower does not take stays unknown to it: whoever waits for that is refused, and the next change tries again. */
  function notTaken(id: Hex, reason: string) {
    const cause = new Error(`channel ${id} is refused: ${reason}`)
    deps.logFailure('tower', cause)
    untold.delete(id)
    for (const { failed } of waiting.get(id) ?? []) failed(unavailable(cause))
    waiting.delete(id)
  }

  /** Ticks are told with the next message of a channel, or in one of their own. */
  function noteTicks() {
    for (const { commitment } of untoldStreams())
      note(commitment.channelId, toldCharged.get(commitment.channelId) ?? 0n)
  }

  function untoldStreams(): OpenStream[] {
    return [...streams.all()].filter(({ commitment, number, ticks }) => {
      const known = toldTicks.get(commitment.channelId)
      return ticks > (known?.stream === number ? known.ticks : 0)
    })
  }

  /**
   * Reads all that the tower holds: what it lacks is untold, and what it has above the books is handed on. The empty commit
   * puts what memory held before it on disk, because a tower must never know of a charge that a crash can undo.
   */
  async function compare() {
    if (!deps.mayCompare()) return
    const mine = new Map([...channels.all()].map((channel) => [channel.id, provable(channel)]))
    await log.commit({})
    const theirs = await readAll(mine)
    toldCharged.clear()
    toldTicks.clear()
    for (const [id, charged] of theirs.charged) toldCharged.set(id, charged)
    for (const [id, charged] of mine) {
      if (charged > (theirs.charged.get(id) ?? 0n)) note(id, charged)
    }
    storeId = theirs.storeId
  }

  async function readAll(mine: ReadonlyMap<Hex, bigint>) {
    const charged = new Map<Hex, bigint>()
    let after: Hex | null = null
    for (;;) {
      const page: RowsAnswer = await line.rows(after)
      for (const row of page.rows) charged.set(deps.channelIdOf(row), row.charged)
      await Promise.all(page.rows.map((row) => compareRow(row, mine)))
      after = page.next
      if (after === null) return { charged, storeId: page.storeId }
    }
  }

  async function compareRow(row: TowerRow, mine: ReadonlyMap<Hex, bigint>) {
    const id = deps.channelIdOf(row)
    if (deps.isRestored()) await deps.takeOver({ ...row, channelId: id })
    else if (row.charged > (mine.get(id) ?? 0n)) deps.onAhead(id)
  }

  function refuseWaiting(cause: unknown) {
    const error = unavailable(cause)
    for (const some of waiting.values()) for (const { failed } of some) failed(error)
    waiting.clear()
  }
}

function unavailable(cause?: unknown): HubError {
  return new HubError('tower_unavailable', 'the watchtower does not answer', { cause })
}

function rowOf(channel: Channel, onDisk: bigint, open: OpenStream | undefined): TowerRow {
  const { config, proof = null } = channel
  const charged = smaller(onDisk, provable(channel))
  return { config, charged, proof, stream: open && open.ticks > 0 ? ticksProof(open) : null }
}

/** What a row says was charged: as far as the kept proof makes it claimable. */
function provable({ charged, proof }: Channel): bigint {
  return smaller(charged, proof?.maxClaimableAmount ?? 0n)
}
