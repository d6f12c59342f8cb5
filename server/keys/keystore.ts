// Private keys in files, in the Web3 Secret Storage format, version 3, which geth, Foundry and wallets read and write as well. The
// cryptography is Node's own and hash-wasm's. No message of this file holds any part of a key or passphrase.

import { createCipheriv, createDecipheriv, pbkdf2, randomUUID, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { scrypt } from 'hash-wasm'
import type { Address, Hex } from 'viem'
import { privateKeyToAddress } from 'viem/accounts'
import { z } from 'zod'
import { concatBytes, keccakBytes } from '#protocol/keccak.ts'
import { lowerCase } from '#protocol/signature.ts'

const hexText = (bytes?: number) =>
  z
    .string()
    .regex(
      bytes === undefined ? /^(?:[0-9a-fA-F]{2})+$/ : new RegExp(`^[0-9a-fA-F]{${bytes * 2}}$`),
    )
    .transform((text) => Buffer.from(text, 'hex'))

/** The most that a file may ask for: 1 GiB of memory, and ten million rounds. */
const mostMemory = 2 ** 30
const mostRounds = 10_000_000

const scryptParameters = z
  .object({
    n: z.int().min(2),
    r: z.int().min(1),
    p: z.int().min(1).max(64),
    dklen: z.literal(32),
    salt: hexText(),
  })
  .refine(({ n, r }) => 128 * n * r <= mostMemory, 'asks for more than 1 GiB of memory')

const pbkdf2Parameters = z.object({
  c: z.int().min(1).max(mostRounds),
  prf: z.literal('hmac-sha256'),
  dklen: z.literal(32),
  salt: hexText(),
})

const sealed = {
  cipher: z.literal('aes-128-ctr'),
  cipherparams: z.object({ iv: hexText(16) }),
  ciphertext: hexText(32),
  mac: hexText(32),
}

const keystore = z.object({
  version: z.literal(3),
  address: z
    .string()
    .regex(/^(?:0x)?[0-9a-fA-F]{40}$/)
    .optional(),
  crypto: z.discriminatedUnion('kdf', [
    z.object({ kdf: z.literal('scrypt'), kdfparams: scryptParameters, ...sealed }),
    z.object({ kdf: z.literal('pbkdf2'), kdfparams: pbkdf2Parameters, ...sealed }),
  ]),
})

type Sealed = z.output<typeof keystore>['crypto']

/** What a new file asks of whoever tries passphrases: 256 MiB and about a second for each, as geth does. */
const standardCost = { n: 2 ** 18, r: 8, p: 1 }

export type Cost = typeof standardCost

/**
 * The key in a file's text.
 *
 * @throws Error when it is no such file, asks for too much, or the passphrase is not its own; the message says which.
 */
export async function decryptKeystore(text: string, passphrase: string): Promise<Hex> {
  const { address, crypto } = parseKeystore(text)
  const derived = await deriveKey(crypto, passphrase)
  const mac = keccakBytes(concatBytes([derived.subarray(16, 32), crypto.ciphertext]))
  if (!timingSafeEqual(mac, crypto.mac))
    throw new Error('the passphrase is not that of this keystore')
  const decipher = createDecipheriv('aes-128-ctr', derived.subarray(0, 16), crypto.cipherparams.iv)
  const secret = Buffer.concat([decipher.update(crypto.ciphertext), decipher.final()])
  const key: Hex = `0x${secret.toString('hex')}`
  const found = addressOfKey(key)
  const named = address?.toLowerCase().replace(/^0x/, '')
  if (named !== undefined && `0x${named}` !== found)
    throw new Error(`the keystore names address 0x${named} and holds the key of ${found}`)
  return key
}

/** A file's text that keeps a key under a passphrase. */
export async function encryptKey(
  key: Hex,
  {
    passphrase,
    randomBytes,
    cost = standardCost,
  }: { passphrase: string; randomBytes: (count: number) => Uint8Array; cost?: Cost },
): Promise<string> {
  const address = addressOfKey(key)
  const salt = Buffer.from(randomBytes(32))
  const iv = Buffer.from(randomBytes(16))
  const derived = await scryptKey(passphrase, salt, cost)
  const cipher = createCipheriv('aes-128-ctr', derived.subarray(0, 16), iv)
  const secret = Buffer.from(key.slice(2), 'hex')
  const ciphertext = Buffer.concat([cipher.update(secret), cipher.final()])
  const mac = keccakBytes(concatBytes([derived.subarray(16, 32), ciphertext]))
  const crypto = {
    cipher: 'aes-128-ctr',
    cipherparams: { iv: iv.toString('hex') },
    ciphertext: ciphertext.toString('hex'),
    kdf: 'scrypt',
    kdfparams: { ...cost, dklen: 32, salt: salt.toString('hex') },
    mac: Buffer.from(mac).toString('hex'),
  }
  return JSON.stringify({ version: 3, id: randomUUID(), address: address.slice(2), crypto })
}

/** @throws Error that does not repeat the key, when it is none */
export function addressOfKey(key: Hex): Address {
  const value = BigInt(key)
  if (value === 0n || value >= order) throw new Error('this is not a private key of secp256k1')
  return lowerCase(privateKeyToAddress(key))
}

/** The order of secp256k1: keys are below it. */
const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n

/** What is wrong is told by field; what stands there is not repeated. */
function parseKeystore(text: string) {
  const parsed = keystore.safeParse(withLowerCaseCrypto(jsonOf(text)))
  if (parsed.success) return parsed.data
  const fields = [...new Set(parsed.error.issues.map(({ path }) => path.join('.') || 'the file'))]
  throw new Error(`this is not a keystore of version 3 that can be read: see ${fields.join(', ')}`)
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause
    // The parser quotes what it read, which may be a key.
    throw new Error('this is not a keystore: it is not JSON')
  }
}

/** Some programs write `Crypto`. */
function withLowerCaseCrypto(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('Crypto' in value)) return value
  return { ...value, crypto: value.Crypto }
}

async function deriveKey(sealedKey: Sealed, passphrase: string): Promise<Buffer> {
  if (sealedKey.kdf === 'scrypt')
    return scryptKey(passphrase, sealedKey.kdfparams.salt, sealedKey.kdfparams)
  const { salt, c, dklen } = sealedKey.kdfparams
  return promisify(pbkdf2)(passphrase, salt, c, dklen, 'sha256')
}

/** Not Node's own: that refuses the published example, whose n is beyond what RFC 7914 allows for its r. */
async function scryptKey(passphrase: string, salt: Buffer, { n, r, p }: Cost): Promise<Buffer> {
  const cost = { costFactor: n, blockSize: r, parallelism: p, hashLength: 32 }
  const password = Buffer.from(passphrase)
  try {
    return Buffer.from(await scrypt({ password, salt, ...cost, outputType: 'binary' }))
  } catch (cause) {
    throw new Error(`scrypt does not take n ${n}, r ${r}, p ${p}`, { cause })
  }
}
