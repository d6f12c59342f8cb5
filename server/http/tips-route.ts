// `POST /v1/tips`, the one route that is hot, without what the others need: straight from the request to the baskets.

import type { IncomingMessage, ServerResponse } from 'node:http'
import { tipsRequest } from '#protocol/messages/tips.ts'
import { packBasket } from '#protocol/packed-tips.ts'
import type { Baskets } from '../channels/baskets.ts'
import { receiptOf } from '../channels/baskets.ts'
import type { Admission } from './admission.ts'
import { readBody } from './json-body.ts'
import { answerText, asRefusal, refuse } from './problem.ts'
import type { Senders } from './sender.ts'

/** Whether a request is for this route. */
export function isTipsRequest({ method, url }: IncomingMessage): boolean {
  return method === 'POST' && url === '/v1/tips'
}

/** A listener that answers requests with tips. */
export function createTipsRoute({
  baskets,
  admission,
  senders,
  logFailure,
}: {
  baskets: Baskets
  admission: Admission
  senders: Senders
  logFailure: (what: string, cause: unknown) => void
}): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  return async (request, response) => {
    const sender = senders.of(request)
    try {
      admission.assertHeard(sender)
      const basket = packBasket(await readBody(request, tipsRequest))
      const { id, committed, channel } = await admission.inTurn(sender, {
        isGone: () => response.destroyed,
        work: () => baskets.accept(basket),
      })
      answerText(response, { status: 200 }, { receipt: receiptOf(id, committed), channel })
    } catch (error) {
      const refusal = asRefusal(error)
      if (refusal.code === 'internal_error') logFailure('POST /v1/tips', error)
      if (response.headersSent) response.destroy()
      else refuse(response, { refusal, isHeldBack: admission.owes(sender) })
    }
  }
}
