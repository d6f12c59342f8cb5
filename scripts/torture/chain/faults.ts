// Following a long chain through endpoints that lie: every event is booked once, whatever they leave out, repeat, refuse or change.

import { isEndpointTrouble } from '#server/chain/endpoints.ts'
import type { Books } from '#server/testing/books.ts'
import { openBooks } from '#server/testing/books.ts'
import type { ChainFixture } from '#server/testing/chain.ts'
import { claimCall, creditCall, fundChannel, topUp } from '#server/testing/chain.ts'
import { openDisk } from '#server/testing/disk.ts'
import type { Part } from '../../world/process.ts'
import type { Random } from '../random.ts'
import { createRandom } from '../random.ts'
import { endpointsOf, setFaults, startProxies } from './proxies.ts'
import type { Tally } from './truth.ts'
import { compareWithChain } from './truth.ts'

/** In so many of a thousand requests; and how many looks may bring nothing. */
const faultRate = 80
const longestStall = 400

/**
 * Makes a chain of `blocks` with so many `events` spread over it, and follows it twice from the beginning: through one lying
 * endpoint, and through two.
 */
export async function playFaults(
  chain: ChainFixture,
  { seed, blocks, events, tally }: { seed: number; blocks: number; events: number; tally: Tally },
) {
  const random = createRandom(seed)
  await spread(chain, random, { blocks, events })
  for (const count of [1, 2]) {
    const proxies = await startProxies(chain, { seed, count })
    try {
      await followThrough(chain, proxies, tally)
    } finally {
      for (const proxy of proxies) await proxy.stop()
    }
  }
}

/** Deposits, claims, settlements, credits and gifts, with empty blocks between. */
async function spread(
  chain: ChainFixture,
  random: Random,
  { blocks, events }: { blocks: number; events: number },
) {
  const { node, deployment, token } = chain
  const channel = await fundChannel(chain, { deposit: 10n ** 9n })
  const funder = await chain.party({ tokens: 10n ** 9n })
  const creator = await chain.party()
  let [claimed, credited] = [0n, 0n]
  const gap = Math.floor(blocks / events)
  for (let index = 0; index < events; index += 1) {
    const kind = random.below(3)
    if (kind === 0) await topUp(chain, { ...channel, payer: funder }, 1_000n)
    if (kind === 1) {
      claimed += random.between(1n, 1_000n)
      const { target, data } = await claimCall(channel, claimed)
      await chain.runHub([{ target, data }])
    }
    if (kind === 2 && claimed > credited) {
      credited = claimed
      const account = creator.address.toLowerCase() as typeof token
      await chain.runHub([creditCall(chain, [{ account, credited }])])
    }
    await node.mine({ blocks: 1 + random.below(2 * gap) })
  }
  const head = await node.getBlockNumber({ cacheTime: 0 })
  const left = BigInt(deployment.startBlock + blocks) - head
  if (left > 0n) await node.mine({ blocks: Number(left) })
  // A simulated chain has no state for blocks that it made up in bulk, and the books are compared at one of the last.
  for (let single = 0; single < 4; single += 1) await node.mine({ blocks: 1 })
}

async function followThrough(chain: ChainFixture, proxies: readonly Part[], tally: Tally) {
  const { chainId, hubAccount, channels } = chain.deployment
  const disk = await openDisk({ chainId, hubAccount, channels })
  const endpoints = endpointsOf(chain, proxies)
  const books = await openBooks(chain, disk.db, { endpoints, confirmations: 2 })
  try {
    await setFaults(proxies, faultRate)
    await followToEnd(chain, books, tally)
    const counts = await setFaults(proxies, 0)
    tally.faults += counts.reduce((sum, count) => sum + count, 0)
    const nobody = { tipped: new Map(), accounts: [] }
    await compareWithChain({ chain, books, db: disk.db, ...nobody }, tally)
  } finally {
    await books.checks.stop()
    await disk.remove()
  }
}

/** Looks again and again, as the hub's loop does, until the books come to the head less the confirmations. */
async function followToEnd({ node }: ChainFixture, { follower }: Books, tally: Tally) {
  const end = (await node.getBlockNumber({ cacheTime: 0 })) - 2n
  let stalled = 0
  while (follower.cursor() < end) {
    const before = follower.cursor()
    try {
      await follower.tick()
    } catch (cause) {
      if (!isEndpointTrouble(cause)) throw cause
    }
    tally.operations += Number(follower.cursor() - before)
    stalled = follower.cursor() === before ? stalled + 1 : 0
    if (stalled > longestStall) {
      tally.failures.push(`nothing moved at block ${before} in ${longestStall} looks`)
      return
    }
  }
}
