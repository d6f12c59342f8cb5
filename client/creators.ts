// A creator's side: registering a handle, seeing what came in, and taking what is theirs out of the vault.

import type { Address, Hex } from 'viem'
import { zeroHash } from 'viem'
import type { z } from 'zod'
import { creatorVaultAbi } from '#protocol/abi.ts'
import { creatorDomain, creatorTypes } from '#protocol/creator.ts'
import type { CreatorView } from '#protocol/messages/hub.ts'
import { creatorAmountsAnswer, creatorView } from '#protocol/messages/hub.ts'
import { tipList } from '#protocol/messages/tips.ts'
import { lowerCase } from '#protocol/signature.ts'
import { bareHandle } from './baskets.ts'
import type { ChainContext } from './chain.ts'
import { ask, readerOf, transact } from './chain.ts'
import type { Context } from './context.ts'
import { callSignedIn, connect, readWallet, writeWallet } from './context.ts'
import { ClientError } from './errors.ts'
import type { HubPin } from './records.ts'

type Vault = Pick<HubPin, 'chainId' | 'vault'>

export type CreatorAmounts = z.output<typeof creatorAmountsAnswer>
export type Statement = z.output<typeof tipList>

/** Registers a handle for this wallet's address. The same again answers the same. */
export async function register(
  context: Context,
  order: { handle: string; displayName: string },
): Promise<CreatorView> {
  const { wallet } = await connect(context)
  const creator = {
    handle: bareHandle(order.handle),
    account: lowerCase(context.account.address),
    displayName: order.displayName,
  }
  const signature = await context.account.signTypedData({
    domain: creatorDomain(wallet.hub),
    types: creatorTypes,
    primaryType: 'Creator',
    message: creator,
  })
  const body = { ...creator, signature }
  const registered = await context.api.call({ path: '/v1/creators', body }, creatorView)
  await writeWallet(context, { ...wallet, handle: registered.handle })
  return registered
}

/** Who is paid under a handle, by the hub's word. */
export function readCreator(context: Context, handle: string): Promise<CreatorView> {
  return context.api.call({ path: `/v1/creators/${bareHandle(handle)}` }, creatorView)
}

/** What this creator was given, what of it is theirs in the vault, and what they took out. */
export async function readAmounts(context: Context, handle?: string): Promise<CreatorAmounts> {
  const path = `/v1/creators/${await ownHandle(context, handle)}/amounts`
  return callSignedIn(context, { path }, creatorAmountsAnswer)
}

/** The tips to this creator, newest first; `cursor` continues from the `next` of the page before. */
export async function readStatement(
  context: Context,
  { handle, limit, cursor }: { handle?: string; limit?: number; cursor?: string } = {},
): Promise<Statement> {
  const query = new URLSearchParams()
  if (limit !== undefined) query.set('limit', limit.toString())
  if (cursor !== undefined) query.set('cursor', cursor)
  const path = `/v1/creators/${await ownHandle(context, handle)}/tips?${query}`
  return callSignedIn(context, { path }, tipList)
}

/** Takes what is this account's out of the vault, without the hub: needs an RPC endpoint and gas. Answers the transaction. */
export async function pay(
  context: Context,
  { to, amount, token }: { to: Address; amount: bigint; token?: Address | undefined },
): Promise<Hex> {
  return payFromVault(context, { ...(await vaultAlone(context, token)), to, amount })
}

/** What the vault owes this account in a token, base units, read from the chain. */
export async function readYours(context: Context, token?: Address): Promise<bigint> {
  return vaultOwes(context, await vaultAlone(context, token))
}

/** What a vault owes this account in a token, base units. */
export async function vaultOwes(
  context: ChainContext,
  { hub, token }: { hub: Vault; token: Address },
): Promise<bigint> {
  const reader = await readerOf(context, hub)
  const [credited, paid] = await ask(context, () =>
    reader.readContract({
      address: hub.vault,
      abi: creatorVaultAbi,
      functionName: 'accounts',
      args: [token, context.account.address],
    }),
  )
  return credited - paid
}

/** The vault's own call, which needs nothing but its address. */
export function payFromVault(
  context: ChainContext,
  { hub, token, to, amount }: { hub: Vault; token: Address; to: Address; amount: bigint },
): Promise<Hex> {
  const args = [token, to, amount, zeroHash]
  const call = { address: hub.vault, abi: creatorVaultAbi, functionName: 'pay', args }
  return transact(context, { hub, call })
}

/** What the store knows of the hub's vault and token; only an empty store asks the hub. */
async function vaultAlone(
  context: Context,
  token: Address | undefined,
): Promise<{ hub: Vault; token: Address }> {
  const known = await readWallet(context)
  const isEnough = known !== undefined && known.tokens.length > 0
  const { hub, tokens } = isEnough ? known : (await connect(context)).wallet
  const chosen = token ?? tokens[0]?.address
  if (chosen) return { hub, token: chosen }
  throw new ClientError('invalid_input', 'the hub lists no token')
}

/** The handle of this wallet, or the one that was given. */
export async function ownHandle(context: Context, handle?: string): Promise<string> {
  const { wallet } = await connect(context)
  const own = handle ?? wallet.handle
  if (own) return bareHandle(own)
  throw new ClientError('not_a_creator', 'no handle was registered from here')
}
