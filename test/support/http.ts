// Requests to a hub as anyone could send them: any method, any bytes, no help from the SDK.

import assert from 'node:assert/strict'
import type { IncomingHttpHeaders } from 'node:http'
import { request as openRequest } from 'node:http'
import type { ErrorCode } from '#protocol/errors.ts'
import { errorTable } from '#protocol/errors.ts'
import { toJson } from '#protocol/messages/wire.ts'

export type Fields = { [name: string]: unknown }

export type Call = {
  method?: string
  path: string
  /** A bearer token. */
  token?: string | undefined
  headers?: { [name: string]: string }
  /** An object is sent as JSON; text and bytes go as they are. */
  body?: object | string | Uint8Array | undefined
  /** Sends the body in chunks without saying how long it is. */
  chunked?: boolean
}

export type Answer = { status: number; headers: IncomingHttpHeaders; text: string; body: Fields }

const answerMs = 20_000

/** Sends a request and reads the whole answer. A body makes it a POST of JSON, unless the call says otherwise. */
export function send(url: string, call: Call): Promise<Answer> {
  const bytes = bytesOf(call.body)
  const method = call.method ?? (bytes ? 'POST' : 'GET')
  const length = bytes && !call.chunked ? { 'content-length': String(bytes.length) } : {}
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    const sent = openRequest(
      { hostname, port, method, path: call.path, headers: { ...headersOf(call), ...length } },
      (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8')
          const { statusCode: status = 0, headers } = response
          resolve({ status, headers, text, body: parsed(text) })
        })
      },
    )
    sent.setTimeout(answerMs, () => sent.destroy(new Error(`${call.path}: no answer`)))
    sent.on('error', reject)
    if (bytes && call.chunked) sent.write(bytes)
    sent.end(call.chunked ? undefined : bytes)
  })
}

/** Asserts that an answer is the problem document of a code, whole and as the table has it. */
export function assertProblem(answer: Answer, code: ErrorCode, values?: Fields) {
  const [status, title, action] = errorTable[code]
  const { body } = answer
  assert.equal(body['code'], code, `expected ${code}, the hub answered ${answer.text}`)
  assert.match(String(answer.headers['content-type']), /^application\/problem\+json(;|$)/)
  assert.equal(answer.status, status)
  assert.deepEqual(Object.keys(body).sort(), [...problemFields])
  assert.equal(body['type'], `https://jandon.dev/problems/${code}`)
  assert.equal(body['title'], title)
  assert.equal(body['status'], status)
  assert.equal(body['action'], action)
  assert.equal(typeof body['detail'], 'string')
  assert.notEqual(body['detail'], '')
  if (values) assert.deepEqual(body['values'], JSON.parse(toJson(values)))
}

/** Asserts that an answer has a status that means success, and returns its body. */
export function assertAnswer(answer: Answer, status: number): Fields {
  assert.equal(answer.status, status, answer.text)
  assert.match(String(answer.headers['content-type']), /^application\/json(;|$)/)
  return answer.body
}

const problemFields = ['action', 'code', 'detail', 'status', 'title', 'type', 'values'] as const

function headersOf({ token, headers, body }: Call): { [name: string]: string } {
  return {
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    ...headers,
  }
}

function bytesOf(body: Call['body']): Buffer | undefined {
  if (body === undefined) return undefined
  if (body instanceof Uint8Array) return Buffer.from(body)
  return Buffer.from(typeof body === 'string' ? body : toJson(body))
}

function parsed(text: string): Fields {
  try {
    return JSON.parse(text) as Fields
  } catch (cause) {
    if (cause instanceof SyntaxError) return {}
    throw cause
  }
}
