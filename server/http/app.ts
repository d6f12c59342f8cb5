// The routes. Each is parse, one domain call, serialise; refusals become problem documents in one place.

import type { RequestListener } from 'node:http'
import type { ErrorRequestHandler, Express, Request, RequestHandler } from 'express'
import express from 'express'
import type { Hex } from 'viem'
import type { ErrorCode } from '#protocol/errors.ts'
import { HubError } from '#protocol/errors.ts'
import { planQuery } from '#protocol/messages/claims.ts'
import { creatorRequest, sessionRequest } from '#protocol/messages/hub.ts'
import { payoutRequest, quoteRequest } from '#protocol/messages/payouts.ts'
import { depositRequest, refundRequest } from '#protocol/messages/tips.ts'
import { eventId } from '#protocol/messages/webhooks.ts'
import { handle, toJson } from '#protocol/messages/wire.ts'
import { tipTo } from '#protocol/tip.ts'
import { channelView, isPayerSide } from '../channels/registry.ts'
import type { Hub } from '../hub.ts'
import { payoutView } from '../payouts/payout.ts'
import { auditRoutes } from './audit-routes.ts'
import { checkShape, readBody } from './json-body.ts'
import { asRefusal, refuse } from './problem.ts'
import { recoveryRoutes } from './recovery-routes.ts'
import { answer, assertOwner, hashParameter, operator, ownCreator, pageOf, route } from './route.ts'
import { sendPieces } from './send.ts'
import { createTipsRoute, isTipsRequest } from './tips-route.ts'
import { webhookRoutes } from './webhook-routes.ts'

/** What answers requests: tips at once, everything else through express. Failures are logged and answered without details. */
export function createListener(
  hub: Hub,
  logFailure: (what: string, cause: unknown) => void,
): RequestListener {
  const { baskets, admission, senders } = hub
  const tips = createTipsRoute({ baskets, admission, senders, logFailure })
  const app = createApp(hub, { tips, logFailure })
  return (request, response) => {
    if (isTipsRequest(request)) void tips(request, response)
    else app(request, response)
  }
}

function createApp(
  hub: Hub,
  {
    tips,
    logFailure,
  }: { tips: RequestHandler; logFailure: (what: string, cause: unknown) => void },
): Express {
  const app = express()
  app.disable('x-powered-by')
  app.disable('etag')
  app.set('query parser', 'simple')
  route(app, '/v1/tips', { post: tips })
  app.use(assertHeard(hub))
  publicRoutes(app, hub)
  payerRoutes(app, hub)
  creatorRoutes(app, hub)
  webhookRoutes(app, hub)
  auditRoutes(app, hub)
  operatorRoutes(app, hub)
  recoveryRoutes(app, hub)
  app.use(refuseUnknownRoute)
  app.use(answerError(hub, logFailure))
  return app
}

function publicRoutes(app: Express, hub: Hub) {
  route(app, '/.well-known/jandon', {
    get: (_request, response) => answer(response, 200, hub.info()),
  })
  route(app, '/healthz', {
    get: (_request, response) => {
      const health = hub.health()
      answer(response, health.ready ? 200 : 503, health)
    },
  })
  route(app, '/metrics', {
    get: (_request, response) => {
      response.type('text/plain; version=0.0.4').send(hub.metrics())
    },
  })
  route(app, '/v1/deposits', {
    post: async (request, response) => {
      answer(response, 202, await hub.deposits.open(await readBody(request, depositRequest)))
    },
  })
  route(app, '/v1/deposits/:depositId', {
    get: async (request, response) => {
      answer(response, 200, await hub.deposits.find(hashParameter(request, 'depositId')))
    },
  })
  route(app, '/v1/creators', {
    post: async (request, response) => {
      answer(response, 201, await hub.creators.register(await readBody(request, creatorRequest)))
    },
  })
  route(app, '/v1/creators/:handle', {
    get: (request, response) => {
      answer(response, 200, hub.creators.byHandle(checkShape(request.params['handle'], handle)))
    },
  })
  route(app, '/v1/sessions/nonces', {
    post: (_request, response) => answer(response, 201, hub.sessions.nonce()),
  })
  route(app, '/v1/sessions', {
    post: async (request, response) => {
      answer(response, 201, await hub.sessions.signIn(await readBody(request, sessionRequest)))
    },
    delete: async (request, response) => {
      const session = hub.sessions.idOf(request)
      await hub.sessions.signOut(request)
      hub.live.endSession(session)
      await hub.streams.endSession(session)
      response.status(204).end()
    },
  })
  route(app, '/v1/events', {
    get: async (request, response) => {
      const after = checkShape(request.get('last-event-id'), eventId.optional())
      const address = hub.sessions.addressOf(request)
      const session = hub.sessions.idOf(request)
      await hub.live.stream(response, { address, session, after })
    },
  })
}

