// A watchtower for a local world, as a process of its own.

import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import { setClaimer } from './admin.ts'
import type { Part } from './process.ts'
import { startPart } from './process.ts'
import type { World } from './world.ts'

export type LocalTower = {
  part: Part
  /** Its store. */
  folder: string
  /** What a hub of this tower runs with. */
  hubSettings: {
    JANDON_TOWER_URL: string
    JANDON_TOWER_TOKEN: string
    JANDON_TOWER_FEED_MS: string
  }
  /** What it says about itself. */
  health(): Promise<{ looks: number; due: number }>
  /** Starts it again on its store and port, after it was stopped or killed. */
  restart(changes?: NodeJS.ProcessEnv): Promise<void>
}

const script = fileURLToPath(new URL('../../server/tower/main.ts', import.meta.url))

/** Starts a tower with a new key that is made a claimer. `onLine` hears all that it prints. */
export async function startTower(
  world: World,
  changes: NodeJS.ProcessEnv = {},
  onLine: (line: string) => void = () => undefined,
): Promise<LocalTower> {
  const claimerKey = generatePrivateKey()
  await setClaimer(world, privateKeyToAccount(claimerKey).address, true)
  const secret = randomBytes(32).toString('base64url')
  const folder = join(world.folder, 'tower')
  const environment = {
    JANDON_TOWER_DIR: folder,
    JANDON_TOWER_PORT: '0',
    JANDON_TOWER_TOKEN: secret,
    JANDON_RPC_URL: world.rpcUrl,
    JANDON_DEPLOYMENT: join(world.folder, 'deployment.json'),
    JANDON_CLAIMER_KEY: claimerKey,
    JANDON_TOWER_POLL_MS: '50',
    JANDON_TOWER_PATIENCE_MS: '200',
    ...changes,
  }
  const start = (port: string, changed: NodeJS.ProcessEnv = {}) =>
    startPart('tower', [script], { ...environment, ...changed, JANDON_TOWER_PORT: port }, onLine)
  const tower: LocalTower = {
    part: await start('0'),
    folder,
    hubSettings: { JANDON_TOWER_URL: '', JANDON_TOWER_TOKEN: secret, JANDON_TOWER_FEED_MS: '50' },
    async health() {
      const response = await fetch(new URL('/healthz', tower.part.url))
      return (await response.json()) as { looks: number; due: number }
    },
    async restart(changed = {}) {
      tower.part = await start(new URL(tower.part.url).port, changed)
    },
  }
  tower.hubSettings.JANDON_TOWER_URL = tower.part.url
  return tower
}
