// Audits: what a hub owed to whom at one moment, as a Merkle-sum tree under a root that it signs. A proof shows one account that
// its amounts are in the total, and tells it nothing of the others but the sums beside its path.

import type { Address, Hex } from 'viem'
import { hexToBytes } from 'viem'
import { maxAmount } from './amount.ts'
import { readHex } from './hex.ts'
import { hashWords, typedDigest, typeHash } from './keccak.ts'
import type { HubIdentity, Signers } from './receipt.ts'
import { hubDomainSeparator, mayHaveSigned } from './receipt.ts'
import { lowerCase, recoverSigner } from './signature.ts'
import type { SumNode } from './sum-tree.ts'
import { sumRootFromPath } from './sum-tree.ts'

/**
 * What is owed to one account in base units: `owed` is accepted and not yet in the vault, `yours` is in the vault and not paid
 * out.
 */
export type Liability = { account: Address; owed: bigint; yours: bigint }

/** A liability at its place in the tree. The salt keeps others from trying out names and amounts against its hash. */
export type LiabilityLeaf = Liability & { index: number; salt: Hex }

/**
 * What the hub signs of an audit, once for each token: everything committed up to `group` was counted, with the chain booked up to
 * `block`. `total` is the sum of all `leaves` leaves in base units, `takenAt` Unix milliseconds.
 */
export type LiabilityRoot = {
  token: Address
  root: Hex
  leaves: number
  total: bigint
  group: bigint
  block: bigint
  takenAt: bigint
}

export type SignedRoot = LiabilityRoot & { signature: Hex }

/** That one account is counted under a signed root. */
export type LiabilityProof = {
  root: SignedRoot
  leaf: LiabilityLeaf
  path: { hash: Hex; sum: bigint }[]
}

/** The account of the leaf for money that came without a known recipient. */
export const nobody: Address = `0x${'00'.repeat(20)}`

const rootTypeHash = typeHash(
  'LiabilityRoot(address token,bytes32 root,uint32 leaves,uint128 total,uint64 group,uint64 block,uint64 takenAt)',
)

/** The digest that the hub's receipt key signs. */
export function liabilityRootDigest(root: LiabilityRoot, separator: Hex): Hex {
  const { token, leaves, total, group, block, takenAt } = root
  const fields = [rootTypeHash, token, root.root, BigInt(leaves), total, group, block, takenAt]
  return typedDigest(separator, hashWords(fields))
}

/**
 * A leaf as a node of the tree: keccak256 of a byte 2 and the leaf's fields in order.
 *
 * @throws RangeError when an amount is below zero, or they do not fit 128 bits together
 */
export function liabilityNode({ index, salt, account, owed, yours }: LiabilityLeaf): SumNode {
  const sum = owed + yours
  if (owed < 0n || yours < 0n || sum > maxAmount)
    throw new RangeError(`${account} is owed ${owed} and has ${yours}: not amounts of 128 bits`)
  return { hash: hashWords([salt, BigInt(index), account, owed, yours], 2), sum }
}

/**
 * Checks a root with nothing but the hub's identity and the address of its receipt key.
 *
 * Returns what is wrong with it in words, or `undefined`.
 */
export async function rootFault(
  root: SignedRoot,
  { hub, ...by }: Signers & { hub: HubIdentity },
): Promise<string | undefined> {
  const digest = liabilityRootDigest(root, hubDomainSeparator(hub))
  const signer = await recoverSigner(digest, root.signature)
  if (mayHaveSigned(signer, { group: root.group, by })) return undefined
  return `the root of group ${root.group} is not signed by ${by.receiptSigner}`
}

/**
 * Checks a proof: the root is signed, and the leaf leads to it and to its total.
 *
 * Returns what is wrong with it in words, or `undefined`. Whether the amounts are right only the account itself can say.
 */
export async function proofFault(
  { root, leaf, path }: LiabilityProof,
  trusted: Signers & { hub: HubIdentity },
): Promise<string | undefined> {
  const fault = await rootFault(root, trusted)
  if (fault) return fault
  const { index, account, owed, yours } = leaf
  if (owed < 0n || yours < 0n || owed + yours > maxAmount)
    return `the leaf of ${account} does not hold amounts`
  const reached = sumRootFromPath(liabilityNode(leaf), {
    index,
    count: root.leaves,
    path: path.map(({ hash, sum }) => ({ hash: hexToBytes(hash), sum })),
  })
  if (!reached) return `leaf ${index} has no such path in a tree of ${root.leaves}`
  if (readHex(reached.hash) !== lowerCase(root.root))
    return `leaf ${index} does not lead to the root of group ${root.group}`
  if (reached.sum !== root.total)
    return `the leaves come to ${reached.sum}, the root says ${root.total}`
  return undefined
}

/** Whether two signed roots cannot both be true: a hub has one for each token and group, and time goes one way. */
export function rootsConflict(one: LiabilityRoot, other: LiabilityRoot): boolean {
  if (lowerCase(one.token) !== lowerCase(other.token) || one.group !== other.group) return false
  return (
    lowerCase(one.root) !== lowerCase(other.root) ||
    one.total !== other.total ||
    one.leaves !== other.leaves ||
    one.block !== other.block ||
    one.takenAt !== other.takenAt
  )
}
