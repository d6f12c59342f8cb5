// The hub over HTTP: one call, parsed answers, and refusals rebuilt from problem documents.

import type { z } from 'zod'
import { fromProblem } from '#protocol/errors.ts'
import { toJson } from '#protocol/messages/wire.ts'
import { ClientError } from './errors.ts'
import { parseJson } from './records.ts'

/** A request to the hub; a body makes it a POST, unless it says otherwise. */
export type HubRequest = {
  path: string
  body?: object
  method?: 'DELETE'
  token?: string | undefined
}

export type HubApi = {
  readonly origin: string
  /**
   * Sends a request and parses its answer.
   *
   * Throws HubError as the hub refuses; `hub_unreachable` when the request cannot have changed anything, `answer_lost` when
   * it may have, and `answer_malformed` for an answer that is not in the protocol.
   */
  call<S extends z.ZodType>(request: HubRequest, answer: S): Promise<z.output<S>>
}

const answerTimeoutMs = 30_000

/** The codes with which Node says that no connection was made. Browsers do not tell, so there it may have been. */
const notConnected = ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH']

/** `hubUrl` may carry a path; only its origin counts. */
export function createHubApi(deps: { hubUrl: string; fetch: typeof fetch }): HubApi {
  const origin = originOf(deps.hubUrl)
  return {
    origin,
    call: async (request, answer) => {
      const response = await exchange(deps.fetch, origin, request)
      const body = parseJson(response.text)
      if (response.ok) {
        const parsed = answer.safeParse(body)
        if (parsed.success) return parsed.data
        throw new ClientError('answer_malformed', `${origin}${request.path} answered otherwise`, {
          cause: parsed.error,
        })
      }
      const refusal = fromProblem(body)
      if (refusal) throw refusal
      throw new ClientError(
        response.status >= 500 ? 'answer_lost' : 'answer_malformed',
        `${origin}${request.path} answered ${response.status} without a reason`,
        { values: { status: response.status } },
      )
    },
  }
}

function originOf(hubUrl: string): string {
  const url = URL.canParse(hubUrl) ? new URL(hubUrl) : undefined
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url.origin
  throw new ClientError('invalid_input', `"${hubUrl}" is not the http address of a hub`)
}

async function exchange(
  send: typeof fetch,
  origin: string,
  { path, body, method, token }: HubRequest,
): Promise<{ ok: boolean; status: number; text: string }> {
  const headers: { [name: string]: string } = { accept: 'application/json' }
  if (body) headers['content-type'] = 'application/json'
  if (token) headers['authorization'] = `Bearer ${token}`
  try {
    const response = await send(`${origin}${path}`, {
      method: method ?? (body ? 'POST' : 'GET'),
      headers,
      signal: AbortSignal.timeout(answerTimeoutMs),
      ...(body ? { body: toJson(body) } : {}),
    })
    return { ok: response.ok, status: response.status, text: await response.text() }
  } catch (cause) {
    throw connectionFailure(cause, {
      url: origin + path,
      changes: body !== undefined || method !== undefined,
    })
  }
}

function connectionFailure(
  cause: unknown,
  { url, changes }: { url: string; changes: boolean },
): ClientError {
  return neverConnected(cause) || !changes
    ? new ClientError('hub_unreachable', `nobody answers at ${url}`, { cause })
    : new ClientError('answer_lost', `the answer of ${url} did not arrive`, { cause })
}

function neverConnected(failure: unknown): boolean {
  const cause = failure instanceof Error ? failure.cause : undefined
  if (cause instanceof AggregateError) {
    return cause.errors.every((error: unknown) => hasCode(error, notConnected))
  }
  return hasCode(cause, notConnected)
}

function hasCode(error: unknown, codes: readonly string[]): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' && codes.includes(code)
}
