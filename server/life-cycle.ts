// What a hub does by itself: how it starts, the rounds that it goes, and how it stops.

import type { Claims } from './chain/claims.ts'
import { isEndpointTrouble, reasonOf } from './chain/endpoints.ts'
import type { Follower } from './chain/follower.ts'
import { DeepReorgError } from './chain/follower.ts'
import type { Reserves } from './chain/reserves.ts'
import type { Transactions } from './chain/transactions.ts'
import type { Deposits } from './channels/deposits.ts'
import type { SignatureChecks } from './channels/signature-checks.ts'
import type { Config } from './config.ts'
import type { EventLoop } from './event-loop.ts'
import type { LiveEvents } from './events/live.ts'
import type { Webhooks } from './events/webhooks/webhooks.ts'
import type { Gate } from './gate.ts'
import type { BankDesk } from './payouts/bank-desk.ts'
import type { CatchUp } from './recovery/catch-up.ts'
import type { MoneyLock } from './recovery/lock.ts'
import type { Runner } from './runner.ts'
import type { GroupLog } from './store/group-log.ts'
import type { Database } from './store/table.ts'
import type { Streams } from './streams/streams.ts'
import type { TowerFeed } from './tower/feed.ts'

type Deps = {
  runner: Runner
  gate: Gate
  follower: Follower
  catchUp: CatchUp
  lock: MoneyLock
  reserves: Reserves
  transactions: Transactions
  claims: Claims
  deposits: Deposits
  streams: Streams
  desk: BankDesk | undefined
  tower: TowerFeed | undefined
  webhooks: Webhooks
  live: LiveEvents
  eventLoop: EventLoop
  log: GroupLog
  checks: SignatureChecks
  db: Database
  closeRail: () => void
  bookFloat: () => Promise<void>
  resumeMoneyOut: () => void
  logFailure: (what: string, cause: unknown) => void
}

export function createLifeCycle(
  { JANDON_POLL_MS: pollMs, JANDON_RESERVES_MS, JANDON_TOWER_FEED_MS }: Config,
  deps: Deps,
) {
  const { runner, gate, follower, catchUp, lock, reserves, transactions, claims, tower } = deps
  let reorgsChecked = 0

  return {
    /** Catches up with the chain, goes on with what was under way, and keeps going until {@link stop}. */
    async start() {
      await followChain().catch((cause: unknown) => {
        if (!isEndpointTrouble(cause)) throw cause
        deps.logFailure('chain', `no endpoint can be followed, the hub waits: ${reasonOf(cause)}`)
      })
      await deps.bookFloat()
      await reserves.check()
      runner.loop('chain', followChain, pollMs)
      runner.loop('streams', sweepStreams, pollMs)
      runner.loop('claims', settleWhenDue, pollMs)
      runner.loop('reserves', async () => void (await reserves.check()), JANDON_RESERVES_MS)
      if (deps.desk) runner.loop('bank', deps.desk.tick, pollMs)
      runner.loop('transactions', transactions.tick, pollMs)
      runner.background('settlements', claims.resume)
      if (tower) runner.loop('tower', tower.feed, JANDON_TOWER_FEED_MS)
      await deps.deposits.resume()
      if (!lock.current()) deps.resumeMoneyOut()
      deps.webhooks.start()
    },
    /** Takes nothing new, waits for what was taken, and lets go of the data directory. */
    async stop() {
      gate.close('the hub is stopping')
      runner.stop()
      follower.stop()
      transactions.stop()
      deps.live.close()
      deps.eventLoop.stop()
      await deps.webhooks.stop()
      await deps.log.close()
      await tower?.feed().catch((cause: unknown) => deps.logFailure('tower', cause))
      await deps.checks.stop()
      await deps.db.close()
      deps.closeRail()
    },
  }

  /** Reserves are compared after each reorg, because what was undone may not be there to be owed. */
  async function followChain() {
    try {
      await follower.tick()
      openGate()
    } catch (cause) {
      if (cause instanceof DeepReorgError) gate.close(cause.message)
      throw cause
    }
    const { count } = follower.reorgs()
    if (count > reorgsChecked) await reserves.check()
    reorgsChecked = count
  }

  function openGate() {
    const reason = catchUp.reasonToWait()
    if (reason === undefined) gate.open()
    else gate.wait(reason)
  }

  /** Streams out of a backup stay open until receipts of their true ends could be presented. */
  async function sweepStreams() {
    if (!lock.current()) await deps.streams.sweep()
  }

  async function settleWhenDue() {
    if (lock.current()?.reason !== 'other-hand') await claims.settleDue()
  }
}
