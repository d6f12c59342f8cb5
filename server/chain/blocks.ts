// Blocks with their logs, read so that what is believed hangs together: each block names the one before, each log the hash of its
// block, and where it is cheap the logs of a block are proved by the root in its header.

import type { Hex, PublicClient } from 'viem'
import { zeroHash } from 'viem'
import type { Bloom, BloomBits } from './bloom.ts'
import { bloomBitsOf, readBloom } from './bloom.ts'
import { EndpointFault, isRpcAnswer } from './endpoints.ts'
import type { ChainLog, Watched } from './logs.ts'
import { contractTopics, transferTopics } from './logs.ts'
import type { Header } from './rpc-reads.ts'
import { readBlockLogs, readHeader, readHeaders, readLogs } from './rpc-reads.ts'

/** A block with the watched logs in it, in order. */
export type Block = { number: bigint; hash: Hex; logs: readonly ChainLog[] }

/** The provider refuses to look for logs in so many blocks at once. */
export class RangeRefused extends Error {}

/** The first block read does not follow on the block before: the chain went another way meanwhile. */
export class ForkFound extends Error {}

/** In blocks of more transactions than this, receipts are too much to read for every block that has a log. */
const cheapTransactions = 100

type Client = Pick<PublicClient, 'request'>

export type BlockReader = {
  /**
   * Blocks `from` to `to`; `parent` is the hash of the one before, when it is known. Those that `known` has are not read again.
   *
   * @throws RangeRefused, ForkFound, EndpointFault, and viem's errors when nothing is answered.
   */
  read(
    client: Client,
    range: { from: bigint; to: bigint; parent: Hex | undefined; known: ReadonlyMap<Hex, Block> },
  ): Promise<Block[]>
}

export function createBlockReader(
  watched: Watched,
  { onWrongLogs }: { onWrongLogs: (block: bigint) => void },
): BlockReader {
  const looksFor = interestOf(watched)

  return {
    async read(client, { from, to, parent, known }) {
      const headers = await readHeaders(client, { from, to })
      assertLinked(headers, parent)
      const fresh = headers.filter(({ hash }) => !known.has(hash))
      const read = new Map(known)
      for (const block of await readFresh(client, fresh)) read.set(block.hash, block)
      return headers.flatMap(({ hash }) => read.get(hash) ?? [])
    },
  }

  async function readFresh(client: Client, headers: readonly Header[]): Promise<Block[]> {
    const [first, last] = [headers[0], headers.at(-1)]
    if (!first || !last) return []
    const logs = await logsBetween(client, { from: first.number, to: last.number })
    const byBlock = Map.groupBy(logs, ({ blockNumber }) => blockNumber)
    const blocks = await Promise.all(
      headers.map((header) => checked(client, header, byBlock.get(header.number) ?? [])),
    )
    const again = await readHeader(client, last.number)
    if (again.hash !== last.hash)
      throw new ForkFound(`block ${last.number} changed while it was read`)
    return blocks
  }

  async function logsBetween(client: Client, range: { from: bigint; to: bigint }) {
    try {
      return await readLogs(client, watched, range)
    } catch (cause) {
      if (range.to === range.from || !isRpcAnswer(cause)) throw cause
      throw new RangeRefused(`logs of ${range.from} to ${range.to} are refused`, { cause })
    }
  }

  async function checked(
    client: Client,
    header: Header,
    logs: readonly ChainLog[],
  ): Promise<Block> {
    const { number, hash, transactions } = header
    for (const { blockHash } of logs) {
      if (blockHash !== hash)
        throw new EndpointFault(`a log says that block ${number} is ${blockHash}, it is ${hash}`)
    }
    const bloom = readBloom(header.logsBloom)
    assertPossible(header, bloom, logs)
    const isExpected = bloom.isSparse && looksFor.some((one) => one(bloom))
    const isWorthProof = logs.length > 0 || isExpected
    if (!isWorthProof || transactions.length > cheapTransactions)
      return { number, hash, logs: inOrder(logs) }
    const proved = await readBlockLogs(client, watched, header)
    if (placesOf(proved.logs) !== placesOf(logs)) onWrongLogs(number)
    return { number, hash, logs: inOrder(proved.logs) }
  }
}

/** Each header names the hash of the one before. A simulated chain names none for blocks that it made up in bulk. */
function assertLinked(headers: readonly Header[], parent: Hex | undefined) {
  let before = parent
  for (const { number, hash, parentHash } of headers) {
    if (before !== undefined && parentHash !== before && parentHash !== zeroHash) {
      const what = `block ${number} follows on ${parentHash} and not on ${before}`
      throw before === parent ? new ForkFound(what) : new EndpointFault(what)
    }
    before = hash
  }
}

function assertPossible({ number }: Header, bloom: Bloom, logs: readonly ChainLog[]) {
  for (const { address, topics } of logs) {
    if (![address, ...topics].every((item) => bloom.mayHold(bloomBitsOf(item))))
      throw new EndpointFault(`a log is in block ${number} that its header excludes`)
  }
}

/** What a header's filter lets expect: an event of a contract, or a transfer of a token to the receiver. */
function interestOf({ contracts, tokens, receiver }: Watched): ((bloom: Bloom) => boolean)[] {
  const topics = contractTopics.map(bloomBitsOf)
  const [signature, , to] = transferTopics(receiver)
  const transfer: BloomBits[] = [bloomBitsOf(signature), bloomBitsOf(to)]
  const ofContracts = contracts
    .map(bloomBitsOf)
    .map(
      (contract) => (bloom: Bloom) =>
        bloom.mayHold(contract) && topics.some((topic) => bloom.mayHold(topic)),
    )
  const ofTokens = tokens
    .map(bloomBitsOf)
    .map((token) => (bloom: Bloom) => [token, ...transfer].every((item) => bloom.mayHold(item)))
  return [...ofContracts, ...ofTokens]
}

function inOrder(logs: readonly ChainLog[]): ChainLog[] {
  return [...logs].sort((a, b) => a.logIndex - b.logIndex)
}

function placesOf(logs: readonly ChainLog[]): string {
  return inOrder(logs)
    .map(({ logIndex, topics, data }) => `${logIndex}:${topics.join()}:${data}`)
    .join()
}
