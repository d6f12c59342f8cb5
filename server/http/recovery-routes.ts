// The routes of backup and restore: what is presented again by whoever holds it, and what the operator alone does.

import type { Express } from 'express'
import { reconcileRequest, syncRequest } from '#protocol/messages/restore.ts'
import type { Hub } from '../hub.ts'
import { readBody } from './json-body.ts'
import { maxSyncBytes } from './limits.ts'
import { answer, operator, route } from './route.ts'

export function recoveryRoutes(app: Express, hub: Hub) {
  route(app, '/v1/sync', {
    post: async (request, response) => {
      const presented = await readBody(request, syncRequest, maxSyncBytes)
      answer(response, 200, await hub.recovery.takeIn(presented))
    },
  })
  route(app, '/v1/backup', {
    get: operator(hub, (_request, response) => hub.backups.send(response)),
  })
  route(app, '/v1/restore', {
    get: operator(hub, async (_request, response) => {
      answer(response, 200, await hub.recovery.view())
    }),
  })
  route(app, '/v1/restore/reconcile', {
    post: operator(hub, async (request, response) => {
      const { accept } = await readBody(request, reconcileRequest)
      answer(response, 200, await hub.recovery.reconcile(accept))
    }),
  })
}