function payerRoutes(app: Express, hub: Hub) {
  route(app, '/v1/channels', {
    get: (request, response) => {
      const mine = hub.channels.ofMember(hub.sessions.addressOf(request))
      answer(response, 200, {
        channels: mine.map((channel) => channelView(channel, hub.channels.amounts(channel))),
      })
    },
  })
  route(app, '/v1/channels/:channelId', {
    get: (request, response) => {
      const channel = ownChannel(hub, request, hashParameter(request, 'channelId'))
      answer(response, 200, channelView(channel, hub.channels.amounts(channel)))
    },
  })
  route(app, '/v1/channels/:channelId/tips', {
    get: async (request, response) => {
      const page = pageOf(request)
      const { id } = ownChannel(hub, request, hashParameter(request, 'channelId'))
      answer(response, 200, await hub.tipLists.ofChannel(id, page))
    },
  })
  route(app, '/v1/channels/:channelId/refunds', {
    post: async (request, response) => {
      const channelId = hashParameter(request, 'channelId')
      const { amount } = await readBody(request, refundRequest)
      const { id } = ownChannel(hub, request, channelId)
      answer(response, 202, await hub.refunds.start(id, amount))
    },
  })
  route(app, '/v1/refunds/:refundId', {
    get: (request, response) => {
      const refundId = hashParameter(request, 'refundId')
      const address = hub.sessions.addressOf(request)
      const refund = hub.refunds.find(refundId)
      memberChannel(hub, address, refund.channelId)
      answer(response, 200, refund)
    },
  })
  route(app, '/v1/baskets/:basketId', {
    get: async (request, response) => {
      const basketId = hashParameter(request, 'basketId')
      const address = hub.sessions.addressOf(request)
      const { channelId, receipt } = hub.baskets.find(basketId)
      memberChannel(hub, address, channelId)
      answer(response, 200, receipt)
    },
  })
}

function creatorRoutes(app: Express, hub: Hub) {
  route(app, '/v1/creators/:handle/amounts', {
    get: async (request, response) => {
      const creator = ownCreator(hub, request)
      answer(response, 200, { creator, amounts: await hub.creatorAmounts(creator.account) })
    },
  })
  route(app, '/v1/creators/:handle/credits', {
    post: async (request, response) => {
      const creator = ownCreator(hub, request)
      await hub.claims.request(creator.account)
      answer(response, 202, { creator, amounts: await hub.creatorAmounts(creator.account) })
    },
  })
  route(app, '/v1/creators/:handle/tips', {
    get: async (request, response) => {
      const page = pageOf(request)
      const { account } = ownCreator(hub, request)
      answer(response, 200, await hub.tipLists.ofRecipient(tipTo(account), page))
    },
  })
  route(app, '/v1/quotes', {
    post: async (request, response) => {
      const order = await readBody(request, quoteRequest)
      answer(response, 201, await hub.quotes.make(hub.sessions.addressOf(request), order))
    },
  })
  route(app, '/v1/quotes/:quoteId', {
    get: (request, response) => {
      const quoteId = hashParameter(request, 'quoteId')
      const address = hub.sessions.addressOf(request)
      const quote = hub.quotes.byId(quoteId)
      assertOwner(address, quote.account)
      answer(response, 200, quote)
    },
  })
  route(app, '/v1/payouts', {
    post: async (request, response) => {
      const order = await readBody(request, payoutRequest)
      const payout = await hub.payouts.start(hub.sessions.addressOf(request), order)
      answer(response, 202, payoutView(payout))
    },
    get: (request, response) => {
      const address = hub.sessions.addressOf(request)
      answer(response, 200, {
        payouts: hub.payoutBook.ofAccount(address).map(payoutView),
        next: null,
      })
    },
  })
  route(app, '/v1/payouts/:payoutId', {
    get: (request, response) => {
      const payoutId = hashParameter(request, 'payoutId')
      const address = hub.sessions.addressOf(request)
      const payout = hub.payoutBook.get(payoutId)
      assertOwner(address, payout.quote.account)
      answer(response, 200, payoutView(payout))
    },
  })
}

