// Webhooks over a real disk and the real network, with a clock that a test moves.

import { randomBytes } from 'node:crypto'
import type { Address } from 'viem'
import { eventTypes } from '#protocol/messages/webhooks.ts'
import { unpackTips } from '#protocol/packed-tips.ts'
import { tipEvent } from '../channels/basket-change.ts'
import { createEventLog } from '../events/event-log.ts'
import { createPost } from '../events/webhooks/post.ts'
import { createTargets } from '../events/webhooks/target.ts'
import type { WebhookTerms } from '../events/webhooks/webhooks.ts'
import { loadWebhooks } from '../events/webhooks/webhooks.ts'
import type { Published } from '../store/group-log.ts'
import type { Database } from '../store/table.ts'
import type { MovedClock } from './clock.ts'
import { createClock } from './clock.ts'
import { draftBasket, openLog, randomHash } from './disk.ts'

/** The creator that {@link draftBasket} tips. */
export const tipped: Address = `0x${'33'.repeat(20)}`

export const usualTerms: WebhookTerms = {
  room: { perAccount: 3, inAll: 100 },
  retry: { attempts: 4, firstPauseMs: 1_000, longestPauseMs: 10_000 },
  socketsPerLane: 100,
  secretOverlapMs: 60_000,
}

export type Hooks = Awaited<ReturnType<typeof openHooks>>

/** Opens what is on a database and begins. `failures` holds what the hub would have logged, or ended for. */
export async function openHooks(
  db: Database,
  {
    clock = createClock(),
    terms = {},
    timeoutMs = 10_000,
  }: { clock?: MovedClock; terms?: Partial<WebhookTerms>; timeoutMs?: number } = {},
) {
  const failures: unknown[] = []
  const events = createEventLog({ db, tipEvent: (tip) => tipEvent(tip, tip.note.payer) })
  const tell = (published: Published) =>
    webhooks.publish({ group: published.group, events: events.of(published) })
  const { log } = await openLog(db, { onCommitted: tell })
  const targets = createTargets({ resolve: () => Promise.resolve([]), local: true })
  const webhooks = await loadWebhooks({
    db,
    log,
    events,
    targets,
    post: createPost({ targets, timeoutMs }),
    clock,
    randomBytes,
    terms: { ...usualTerms, ...terms },
    logFailure: (_what, cause) => failures.push(cause),
    onStorageFailure: (cause) => failures.push(cause),
  })
  webhooks.start()
  return {
    webhooks,
    clock,
    failures,
    register: async (url: string, account = tipped) => {
      const order = { url, events: [...eventTypes] }
      const { webhook, secret } = await webhooks.register(account, order)
      return { id: webhook.webhookId, secret }
    },
    /** Commits one tip and answers its ref. */
    async tip(): Promise<string> {
      const draft = draftBasket(randomHash())
      await log.commit({ baskets: [draft] })
      return unpackTips(draft.tips)[0]?.ref ?? ''
    },
    /** Commits a group that tells this account nothing. */
    other: () => log.commit({ events: [{ audience: ['0x'], type: 'channel', data: '{}' }] }),
    async close() {
      await webhooks.stop()
      await log.close()
    },
  }
}
