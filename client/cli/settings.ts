// Which hub, which wallet, which folder: options first, then the environment, then the development hub that runs here.

import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import type { Address, Hex, LocalAccount } from 'viem'
import { isAddress } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { z } from 'zod'
import { address } from '#protocol/messages/wire.ts'
import { parseJson } from '../records.ts'
import { UsageError } from './failure.ts'

/** The options that every command takes. */
export type GlobalOptions = {
  json?: boolean
  hub?: string
  rpc?: string
  as?: string
  keyFile?: string
  home?: string
  hubKey?: string
  deployment?: string
}

export type Settings = {
  hubUrl: string
  rpcUrl: string | undefined
  hubKey: Address | undefined
  /** The file that says where the contracts are, for who leaves without the hub. */
  deploymentFile: string | undefined
  account: LocalAccount
  /** The name of a development wallet, when one is used. */
  walletName: string | undefined
  /** The folder of this wallet's store at this hub. */
  storeFolder: string
}

const privateKey = z
  .string()
  .trim()
  .regex(/^0x[0-9a-fA-F]{64}$/)
  .transform((text) => text as Hex)

const developmentFile = z.object({
  hubUrl: z.string(),
  rpcUrl: z.string(),
  home: z.string(),
  wallets: z.record(z.string(), z.object({ address, privateKey })),
})

type Development = z.output<typeof developmentFile>

const developmentPath = join('.jandon', 'dev', 'current')
const defaultWallet = 'you'

/** Settles everything, from `environment` as the process got it. Throws a usage error for what is missing. */
export async function readSettings(
  options: GlobalOptions,
  { environment, folder }: { environment: NodeJS.ProcessEnv; folder: string },
): Promise<Settings> {
  const development = await findDevelopment(folder)
  const hubUrl = options.hub ?? environment['JANDON_HUB'] ?? development?.hubUrl ?? goneHub(options)
  if (!hubUrl) {
    throw new UsageError(
      'no hub is named: start one here with "npm start", or give --hub <url> or JANDON_HUB',
    )
  }
  if (!URL.canParse(hubUrl)) throw new UsageError(`"${hubUrl}" is not the address of a hub`)
  const local = development && sameOrigin(hubUrl, development.hubUrl) ? development : undefined
  const { account, walletName } = await findWallet(options, { environment, development: local })
  const home = resolve(folder, options.home ?? local?.home ?? join(homedir(), '.jandon'))
  const hubFolder = new URL(hubUrl).host.replace(/[^a-z0-9.-]/g, '_')
  return {
    hubUrl,
    rpcUrl: options.rpc ?? environment['JANDON_RPC'] ?? local?.rpcUrl,
    hubKey: hubKeyOf(options),
    deploymentFile: options.deployment && resolve(folder, options.deployment),
    account,
    walletName,
    storeFolder: join(home, hubFolder, account.address.toLowerCase()),
  }
}

/** Whoever leaves by the contracts alone need not say which hub it was. */
function goneHub({ deployment }: GlobalOptions): string | undefined {
  return deployment === undefined ? undefined : 'http://hub.invalid'
}

async function findWallet(
  options: GlobalOptions,
  {
    environment,
    development,
  }: { environment: NodeJS.ProcessEnv; development: Development | undefined },
): Promise<{ account: LocalAccount; walletName: string | undefined }> {
  if (options.as && options.keyFile) throw new UsageError('give --as or --key-file, not both')
  if (options.keyFile) return named(await keyFromFile(options.keyFile))
  if (options.as) return developmentWallet(development, options.as)
  const key = environment['JANDON_KEY']
  if (key) return named(keyFrom(key, 'JANDON_KEY'))
  if (development?.wallets[defaultWallet]) return developmentWallet(development, defaultWallet)
  throw new UsageError('no wallet is named: give --key-file <path> or JANDON_KEY')
}

function developmentWallet(development: Development | undefined, name: string) {
  const wallet = development?.wallets[name]
  if (wallet) return named(wallet.privateKey, name)
  const known = Object.keys(development?.wallets ?? {}).join(', ')
  throw new UsageError(
    known
      ? `there is no wallet "${name}" here; there are ${known}`
      : `--as ${name} names a wallet of a development hub, and none runs here`,
  )
}

function named(key: Hex, walletName?: string) {
  return { account: privateKeyToAccount(key), walletName }
}

async function keyFromFile(path: string): Promise<Hex> {
  const text = await readText(path)
  if (text === undefined) throw new UsageError(`there is no key file ${path}`)
  return keyFrom(text, path)
}

/** The text itself is never repeated: it may be a key with a typing error. */
function keyFrom(text: string, source: string): Hex {
  const parsed = privateKey.safeParse(text)
  if (parsed.success) return parsed.data
  throw new UsageError(`${source} does not hold a private key of 0x and 64 hex digits`)
}

function hubKeyOf({ hubKey }: GlobalOptions): Address | undefined {
  if (hubKey === undefined || isAddress(hubKey, { strict: false })) return hubKey
  throw new UsageError(`--hub-key "${hubKey}" is not an address`)
}

/** The file that a running development hub leaves, from `folder` upward. */
async function findDevelopment(folder: string): Promise<Development | undefined> {
  for (let at = resolve(folder); ; at = dirname(at)) {
    const path = join(at, developmentPath)
    const text = await readText(path)
    if (text !== undefined) {
      const parsed = developmentFile.safeParse(parseJson(text))
      if (parsed.success) return parsed.data
      throw new UsageError(`${path} cannot be read: run "npm start" again`)
    }
    if (dirname(at) === at) return undefined
  }
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    const missing = ['ENOENT', 'ENOTDIR', 'EISDIR', 'EACCES']
    if (cause instanceof Error && 'code' in cause && missing.includes(String(cause.code))) return
    throw cause
  }
}

function sameOrigin(one: string, other: string): boolean {
  return URL.canParse(other) && new URL(one).origin === new URL(other).origin
}
