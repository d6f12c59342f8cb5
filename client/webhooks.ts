// Webhooks: endpoints that the hub tells what this wallet would hear as live events.

import type { Hex } from 'viem'
import { z } from 'zod'
import type { AttemptView, EventType, WebhookView } from '#protocol/messages/webhooks.ts'
import {
  attemptList,
  deadLetterList,
  testAnswer,
  webhookList,
  webhookSecretAnswer,
  webhookView,
} from '#protocol/messages/webhooks.ts'
import type { Context } from './context.ts'
import { callSignedIn } from './context.ts'

/** A webhook with the secret that its deliveries are signed with; it is not answered again. */
export type WebhookSecret = z.output<typeof webhookSecretAnswer>
export type DeadLetters = z.output<typeof deadLetterList>
export type WebhookTest = z.output<typeof testAnswer>

/** Which events are to be sent again: one, or all `from` one `to` another, both included; without `to`, to the newest. */
export type ReplayOrder = { eventId: string } | { from: string; to?: string | undefined }

export type JandonWebhooks = {
  /** Without `events` it gets all types. The secret is for the package `standardwebhooks`, or any other of the standard. */
  add(order: { url: string; events?: readonly EventType[] | undefined }): Promise<WebhookSecret>
  /** Oldest first. */
  list(): Promise<readonly WebhookView[]>
  remove(webhookId: Hex): Promise<void>
  /** A new secret; the one before stays good beside it for a while. */
  rotate(webhookId: Hex): Promise<WebhookSecret>
  /** The newest attempts since the hub started, newest first. */
  attempts(webhookId: Hex): Promise<readonly AttemptView[]>
  /** The events that were given up, oldest first; `cursor` continues from the `next` of the page before. */
  dead(
    webhookId: Hex,
    page?: { limit?: number | undefined; cursor?: string | undefined },
  ): Promise<DeadLetters>
  replay(webhookId: Hex, order: ReplayOrder): Promise<WebhookView>
  /** Sends a test at once and answers how that went. */
  test(webhookId: Hex): Promise<WebhookTest>
}

export function createWebhooks(context: Context): JandonWebhooks {
  const pathOf = (webhookId: Hex) => `/v1/webhooks/${webhookId}`
  return {
    add: ({ url, events }) => {
      const body = events ? { url, events } : { url }
      return callSignedIn(context, { path: '/v1/webhooks', body }, webhookSecretAnswer)
    },
    list: async () => (await callSignedIn(context, { path: '/v1/webhooks' }, webhookList)).webhooks,
    remove: (id) => callSignedIn(context, { path: pathOf(id), method: 'DELETE' }, z.void()),
    rotate: (id) =>
      callSignedIn(context, { path: `${pathOf(id)}/secret`, body: {} }, webhookSecretAnswer),
    attempts: async (id) =>
      (await callSignedIn(context, { path: `${pathOf(id)}/deliveries` }, attemptList)).attempts,
    dead: (id, { limit, cursor } = {}) => {
      const query = new URLSearchParams()
      if (limit !== undefined) query.set('limit', limit.toString())
      if (cursor !== undefined) query.set('cursor', cursor)
      return callSignedIn(context, { path: `${pathOf(id)}/dead?${query}` }, deadLetterList)
    },
    replay: (id, order) =>
      callSignedIn(context, { path: `${pathOf(id)}/replay`, body: order }, webhookView),
    test: (id) => callSignedIn(context, { path: `${pathOf(id)}/test`, body: {} }, testAnswer),
  }
}
