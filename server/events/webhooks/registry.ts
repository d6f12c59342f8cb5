// The endpoints that are registered: whose they are, and how many there may be.

import type { Address, Hex } from 'viem'
import { HubError } from '#protocol/errors.ts'
import type { GroupLog } from '../../store/group-log.ts'
import type { Database, Row } from '../../store/table.ts'
import type { Endpoint } from './endpoint.ts'
import { endpointRows } from './endpoint.ts'

/** How many endpoints one account may have, and how many there may be. */
export type Room = { perAccount: number; inAll: number }

export type Registry = {
  /** Oldest first. */
  all(): readonly Endpoint[]
  ofAccount(account: Address): readonly Endpoint[]
  find(webhookId: Hex): Endpoint | undefined
  /** @throws HubError `unknown_webhook`, `not_yours` */
  own(account: Address, webhookId: Hex): Endpoint
  /** As `own`, of one that is not disabled. @throws HubError `webhook_disabled` */
  working(account: Address, webhookId: Hex): Endpoint
  /** @throws HubError `too_many_webhooks` */
  assertRoom(account: Address): void
  /** Adds an endpoint with what else is written of it, and answers the group that holds it. */
  add(endpoint: Endpoint, rowAt: (group: bigint) => Row): Promise<bigint>
  change(endpoint: Endpoint): Promise<void>
  /** Forgets an endpoint at once; `rows` are asked for what else goes, before it is written. */
  remove(webhookId: Hex, rows: () => Promise<Row[]>): Promise<void>
}

export async function loadRegistry({
  db,
  log,
  room,
}: {
  db: Database
  log: GroupLog
  room: Room
}): Promise<Registry> {
  const stored = (await endpointRows.list(db)).map(({ value }) => value)
  stored.sort((a, b) => a.createdAt - b.createdAt)
  const endpoints = new Map(stored.map((endpoint) => [endpoint.webhookId, endpoint]))
  /** Endpoints that are being written. */
  const coming = new Set<Endpoint>()

  return {
    all: () => [...endpoints.values()],
    ofAccount,
    find: (webhookId) => endpoints.get(webhookId),
    own,
    working(account, webhookId) {
      const endpoint = own(account, webhookId)
      if (endpoint.disabledAt === null) return endpoint
      throw new HubError('webhook_disabled', `${endpoint.url} answered 410`, {
        values: { disabledAt: BigInt(endpoint.disabledAt) },
      })
    },
    assertRoom,
    async add(endpoint, rowAt) {
      const { webhookId, account } = endpoint
      assertRoom(account)
      log.assertRoom()
      coming.add(endpoint)
      try {
        const {
          group: { header },
        } = await log.commit({
          rowsAt: ({ group }) => [endpointRows.put(webhookId, endpoint), rowAt(group)],
        })
        endpoints.set(webhookId, endpoint)
        return header.number
      } finally {
        coming.delete(endpoint)
      }
    },
    async change(endpoint) {
      endpoints.set(endpoint.webhookId, endpoint)
      await log.commit({ rows: [endpointRows.put(endpoint.webhookId, endpoint)] })
    },
    async remove(webhookId, rows) {
      log.assertRoom()
      endpoints.delete(webhookId)
      const others = await rows()
      await log.commit({ rows: [endpointRows.remove(webhookId), ...others] })
    },
  }

  function ofAccount(account: Address): Endpoint[] {
    return [...endpoints.values()].filter((endpoint) => endpoint.account === account)
  }

  function own(account: Address, webhookId: Hex): Endpoint {
    const endpoint = endpoints.get(webhookId)
    if (!endpoint) {
      throw new HubError('unknown_webhook', `webhook ${webhookId} is not known here`, {
        values: { webhookId },
      })
    }
    if (endpoint.account === account) return endpoint
    throw new HubError('not_yours', `webhook ${webhookId} is not one of ${account}`)
  }

  function assertRoom(account: Address) {
    const mine = [...coming].filter((endpoint) => endpoint.account === account)
    const count = ofAccount(account).length + mine.length
    if (count < room.perAccount && endpoints.size + coming.size < room.inAll) return
    throw new HubError('too_many_webhooks', `${account} has ${count} webhooks`, {
      values: { count, maximum: room.perAccount },
    })
  }
}
