// How a delivery is signed: Standard Webhooks (https://www.standardwebhooks.com), symmetric, version v1.

import { createHmac } from 'node:crypto'

/** A secret as its owner knows it; the one before the newest is good until `expiresAt` (Unix milliseconds). */
export type Secret = { text: string; expiresAt: number | null }

const prefix = 'whsec_'

/** 24 to 64 bytes by the standard. */
const secretBytes = 32

export function newSecret(randomBytes: (count: number) => Uint8Array): string {
  return prefix + Buffer.from(randomBytes(secretBytes)).toString('base64')
}

/** The headers that prove who sent a body and when, under every secret that is good at `now` (Unix milliseconds). */
export function signedHeaders(
  { id, body }: { id: string; body: string },
  { secrets, now }: { secrets: readonly Secret[]; now: number },
): { [name: string]: string } {
  const timestamp = Math.floor(now / 1_000)
  const good = secrets.filter(({ expiresAt }) => expiresAt === null || expiresAt > now)
  const signatures = good.map(({ text }) => {
    const key = Buffer.from(text.slice(prefix.length), 'base64')
    const mac = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')
    return `v1,${mac}`
  })
  return {
    'webhook-id': id,
    'webhook-timestamp': `${timestamp}`,
    'webhook-signature': signatures.join(' '),
  }
}

/** A new secret before the one that was newest, which stays good for a while; older ones end. */
export function rotated(
  secrets: readonly Secret[],
  { text, overlapEndsAt }: { text: string; overlapEndsAt: number },
): Secret[] {
  const previous = secrets[0]
  return [
    { text, expiresAt: null },
    ...(previous ? [{ text: previous.text, expiresAt: overlapEndsAt }] : []),
  ]
}
