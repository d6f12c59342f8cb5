// Webhooks as the hub's settings want them, over the real network and the real clock.

import type { Config } from '../../config.ts'
import type { GroupLog } from '../../store/group-log.ts'
import type { Database } from '../../store/table.ts'
import type { EventLog } from '../event-log.ts'
import { createPost } from './post.ts'
import { createResolve } from './resolve.ts'
import { createTargets } from './target.ts'
import type { Webhooks } from './webhooks.ts'
import { loadWebhooks } from './webhooks.ts'

export function openWebhooks(
  config: Config,
  {
    now,
    ...parts
  }: {
    db: Database
    log: GroupLog
    events: EventLog
    now: () => number
    randomBytes: (count: number) => Uint8Array
    logFailure: (what: string, cause: unknown) => void
    onStorageFailure: (cause: unknown) => void
  },
): Promise<Webhooks> {
  const targets = createTargets({ resolve: createResolve(), local: config.JANDON_WEBHOOKS_LOCAL })
  return loadWebhooks({
    ...parts,
    targets,
    post: createPost({ targets, timeoutMs: config.JANDON_WEBHOOK_TIMEOUT_MS }),
    clock: { now, after },
    terms: {
      room: { perAccount: config.JANDON_WEBHOOKS_PER_ACCOUNT, inAll: config.JANDON_WEBHOOKS },
      secretOverlapMs: config.JANDON_WEBHOOK_OVERLAP_MS,
      socketsPerLane: config.JANDON_WEBHOOK_SOCKETS,
      retry: {
        attempts: config.JANDON_WEBHOOK_ATTEMPTS,
        firstPauseMs: config.JANDON_WEBHOOK_RETRY_MS,
        longestPauseMs: config.JANDON_WEBHOOK_RETRY_MAX_MS,
      },
    },
  })
}

function after(milliseconds: number, work: () => void): () => void {
  const timer = setTimeout(work, milliseconds)
  return () => clearTimeout(timer)
}
