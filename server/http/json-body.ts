// Reading a request's body: type, size, UTF-8, JSON without repeated keys, then the message's schema. The first that is
// wrong answers (R13).

import type { IncomingMessage } from 'node:http'
import type { z } from 'zod'
import { HubError } from '#protocol/errors.ts'
import { maxBodyBytes, maxDiscardedBytes } from './limits.ts'

const maxReportedIssues = 8

/** The parsed and checked body of a request. */
export async function readBody<S extends z.ZodType>(
  request: IncomingMessage,
  schema: S,
  maximumBytes: number = maxBodyBytes,
): Promise<z.output<S>> {
  const type = request.headers['content-type'] ?? ''
  if (!/^application\/json\s*(;|$)/i.test(type)) {
    throw new HubError(
      'unsupported_media_type',
      type ? `the body is ${type}` : 'the body has no content-type',
    )
  }
  return parseMessage(await readText(request, maximumBytes), schema)
}

/** A JSON text as a checked message. */
export function parseMessage<S extends z.ZodType>(text: string, schema: S): z.output<S> {
  const value = parseJson(text)
  if (countKeys(value) !== countColons(text))
    throw new HubError('duplicate_key', 'an object names a key more than once')
  return checkShape(value, schema)
}

/** A value as a checked message; query strings come this way. */
export function checkShape<S extends z.ZodType>(value: unknown, schema: S): z.output<S> {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const issues = parsed.error.issues.slice(0, maxReportedIssues).map(describeIssue)
  throw new HubError('invalid_request', issues[0] ?? 'the request has the wrong shape', {
    values: { issues },
  })
}

async function readText(request: IncomingMessage, maximumBytes: number): Promise<string> {
  const declared = Number(request.headers['content-length'] ?? 0)
  if (declared > maxDiscardedBytes) throw tooLarge(declared, maximumBytes)
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of piecesOf(request)) {
    bytes += chunk.length
    if (bytes <= maximumBytes) chunks.push(chunk)
    if (bytes > maxDiscardedBytes) throw tooLarge(bytes, maximumBytes)
  }
  if (bytes > maximumBytes) throw tooLarge(bytes, maximumBytes)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks))
  } catch (cause) {
    throw new HubError('malformed_json', 'the body is not UTF-8', { cause })
  }
}

/** Whoever hangs up in the middle of a request made a mistake, or none at all: the hub did not. */
async function* piecesOf(request: IncomingMessage): AsyncGenerator<Buffer> {
  try {
    yield* request as AsyncIterable<Buffer>
  } catch (cause) {
    throw new HubError('malformed_http', 'the request broke off', { cause })
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new HubError(
      'malformed_json',
      cause instanceof Error ? cause.message : 'the body is not JSON',
      { cause },
    )
  }
}

/** How many keys the objects of a parsed value have, all together; a repeated key counts once. */
function countKeys(value: unknown): number {
  let keys = 0
  const open = [value]
  while (open.length > 0) {
    const next = open.pop()
    if (typeof next !== 'object' || next === null) continue
    const children = Object.values(next)
    if (!Array.isArray(next)) keys += children.length
    for (const child of children) open.push(child)
  }
  return keys
}

/** How many keys a JSON text writes down: its colons outside of strings. */
function countColons(text: string): number {
  let colons = 0
  let inString = false
  for (let at = 0; at < text.length; at += 1) {
    const character = text.charCodeAt(at)
    if (inString && character === 0x5c) at += 1
    else if (character === 0x22) inString = !inString
    else if (character === 0x3a && !inString) colons += 1
  }
  return colons
}

function describeIssue({ path, message }: z.core.$ZodIssue): string {
  return path.length > 0 ? `${path.join('.')}: ${message}` : message
}

function tooLarge(bytes: number, maximum: number) {
  const values = { bytes, maximum }
  return new HubError('body_too_large', `the body has ${bytes} bytes, the limit is ${maximum}`, {
    values,
  })
}
