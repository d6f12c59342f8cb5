// What every verb of the client works with: the wallet, the hub and its pinned identity, the store, and the session.

import type { Address, Hex, LocalAccount } from 'viem'
import { bytesToHex } from 'viem'
import { createSiweMessage } from 'viem/siwe'
import type { z } from 'zod'
import { HubError } from '#protocol/errors.ts'
import { followHandOvers } from '#protocol/hand-over.ts'
import type { HubInfo, TokenInfo } from '#protocol/messages/hub.ts'
import { hubInfo, nonceAnswer, sessionAnswer } from '#protocol/messages/hub.ts'
import { lowerCase } from '#protocol/signature.ts'
import { ClientError } from './errors.ts'
import type { HubApi, HubRequest } from './hub-api.ts'
import type { HubPin, TokenRecord, WalletRecord } from './records.ts'
import { readRecord, walletRecord, writeRecord } from './records.ts'
import type { Store } from './store.ts'

export type Context = {
  readonly account: LocalAccount
  readonly voucherKey: LocalAccount
  readonly api: HubApi
  readonly store: Store
  readonly hubKey: Address | undefined
  readonly rpcUrl: string | undefined
  readonly maxUnreceipted: bigint | undefined
  readonly now: () => number
  readonly wait: (milliseconds: number) => Promise<void>
  readonly random: (bytes: number) => Uint8Array
  readonly notice: (text: string) => void
  /** Kept for the life of the client, never stored. */
  readonly memory: { info?: HubInfo; token?: string; accounts: Map<string, Address> }
}

const walletKey = 'wallet'

/** What a hub says of itself that may not change. */
const pinned = [
  'chainId',
  'channels',
  'hubAccount',
  'vault',
  'collector',
  'receiptSigner',
] as const satisfies readonly Exclude<keyof HubPin, 'formerSigners'>[]

/**
 * The hub's description of itself, checked against the identity that was pinned when this store first met it, and the root
 * record as it is, or will be with the first thing that is written. Writes nothing, so that it needs no turn on the store.
 */
export async function connect(context: Context): Promise<{ info: HubInfo; wallet: WalletRecord }> {
  const info = context.memory.info ?? (await fetchInfo(context))
  const known = await readWallet(context)
  const wallet = await withHandOvers(context, { wallet: known ?? newWallet(context, info), info })
  return { info, wallet: acceptHub(context, { wallet, info }) }
}

/** Asks the hub anew what it says of itself. */
export async function fetchInfo(context: Context): Promise<HubInfo> {
  const info = await context.api.call({ path: '/.well-known/jandon' }, hubInfo)
  context.memory.info = info
  return info
}

/** The root record, or `undefined` when this store is new. Throws `wrong_wallet` when it belongs to somebody else. */
export async function readWallet(context: Context): Promise<WalletRecord | undefined> {
  const wallet = await readRecord(context.store, walletKey, walletRecord)
  const address = lowerCase(context.account.address)
  if (wallet && wallet.account !== address) {
    throw new ClientError('wrong_wallet', `the store belongs to ${wallet.account}, not ${address}`)
  }
  return wallet
}

export function writeWallet(context: Context, wallet: WalletRecord): Promise<void> {
  return writeRecord(context.store, walletKey, wallet)
}

/** The listed token with an address, or the hub's first. */
export function tokenOf(info: HubInfo, address?: Address): TokenInfo {
  const token = address
    ? info.tokens.find((listed) => listed.address === lowerCase(address))
    : info.tokens[0]
  if (token) return token
  throw new HubError('token_not_listed', `the hub does not list ${address ?? 'any token'}`)
}

/** Sends a request as the signed-in wallet, signing in when needed. */
export async function callSignedIn<S extends z.ZodType>(
  context: Context,
  request: HubRequest,
  answer: S,
): Promise<z.output<S>> {
  try {
    const token = context.memory.token ?? (await signIn(context))
    return await context.api.call({ ...request, token }, answer)
  } catch (error) {
    if (!(error instanceof HubError) || error.code !== 'session_required') throw error
    const token = await signIn(context)
    return await context.api.call({ ...request, token }, answer)
  }
}

export function randomHash(context: Context): Hex {
  return bytesToHex(context.random(32))
}

