// `POST /v1/tips`, the one route that is hot, without what the others need: straight from the request to the baskets.

import type { IncomingMessage, ServerResponse } from 'node:http'
import { HubError } from '#protocol/errors.ts'
import { tipsRequest } from '#protocol/messages/tips.ts'
import type { Baskets } from '../channels/baskets.ts'
import { receiptOf } from '../channels/baskets.ts'
import { readBody } from './json-body.ts'
import type { Penalties } from './penalties.ts'
import { answerProblem, answerText, asRefusal } from './problem.ts'

/** Whether a request is for this route. */
export function isTipsRequest({ method, url }: IncomingMessage): boolean {
  return method === 'POST' && url === '/v1/tips'
}

/** A listener that answers requests with tips. */
export function createTipsRoute({
  baskets,
  penalties,
  logFailure,
}: {
  baskets: Baskets
  penalties: Penalties
  logFailure: (what: string, cause: unknown) => void
}): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  return async (request, response) => {
    const from = request.socket.remoteAddress ?? ''
    try {
      assertHeard(penalties, from)
      const { id, committed, channel } = await baskets.accept(await readBody(request, tipsRequest))
      answerText(response, { status: 200 }, { receipt: receiptOf(id, committed), channel })
    } catch (error) {
      refuse(response, { error, from })
    }
  }

  function refuse(response: ServerResponse, { error, from }: { error: unknown; from: string }) {
    const refusal = asRefusal(error)
    if (refusal.code === 'bad_signature') penalties.blame(from)
    if (refusal.code === 'internal_error') logFailure('POST /v1/tips', error)
    if (response.headersSent) response.destroy()
    else answerProblem(response, refusal)
  }
}

/** @throws HubError `too_many_requests` */
export function assertHeard(penalties: Penalties, address: string) {
  if (!penalties.isWaiting(address)) return
  throw new HubError('too_many_requests', 'too many signatures from this address were not right')
}
