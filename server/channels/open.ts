// Everything that gives credit on channels, as the hub's settings want it: signature checks, baskets, and streams of ticks.

import type { Address, Hex } from 'viem'
import type { Config } from '../config.ts'
import type { LateRows } from '../store/late-rows.ts'
import type { StreamBook } from '../streams/stream-book.ts'
import { loadStreamBook } from '../streams/stream-book.ts'
import type { Streams } from '../streams/streams.ts'
import { createStreams } from '../streams/streams.ts'
import type { BasketDeps, Baskets } from './baskets.ts'
import { createBaskets } from './baskets.ts'
import { separators } from './separators.ts'
import type { SignatureBackend } from './signature-backend.ts'
import { createSignatureBackend } from './signature-backend.ts'
import type { SignatureChecks } from './signature-checks.ts'
import { createSignatureChecks } from './signature-checks.ts'

type Deps = Pick<
  BasketDeps,
  | 'db'
  | 'log'
  | 'balances'
  | 'channels'
  | 'creators'
  | 'vaultAccounts'
  | 'now'
  | 'assertOpen'
  | 'tower'
> & { lateRows: LateRows; onFailure: (cause: unknown) => void }

export async function openCredit(
  config: Config,
  deps: Deps,
): Promise<{
  backend: SignatureBackend
  checks: SignatureChecks
  separatorOf: (contract: Address) => Hex
  streamBook: StreamBook
  baskets: Baskets
  streams: Streams
}> {
  const { onFailure, now } = deps
  const backend = createSignatureBackend()
  const checks = createSignatureChecks({ workers: config.JANDON_SIGNATURE_WORKERS, onFailure })
  const separatorOf = separators(config.deployment.chainId)
  const fees = {
    basisPoints: BigInt(config.JANDON_TIP_FEE_BPS),
    account: config.JANDON_FEE_ACCOUNT,
  }
  const streamBook = await loadStreamBook({ ...deps, at: now() })
  const baskets = createBaskets({
    ...deps,
    streams: streamBook,
    backend,
    checks,
    separatorOf,
    fees,
    maxInProgress: config.JANDON_MAX_WAITING,
  })
  const streams = createStreams({
    ...deps,
    baskets,
    book: streamBook,
    checks,
    separatorOf,
    fees,
    limits: {
      maxOpen: config.JANDON_MAX_STREAMS,
      maxTicksPerReveal: config.JANDON_TICKS_PER_REVEAL,
      idleMs: config.JANDON_STREAM_IDLE_MS,
    },
  })
  return { backend, checks, separatorOf, streamBook, baskets, streams }
}
