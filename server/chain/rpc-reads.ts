// What the follower asks a node for, as JSON-RPC, parsed once: headers, logs of a range, and all logs of one block.

import type { Address, Hex, PublicClient } from 'viem'
import { numberToHex } from 'viem'
import { z } from 'zod'
import { EndpointFault } from './endpoints.ts'
import { headerHash } from './header-hash.ts'
import type { ChainLog, Watched } from './logs.ts'
import { isWatched, transferTopics } from './logs.ts'
import type { Receipt } from './receipts-root.ts'
import { receiptsRoot } from './receipts-root.ts'

const isHex = (value: unknown): value is Hex =>
  typeof value === 'string' && /^0x[\da-f]*$/i.test(value)
const hex = z.custom<Hex>(isHex)
const lower = hex.transform((value) => value.toLowerCase() as Hex)
const quantity = hex.transform((value) => BigInt(value))
const count = hex.transform((value) => Number(value))

const header = z.object({
  number: quantity,
  hash: lower,
  parentHash: lower,
  timestamp: quantity,
  logsBloom: lower,
  receiptsRoot: lower,
  transactions: z.array(lower),
})

const log = z.object({
  address: lower.transform((value): Address => value),
  topics: z.array(lower),
  data: lower,
  blockNumber: quantity,
  blockHash: lower,
  transactionHash: lower,
  logIndex: count,
})

const receipt = z.object({
  type: count.default(0),
  status: hex.transform((value) => BigInt(value) === 1n),
  cumulativeGasUsed: quantity,
  logsBloom: lower,
  blockHash: lower,
  transactionHash: lower,
  logs: z.array(log),
})

export type Header = z.output<typeof header>

type Client = Pick<PublicClient, 'request'>

/** Nodes of which a header was seen that has the hash it says: then all have. Some chains hash other fields. */
const hashesHeaders = new WeakSet<object>()

/** @throws EndpointFault when the node does not know the block, or its header has not the hash that it says. */
export async function readHeader(client: Client, block: bigint | 'latest'): Promise<Header> {
  const tag = block === 'latest' ? block : numberToHex(block)
  const found = await client.request({ method: 'eth_getBlockByNumber', params: [tag, false] })
  const parsed = parse(header, found, `block ${block}`)
  if (block !== 'latest' && parsed.number !== block)
    throw new EndpointFault(`it was asked for block ${block} and answered ${parsed.number}`)
  if (headerHash(found as object as { [field: string]: unknown }) === parsed.hash)
    hashesHeaders.add(client)
  else if (hashesHeaders.has(client))
    throw new EndpointFault(`the header of block ${parsed.number} does not have the hash it says`)
  return parsed
}

/** The headers of blocks `from` to `to`, both inclusive. */
export function readHeaders(
  client: Client,
  { from, to }: { from: bigint; to: bigint },
): Promise<Header[]> {
  const length = to < from ? 0 : Number(to - from) + 1
  return Promise.all(Array.from({ length }, (_, index) => readHeader(client, from + BigInt(index))))
}

/** The watched logs of blocks `from` to `to`, as the node's index has them, each once. */
export async function readLogs(
  client: Client,
  watched: Watched,
  { from, to }: { from: bigint; to: bigint },
): Promise<ChainLog[]> {
  const range = { fromBlock: numberToHex(from), toBlock: numberToHex(to) }
  const [own, transfers] = await Promise.all([
    client.request({
      method: 'eth_getLogs',
      params: [{ address: watched.contracts, ...range }],
    }),
    client.request({
      method: 'eth_getLogs',
      params: [{ address: watched.tokens, topics: transferTopics(watched.receiver), ...range }],
    }),
  ])
  const all = parse(z.array(log), [own, transfers].flat(), `logs of ${from} to ${to}`)
  for (const { blockNumber } of all) {
    if (blockNumber < from || blockNumber > to)
      throw new EndpointFault(`a log of block ${blockNumber} among those of ${from} to ${to}`)
  }
  return distinct(all.filter((one) => isWatched(one, watched)))
}

/**
 * Every watched log of a block, out of its receipts; `isProved` when these lead to the root in the header.
 *
 * @throws EndpointFault when the receipts are not those of the block.
 */
export async function readBlockLogs(
  client: Client,
  watched: Watched,
  block: Header,
): Promise<{ logs: ChainLog[]; isProved: boolean }> {
  const receipts = await readReceipts(client, block)
  for (const { blockHash } of receipts) {
    if (blockHash !== block.hash)
      throw new EndpointFault(`a receipt of block ${blockHash} among those of ${block.hash}`)
  }
  const root = receiptsRoot(receipts satisfies Receipt[])
  if (root !== undefined && root !== block.receiptsRoot)
    throw new EndpointFault(`the receipts of block ${block.number} do not lead to its root`)
  const logs = receipts.flatMap((one) => one.logs).filter((one) => isWatched(one, watched))
  return { logs, isProved: root !== undefined }
}

/** One by one, which every node can; they travel in batches. */
async function readReceipts(client: Client, { number, transactions }: Header) {
  const what = `receipts of block ${number}`
  const all = await Promise.all(
    transactions.map((hash) =>
      client.request({ method: 'eth_getTransactionReceipt', params: [hash] }),
    ),
  )
  return parse(z.array(receipt), all, what)
}

/** Some nodes and proxies tell a log twice. */
function distinct(logs: readonly ChainLog[]): ChainLog[] {
  return [...new Map(logs.map((one) => [`${one.blockHash}:${one.logIndex}`, one])).values()]
}

function parse<T extends z.ZodType>(shape: T, value: unknown, what: string): z.output<T> {
  const parsed = shape.safeParse(value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new EndpointFault(`${what}: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`, {
    cause: parsed.error,
  })
}
