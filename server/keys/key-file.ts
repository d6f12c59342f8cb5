// Secrets in files: read only when nobody else on the machine can read them too, written for their owner alone, overwriting
// nothing.

import { open, readFile, stat } from 'node:fs/promises'
import type { Hex } from 'viem'
import { hash } from '#protocol/messages/wire.ts'
import { addressOfKey, decryptKeystore } from './keystore.ts'

const forOthers = 0o007

/**
 * The text of a file that keeps a secret.
 *
 * @throws Error when it cannot be read, or others than its owner and group can read it
 */
export async function readSecretFile(path: string): Promise<string> {
  const { mode } = await stat(path).catch((cause: unknown) => {
    throw new Error(`${path} cannot be read`, { cause })
  })
  if (process.platform !== 'win32' && (mode & forOthers) !== 0)
    throw new Error(`${path} is open to everybody on this machine: run chmod 600 ${path}`)
  return readFile(path, 'utf8').catch((cause: unknown) => {
    throw new Error(`${path} cannot be read`, { cause })
  })
}

/** The first line of a file, which is the passphrase of keystores. @throws Error as {@link readSecretFile}, or when it is empty */
export async function readPassphrase(path: string): Promise<string> {
  const [passphrase = ''] = (await readSecretFile(path)).split(/\r?\n/)
  if (passphrase === '') throw new Error(`the first line of ${path}, the passphrase, is empty`)
  return passphrase
}

/** The key in a keystore file. @throws Error that names the file and what to do */
export async function readKeystore(path: string, passphraseFile: string): Promise<Hex> {
  const text = await readSecretFile(path)
  const passphrase = await readPassphrase(passphraseFile)
  try {
    return await decryptKeystore(text, passphrase)
  } catch (cause) {
    throw new Error(`${path}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
}

/** A raw private key in a file. The text itself is never repeated: it may be a key with a typing error. */
export async function readRawKey(path: string): Promise<Hex> {
  const parsed = hash.safeParse((await readSecretFile(path)).trim())
  if (!parsed.success)
    throw new Error(`${path} does not hold a private key of 0x and 64 hex digits`)
  addressOfKey(parsed.data)
  return parsed.data
}

/** Writes a new file that only its owner can read. @throws Error when there is one already */
export async function writeSecretFile(path: string, text: string): Promise<void> {
  const file = await open(path, 'wx', 0o600).catch((cause: unknown) => {
    const exists = cause instanceof Error && 'code' in cause && cause.code === 'EEXIST'
    throw new Error(`${path} ${exists ? 'is there already' : 'cannot be written'}`, { cause })
  })
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
}
