// An RPC endpoint before a node that loses some of the transactions that are sent, and some of the answers to them.

import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import type { Random } from '../random.ts'

export type FaultyRpc = {
  url: string
  /** Of how many broadcasts one is lost, on its way there or back; zero for none. */
  loseOneIn: number
  lost(): number
  /** Resolves when so many more broadcasts came. */
  heard(broadcasts: number): Promise<void>
  stop(): Promise<void>
}

type Call = { id: unknown; method: string }

export async function startFaultyRpc(nodeUrl: string, random: Random): Promise<FaultyRpc> {
  let lost = 0
  let heard = 0
  const waiting: { at: number; resolve: () => void }[] = []
  const server = createServer((request, response) => void answer(request, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const rpc: FaultyRpc = {
    url: `http://127.0.0.1:${port}`,
    loseOneIn: 0,
    lost: () => lost,
    heard: (broadcasts) =>
      new Promise((resolve) => {
        waiting.push({ at: heard + broadcasts, resolve })
      }),
    async stop() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  return rpc

  async function answer(request: IncomingMessage, response: ServerResponse) {
    const parsed: unknown = JSON.parse(await text(request))
    const calls = (Array.isArray(parsed) ? parsed : [parsed]) as Call[]
    const answers = await Promise.all(calls.map(answerOne))
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify(Array.isArray(parsed) ? answers : answers[0]))
  }

  async function answerOne(call: Call): Promise<unknown> {
    if (call.method !== 'eth_sendRawTransaction') return ask(call)
    heard += 1
    for (const { at, resolve } of waiting) if (heard >= at) resolve()
    if (!isOneOf(rpc.loseOneIn)) return ask(call)
    lost += 1
    if (random.once(2)) await ask(call)
    return { jsonrpc: '2.0', id: call.id, error: { code: -32_000, message: 'the line broke' } }
  }

  function isOneOf(times: number): boolean {
    return times > 0 && random.once(times)
  }

  async function ask(call: Call): Promise<unknown> {
    const response = await fetch(nodeUrl, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(call),
    })
    return response.json()
  }
}
