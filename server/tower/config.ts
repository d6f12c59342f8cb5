// The only reader of a tower's environment.

import type { Hex } from 'viem'
import { parseUnits } from 'viem'
import { z } from 'zod'
import { hash } from '#protocol/messages/wire.ts'
import { endpointSettings } from '../chain/connect.ts'
import type { Deployment } from '../chain/deployment.ts'
import { readDeployment } from '../chain/deployment.ts'
import {
  keyFaults,
  keystoreFile,
  passphraseSetting,
  requireKeySetting,
} from '../keys/key-settings.ts'

const whole = (fallback: number, maximum: number, minimum = 0) =>
  z.coerce.number().int().min(minimum).max(maximum).default(fallback)

/** What both sides of the feed must be given alike. */
export const towerToken = z
  .string()
  .regex(/^[\w-]{32,200}$/, 'must be 32 to 200 letters, digits, _ and -')

const environment = z.object({
  JANDON_TOWER_DIR: z.string().min(1).describe('where the tower keeps everything'),
  JANDON_TOWER_HOST: z.string().default('127.0.0.1').describe('the address to listen on'),
  JANDON_TOWER_PORT: whole(8403, 65_535).describe('the port to listen on, 0 for any'),
  JANDON_TOWER_TOKEN: towerToken.describe('the secret that hub and tower share'),
  ...endpointSettings,
  JANDON_DEPLOYMENT: z.string().describe('the file that deploying the contracts wrote'),
  JANDON_CLAIMER_KEY: hash
    .optional()
    .describe('the private key of a claimer of the hub account, which pays gas; or'),
  JANDON_CLAIMER_KEYSTORE: keystoreFile.describe('a keystore file of version 3 that holds it'),
  ...passphraseSetting,
  JANDON_TOWER_POLL_MS: whole(4_000, 60_000, 10).describe('pause between looks at the chain, ms'),
  JANDON_TOWER_MARGIN_S: whole(43_200, 2_592_000, 120).describe(
    'claims begin this long before a withdrawal can be finalised, seconds',
  ),
  JANDON_TOWER_PATIENCE_MS: whole(30_000, 3_600_000, 10).describe(
    'an attempt that is not mined by then is replaced by a dearer one, ms',
  ),
  JANDON_TOWER_FULL_LOOK_MS: whole(14_400_000, 86_400_000, 1_000).describe(
    'pause between looks at every channel, ms',
  ),
  JANDON_TOWER_CALM_GWEI: z.coerce
    .number()
    .positive()
    .default(30)
    .describe('what a gas may cost when the margin begins'),
  JANDON_TOWER_HIGHEST_GWEI: z.coerce
    .number()
    .positive()
    .default(1_000)
    .describe('what a gas may cost from half of the margin on'),
})

export type TowerConfig = Omit<z.output<typeof environment>, 'JANDON_CLAIMER_KEY'> & {
  JANDON_CLAIMER_KEY: Hex
  deployment: Deployment
}

/** @throws Error that names every setting that is missing or wrong, and what it is for */
export async function readTowerConfig(env: NodeJS.ProcessEnv): Promise<TowerConfig> {
  const parsed = environment.safeParse(env)
  const faults = keyFaults(env, ['claimer'])
  if (!parsed.success || faults.length > 0) {
    const lines = (parsed.error?.issues ?? []).map(
      ({ path, message }) => `  ${String(path[0])}: ${message} (${meaning(String(path[0]))})`,
    )
    throw new Error(`the configuration is not complete:\n${[...lines, ...faults].join('\n')}`)
  }
  const deployment = await readDeployment(parsed.data.JANDON_DEPLOYMENT)
  const JANDON_CLAIMER_KEY = await requireKeySetting(env, 'claimer')
  return { ...parsed.data, JANDON_CLAIMER_KEY, deployment }
}

/** The settings with what they are for, for `--help`. */
export function describeTowerSettings(): string {
  return Object.keys(environment.shape)
    .map((name) => `  ${name.padEnd(28)} ${meaning(name)}`)
    .join('\n')
}

export function weiOf(gwei: number): bigint {
  return parseUnits(String(gwei), 9)
}

function meaning(name: string): string {
  const shape: Record<string, z.ZodType> = environment.shape
  return shape[name]?.description ?? ''
}
