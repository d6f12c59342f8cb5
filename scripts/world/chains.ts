// The two chains that a local world can stand on, and all that differs between them: how one is started, and how its pool is read.
// Everything else they do by the same methods (`hardhat_…`, `evm_…`).

import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import type { Address, Hex } from 'viem'
import type { connectChain } from './deploy.ts'
import type { Part } from './process.ts'
import { startPart, startProgram } from './process.ts'

/** Hardhat's EDR, which mines a transaction before it answers, and Foundry's anvil, which answers first. */
export const chainKinds = ['edr', 'anvil'] as const
export type ChainKind = (typeof chainKinds)[number]

type LocalChain = ReturnType<typeof connectChain>

/** A transaction in the pool. */
export type Waiting = { hash: Hex; from: Address; nonce: number }

const edrScript = fileURLToPath(new URL('chain.ts', import.meta.url))

/** Starts a chain on a free port of the loopback. */
export function startChain(kind: ChainKind = 'edr'): Promise<Part> {
  switch (kind) {
    case 'edr':
      return startPart('chain', [edrScript])
    case 'anvil':
      return startProgram('anvil', { file: anvilFile(), args: anvilArgs, urlOf: anvilUrl })
  }
}

/** What waits in the pool of a chain. */
export async function waitingTransactions(kind: ChainKind, chain: LocalChain): Promise<Waiting[]> {
  switch (kind) {
    case 'edr': {
      const all = await chain.request({ method: 'eth_pendingTransactions' as never })
      return (all as PoolRow[]).map(asWaiting)
    }
    case 'anvil': {
      const { pending, queued } = await chain.getTxpoolContent()
      const accounts = [...Object.values(pending), ...Object.values(queued)]
      return accounts.flatMap((byNonce) => Object.values(byNonce)).map(asWaiting)
    }
  }
}

type PoolRow = { hash: Hex; from: Address; nonce: Hex | number }

function asWaiting({ hash, from, nonce }: PoolRow): Waiting {
  return { hash, from, nonce: Number(nonce) }
}

/** As EDR is configured: the same rules, chain and room in a block. Old states are only kept as far as anybody looks back. */
const anvilArgs = [
  ...['--host', '127.0.0.1', '--port', '0', '--chain-id', '31337', '--hardfork', 'prague'],
  ...['--gas-limit', '60000000', '--prune-history', '128'],
]

/** The program itself, which a package of its own brings for each platform, so that a signal reaches it. */
function anvilFile(): string {
  const require = createRequire(
    createRequire(import.meta.url).resolve('@foundry-rs/anvil/package.json'),
  )
  const platform = `${process.platform}-${process.arch === 'x64' ? 'amd64' : process.arch}`
  const name = process.platform === 'win32' ? 'anvil.exe' : 'anvil'
  return require.resolve(`@foundry-rs/anvil-${platform}/bin/${name}`)
}

function anvilUrl(line: string): string | undefined {
  const [, address] = /^Listening on (\S+)$/.exec(line) ?? []
  return address === undefined ? undefined : `http://${address}`
}
