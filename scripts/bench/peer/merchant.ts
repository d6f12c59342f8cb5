// A merchant on a local world: the shop's process, and channels toward it on the canonical contract, where npm clients pay.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import { z } from 'zod'
import { hash } from '#protocol/messages/wire.ts'
import { lowerCase } from '#protocol/signature.ts'
import { canonical } from '../../deploy/contracts.ts'
import { readArtifact } from '../../deploy/create2.ts'
import type { Part } from '../../world/process.ts'
import { startPart } from '../../world/process.ts'
import type { World } from '../../world/world.ts'
import type { OpenedChannel } from '../channels.ts'
import { depositOn } from '../channels.ts'
import type { Server } from '../cpu.ts'
import type { ShopSettings } from './shop.ts'

export type Merchant = Server & {
  /** Where a song is sold. */
  url: string
  channels: OpenedChannel[]
  books(): Promise<Books>
  stop: Part['stop']
}

const amount = z.string().transform(BigInt)
const books = z.object({
  cpuSeconds: z.number(),
  asked: z.int(),
  channels: z.array(z.object({ channelId: hash, charged: amount })),
})

/** What the shop holds of its channels, in base units, and how often it asked its facilitator to verify. */
export type Books = z.output<typeof books>

/** The facilitator reads channels through Multicall3, which is at one address on every chain. */
const multicall = '0xcA11bde05977b3631167028862bE2a173976CA11'

const withdrawDelay = 86_400

/** Opens `count` channels and starts a shop that sells songs at `price` base units. */
export async function startMerchant(
  world: World,
  { count, price }: { count: number; price: bigint },
): Promise<Merchant> {
  const { chain, deployment, folder, rpcUrl, token } = world
  const { runtime } = await readArtifact('test/TestMulticall.sol/TestMulticall')
  await chain.setCode({ address: multicall, bytecode: runtime.code })
  const receiverAuthorizerKey = generatePrivateKey()
  const receiver = lowerCase(privateKeyToAccount(generatePrivateKey()).address)
  const channels = await depositOn(world, count, {
    channels: canonical.channels,
    receiver,
    receiverAuthorizer: lowerCase(privateKeyToAccount(receiverAuthorizerKey).address),
  })
  const settings: ShopSettings = {
    rpcUrl,
    network: `eip155:${deployment.chainId}`,
    receiver,
    receiverAuthorizerKey,
    token,
    price: String(price),
    withdrawDelay,
  }
  const path = join(folder, 'shop.json')
  await writeFile(path, JSON.stringify(settings), { mode: 0o600 })
  const script = fileURLToPath(new URL('shop.ts', import.meta.url))
  const part = await startPart('shop', [script, path], { NODE_ENV: 'production' })
  const readBooks = async () => {
    const response = await fetch(new URL('/books', part.url))
    return books.parse(await response.json())
  }
  return {
    pid: part.pid,
    url: new URL('/song', part.url).href,
    channels,
    books: readBooks,
    ownCpuSeconds: async () => (await readBooks()).cpuSeconds,
    stop: part.stop,
  }
}
