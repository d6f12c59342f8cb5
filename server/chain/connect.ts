// The hub's connection to its chain.

import type { EIP1193RequestFn, PublicClient } from 'viem'
import { createPublicClient, createTransport, defineChain, http } from 'viem'
import { z } from 'zod'
import type { Config } from '../config.ts'
import type { Deployment } from './deployment.ts'
import type { Endpoint, Endpoints } from './endpoints.ts'
import { createEndpoints, requestAnywhere } from './endpoints.ts'

/** How a process is told of its endpoints. */
export const endpointSettings = {
  JANDON_RPC_URL: z
    .string()
    .transform((text) => text.split(',').map((url) => url.trim()))
    .pipe(z.array(z.url()).min(1))
    .describe('the JSON-RPC endpoints of the chain, the preferred first, with commas between'),
  JANDON_RPC_TIMEOUT_MS: z.coerce
    .number()
    .int()
    .min(1)
    .max(600_000)
    .default(10_000)
    .describe('how long an endpoint may take to answer, ms'),
}

/** What providers commonly take in one HTTP request. */
const batchSize = 100

/**
 * Reads of the chain over its RPC addresses; calls of one tick travel together, and nothing is cached. `chain` asks whichever
 * endpoint works; the follower compares them.
 */
export function connect(
  {
    JANDON_RPC_URL,
    JANDON_RPC_TIMEOUT_MS,
    JANDON_POLL_MS,
    deployment,
  }: Pick<Config, 'JANDON_RPC_URL' | 'JANDON_RPC_TIMEOUT_MS' | 'JANDON_POLL_MS'> & {
    deployment: Pick<Deployment, 'chainId'>
  },
  deps: { now: () => number; onAside: (endpoint: Endpoint, reason: string) => void },
): { chain: PublicClient; endpoints: Endpoints } {
  const definition = defineChain({
    id: deployment.chainId,
    name: `chain ${deployment.chainId}`,
    nativeCurrency: { name: 'ether', symbol: 'ETH', decimals: 18 },
    rpcUrls: { default: { http: JANDON_RPC_URL } },
  })
  const common = { chain: definition, pollingInterval: JANDON_POLL_MS, cacheTime: 0 }
  const transportTo = (url: string) =>
    http(url, { batch: { batchSize }, timeout: JANDON_RPC_TIMEOUT_MS, retryCount: 0 })
  const all = JANDON_RPC_URL.map((url, index) => ({
    name: `RPC endpoint ${index + 1} (${new URL(url).host})`,
    client: createPublicClient({ ...common, transport: transportTo(url) }),
  }))
  const endpoints = createEndpoints(all, deps)
  const request = (asked: { method: string; params?: unknown }) => requestAnywhere(endpoints, asked)
  const anywhere = () =>
    createTransport({
      key: 'endpoints',
      name: 'whichever endpoint works',
      type: 'endpoints',
      retryCount: 2,
      request: request as EIP1193RequestFn,
    })
  return { chain: createPublicClient({ ...common, transport: anywhere }), endpoints }
}
