// Requests to a hub that may die at any moment.

import { request } from 'node:http'
import type { PrivateKeyAccount } from 'viem'
import { createSiweMessage } from 'viem/siwe'
import { toJson } from '#protocol/messages/wire.ts'

export type Fields = { [name: string]: unknown }

export type Answer = { status: number; type: string; text: string; body: Fields }

export type Call = {
  method?: string
  path: string
  token?: string | undefined
  /** An object is sent as JSON, text as it is. */
  body?: object | string | undefined
  headers?: { [name: string]: string }
}

export type Client = {
  /** Resolves with nothing when the connection broke before the answer was complete. */
  call(call: Call): Promise<Answer | undefined>
  /** As `call`, where a broken connection is an error. @throws Error with the answer when its status is another */
  ask(call: Call, status?: number): Promise<Fields>
  /** A bearer token, of a hub whose clock may be off by some seconds. */
  signIn(account: PrivateKeyAccount, chainId: number, clockSeconds?: number): Promise<string>
}

const patienceMs = 30_000

export function createClient(url: () => string): Client {
  const client: Client = {
    call: (call) => send(url(), call),
    async ask(call, status = 200) {
      const answer = await client.call(call)
      if (answer?.status === status) return answer.body
      throw new Error(`${call.path}: ${answer ? answer.text : 'the hub is gone'}`)
    },
    async signIn(account, chainId, clockSeconds = 0) {
      const { origin, host } = new URL(url())
      const { nonce } = await client.ask({ method: 'POST', path: '/v1/sessions/nonces' }, 201)
      const message = createSiweMessage({
        address: account.address,
        domain: host,
        uri: origin,
        chainId,
        nonce: String(nonce),
        version: '1',
        issuedAt: new Date(Date.now() + clockSeconds * 1_000),
      })
      const signature = await account.signMessage({ message })
      const { token } = await client.ask(
        { path: '/v1/sessions', body: { message, signature } },
        201,
      )
      return String(token)
    },
  }
  return client
}

function send(url: string, { path, token, headers, ...call }: Call): Promise<Answer | undefined> {
  const { hostname, port } = new URL(url)
  const text = typeof call.body === 'object' ? toJson(call.body) : call.body
  const method = call.method ?? (text === undefined ? 'GET' : 'POST')
  const sentHeaders = {
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...(text === undefined
      ? {}
      : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
    ...headers,
  }
  return new Promise((resolve) => {
    const lost = () => resolve(undefined)
    const sent = request({ hostname, port, method, path, headers: sentHeaders }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', lost)
      response.on('close', () => {
        if (!response.complete) return lost()
        const whole = Buffer.concat(chunks).toString('utf8')
        const type = response.headers['content-type'] ?? ''
        resolve({ status: response.statusCode ?? 0, type, text: whole, body: parsed(whole) })
      })
    })
    sent.setTimeout(patienceMs, () => sent.destroy())
    sent.on('error', lost)
    sent.end(text)
  })
}

function parsed(text: string): Fields {
  try {
    return JSON.parse(text) as Fields
  } catch (cause) {
    if (cause instanceof SyntaxError) return {}
    throw cause
  }
}