function newWallet(context: Context, info: HubInfo): WalletRecord {
  return {
    version: 1,
    account: lowerCase(context.account.address),
    hub: { ...pinOf(info, context), formerSigners: [] },
    tokens: [],
    handle: null,
    channels: [],
    pending: null,
  }
}

/**
 * The record with the receipt key that the pinned one vouches for, through any number of changes; with the pinned one where
 * nobody vouches. When the user names a key, the pinned one counts for what it signed before.
 */
async function withHandOvers(
  context: Context,
  { wallet, info: { receiptSigner: told, handOvers } }: { wallet: WalletRecord; info: HubInfo },
): Promise<WalletRecord> {
  const { hub } = wallet
  if (told === hub.receiptSigner) return wallet
  const before = hub.formerSigners
  const followed = await followHandOvers(hub.receiptSigner, { hub, handOvers })
  if (followed?.receiptSigner === told) {
    context.notice(`the hub has a new receipt key, ${told}; the one before it signed for that`)
    const formerSigners = [...before, ...followed.formerSigners]
    return { ...wallet, hub: { ...hub, receiptSigner: told, formerSigners } }
  }
  const lost = handOvers.find(({ former }) => former === hub.receiptSigner)
  if (!lost || !context.hubKey || lowerCase(context.hubKey) !== told) return wallet
  const formerSigners = [...before, { address: lost.former, lastGroup: lost.lastGroup }]
  return { ...wallet, hub: { ...hub, formerSigners } }
}

function pinOf(info: HubInfo, { api }: Context): Omit<HubPin, 'formerSigners'> {
  return {
    origin: api.origin,
    chainId: info.chainId,
    channels: info.channels.address,
    hubAccount: info.hubAccount,
    vault: info.vault,
    collector: info.collectors.erc3009,
    receiptSigner: info.receiptSigner,
    feeAccount: info.feeAccount,
  }
}

/** A hub that became another one is refused. Only the receipt key may change, and only when the user names the new one. */
function acceptHub(
  context: Context,
  { wallet, info }: { wallet: WalletRecord; info: HubInfo },
): WalletRecord {
  const told = pinOf(info, context)
  const { hubKey } = context
  const expected = { ...wallet.hub, ...(hubKey ? { receiptSigner: lowerCase(hubKey) } : {}) }
  for (const name of pinned) {
    if (told[name] !== expected[name]) {
      throw new ClientError('hub_changed', `${name} is ${told[name]} now, it was ${expected[name]}`)
    }
  }
  if (info.receiver !== expected.vault || info.receiverAuthorizer !== expected.hubAccount) {
    throw new ClientError('hub_changed', 'the hub’s channels do not pay its own vault')
  }
  const { formerSigners } = wallet.hub
  return {
    ...wallet,
    hub: { ...told, formerSigners },
    tokens: acceptTokens(wallet.tokens, info.tokens),
  }
}

/** New tokens are taken in; a known one keeps its decimals, so that nobody can move the point of an amount. */
function acceptTokens(known: TokenRecord[], listed: readonly TokenInfo[]): TokenRecord[] {
  const added: TokenRecord[] = []
  for (const { address, symbol, decimals } of listed) {
    const before = known.find((token) => token.address === address)
    if (!before) added.push({ address, symbol, decimals })
    else if (before.decimals !== decimals) {
      throw new ClientError(
        'hub_changed',
        `${symbol} has ${decimals} decimals now, it had ${before.decimals}`,
      )
    }
  }
  return [...known, ...added]
}

async function signIn(context: Context): Promise<string> {
  const { info } = await connect(context)
  const { origin } = context.api
  const { nonce } = await context.api.call({ path: '/v1/sessions/nonces', body: {} }, nonceAnswer)
  const message = createSiweMessage({
    domain: new URL(origin).host,
    uri: origin,
    address: context.account.address,
    chainId: info.chainId,
    nonce,
    version: '1',
    statement: 'Sign in to see and move what is yours at this hub.',
    issuedAt: new Date(context.now()),
  })
  const signature = await context.account.signMessage({ message })
  const { token } = await context.api.call(
    { path: '/v1/sessions', body: { message, signature } },
    sessionAnswer,
  )
  context.memory.token = token
  return token
}
