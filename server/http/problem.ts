// How a refusal leaves the hub: a problem document, with the headers that belong to it.

import type { ServerResponse } from 'node:http'
import { HubError, toProblem } from '#protocol/errors.ts'
import { toJson } from '#protocol/messages/wire.ts'
import { heldBackMs } from './limits.ts'

/** Whatever was thrown as a refusal: a path that cannot be decoded is the sender's mistake, anything else is ours. */
export function asRefusal(error: unknown): HubError {
  if (error instanceof HubError) return error
  const status = (error as { status?: unknown } | null)?.status
  if (error instanceof URIError || status === 400) {
    return new HubError('invalid_request', 'the path cannot be decoded', {
      values: { issues: ['path'] },
    })
  }
  return new HubError('internal_error', 'the hub failed to answer this request', { cause: error })
}

/** Answers with a refusal: at once, or later to a sender who would only ask again. */
export function refuse(
  response: ServerResponse,
  { refusal, isHeldBack }: { refusal: HubError; isHeldBack: boolean },
) {
  if (isHeldBack) setTimeout(() => answerProblem(response, refusal), heldBackMs).unref()
  else answerProblem(response, refusal)
}

/** Answers with a refusal. */
function answerProblem(response: ServerResponse, refusal: HubError) {
  const problem = toProblem(refusal)
  if (problem.status === 429 || problem.status === 503) response.setHeader('retry-after', '1')
  if (refusal.code === 'method_not_allowed')
    response.setHeader('allow', String(refusal.values['allow']))
  if (refusal.code === 'body_too_large') response.setHeader('connection', 'close')
  answerText(response, { status: problem.status, type: 'application/problem+json' }, problem)
}

/** Answers with a JSON document. */
export function answerText(
  response: ServerResponse,
  { status, type = 'application/json' }: { status: number; type?: string },
  body: unknown,
) {
  const text = Buffer.from(toJson(body))
  response.setHeader('content-type', `${type}; charset=utf-8`)
  response.setHeader('content-length', text.length)
  response.writeHead(status)
  response.end(text)
}
