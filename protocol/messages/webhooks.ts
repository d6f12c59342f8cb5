// Webhooks on the wire: endpoints that are told what a session's address would hear as live events.

import { z } from 'zod'
import { hash, uint64 } from './wire.ts'

/** What the hub tells of; `GET /v1/events` tells the same. */
export const eventTypes = ['tip', 'channel', 'credited', 'refund', 'payout'] as const

export type EventType = (typeof eventTypes)[number]

const eventType = z.enum(eventTypes)

/** The id of an event: its commit group and its place in it, both in hex, so that ids sort as events came. */
export const eventId = z.string().regex(/^[0-9a-f]{16}\/[0-9a-f]{8}$/, 'must be the id of an event')

const maxUrlLength = 2_048

/** `POST /v1/webhooks`; without `events` it gets all types. */
export const webhookRequest = z.strictObject({
  url: z
    .string()
    .max(maxUrlLength)
    .refine((text) => URL.canParse(text), 'must be a URL'),
  events: z
    .array(eventType)
    .min(1)
    .max(eventTypes.length)
    .refine((types) => new Set(types).size === types.length, 'must name each type once')
    .default([...eventTypes]),
})

/**
 * `POST /v1/webhooks/:webhookId/replay`: one event as `eventId`, or all with ids `from` one `to` another, both included; without
 * `to`, to the newest.
 */
export const replayRequest = z
  .strictObject({ eventId: eventId.optional(), from: eventId.optional(), to: eventId.optional() })
  .transform(({ eventId: id, from, to }, context) => {
    if (id !== undefined && from === undefined && to === undefined) return { eventId: id }
    if (id === undefined && from !== undefined && (to === undefined || from <= to)) {
      return { from, to }
    }
    context.addIssue('must name an event, or a range that does not end before it begins')
    return z.NEVER
  })

/** How an attempt went: the status that the endpoint answered, or why there was none. Times in Unix milliseconds. */
export const attemptView = z.object({
  eventId: z.string(),
  type: z.string(),
  at: uint64,
  status: z.int().nullable(),
  failure: z.string().nullable(),
})

/**
 * An endpoint. `doneThrough` is the event up to which everything was delivered or given up, `failures` and `nextAttemptAt` are
 * of the event that comes next, `replays` is how many stretches of old events come before what is new.
 */
export const webhookView = z.object({
  webhookId: hash,
  url: z.string(),
  events: z.array(eventType),
  createdAt: uint64,
  disabledAt: uint64.nullable(),
  delivery: z.object({
    doneThrough: z.string(),
    failures: z.int(),
    nextAttemptAt: uint64.nullable(),
    replays: z.int(),
  }),
})

/** Answers to `POST /v1/webhooks` and `POST /v1/webhooks/:webhookId/secret`. The secret is not shown again. */
export const webhookSecretAnswer = z.object({ webhook: webhookView, secret: z.string() })

/** Answer to `GET /v1/webhooks`, oldest first. */
export const webhookList = z.object({ webhooks: z.array(webhookView) })

/** Answer to `GET /v1/webhooks/:webhookId/deliveries`: the newest attempts since the hub started, newest first. */
export const attemptList = z.object({ attempts: z.array(attemptView) })

/** Answer to `POST /v1/webhooks/:webhookId/test`: as an attempt. */
export const testAnswer = z.object({
  delivered: z.boolean(),
  status: z.int().nullable(),
  failure: z.string().nullable(),
})

/** Answer to `GET /v1/webhooks/:webhookId/dead`: events that were given up, oldest first. */
export const deadLetterList = z.object({
  dead: z.array(
    z.object({
      eventId: z.string(),
      type: z.string(),
      attempts: z.int(),
      failure: z.string(),
      at: uint64,
    }),
  ),
  next: z.string().nullable(),
})

export type WebhookRequest = z.output<typeof webhookRequest>
export type ReplayRequest = z.output<typeof replayRequest>
export type WebhookView = z.output<typeof webhookView>
export type AttemptView = z.output<typeof attemptView>
