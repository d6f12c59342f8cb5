// How a hub reaches its tower: sealed questions over HTTP, and a health page for whoever watches the watchtower.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Hex } from 'viem'
import { toJson } from '#protocol/messages/wire.ts'
import { checkedRow, type Watched } from './check.ts'
import type { FeedAnswer, NamedRow, RowsAnswer } from './row.ts'
import { feedRequest, rowsPerMessage, rowsRequest } from './row.ts'
import { isSealed, nonceHeader, sealHeader, sealOf } from './seal.ts'
import type { TowerStore } from './store.ts'

export type ListenerDeps = {
  store: TowerStore
  watched: Watched
  secret: string
  /** Hears of rows that are on disk, and of channels that were not known before. */
  onRows: (created: readonly Hex[]) => void
  health: () => { ready: boolean } & Record<string, unknown>
  logFailure: (what: string, cause: unknown) => void
}

/** Room for a full message of the longest rows: two proofs by ticks each. */
const maxBodyBytes = rowsPerMessage * 4_096

const noncePattern = /^[0-9a-f]{32}$/

/** Answers to HTTP requests. Whoever does not know the secret learns nothing but the health. */
export function createTowerListener(deps: ListenerDeps) {
  return (request: IncomingMessage, response: ServerResponse) => {
    serve(deps, request, response).catch((cause: unknown) => {
      deps.logFailure('feed', cause)
      if (!response.headersSent) response.writeHead(500)
      response.end()
    })
  }
}

async function serve(deps: ListenerDeps, request: IncomingMessage, response: ServerResponse) {
  const path = request.url ?? '/'
  if (request.method === 'GET' && path === '/healthz') return answerHealth(deps, response)
  const nonce = String(request.headers[nonceHeader])
  const body = await readBody(request)
  const question = { from: 'hub', path, nonce, body } as const
  const isHubs =
    body !== undefined &&
    noncePattern.test(nonce) &&
    isSealed(deps.secret, { ...question, body }, request.headers[sealHeader])
  if (!isHubs) return void response.writeHead(401).end()
  const answer = await answerTo(deps, path, JSON.parse(body.toString('utf8')))
  if (!answer) return void response.writeHead(404).end()
  const sealed = Buffer.from(toJson(answer))
  const seal = sealOf(deps.secret, { from: 'tower', path, nonce, body: sealed })
  response.writeHead(200, { 'content-type': 'application/json', [sealHeader]: seal }).end(sealed)
}

async function answerTo(
  deps: ListenerDeps,
  path: string,
  body: unknown,
): Promise<FeedAnswer | RowsAnswer | undefined> {
  switch (path) {
    case '/v1/feed':
      return takeRows(deps, feedRequest.parse(body).rows)
    case '/v1/rows':
      return giveRows(deps, rowsRequest.parse(body).after)
    default:
      return undefined
  }
}

/** Answers when the rows are on disk. One that does not hold keeps none of the others out. */
async function takeRows(
  { store, watched, onRows }: ListenerDeps,
  rows: readonly Parameters<typeof checkedRow>[0][],
): Promise<FeedAnswer> {
  const good: NamedRow[] = []
  const refused: FeedAnswer['refused'] = []
  for (const [row, given] of rows.entries()) {
    const checked = checkedRow(given, watched)
    if (typeof checked === 'string') refused.push({ row, reason: checked })
    else good.push(checked)
  }
  onRows(await store.take(good))
  return { storeId: store.storeId, refused }
}

async function giveRows({ store }: ListenerDeps, after: Hex | null): Promise<RowsAnswer> {
  const page = await store.page(after)
  const last = page.at(-1)
  const next = last && page.length === rowsPerMessage ? last.channelId : null
  return { storeId: store.storeId, rows: page.map(({ row }) => row), next }
}

function answerHealth({ health }: ListenerDeps, response: ServerResponse) {
  const found = health()
  response
    .writeHead(found.ready ? 200 : 503, { 'content-type': 'application/json' })
    .end(toJson(found))
}

/** The whole body, or `undefined` for one that is too long. */
async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > maxBodyBytes) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
