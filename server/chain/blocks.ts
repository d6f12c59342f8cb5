// Blocks with their logs, read so that what is believed hangs together: each block names the one before, each log the hash of its
// block, and where it is cheap the logs of a block are proved by the root in its header.

import type { Hex, PublicClient } from 'viem'
import { zeroHash } from 'viem'
import type { Bloom, BloomBits } from './bloom.ts'
import { bloomBitsOf, readBloom } from './bloom.ts'
import { EndpointFault, isEndpointTrouble, isRpcAnswer } from './endpoints.ts'
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

/**
 * In blocks of more transactions than this, receipts are too much to read for every block that has a log, and filters are too
 * full: a second endpoint is asked for the logs instead, if there is one, and only where the two differ receipts decide.
 */
const cheapTransactions = 100

type Client = Pick<PublicClient, 'request'>

export type BlockReader = {
  /**
   * Blocks `from` to `to`; `parent` is the hash of the one before, when it is known. Those that `known` has are not read again.
   * `witness` is another endpoint.
   *
   * @throws RangeRefused, ForkFound, EndpointFault, and viem's errors when nothing is answered.
   */
  read(
    client: Client,
    range: {
      from: bigint
      to: bigint
      parent: Hex | undefined
      known: ReadonlyMap<Hex, Block>
      witness?: Client | undefined
    },
  ): Promise<Block[]>
}

export function createBlockReader(
  watched: Watched,
  { onWrongLogs }: { onWrongLogs: (block: bigint) => void },
): BlockReader {
  const looksFor = interestOf(watched)

  return {
    async read(client, { from, to, parent, known, witness }) {
      const headers = await readHeaders(client, { from, to })
      assertLinked(headers, parent)
      const fresh = headers.filter(({ hash }) => !known.has(hash))
      const read = new Map(known)
      for (const block of await readFresh(client, fresh, witness)) read.set(block.hash, block)
      return headers.flatMap(({ hash }) => read.get(hash) ?? [])
    },
  }

  async function readFresh(
    client: Client,
    headers: readonly Header[],
    witness: Client | undefined,
  ): Promise<Block[]> {
    const [first, last] = [headers[0], headers.at(-1)]
    if (!first || !last) return []
    const range = { from: first.number, to: last.number }
    const [logs, others] = await Promise.all([
      logsBetween(client, range),
      witness && headers.some(isBig) ? testimony(witness, range) : undefined,
    ])
    const byBlock = Map.groupBy(logs, ({ blockNumber }) => blockNumber)
    const byWitness = others && Map.groupBy(others, ({ blockNumber }) => blockNumber)
    const blocks = await Promise.all(
      headers.map((header) => {
        const told = byBlock.get(header.number) ?? []
        const other = byWitness ? (byWitness.get(header.number) ?? []) : told
        return checked(client, header, { told, isDisputed: placesOf(told) !== placesOf(other) })
      }),
    )
    const again = await readHeader(client, last.number)
    if (again.hash !== last.hash)
      throw new ForkFound(`block ${last.number} changed while it was read`)
    return blocks
  }

  /** What another endpoint says; when it does not answer, nothing is disputed. */
  function testimony(witness: Client, range: { from: bigint; to: bigint }) {
    return readLogs(witness, watched, range).catch((cause: unknown) => {
      if (!isEndpointTrouble(cause)) throw cause
      return undefined
    })
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
    { told, isDisputed }: { told: readonly ChainLog[]; isDisputed: boolean },
  ): Promise<Block> {
    const { number, hash } = header
    for (const { blockHash } of told) {
      if (blockHash !== hash)
        throw new EndpointFault(`a log says that block ${number} is ${blockHash}, it is ${hash}`)
    }
    const bloom = readBloom(header.logsBloom)
    assertPossible(header, bloom, told)
    const isWorthProof = told.length > 0 || isExpected(bloom)
    if (!isDisputed && (!isWorthProof || isBig(header)))
      return { number, hash, logs: inOrder(told) }
    const proved = await readBlockLogs(client, watched, header)
    if (placesOf(proved.logs) !== placesOf(told)) onWrongLogs(number)
    return { number, hash, logs: inOrder(proved.logs) }
  }

  function isExpected(bloom: Bloom): boolean {
    return bloom.isSparse && looksFor.some((one) => one(bloom))
  }
}

function isBig({ transactions }: Header): boolean {
  return transactions.length > cheapTransactions
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
