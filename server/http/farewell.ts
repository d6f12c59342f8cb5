// The last that a connection hears, written to it directly: where there is no request yet, or no longer one.

import type { Duplex } from 'node:stream'
import type { HubError } from '#protocol/errors.ts'
import { toProblem } from '#protocol/errors.ts'
import { toJson } from '#protocol/messages/wire.ts'
import { perConnection } from './limits.ts'

/**
 * Answers with a problem document and ends the connection. What still comes is read and thrown away for a moment: closing at
 * once would take the answer away from a sender who is not done.
 */
export function sayFarewell(stream: Duplex, refusal: HubError) {
  stream.on('error', () => stream.destroy())
  stream.end(farewellText(refusal))
  stream.resume()
  stream.once('end', () => stream.destroy())
  setTimeout(() => stream.destroy(), perConnection.lingerMs).unref()
}

function farewellText(refusal: HubError): string {
  const problem = toProblem(refusal)
  const body = toJson(problem)
  const { status, title } = problem
  return [
    `HTTP/1.1 ${status} ${title}`,
    'content-type: application/problem+json; charset=utf-8',
    `content-length: ${Buffer.byteLength(body)}`,
    ...(status === 429 || status === 503 ? ['retry-after: 1'] : []),
    'connection: close',
    '',
    body,
  ].join('\r\n')
}
