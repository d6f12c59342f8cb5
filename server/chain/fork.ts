// Whether endpoints tell of the chain that was booked, and where theirs parted from it. Nothing is undone on the word of one alone.

import type { Hex } from 'viem'
import { smaller } from '#protocol/amount.ts'
import type { Endpoint, Endpoints } from './endpoints.ts'
import { EndpointFault, isEndpointTrouble, reasonOf } from './endpoints.ts'
import type { RecentBlocks } from './recent-blocks.ts'
import type { Header } from './rpc-reads.ts'
import { readHeader, readHeaders } from './rpc-reads.ts'

/** An endpoint that is further behind the best than this is put aside. */
const longestLag = 3n

/**
 * The newest block of each endpoint that can be used, the highest first. Those that do not answer, or lag, are put aside.
 *
 * @throws what the last one failed with, when none answers.
 */
export async function headsOf(
  endpoints: Endpoints,
): Promise<{ endpoint: Endpoint; head: Header }[]> {
  const asked = endpoints.usable()
  const answers = await Promise.allSettled(
    asked.map(async (endpoint) => ({
      endpoint,
      head: await readHeader(endpoint.client, 'latest'),
    })),
  )
  const heads = answers
    .flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []))
    .sort((a, b) => Number(b.head.number - a.head.number))
  for (const [index, answer] of answers.entries()) {
    const endpoint = asked[index]
    if (answer.status === 'fulfilled' || !endpoint) continue
    if (!isEndpointTrouble(answer.reason)) throw answer.reason
    endpoints.putAside(endpoint, reasonOf(answer.reason))
    if (heads.length === 0 && index === answers.length - 1) throw answer.reason
  }
  const best = heads[0]?.head.number ?? 0n
  return heads.filter(({ endpoint, head }) => {
    if (head.number + longestLag >= best) return true
    endpoints.putAside(endpoint, `it is at block ${head.number}, another at ${best}`)
    return false
  })
}

type Recorded = { block: bigint; hash: Hex }

/**
 * The highest block that is both on an endpoint's chain and among those that were booked; `undefined` when none is.
 *
 * @throws EndpointFault when the endpoint is behind, or another one still has what it says is gone.
 */
export async function commonBlock(
  endpoint: Endpoint,
  {
    head,
    newest,
    recent,
    others,
  }: {
    head: Header
    newest: Recorded
    recent: Pick<RecentBlocks, 'at' | 'all'>
    others: readonly Endpoint[]
  },
): Promise<bigint | undefined> {
  if (await has(endpoint, head, newest)) return newest.block
  if (head.number < newest.block && recent.at(head.number)?.hash === head.hash)
    throw new EndpointFault(`it is at block ${head.number}, behind ${newest.block}`)
  const common = await highestCommon(endpoint, { head, recorded: recent.all() })
  const firstGone = recent.at((common ?? newest.block - 1n) + 1n) ?? newest
  await assertGone(firstGone, { endpoint, others })
  return common
}

async function has({ client }: Endpoint, head: Header, { block, hash }: Recorded) {
  if (head.number < block) return false
  return (await readHeader(client, block)).hash === hash
}

async function highestCommon(
  { client }: Endpoint,
  { head, recorded }: { head: Header; recorded: readonly Recorded[] },
): Promise<bigint | undefined> {
  const [first, last] = [recorded[0], recorded.at(-1)]
  if (!first || !last || head.number < first.block) return undefined
  const to = smaller(last.block, head.number)
  const headers = await readHeaders(client, { from: first.block, to })
  const common = headers.filter(({ hash }, index) => hash === recorded[index]?.hash)
  return common.at(-1)?.number
}

/** Every other endpoint that can say is asked, and the same one once more: a wrong answer is seldom given twice. */
async function assertGone(
  { block, hash }: Recorded,
  { endpoint, others }: { endpoint: Endpoint; others: readonly Endpoint[] },
) {
  const witnesses = [endpoint, ...others.filter((other) => other !== endpoint)]
  const answers = await Promise.allSettled(witnesses.map(({ client }) => readHeader(client, block)))
  for (const answer of answers) {
    if (answer.status === 'fulfilled' && answer.value.hash === hash)
      throw new EndpointFault(`it says that block ${block} is gone, which is not so elsewhere`)
  }
}
