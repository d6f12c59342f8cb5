// Webhooks as their owners see them: where they may point, their secrets, what was given up, and what is asked for again.

import type { Address, Hex } from 'viem'
import { bytesToHex } from 'viem'
import { HubError } from '#protocol/errors.ts'
import type {
  AttemptView,
  ReplayRequest,
  WebhookRequest,
  WebhookView,
} from '#protocol/messages/webhooks.ts'
import { toJson } from '#protocol/messages/wire.ts'
import type { GroupLog } from '../../store/group-log.ts'
import type { Database } from '../../store/table.ts'
import type { EventLog } from '../event-log.ts'
import { endOfGroup, justBefore } from '../event-log.ts'
import type { Clock } from './courier.ts'
import { firstRow, loadDeliveries } from './deliveries.ts'
import type { Endpoint } from './endpoint.ts'
import { deadRows, isFor, replayName, rowKey, rowsOf, stretchRows } from './endpoint.ts'
import type { Post } from './post.ts'
import type { Room } from './registry.ts'
import { loadRegistry } from './registry.ts'
import type { RetryPolicy } from './retry.ts'
import { isDelivered } from './sender.ts'
import { newSecret, rotated } from './signature.ts'
import type { Targets } from './target.ts'

/** How many endpoints there may be, how they are tried, and how long an old secret stays good beside a new one. */
export type WebhookTerms = {
  room: Room
  retry: RetryPolicy
  socketsPerLane: number
  secretOverlapMs: number
}

export type Webhooks = Awaited<ReturnType<typeof loadWebhooks>>

/** Replays of one endpoint that may wait for each other. */
const maxReplays = 100

