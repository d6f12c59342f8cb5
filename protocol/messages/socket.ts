// The text messages of the WebSocket. Baskets and receipts are binary: see `frames.ts`.

import { z } from 'zod'

/** To the hub: follow the events of whoever the token is of, from an event that was seen. */
export const socketRequest = z.strictObject({
  type: z.literal('follow'),
  token: z.string().regex(/^[\w-]{1,200}$/, 'must be a bearer token'),
  after: z
    .string()
    .regex(/^[0-9a-f]{16}\/[0-9a-f]{8}$/, 'must be the id of an event')
    .optional(),
})

/** From the hub: why a request was refused (`request` is null when the frame names none), or an event. */
export const socketMessage = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('problem'),
    request: z.number().nullable(),
    problem: z.looseObject({ code: z.string() }),
  }),
  z.object({
    type: z.literal('event'),
    id: z.string(),
    event: z.string(),
    data: z.looseObject({}),
  }),
])

export type SocketMessage = z.output<typeof socketMessage>
