// The routes of audits: what was published, for anyone; an account's proof, for its owner and the operator.

import type { Express } from 'express'
import { auditCursor } from '#protocol/messages/audits.ts'
import { handle } from '#protocol/messages/wire.ts'
import type { Hub } from '../hub.ts'
import { checkShape } from './json-body.ts'
import { answer, operator, ownCreator, pageOf, route } from './route.ts'

export function auditRoutes(app: Express, hub: Hub) {
  route(app, '/v1/audits', {
    get: async (request, response) => {
      const { limit, cursor } = pageOf(request)
      const before = checkShape(cursor, auditCursor.optional())
      const audits = await hub.audits.list({ limit, before })
      const last = audits.length === limit ? audits.at(-1) : undefined
      answer(response, 200, { audits, next: last ? last.group.toString() : null })
    },
    post: operator(hub, async (_request, response) => {
      answer(response, 201, await hub.audits.take())
    }),
  })
  route(app, '/v1/creators/:handle/proof', {
    get: async (request, response) => {
      const { handle: name, account } = hub.sessions.isOperator(request)
        ? hub.creators.byHandle(checkShape(request.params['handle'], handle))
        : ownCreator(hub, request)
      const { chainId, hubAccount, receiptSigner } = hub.info()
      const proofs = await hub.audits.proofs(account)
      const creator = { handle: name, account }
      answer(response, 200, { chainId, hubAccount, receiptSigner, creator, proofs })
    },
  })
}
