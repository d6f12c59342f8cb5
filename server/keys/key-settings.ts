// Keys among the settings: each either raw in the environment or in a keystore file, never both.

import type { Hex } from 'viem'
import { z } from 'zod'
import { hash } from '#protocol/messages/wire.ts'
import { readKeystore } from './key-file.ts'
import { addressOfKey } from './keystore.ts'

/** The name of a key among the settings, and of its keystore. */
export const keyNames = {
  operator: { key: 'JANDON_OPERATOR_KEY', keystore: 'JANDON_OPERATOR_KEYSTORE' },
  receipt: { key: 'JANDON_RECEIPT_KEY', keystore: 'JANDON_RECEIPT_KEYSTORE' },
  formerReceipt: {
    key: 'JANDON_FORMER_RECEIPT_KEY',
    keystore: 'JANDON_FORMER_RECEIPT_KEYSTORE',
  },
  claimer: { key: 'JANDON_CLAIMER_KEY', keystore: 'JANDON_CLAIMER_KEYSTORE' },
} as const

export type KeyName = keyof typeof keyNames

export const keystoreFile = z.string().min(1).optional()

export const passphraseSetting = {
  JANDON_KEYSTORE_PASSPHRASE_FILE: keystoreFile.describe(
    'a file whose first line is the passphrase of the keystores',
  ),
}

/** Which of the keys are missing or named twice, in words; empty when each can be read. */
export function keyFaults(env: NodeJS.ProcessEnv, names: readonly KeyName[]): string[] {
  const faults: string[] = []
  for (const name of names) {
    const { key, keystore } = keyNames[name]
    const given = [env[key], env[keystore]].filter((text) => text !== undefined && text !== '')
    if (given.length === 2)
      faults.push(`  ${key}: is given, and so is ${keystore}; give one of them`)
    if (given.length === 0)
      faults.push(`  ${key}: is missing; give it, or a keystore file in ${keystore}`)
    if (env[keystore] && !env['JANDON_KEYSTORE_PASSPHRASE_FILE'])
      faults.push(`  JANDON_KEYSTORE_PASSPHRASE_FILE: is needed with ${keystore}`)
  }
  return faults
}

/**
 * A key as the settings have it, or `undefined` when they do not.
 *
 * @throws Error that says what is wrong and never what the key is
 */
export async function readKeySetting(
  env: NodeJS.ProcessEnv,
  name: KeyName,
): Promise<Hex | undefined> {
  const { key, keystore } = keyNames[name]
  const raw = env[key]
  const path = env[keystore]
  if (raw) return checkedKey(key, raw)
  if (!path) return undefined
  const passphraseFile = env['JANDON_KEYSTORE_PASSPHRASE_FILE']
  if (!passphraseFile) throw new Error(`JANDON_KEYSTORE_PASSPHRASE_FILE is needed with ${keystore}`)
  try {
    return await readKeystore(path, passphraseFile)
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause)
    throw new Error(`${keystore}: ${detail}`, { cause })
  }
}

/** As {@link readKeySetting}, for who cannot do without. @throws Error when there is none */
export async function requireKeySetting(env: NodeJS.ProcessEnv, name: KeyName): Promise<Hex> {
  const found = await readKeySetting(env, name)
  if (found) return found
  throw new Error(keyFaults(env, [name]).join('\n'))
}

function checkedKey(name: string, text: string): Hex {
  const parsed = hash.safeParse(text)
  if (!parsed.success) throw new Error(`${name} is no private key of 0x and 64 hex digits`)
  try {
    addressOfKey(parsed.data)
  } catch (cause) {
    throw new Error(`${name}: ${cause instanceof Error ? cause.message : 'is no private key'}`)
  }
  return parsed.data
}
