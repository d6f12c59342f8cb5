// One request to an endpoint: bounded in time, in what is read of the answer, and in where it may go. Redirects are answers
// like any other, and none is followed.

import type { LookupAddress } from 'node:dns'
import type { ClientRequest, IncomingMessage } from 'node:http'
import { Agent as HttpAgent, request as httpRequest } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import type { LookupFunction } from 'node:net'
import { HubError } from '#protocol/errors.ts'
import type { Targets } from './target.ts'

/** How an attempt ended: with a status, or without an answer and why. */
export type Outcome = { status: number } | { failure: string }

export type Post = {
  send(message: {
    url: string
    headers: { [name: string]: string }
    body: string
    signal: AbortSignal
  }): Promise<Outcome>
  /** Lets go of idle connections. */
  close(): void
}

/** How much of an answer is read, in bytes; only its status counts. */
const maxAnswerBytes = 16_384

/** Idle connections that are kept for the next event, and for how long. */
const maxIdleSockets = 256
const idleSocketMs = 4_000

export function createPost({ targets, timeoutMs }: { targets: Targets; timeoutMs: number }): Post {
  const kept = { keepAlive: true, maxFreeSockets: maxIdleSockets, timeout: idleSocketMs }
  const agents = { http: new HttpAgent(kept), https: new HttpsAgent(kept) }

  return {
    async send({ url: text, headers, body, signal }) {
      const url = new URL(text)
      const limit = new AbortController()
      const timeOut = () => limit.abort(new Error(`no answer within ${timeoutMs} ms`))
      const timer = setTimeout(timeOut, timeoutMs)
      signal.addEventListener('abort', () => limit.abort(signal.reason))
      try {
        const addresses = await within(limit.signal, targets.addressesOf(url))
        const message = { headers, body, addresses, limit: limit.signal }
        return { status: await exchange(url, message) }
      } catch (cause) {
        return { failure: failureText(limit.signal.aborted ? limit.signal.reason : cause) }
      } finally {
        clearTimeout(timer)
      }
    },
    close() {
      agents.http.destroy()
      agents.https.destroy()
    },
  }

  async function exchange(url: URL, message: Message): Promise<number> {
    const { headers, body, limit, addresses } = message
    const options = {
      method: 'POST',
      headers: { ...headers, 'content-length': `${Buffer.byteLength(body)}` },
      lookup: pinned(addresses),
      signal: limit,
    }
    const request =
      url.protocol === 'https:'
        ? httpsRequest(url, { ...options, agent: agents.https })
        : httpRequest(url, { ...options, agent: agents.http })
    request.end(body)
    try {
      return await answered(request)
    } catch (cause) {
      if (!wasClosedWhileIdle(request, cause)) throw cause
      return exchange(url, message)
    }
  }
}

type Message = {
  headers: { [name: string]: string }
  body: string
  addresses: LookupAddress[]
  limit: AbortSignal
}

/** A kept connection may be closed by the other side in the moment of its next use; that says nothing about the endpoint. */
function wasClosedWhileIdle(request: ClientRequest, cause: unknown): boolean {
  return request.reusedSocket && codeOf(cause) === 'ECONNRESET'
}

/** The connection goes to the addresses that were checked, and to no answer of a second look. */
function pinned(addresses: LookupAddress[]): LookupFunction {
  return (_name, { all }, done) => {
    const [first] = addresses
    if (all) done(null, addresses)
    else done(null, first?.address ?? '', first?.family)
  }
}

/** The status, once the answer ended, or enough of it was read, or the time is up. */
function answered(request: ClientRequest): Promise<number> {
  return new Promise((resolve, reject) => {
    let status: number | undefined
    const end = (cause?: unknown) => (status === undefined ? reject(cause) : resolve(status))
    request.on('error', end)
    request.on('response', (response) => {
      status = response.statusCode ?? 0
      response.on('error', end)
      response.on('close', end)
      drain(response)
    })
  })
}

function drain(response: IncomingMessage) {
  let bytes = 0
  response.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes > maxAnswerBytes) response.destroy()
  })
}

/** Gives up waiting when the limit is reached. */
function within<T>(limit: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    limit.addEventListener('abort', () => reject(limit.reason))
    work.then(resolve, reject)
  })
}

/** What went wrong, without what the other side said: nobody is to read answers from places that only the hub can reach. */
function failureText(cause: unknown): string {
  if (cause instanceof HubError) return cause.message
  return codeOf(cause) ?? (cause instanceof Error ? cause.message : 'no answer')
}

function codeOf(cause: unknown): string | undefined {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  return typeof code === 'string' ? code : undefined
}
