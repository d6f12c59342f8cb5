// The commands of webhooks: where the hub tells what happened, what could not be told, and what is told again.

import type { Hex } from 'viem'
import type { EventType, WebhookView } from '#protocol/messages/webhooks.ts'
import { eventTypes } from '#protocol/messages/webhooks.ts'
import type { WebhookSecret } from '../webhooks.ts'
import { UsageError } from './failure.ts'
import type { Session } from './session.ts'
import type { Report } from './terminal.ts'
import { short, table, timeText } from './terminal.ts'

export async function add(
  { jandon, terminal }: Session,
  url: string,
  { events: typed }: { events?: string },
): Promise<Report> {
  const events = typed?.split(',').map(knownType)
  const added = await terminal.during('registering', () => jandon.webhooks.add({ url, events }))
  return secretReport(added, `${added.webhook.url} is told of ${added.webhook.events.join(', ')}`)
}

export async function list({ jandon, terminal }: Session): Promise<Report> {
  const webhooks = await terminal.during('asking the hub', () => jandon.webhooks.list())
  const rows = webhooks.map((webhook) => [
    short(webhook.webhookId),
    webhook.url,
    webhook.events.join(','),
    stateText(webhook),
  ])
  return {
    json: { webhooks },
    lines: rows.length === 0 ? ['No webhooks yet.'] : table([['id', 'url', 'events', ''], ...rows]),
  }
}

export async function remove(session: Session, id: string): Promise<Report> {
  const { webhookId, url } = await findWebhook(session, id)
  await session.terminal.during('removing', () => session.jandon.webhooks.remove(webhookId))
  return { json: { webhookId, url }, lines: [`${url} is told nothing any more.`] }
}

export async function rotate(session: Session, id: string): Promise<Report> {
  const { webhookId, url } = await findWebhook(session, id)
  const rotated = await session.terminal.during('asking for a new secret', () =>
    session.jandon.webhooks.rotate(webhookId),
  )
  return secretReport(rotated, `${url} has a new secret; the old one is good for a while too.`)
}

/** The dead letters of a webhook, or with `attempts` how its newest deliveries went. */
export async function dead(
  session: Session,
  id: string,
  { limit, cursor }: { limit: number; cursor?: string },
): Promise<Report> {
  const { webhookId } = await findWebhook(session, id)
  const page = await session.terminal.during('asking the hub', () =>
    session.jandon.webhooks.dead(webhookId, { limit, cursor }),
  )
  const rows = page.dead.map(({ eventId, type, attempts, failure, at }) => [
    eventId,
    type,
    timeText(Number(at)),
    `${attempts} attempts: ${failure}`,
  ])
  const more = page.next === null ? [] : [`More with: --cursor ${page.next}`]
  const heading = ['event', 'type', 'given up', 'why']
  return {
    json: page,
    lines: rows.length === 0 ? ['No dead letters.'] : [...table([heading, ...rows]), ...more],
  }
}

/** Sends one event again, or all from it to another. */
export async function replay(
  session: Session,
  id: string,
  { from, to, all }: { from: string; to?: string; all?: boolean },
): Promise<Report> {
  const { webhookId, url } = await findWebhook(session, id)
  const order = to === undefined && !all ? { eventId: from } : { from, to }
  const webhook = await session.terminal.during('asking the hub', () =>
    session.jandon.webhooks.replay(webhookId, order),
  )
  return { json: webhook, lines: [`${url} is told again.`] }
}

export async function test(session: Session, id: string): Promise<Report> {
  const { webhookId, url } = await findWebhook(session, id)
  const outcome = await session.terminal.during('waiting for its answer', () =>
    session.jandon.webhooks.test(webhookId),
  )
  const { delivered, status, failure } = outcome
  const how = status === null ? `did not answer: ${failure}` : `answered ${status}`
  return { json: outcome, lines: [`${url} ${how}`], exitCode: delivered ? 0 : 1 }
}

function secretReport({ webhook, secret }: WebhookSecret, headline: string): Report {
  const rows = [
    ['  id', webhook.webhookId],
    ['  secret', secret],
  ]
  return {
    json: { webhook, secret },
    lines: [headline, ...table(rows), 'The secret is shown once: keep it where the deliveries go.'],
  }
}

function stateText({ disabledAt, delivery }: WebhookView): string {
  if (disabledAt !== null) return `disabled since ${timeText(Number(disabledAt))}`
  if (delivery.nextAttemptAt === null) return 'works'
  const next = timeText(Number(delivery.nextAttemptAt))
  return `${delivery.failures} failures, next attempt ${next}`
}

async function findWebhook({ jandon }: Session, id: string): Promise<WebhookView> {
  const begins = (await jandon.webhooks.list()).filter(({ webhookId }) =>
    webhookId.startsWith(id.toLowerCase() as Hex),
  )
  const [found] = begins
  if (found && begins.length === 1) return found
  throw new UsageError(`${begins.length} webhooks begin with "${id}"`)
}

function knownType(text: string): EventType {
  const type = eventTypes.find((known) => known === text.trim())
  if (type) return type
  throw new UsageError(`"${text}" is none of ${eventTypes.join(', ')}`)
}
