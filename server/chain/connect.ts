// The hub's connection to its chain.

import type { PublicClient } from 'viem'
import { createPublicClient, defineChain, http } from 'viem'
import type { Config } from '../config.ts'

/** Reads of the chain over its RPC address; calls of one tick travel together, and nothing is cached. */
export function connect({
  JANDON_RPC_URL,
  JANDON_POLL_MS,
  deployment,
}: Pick<Config, 'JANDON_RPC_URL' | 'JANDON_POLL_MS' | 'deployment'>): PublicClient {
  const chain = defineChain({
    id: deployment.chainId,
    name: `chain ${deployment.chainId}`,
    nativeCurrency: { name: 'ether', symbol: 'ETH', decimals: 18 },
    rpcUrls: { default: { http: [JANDON_RPC_URL] } },
  })
  return createPublicClient({
    chain,
    transport: http(JANDON_RPC_URL, { batch: true }),
    pollingInterval: JANDON_POLL_MS,
    cacheTime: 0,
  })
}
