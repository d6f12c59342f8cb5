// Tokens that are given back: over HTTP, event streams and WebSockets they are worth nothing a second later, and neither they
// nor any key stand in what the hub printed.

import { once } from 'node:events'
import { get } from 'node:http'
import { WebSocket } from 'ws'
import type { Random } from '../random.ts'
import type { Arena } from './arena.ts'
import { seconds } from './arena.ts'
import type { PartFound } from './part.ts'
import { print } from './part.ts'
import { socketUrl } from './plan.ts'

const sessionsEach = 5
const limitMs = 1_000

export async function revoke(arena: Arena, random: Random): Promise<PartFound> {
  const { world, client, creators } = arena
  const part: PartFound = { operations: 0, faults: 0, failures: [] }
  const tokens: string[] = []
  for (const creator of creators) {
    for (let session = 0; session < sessionsEach; session += 1)
      tokens.push(await client.signIn(creator, world.deployment.chainId))
  }
  const given = [...tokens]
  let slowest = 0
  while (tokens.length > 0) {
    const token = random.pick(tokens)
    tokens.splice(tokens.indexOf(token), 1)
    const { took, faults } = await giveBack(arena, token)
    slowest = Math.max(slowest, took)
    part.faults += 1
    part.operations += 4
    part.failures.push(...faults)
  }
  print('revoked', { sessions: part.faults, slowestMs: slowest })
  if (slowest > limitMs) part.failures.push(`revoked: it took ${slowest.toFixed(0)} ms`)
  part.failures.push(...printedSecrets(arena, given))
  return part
}

/** Gives one token back while a stream and two WebSockets use it, and tells how long they still could (ms). */
async function giveBack({ world, client }: Arena, token: string) {
  const { url } = world.hub
  const [stream, following, signedIn] = await Promise.all([
    openStream(url, token),
    openSocket(url, token, 'follow'),
    openSocket(url, token, 'sign in'),
  ])
  const began = performance.now()
  await client.ask({ method: 'DELETE', path: '/v1/sessions', token }, 204)
  const closed = Promise.all([stream.ended, once(following, 'close')])
  const isOver = await Promise.race([closed.then(() => true), seconds(10).then(() => false)])
  const took = performance.now() - began
  const status = (await client.call({ path: '/v1/channels', token }))?.status
  await seconds(Math.max(0, limitMs - (performance.now() - began)) / 1_000)
  signedIn.send('{"type":"follow"}')
  const [answer] = await once(signedIn, 'message')
  for (const socket of [following, signedIn]) socket.terminate()
  stream.close()
  return {
    took,
    faults: [
      ...(isOver ? [] : ['revoked: a stream or a WebSocket stayed open']),
      ...(status === 401 ? [] : [`revoked: HTTP answered ${status}`]),
      ...(String(answer).includes('session_required')
        ? []
        : [`revoked: a WebSocket still follows: ${answer}`]),
    ],
  }
}

function printedSecrets({ world }: Arena, tokens: readonly string[]): string[] {
  const printed = world.hub.complaints()
  const settings = Object.entries(world.hubEnvironment)
    .filter(([name]) => /_(KEY|TOKEN)$/.test(name))
    .map(([, value]) => value ?? '')
  const isPrinted = [...tokens, ...settings].some((secret) => secret && printed.includes(secret))
  return isPrinted ? ['revoked: a secret was printed'] : []
}

function openStream(url: string, token: string): Promise<{ ended: Promise<void>; close(): void }> {
  const headers = { authorization: `Bearer ${token}` }
  return new Promise((resolve, reject) => {
    const request = get(`${url}/v1/events`, { headers, agent: false }, (response) => {
      response.resume()
      response.on('error', () => undefined)
      const ended = new Promise<void>((end) => response.on('close', end))
      resolve({ ended, close: () => request.destroy() })
    })
    request.on('error', reject)
  })
}

async function openSocket(
  url: string,
  token: string,
  use: 'follow' | 'sign in',
): Promise<WebSocket> {
  const socket = new WebSocket(socketUrl(url))
  await once(socket, 'open')
  socket.send(JSON.stringify({ type: 'sign-in', token }))
  await once(socket, 'message')
  if (use === 'follow') socket.send('{"type":"follow"}')
  // What was sent before is taken before the ping is answered.
  socket.ping()
  await once(socket, 'pong')
  return socket
}
