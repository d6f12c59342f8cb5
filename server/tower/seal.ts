// Both sides of the feed prove with one secret that they know it, and neither sends it: whoever stands in for the tower learns
// nothing to feed another with, and cannot acknowledge what is on no disk.

import { createHmac, timingSafeEqual } from 'node:crypto'

/** Which message a seal is for. The nonce is the asker's, fresh for each question, and ties the answer to it. */
type Sealed = { from: 'hub' | 'tower'; path: string; nonce: string; body: Uint8Array }

export const sealHeader = 'jandon-seal'
export const nonceHeader = 'jandon-nonce'

/** The seal of a message: HMAC-SHA256 in hex. */
export function sealOf(secret: string, { from, path, nonce, body }: Sealed): string {
  return createHmac('sha256', secret)
    .update(`${from}\n${path}\n${nonce}\n`)
    .update(body)
    .digest('hex')
}

/** Whether a message carries the right seal, in a time that does not tell how much of it was right. */
export function isSealed(secret: string, message: Sealed, seal: unknown): boolean {
  if (typeof seal !== 'string') return false
  const [given, right] = [Buffer.from(seal), Buffer.from(sealOf(secret, message))]
  return given.length === right.length && timingSafeEqual(given, right)
}
