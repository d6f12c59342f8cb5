// An RPC endpoint that lies, as a process of its own between a hub and its chain: by its seed it answers late, twice, in part, with
// wrong hashes, with errors, or never. `torture_faults` sets how often, in so many of a thousand requests, and tells the counts.

import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { createRandom } from '../random.ts'

/** What it does to an answer, and how often it did. */
export type FaultName =
  | 'stale'
  | 'duplicate'
  | 'skip'
  | 'wrong-hash'
  | 'hang'
  | 'error'
  | 'garbage'
  | 'range'

type Call = { id: number; method: string; params: unknown[] }
type Answer = {
  id: number
  jsonrpc: '2.0'
  result?: unknown
  error?: { code: number; message: string }
}
type Log = { blockHash: string; blockNumber: string; logIndex: string }

const [, , target = '', seedText = '0'] = process.argv
const random = createRandom(Number(seedText))
const names = ['stale', 'duplicate', 'skip', 'wrong-hash', 'hang', 'error', 'garbage'] as const
const counts: Record<FaultName, number> = {
  stale: 0,
  duplicate: 0,
  skip: 0,
  'wrong-hash': 0,
  hang: 0,
  error: 0,
  garbage: 0,
  range: 0,
}
/** Ranges of more blocks than this are refused. */
const widestRange = 300
const wrongHash = `0x${'f0'.repeat(32)}`
let perThousand = 0

const server = createServer((request, response) => {
  answer(request, response).catch((cause: unknown) => {
    process.stderr.write(`${String(cause)}\n`)
    response.destroy()
  })
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const { port } = server.address() as AddressInfo
process.stdout.write(`${JSON.stringify({ listening: `http://127.0.0.1:${port}` })}\n`)
await Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')])
server.closeAllConnections()
process.exit(0)

async function answer(request: IncomingMessage, response: ServerResponse) {
  const body = await text(request)
  const parsed = JSON.parse(body) as Call | Call[]
  if (!Array.isArray(parsed) && parsed.method === 'torture_faults') {
    const [rate] = parsed.params
    if (typeof rate === 'number') perThousand = rate
    return respond(response, { id: parsed.id, jsonrpc: '2.0', result: counts })
  }
  const calls = [parsed].flat()
  const fault = random.below(1_000) < perThousand ? random.pick(names) : undefined
  if (fault === 'hang') {
    counts.hang += 1
    return
  }
  if (fault === 'garbage') {
    counts.garbage += 1
    response.end('<html>502</html>')
    return
  }
  const reply = await fetch(target, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  })
  const answers = [(await reply.json()) as Answer | Answer[]].flat()
  const changed = answers.map((one) => {
    const call = calls.find(({ id }) => id === one.id)
    return call ? spoil(call, one, fault) : one
  })
  respond(response, Array.isArray(parsed) ? changed : changed[0])
}

function spoil(call: Call, given: Answer, fault: FaultName | undefined): Answer {
  if (call.method === 'eth_getLogs') return spoilLogs(call, given, fault)
  if (call.method === 'eth_getBlockByNumber') return spoilBlock(call, given, fault)
  if (fault !== 'error') return given
  counts.error += 1
  return { id: given.id, jsonrpc: '2.0', error: { code: -32_603, message: 'internal error' } }
}

function spoilLogs({ params }: Call, given: Answer, fault: FaultName | undefined): Answer {
  const [{ fromBlock, toBlock }] = params as [{ fromBlock: string; toBlock: string }]
  if (Number(toBlock) - Number(fromBlock) >= widestRange) {
    counts.range += 1
    return { id: given.id, jsonrpc: '2.0', error: { code: -32_005, message: 'range too wide' } }
  }
  const logs = given.result as Log[] | undefined
  const [first] = logs ?? []
  if (!logs || !first) return given
  switch (fault ?? faultOfLogs()) {
    case 'skip': {
      counts.skip += 1
      const gone = random.below(logs.length)
      return { ...given, result: logs.filter((_, index) => index !== gone) }
    }
    case 'stale': {
      counts.stale += 1
      const newest = logs.at(-1)?.blockNumber
      return { ...given, result: logs.filter(({ blockNumber }) => blockNumber !== newest) }
    }
    case 'duplicate':
      counts.duplicate += 1
      return { ...given, result: [...logs, ...logs] }
    case 'wrong-hash':
      counts['wrong-hash'] += 1
      return { ...given, result: [{ ...first, blockHash: wrongHash }, ...logs.slice(1)] }
    default:
      return given
  }
}

/** Logs are asked for seldom and in long ranges, so they are spoilt more often than the rest. */
function faultOfLogs(): FaultName | undefined {
  if (random.below(1_000) >= 4 * perThousand) return undefined
  return random.pick(['skip', 'stale', 'duplicate', 'wrong-hash'] as const)
}

function spoilBlock({ params }: Call, given: Answer, fault: FaultName | undefined): Answer {
  const block = given.result as { hash: string; number: string } | null | undefined
  if (!block) return given
  if (fault === 'wrong-hash' && random.once(4)) {
    counts['wrong-hash'] += 1
    return { ...given, result: { ...block, hash: wrongHash } }
  }
  if (fault === 'stale' && params[0] !== 'latest' && random.once(4)) {
    counts.stale += 1
    return { ...given, result: null }
  }
  return given
}

function respond(response: ServerResponse, body: unknown) {
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify(body))
}
