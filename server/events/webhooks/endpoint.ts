// An endpoint as its owner registered it, and the rows that say how far its deliveries are.

import type { Address, Hex } from 'viem'
import type { EventType } from '#protocol/messages/webhooks.ts'
import { sortable, table } from '../../store/table.ts'
import type { Secret } from './signature.ts'

/** What its owner decided, and `disabledAt` (Unix milliseconds) once it said that it is gone. Secrets, newest first. */
export type Endpoint = {
  webhookId: Hex
  account: Address
  url: string
  events: readonly EventType[]
  secrets: readonly Secret[]
  createdAt: number
  disabledAt: number | null
}

/**
 * A stretch of the event log that an endpoint is to get, as it is on disk: what comes after one event id, to another and with
 * it, or without end. Everything up to `after` is done with. `failures` and `nextAt` (Unix milliseconds) are of the event that
 * comes next. `idle`: nothing up to the shared mark is for this endpoint, wherever `after` stands.
 */
export type StretchRow = {
  after: string
  through: string | null
  failures: number
  nextAt: number
  idle: boolean
}

/** An event that was given up; what it says is in the event log. */
export type DeadLetter = { type: string; attempts: number; failure: string; at: number }

export const endpointRows = table<Endpoint>('webhook')
/** By `<webhookId>/<name>`: replays before what is new. Written without a sync: a row that is late repeats a delivery. */
export const stretchRows = table<StretchRow>('webhook-stretch')
/** By `<webhookId>/<event id>`. */
export const deadRows = table<DeadLetter>('webhook-dead')
/** One row, under the empty key: the event id up to which idle endpoints have everything. */
export const markRow = table<string>('webhook-mark')

/** The name of the stretch without end, which sorts after all replays. */
export const liveName = 'z'

/** A name for a replay: later ones sort after it, all of them before what is new. */
export function replayName({ now, random }: { now: number; random: Uint8Array }): string {
  return `r${sortable(now)}${Buffer.from(random).toString('hex')}`
}

export function rowKey(webhookId: Hex, name: string): string {
  return `${webhookId}/${name}`
}

/** The rows of one endpoint in a table that is keyed by {@link rowKey}. */
export function rowsOf(webhookId: Hex): { after: string; before: string } {
  return { after: `${webhookId}/`, before: `${webhookId}0` }
}

/** Whether an event is for an endpoint: it is told to its account and of a type that was asked for. */
export function isFor(
  { account, events }: Endpoint,
  { audience, type }: { audience: readonly string[]; type: string },
): boolean {
  return audience.includes(account) && events.some((wanted) => wanted === type)
}
