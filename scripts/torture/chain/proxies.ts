// Starting endpoints that lie, and asking the chain through them.

import { fileURLToPath } from 'node:url'
import { createPublicClient, http } from 'viem'
import { connect } from '#server/chain/connect.ts'
import type { Endpoints } from '#server/chain/endpoints.ts'
import type { ChainFixture } from '#server/testing/chain.ts'
import type { Part } from '../../world/process.ts'
import { startPart } from '../../world/process.ts'

const proxyScript = fileURLToPath(new URL('proxy.ts', import.meta.url))

/** The longest wait for an answer, in milliseconds. */
const timeoutMs = 250

export async function startProxies(
  { rpcUrl }: ChainFixture,
  { seed, count }: { seed: number; count: number },
): Promise<Part[]> {
  const proxies: Part[] = []
  for (let index = 0; index < count; index += 1)
    proxies.push(await startPart('proxy', [proxyScript, rpcUrl, String(seed + index)]))
  return proxies
}

/** The hub's own connection, to the proxies. */
export function endpointsOf({ deployment }: ChainFixture, proxies: readonly Part[]): Endpoints {
  const { endpoints } = connect(
    {
      JANDON_RPC_URL: proxies.map(({ url }) => url),
      JANDON_RPC_TIMEOUT_MS: timeoutMs,
      JANDON_POLL_MS: 20,
      deployment,
    },
    { now: Date.now, onAside: () => undefined },
  )
  return endpoints
}

/** Sets how often the proxies lie, and answers how often each has in each way. */
export async function setFaults(proxies: readonly Part[], perThousand: number): Promise<number[]> {
  const told = proxies.map(async ({ url }) => {
    const client = createPublicClient({ transport: http(url, { retryCount: 0 }) })
    const request = { method: 'torture_faults', params: [perThousand] }
    const counts = await client.request(request as never)
    return Object.values(counts as { [name: string]: number })
  })
  return (await Promise.all(told)).flat()
}
