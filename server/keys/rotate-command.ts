// `jandon key rotate`: reads the settings of the hub as it is to run from now on, and gives its data directory their keys.

import { z } from 'zod'
import { connect, endpointSettings } from '../chain/connect.ts'
import { readDeployment } from '../chain/deployment.ts'
import { readKeySetting, requireKeySetting } from './key-settings.ts'
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
  {
    dataDir,
    giveUp,
    isReceiptKeyLost,
  }: { dataDir: string; giveUp: boolean; isReceiptKeyLost: boolean },
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
  return rotateKeys({
    ...{ dataDir, deployment, chain, operator, giveUp, isReceiptKeyLost },
    confirmations: data.JANDON_CONFIRMATIONS,
    receiptSigner: addressOfKey(await requireKeySetting(env, 'receipt')),
    formerReceiptKey: await readKeySetting(env, 'formerReceipt'),
  })
}

/** What was rotated, in words. */
export function rotatedLines({ operator, receiptSigner, transactions }: Rotated): string[] {
  if (!operator && !receiptSigner)
    return ['Nothing to rotate: the data directory has these keys already']
  const lines: string[] = []
  if (operator) lines.push(`Operator: ${operator.former} was, ${operator.now} is`)
  for (const { purpose, transaction, says } of transactions)
    lines.push(`  ${purpose}, transaction ${transaction}: ${says}`)
  if (receiptSigner) lines.push(...receiptLines(receiptSigner))
  return [...lines, 'Next: start the hub with these keys']
}

function receiptLines({
  former,
  now,
  lastGroup,
  isVouchedFor,
}: NonNullable<Rotated['receiptSigner']>): string[] {
  const word = isVouchedFor
    ? '  the former key vouches for it: who keeps receipts need do nothing'
    : `  nobody vouches for it: tell all who keep receipts the new address, for --hub-key ${now}`
  return [`Receipts: ${former} was, up to group ${lastGroup}, ${now} is`, word]
}
