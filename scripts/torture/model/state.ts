// What the chain remembers, as the interfaces in contracts/interfaces/ tell it. Written from their prose and not from the
// contracts, so that the two can disagree.

import type { Address, Hex } from 'viem'
import { maxUint256 } from 'viem'

export type Channel = {
  balance: bigint
  claimed: bigint
  pending: { amount: bigint; initiatedAt: bigint } | undefined
  nonce: bigint
}

/** Keys are lower-case addresses or hashes, joined by a colon where there are several. */
export type State = {
  channels: Map<Hex, Channel>
  receivers: Map<string, { claimed: bigint; settled: bigint }>
  accounts: Map<string, { credited: bigint; paid: bigint }>
  held: Map<string, bigint>
  allowances: Map<string, bigint>
  used: Set<string>
  permitNonces: Map<string, bigint>
  operator: Address
  claimers: Set<Address>
}

/** Who and where: what stays the same. `owners` maps a contract wallet to whose signatures count as its own. */
export type Setting = {
  channels: Address
  vault: Address
  hub: Address
  collectors: { erc3009: Address; permit2: Address }
  permit2: Address
  admin: Address
  tokens: readonly Address[]
  owners: ReadonlyMap<Address, Address>
  separators: { channels: Hex; vault: Hex; permit2: Hex; token: (token: Address) => Hex }
}

/** A signature before it becomes bytes: who signed what. One with a flaw is worth nothing. */
export type Signature = {
  signer: Address
  digest: Hex
  flaw: 'none' | 'high s' | 'low v' | 'short' | 'zero r' | 'zero s'
}

/** An event or an error: its name and its arguments in order, without those named to be left out. */
export type Said = { name: string; args: unknown[] }

/** What a call is made with, and where its events go. */
export type Context = {
  state: State
  setting: Setting
  sender: Address
  time: bigint
  events: Said[]
}

/** The call is refused, as the contract would by a revert. */
export class Refusal extends Error {
  readonly said: Said
  constructor(name: string, ...args: unknown[]) {
    super(name)
    this.said = { name, args }
  }
}

export function emit({ events }: Context, name: string, ...args: unknown[]): void {
  events.push({ name, args })
}

export function channelOf({ channels }: State, id: Hex): Channel {
  return entry(channels, id, () => ({ balance: 0n, claimed: 0n, pending: undefined, nonce: 0n }))
}

export function receiverOf({ receivers }: State, receiver: Address, token: Address) {
  return entry(receivers, `${receiver}:${token}`, () => ({ claimed: 0n, settled: 0n }))
}

export function accountOf({ accounts }: State, token: Address, account: Address) {
  return entry(accounts, `${token}:${account}`, () => ({ credited: 0n, paid: 0n }))
}

export function heldBy({ held }: State, token: Address, holder: Address): bigint {
  return held.get(`${token}:${holder}`) ?? 0n
}

export function owedIn({ accounts }: State, token: Address): bigint {
  return [...accounts]
    .filter(([key]) => key.startsWith(token))
    .reduce((sum, [, { credited, paid }]) => sum + credited - paid, 0n)
}

/** The ERC-2612 nonce that a holder's next permit must name. */
export function permitNonceOf({ permitNonces }: State, token: Address, owner: Address): bigint {
  return permitNonces.get(`${token}:${owner}`) ?? 0n
}

export function allowedBy(
  { allowances }: State,
  { token, owner, spender }: { token: Address; owner: Address; spender: Address },
): bigint {
  return allowances.get(`${token}:${owner}:${spender}`) ?? 0n
}

/** An ERC-20 transfer by allowance; one of 2²⁵⁶ − 1 is without limit. */
export function transferFrom(
  context: Context,
  {
    token,
    spender,
    from,
    to,
    amount,
  }: { token: Address; spender: Address; from: Address; to: Address; amount: bigint },
): void {
  const allowed = allowedBy(context.state, { token, owner: from, spender })
  if (allowed < amount) throw new Refusal('ERC20InsufficientAllowance', spender, allowed, amount)
  if (allowed < maxUint256) {
    context.state.allowances.set(`${token}:${from}:${spender}`, allowed - amount)
  }
  transfer(context, { token, from, to, amount })
}

/** An ERC-20 transfer. */
export function transfer(
  { state }: Context,
  { token, from, to, amount }: { token: Address; from: Address; to: Address; amount: bigint },
): void {
  const has = heldBy(state, token, from)
  if (has < amount) throw new Refusal('ERC20InsufficientBalance', from, has, amount)
  state.held.set(`${token}:${from}`, has - amount)
  state.held.set(`${token}:${to}`, heldBy(state, token, to) + amount)
}

/** Whether a signature is one of `digest` by `signer`: a key, or a contract wallet that answers for one (ERC-1271). */
export function isSignedBy(
  { state, setting }: Context,
  { signer, digest, signature }: { signer: Address; digest: Hex; signature: Signature },
): boolean {
  const key = signer === setting.hub ? state.operator : (setting.owners.get(signer) ?? signer)
  return isKeySignature({ signer: key, digest, signature })
}

/** As {@link isSignedBy}, where contract wallets do not count. */
export function isKeySignature({
  signer,
  digest,
  signature,
}: {
  signer: Address
  digest: Hex
  signature: Signature
}): boolean {
  return signature.flaw === 'none' && signature.signer === signer && signature.digest === digest
}

/** The smaller amount. */
export function least(a: bigint, b: bigint): bigint {
  if (a < b) return a
  return b
}

function entry<K, V>(map: Map<K, V>, key: K, create: () => V): V {
  const found = map.get(key)
  if (found !== undefined) return found
  const created = create()
  map.set(key, created)
  return created
}
