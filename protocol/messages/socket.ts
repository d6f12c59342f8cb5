// The text messages of the WebSocket. Baskets, receipts and ticks are binary: see `frames.ts`.

import { z } from 'zod'
import { amount, hash, positiveAmount, signature } from './wire.ts'

/** To be signed in as whoever the token is of, once per connection; what follows below needs it. */
const signIn = z.strictObject({
  type: z.literal('sign-in'),
  token: z.string().regex(/^[\w-]{1,200}$/, 'must be a bearer token'),
})

/** To follow one's events, from an event that was seen. */
const follow = z.strictObject({
  type: z.literal('follow'),
  after: z
    .string()
    .regex(/^[0-9a-f]{16}\/[0-9a-f]{8}$/, 'must be the id of an event')
    .optional(),
})

/** To open a stream of ticks, or to hear how far it is after a connection broke. `request` is answered. */
const openStream = z.strictObject({
  type: z.literal('open-stream'),
  request: z.int().min(0).max(0xffff_ffff),
  commitment: z.strictObject({
    channelId: hash,
    to: hash,
    baseAmount: amount,
    tickAmount: positiveAmount,
    maxTicks: z.int().min(1).max(0xffff_ffff),
    root: hash,
  }),
  signature,
})

/** To the hub. */
export const socketRequest = z.discriminatedUnion('type', [signIn, follow, openStream])

/**
 * From the hub. A `problem` says why something was refused: `request` is null when the refused names none, and `stream` is there
 * when ticks of a stream were. `amount` of a `stream` is what was ticked, in base units.
 */
export const socketMessage = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('problem'),
    request: z.number().nullable(),
    stream: z.number().optional(),
    problem: z.looseObject({ code: z.string() }),
  }),
  z.object({
    type: z.literal('event'),
    id: z.string(),
    event: z.string(),
    data: z.looseObject({}),
  }),
  z.object({ type: z.literal('signed-in'), address: z.string() }),
  z.object({
    type: z.literal('stream'),
    request: z.number(),
    stream: z.number(),
    ticks: z.number(),
    amount,
  }),
])

export type SocketMessage = z.output<typeof socketMessage>
