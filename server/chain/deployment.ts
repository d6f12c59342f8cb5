// Where the hub's contracts are: the file that deploying writes and the hub reads.

import { readFile } from 'node:fs/promises'
import type { Address } from 'viem'
import { z } from 'zod'
import { address } from '#protocol/messages/wire.ts'

const listedToken = z.strictObject({
  address,
  name: z.string(),
  version: z.string(),
  symbol: z.string(),
  decimals: z.int().min(0).max(36),
})

const deployment = z.strictObject({
  chainId: z.int().positive(),
  startBlock: z.int().min(0),
  channels: address,
  canonicalChannels: address.nullable(),
  erc3009Collector: address,
  permit2Collector: address.optional(),
  hubAccount: address,
  vault: address,
  tokens: z.array(listedToken).min(1),
})

export type Deployment = z.output<typeof deployment>
export type ListedToken = z.output<typeof listedToken>

/** Reads `deployments/<chainId>.json`, or another file of that shape. */
export async function readDeployment(path: string): Promise<Deployment> {
  const text = await readFile(path, 'utf8')
  const parsed = deployment.safeParse(JSON.parse(text))
  if (!parsed.success)
    throw new Error(`${path} is not a deployment file: ${z.prettifyError(parsed.error)}`)
  return parsed.data
}

/** The contracts that hold channels for this hub: jandon's own, and the canonical one where it is another. */
export function channelsContracts({ channels, canonicalChannels }: Deployment): Address[] {
  return canonicalChannels && canonicalChannels !== channels
    ? [channels, canonicalChannels]
    : [channels]
}
