// A hub's feed to its watchtower, as its settings want it.

import type { Address, Hex } from 'viem'
import { channelId } from '#protocol/channel.ts'
import type { SignatureBackend } from '../channels/signature-backend.ts'
import type { Config } from '../config.ts'
import { takeOverTower } from '../recovery/tower-feed.ts'
import type { TowerFeed, TowerFeedDeps } from './feed.ts'
import { createTowerFeed } from './feed.ts'
import { createTowerLine } from './line.ts'

type Deps = Omit<TowerFeedDeps, 'line' | 'untoldAtMost' | 'takeOver' | 'channelIdOf'> & {
  backend: SignatureBackend
  separatorOf: (contract: Address) => Hex
  randomBytes: (count: number) => Uint8Array
}

/** How long the tower may take to answer. */
const timeoutMs = 5_000

export function openTowerFeed(config: Config, deps: Deps): TowerFeed | undefined {
  if (!config.tower) return undefined
  const { url, secret, untoldAtMost } = config.tower
  const separator = deps.separatorOf(config.deployment.channels)
  return createTowerFeed({
    ...deps,
    line: createTowerLine({ url, secret, timeoutMs, randomBytes: deps.randomBytes }),
    untoldAtMost,
    channelIdOf: (row) => channelId(row.config, separator),
    async takeOver(row) {
      const isKnown = deps.channels.find(row.channelId) !== undefined
      if (isKnown) return takeOverTower({ ...deps, streamBook: deps.streams }, row)
      const { channelId: id } = row
      deps.logFailure('tower', new Error(`it knows channel ${id}, which is not on the chain`))
    },
  })
}
