// How every HTTP load sends: requests made beforehand, over kept-alive connections, one at a time per lane.

import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http'
import { Agent, request } from 'node:http'

/** A request as it will be sent; without a body it is a GET. */
export type Prepared = { headers: OutgoingHttpHeaders; body?: string }

export type Answer = { status: number | undefined; headers: IncomingHttpHeaders; body: Buffer }

export type Lanes = {
  url: URL
  connections: number
  /** The requests of each channel in order; a lane works through its share of the channels in turn. */
  queues: readonly (readonly Prepared[])[]
  /** When to stop, in seconds; without it, when every request was answered. */
  seconds: number | undefined
  /** Judges an answer: to the request at `index` of the queue of `channel`. Throws what ends the run. */
  judge: (answer: Answer, at: { channel: number; index: number }) => void
}

/** What a load process prints at its end. */
export type LoadReport = { answers: number; seconds: number; p50ms: number; p99ms: number }

/** Prints "ready", waits a moment so that the server's CPU time can be read, runs the lanes, and prints "ended". */
export async function runLanes(lanes: Lanes): Promise<LoadReport> {
  const agent = new Agent({ keepAlive: true, maxSockets: lanes.connections })
  process.stdout.write('ready\n')
  await new Promise((resolve) => {
    setTimeout(resolve, 300)
  })
  const began = performance.now()
  const end = began + (lanes.seconds ?? Number.POSITIVE_INFINITY) * 1_000
  const running = Array.from({ length: lanes.connections }, (_, lane) =>
    runLane(lanes, { agent, lane, end }),
  )
  const latencies = (await Promise.all(running)).flat().sort((a, b) => a - b)
  const seconds = (performance.now() - began) / 1_000
  process.stdout.write('ended\n')
  agent.destroy()
  const percentile = (share: number) => latencies[Math.floor(latencies.length * share)] ?? 0
  return { answers: latencies.length, seconds, p50ms: percentile(0.5), p99ms: percentile(0.99) }
}

/** Returns latencies in milliseconds. */
async function runLane(
  { url, connections, queues, seconds, judge }: Lanes,
  { agent, lane, end }: { agent: Agent; lane: number; end: number },
): Promise<number[]> {
  const channels = [...queues.keys()].filter((channel) => channel % connections === lane)
  const latencies: number[] = []
  for (let turn = 0; performance.now() < end; turn += 1) {
    const channel = channels[turn % channels.length] ?? 0
    const index = Math.floor(turn / channels.length)
    const next = channels.length > 0 ? queues[channel]?.[index] : undefined
    if (!next && seconds === undefined) return latencies
    if (!next) throw new Error('the load ran out of signed requests; raise its rate')
    const sent = performance.now()
    const answer = await send(url, agent, next)
    latencies.push(performance.now() - sent)
    judge(answer, { channel, index })
  }
  return latencies
}

function send(url: URL, agent: Agent, { headers, body }: Prepared): Promise<Answer> {
  const method = body === undefined ? 'GET' : 'POST'
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, agent, headers }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => {
        const { statusCode: status, headers: received } = response
        resolve({ status, headers: received, body: Buffer.concat(chunks) })
      })
      response.on('error', reject)
    })
    sent.on('error', reject)
    sent.end(body)
  })
}
