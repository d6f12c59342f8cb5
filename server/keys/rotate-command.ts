// `jandon key rotate`: reads the settings of the hub as it is to run from now on, and gives its data directory their keys.

import { z } from 'zod'
import { connect, endpointSettings } from '../chain/connect.ts'
import { readDeployment } from '../chain/deployment.ts'
import { requireKeySetting } from './key-settings.ts'
import { addressOfKey } from './keystore.ts'
import type { Rotated } from './rotation.ts'
import { rotateKeys } from './rotation.ts'

const settings = z.object({
  ...endpointSettings,
  JANDON_DEPLOYMENT: z.string(),
  JANDON_CONFIRMATIONS: z.coerce.number().int().min(0).max(10_000).default(12),
})

/** @throws Error that names the settings that are missing, or as {@link rotateKeys} */
export async function rotate(
  env: NodeJS.ProcessEnv,
  { dataDir, giveUp }: { dataDir: string; giveUp: boolean },
): Promise<Rotated> {
  const parsed = settings.safeParse(env)
  if (!parsed.success) {
    const names = parsed.error.issues.map(({ path, message }) => `  ${path.join('.')}: ${message}`)
    throw new Error(`the settings of the hub are expected in the environment:\n${names.join('\n')}`)
  }
  const { data } = parsed
  const deployment = await readDeployment(data.JANDON_DEPLOYMENT)
  const { chain } = connect(
    { ...data, JANDON_POLL_MS: 1_000, deployment },
    { now: Date.now, onAside: () => undefined },
  )
  const operator = addressOfKey(await requireKeySetting(env, 'operator'))
  const confirmations = data.JANDON_CONFIRMATIONS
  return rotateKeys({ dataDir, deployment, chain, confirmations, operator, giveUp })
}

/** What was rotated, in words. */
export function rotatedLines({ operator, transactions }: Rotated): string[] {
  if (!operator) return ['Nothing to rotate: the data directory has these keys already']
  return [
    `Operator: ${operator.former} was, ${operator.now} is`,
    ...transactions.map(
      ({ purpose, transaction, says }) => `  ${purpose}, transaction ${transaction}: ${says}`,
    ),
    'Next: start the hub with these keys',
  ]
}