export async function loadWebhooks({
  db,
  log,
  events,
  targets,
  post,
  clock,
  randomBytes,
  terms,
  logFailure,
  onStorageFailure,
}: {
  db: Database
  log: GroupLog
  events: EventLog
  targets: Targets
  post: Post
  clock: Clock
  randomBytes: (count: number) => Uint8Array
  terms: WebhookTerms
  logFailure: (what: string, cause: unknown) => void
  onStorageFailure: (cause: unknown) => void
}) {
  const registry = await loadRegistry({ db, log, room: terms.room })
  const deliveries = await loadDeliveries({
    db,
    log: events,
    endpoints: registry.all(),
    post,
    clock,
    random: () => (randomBytes(1)[0] ?? 0) / 255,
    policy: terms,
    onGone: disable,
    onFailure: (cause) => logFailure('webhooks', cause),
    onStorageFailure,
  })

  return {
    isHeard: deliveries.isHeard,
    publish: deliveries.publish,
    start: deliveries.start,
    stop: deliveries.stop,
    /** The secret is answered here and never again. @throws HubError `too_many_webhooks`, `webhook_url_refused` */
    async register(account: Address, request: WebhookRequest) {
      registry.assertRoom(account)
      const secret = newSecret(randomBytes)
      const endpoint: Endpoint = {
        webhookId: bytesToHex(randomBytes(32)),
        account,
        url: await targets.assertAllowed(request.url),
        events: request.events,
        secrets: [{ text: secret, expiresAt: null }],
        createdAt: clock.now(),
        disabledAt: null,
      }
      const group = await registry.add(endpoint, (at) => firstRow(endpoint.webhookId, at))
      deliveries.add(endpoint, group)
      return { webhook: view(endpoint), secret }
    },
    /** An account's endpoints, oldest first. */
    ofAccount: (account: Address): WebhookView[] => registry.ofAccount(account).map(view),
    /** @throws HubError `unknown_webhook`, `not_yours`, as all that follow */
    find: (account: Address, webhookId: Hex): WebhookView => view(registry.own(account, webhookId)),
    /** A new secret; the one before stays good beside it for a while. */
    async rotate(account: Address, webhookId: Hex) {
      const endpoint = registry.own(account, webhookId)
      log.assertRoom()
      const text = newSecret(randomBytes)
      const overlapEndsAt = clock.now() + terms.secretOverlapMs
      const secrets = rotated(endpoint.secrets, { text, overlapEndsAt })
      return { webhook: view(await change({ ...endpoint, secrets })), secret: text }
    },
    async remove(account: Address, webhookId: Hex) {
      registry.own(account, webhookId)
      await registry.remove(webhookId, () => deliveries.remove(webhookId))
    },
    /** The newest attempts since the hub started, newest first. */
    attempts(account: Address, webhookId: Hex): readonly AttemptView[] {
      registry.own(account, webhookId)
      return deliveries.attempts(webhookId)
    },
    /** The events that were given up, oldest first. */
    dead(
      account: Address,
      webhookId: Hex,
      page: { limit: number; cursor: string | undefined },
    ): ReturnType<typeof listDead> {
      registry.own(account, webhookId)
      return listDead(db, webhookId, page)
    },
    /** Sends a test at once. @throws HubError `webhook_disabled`, `too_many_requests` */
    async test(account: Address, webhookId: Hex) {
      const { events: types } = registry.working(account, webhookId)
      const id = `test_${Buffer.from(randomBytes(16)).toString('hex')}`
      const data = toJson({ webhookId, events: types })
      const outcome = await deliveries.test(webhookId, { id, type: 'test', data, at: clock.now() })
      return {
        delivered: isDelivered(outcome),
        status: 'status' in outcome ? outcome.status : null,
        failure: 'failure' in outcome ? outcome.failure : null,
      }
    },
    /** Sends events again, before what is new. @throws HubError `webhook_disabled`, `unknown_event`, `too_many_requests` */
    async replay(account: Address, webhookId: Hex, request: ReplayRequest): Promise<WebhookView> {
      const endpoint = registry.working(account, webhookId)
      const range = 'eventId' in request ? await rangeOfOne(endpoint, request.eventId) : request
      if (deliveries.view(webhookId).replays >= maxReplays) {
        throw new HubError('too_many_requests', `${maxReplays} replays of it are waiting`)
      }
      log.assertRoom()
      const newest = endOfGroup(log.head().number)
      const through = range.to !== undefined && range.to < newest ? range.to : newest
      const row = { after: justBefore(range.from), through, failures: 0, nextAt: 0, idle: false }
      const name = replayName({ now: clock.now(), random: randomBytes(4) })
      await log.commit({ rows: [stretchRows.put(rowKey(webhookId, name), row)] })
      deliveries.replay(webhookId, name, row)
      return view(registry.own(account, webhookId))
    },
  }

  function view({ webhookId, url, events: types, createdAt, disabledAt }: Endpoint): WebhookView {
    return {
      webhookId,
      url,
      events: [...types],
      createdAt: BigInt(createdAt),
      disabledAt: disabledAt === null ? null : BigInt(disabledAt),
      delivery: deliveries.view(webhookId),
    }
  }

  /** An event that is not for the endpoint is not told apart from one that never was. */
  async function rangeOfOne(endpoint: Endpoint, eventId: string) {
    const event = await events.find(eventId)
    if (event && isFor(endpoint, event)) return { from: eventId, to: eventId }
    throw new HubError('unknown_event', `${eventId} is not an event for this webhook`, {
      values: { eventId },
    })
  }

  async function change(endpoint: Endpoint): Promise<Endpoint> {
    deliveries.change(endpoint)
    await registry.change(endpoint)
    return endpoint
  }

  async function disable(webhookId: Hex) {
    const endpoint = registry.find(webhookId)
    if (endpoint) await change({ ...endpoint, disabledAt: clock.now() })
  }
}

async function listDead(
  db: Database,
  webhookId: Hex,
  { limit, cursor = '' }: { limit: number; cursor: string | undefined },
) {
  const { after: start, before } = rowsOf(webhookId)
  const rows = await deadRows.list(db, { after: start + cursor, before, limit: limit + 1 })
  const dead = rows.slice(0, limit).map(({ key, value }) => {
    const { type, attempts, failure, at } = value
    return { eventId: key.slice(start.length), type, attempts, failure, at: BigInt(at) }
  })
  return { dead, next: rows.length > limit ? (dead.at(-1)?.eventId ?? null) : null }
}
