// The routes of webhooks: each for the owner alone, who is the session's address.

import type { Express } from 'express'
import { eventId, replayRequest, webhookRequest } from '#protocol/messages/webhooks.ts'
import type { Hub } from '../hub.ts'
import { checkShape, readBody } from './json-body.ts'
import { answer, hashParameter, pageOf, route } from './route.ts'

export function webhookRoutes(app: Express, { webhooks, sessions }: Hub) {
  route(app, '/v1/webhooks', {
    post: async (request, response) => {
      const order = await readBody(request, webhookRequest)
      answer(response, 201, await webhooks.register(sessions.addressOf(request), order))
    },
    get: (request, response) => {
      answer(response, 200, { webhooks: webhooks.ofAccount(sessions.addressOf(request)) })
    },
  })
  route(app, '/v1/webhooks/:webhookId', {
    get: (request, response) => {
      const webhookId = hashParameter(request, 'webhookId')
      answer(response, 200, webhooks.find(sessions.addressOf(request), webhookId))
    },
    delete: async (request, response) => {
      const webhookId = hashParameter(request, 'webhookId')
      await webhooks.remove(sessions.addressOf(request), webhookId)
      response.status(204).end()
    },
  })
  route(app, '/v1/webhooks/:webhookId/secret', {
    post: async (request, response) => {
      const webhookId = hashParameter(request, 'webhookId')
      answer(response, 200, await webhooks.rotate(sessions.addressOf(request), webhookId))
    },
  })
  route(app, '/v1/webhooks/:webhookId/test', {
    post: async (request, response) => {
      const webhookId = hashParameter(request, 'webhookId')
      answer(response, 200, await webhooks.test(sessions.addressOf(request), webhookId))
    },
  })
  route(app, '/v1/webhooks/:webhookId/deliveries', {
    get: (request, response) => {
      const webhookId = hashParameter(request, 'webhookId')
      const attempts = webhooks.attempts(sessions.addressOf(request), webhookId)
      answer(response, 200, { attempts })
    },
  })
  route(app, '/v1/webhooks/:webhookId/dead', {
    get: async (request, response) => {
      const webhookId = hashParameter(request, 'webhookId')
      const { limit, cursor } = pageOf(request)
      const page = { limit, cursor: checkShape(cursor, eventId.optional()) }
      answer(response, 200, await webhooks.dead(sessions.addressOf(request), webhookId, page))
    },
  })
  route(app, '/v1/webhooks/:webhookId/replay', {
    post: async (request, response) => {
      const webhookId = hashParameter(request, 'webhookId')
      const order = await readBody(request, replayRequest)
      answer(response, 202, await webhooks.replay(sessions.addressOf(request), webhookId, order))
    },
  })
}
