// A thousand endpoints that are dead in every way, and a few that work: those get theirs as if they were alone.

import { once } from 'node:events'
import type { AddressInfo, Server } from 'node:net'
import { createServer } from 'node:net'
import { openHub } from '../../../test/support/hub.ts'
import { signIn } from '../../../test/support/paper.ts'
import type { Tipping } from './tipping.ts'
import { pause, register, startTipping } from './tipping.ts'
import type { Witness } from './witness.ts'
import { startWitness } from './witness.ts'

const healthy = 20
const pauseMs = 50
const p99LimitMs = 2_000

/** Sends `tips` tips, one at a time, to working endpoints of the creator and dead ones of the payer. */
export async function standTheCrowd({
  dead,
  tips,
}: {
  dead: number
  tips: number
}): Promise<{ operations: number; failures: string[] }> {
  const hub = await openHub({
    hubSettings: { JANDON_WEBHOOKS_PER_ACCOUNT: '1000', JANDON_WEBHOOK_RETRY_MS: '500' },
  })
  const corpses = [await startCorpse('hangs'), await startCorpse('hangs up'), await closedUrl()]
  const witnesses: Witness[] = []
  try {
    const tipping = await startTipping(hub)
    const token = await signIn(hub, tipping.creator)
    for (let count = 0; count < healthy; count += 1) {
      const witness = await startWitness(`healthy-${count}`)
      witnesses.push(witness)
      witness.expect(await register(hub, token, witness.url))
    }
    for (let count = 0; count < dead; count += 1) {
      const { url } = corpses[count % corpses.length] ?? { url: '' }
      await register(hub, tipping.channel.token, `${url}/${count}`)
    }
    for (let sent = 0; sent < tips; sent += 1) {
      await tipping.tip(1)
      await pause(pauseMs)
    }
    await Promise.all(witnesses.map((witness) => witness.reached(tips)))
    const failures = witnesses.flatMap(({ faults }) => faults)
    return { operations: tips * healthy, failures: [...failures, ...slow(tipping, witnesses)] }
  } finally {
    await hub.close()
    for (const { close } of [...witnesses, ...corpses]) await close()
  }
}

/** What is too slow, measured from when a tip was acknowledged to when it came in. */
function slow({ acknowledged }: Tipping, witnesses: readonly Witness[]): string[] {
  const delays = witnesses
    .flatMap(({ refs }) => [...refs].map(([ref, at]) => at - (acknowledged.get(ref) ?? 0)))
    .sort((a, b) => a - b)
  const percentile = (share: number) => delays[Math.floor(delays.length * share)] ?? 0
  const [p50, p99, most] = [percentile(0.5), percentile(0.99), delays.at(-1) ?? 0]
  console.log(`  ${delays.length} deliveries: p50 ${p50} ms, p99 ${p99} ms, slowest ${most} ms`)
  return p99 <= p99LimitMs ? [] : [`p99 is ${p99} ms, more than ${p99LimitMs} ms`]
}

type Corpse = { url: string; close: () => Promise<void> }

async function startCorpse(way: 'hangs' | 'hangs up'): Promise<Corpse> {
  const sockets = new Set<{ destroy(): void }>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => sockets.delete(socket))
    if (way === 'hangs up') socket.once('data', () => socket.destroy())
  })
  const url = await listening(server)
  return {
    url,
    async close() {
      const closed = once(server, 'close')
      server.close()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

/** Where nobody listens. */
async function closedUrl(): Promise<Corpse> {
  const server = createServer()
  const url = await listening(server)
  server.close()
  await once(server, 'close')
  return { url, close: () => Promise.resolve() }
}

async function listening(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
