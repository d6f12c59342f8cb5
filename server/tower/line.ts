// The hub's line to its tower: a sealed question, and an answer that only the tower could have sealed.

import { bytesToHex } from 'viem'
import type { z } from 'zod'
import { toJson } from '#protocol/messages/wire.ts'
import type { FeedAnswer, RowsAnswer, TowerRow } from './row.ts'
import { feedAnswer, rowsAnswer } from './row.ts'
import { isSealed, nonceHeader, sealHeader, sealOf } from './seal.ts'

export type TowerLine = {
  /** Gives rows; resolves when they are on the tower's disk. */
  feed(rows: readonly TowerRow[]): Promise<FeedAnswer>
  /** The tower's rows after a channel's, in order of ids. */
  rows(after: string | null): Promise<RowsAnswer>
}

/** Every question throws an Error when the tower does not answer in time, or somebody else answers. */
export function createTowerLine({
  url,
  secret,
  timeoutMs,
  randomBytes,
}: {
  url: string
  secret: string
  timeoutMs: number
  randomBytes: (count: number) => Uint8Array
}): TowerLine {
  return {
    feed: (rows) => ask('/v1/feed', { rows }, feedAnswer),
    rows: (after) => ask('/v1/rows', { after }, rowsAnswer),
  }

  async function ask<T>(path: string, question: object, shape: z.ZodType<T>): Promise<T> {
    const nonce = bytesToHex(randomBytes(16)).slice(2)
    const body = Buffer.from(toJson(question))
    const seal = sealOf(secret, { from: 'hub', path, nonce, body })
    const response = await fetch(new URL(path, url), {
      method: 'POST',
      headers: { [nonceHeader]: nonce, [sealHeader]: seal },
      body,
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
    })
    const answer = new Uint8Array(await response.arrayBuffer())
    if (response.status !== 200) throw new Error(`the tower at ${url} answers ${response.status}`)
    const message = { from: 'tower', path, nonce, body: answer } as const
    if (!isSealed(secret, message, response.headers.get(sealHeader)))
      throw new Error(`what answers at ${url} does not know the tower's secret`)
    return shape.parse(JSON.parse(Buffer.from(answer).toString('utf8')))
  }
}