function operatorRoutes(app: Express, hub: Hub) {
  route(app, '/v1/claims', {
    post: operator(hub, async (_request, response) => {
      answer(response, 202, await hub.claims.settle())
    }),
    get: operator(hub, async (request, response) => {
      answer(response, 200, { settlements: await hub.claims.list(pageOf(request).limit) })
    }),
  })
  route(app, '/v1/claims/plan', {
    get: operator(hub, async (request, response) => {
      const { of } = checkShape(request.query, planQuery)
      answer(response, 200, await hub.claims.plan(of))
    }),
  })
  route(app, '/v1/reserves', {
    get: operator(hub, async (_request, response) =>
      answer(response, 200, await hub.reserves.check()),
    ),
  })
  route(app, '/v1/export', {
    get: operator(hub, async (_request, response) => {
      response.type('application/x-ndjson')
      await sendPieces(response, linesOf(hub.exportBooks()))
    }),
  })
}

async function* linesOf(items: AsyncIterable<unknown>): AsyncGenerator<string> {
  for await (const item of items) yield `${toJson(item)}\n`
}

function ownChannel(hub: Hub, request: Request, id: Hex) {
  return memberChannel(hub, hub.sessions.addressOf(request), id)
}

function memberChannel(hub: Hub, address: Hex, id: Hex) {
  const channel = hub.channels.get(id)
  if (!isPayerSide(channel, address))
    throw new HubError('not_yours', `channel ${id} is not one of ${address}`)
  return channel
}

const refuseUnknownRoute: RequestHandler = (request) => {
  throw new HubError('not_found', `there is no ${request.path}`)
}

/** Almost every request with a body carries a signature: it is not read from a sender who owes for wrong ones. */
function assertHeard({ admission, senders }: Hub): RequestHandler {
  return (request, _response, next) => {
    if (request.method !== 'GET') admission.assertHeard(senders.of(request))
    next()
  }
}

/** How many signature checks a refusal took the time of: wallets' signatures are checked by slower means. */
const checksOf: { readonly [code in ErrorCode]?: number } = {
  bad_signature: 3,
  receipt_rejected: 3,
  session_rejected: 3,
}

function answerError(
  { admission, senders }: Hub,
  logFailure: (what: string, cause: unknown) => void,
): ErrorRequestHandler {
  return (error: unknown, request, response, _next) => {
    const refusal = asRefusal(error)
    const sender = senders.of(request)
    const checks = checksOf[refusal.code]
    if (checks) admission.blame(sender, checks)
    if (refusal.code === 'internal_error') logFailure(`${request.method} ${request.path}`, error)
    if (response.headersSent) response.destroy()
    else refuse(response, { refusal, isHeldBack: isWaiting(refusal) && admission.owes(sender) })
  }
}

function isWaiting({ code }: HubError): boolean {
  return code === 'too_many_requests'
}
