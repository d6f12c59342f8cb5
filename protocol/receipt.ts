// Receipts: a signed commit-group header, and for each tip its leaf and the path from the leaf to the header's root.
// A receipt proves that the hub accepted the tip; it says nothing about who is entitled to what now.

import type { Address, Hex } from 'viem'
import { domainSeparator, hexToBytes } from 'viem'
import { readHex } from './hex.ts'
import { hashWords, keccak, keccakBytes, typedDigest, typeHash } from './keccak.ts'
import { lowerCase, recoverSigner } from './signature.ts'

/** What a receipt says of one tip. Amounts in base units; totals are those after this tip. */
export type ReceiptLeaf = {
  salt: Hex
  epoch: Hex
  group: bigint
  index: number
  channelId: Hex
  basketId: Hex
  voucherSignature: Hex
  to: Hex
  ref: Hex
  amount: bigint
  fee: bigint
  chargedAfter: bigint
  acceptedAfter: bigint
}

/** A commit group: everything that the hub wrote to disk in one synced batch. `closedAt` is in Unix milliseconds. */
export type GroupHeader = {
  epoch: Hex
  number: bigint
  previous: Hex
  tipsRoot: Hex
  tipCount: number
  journalHash: Hex
  closedAt: bigint
}

/** The receipt of a basket: its tips with their paths, under the signed header of the group that committed them. */
export type BasketReceipt = {
  basketId: Hex
  header: GroupHeader
  headerSignature: Hex
  tips: { leaf: ReceiptLeaf; path: Hex[] }[]
}

/** Whose receipts these are: the chain and the hub account that the signing domain names. */
export type HubIdentity = { chainId: number; hubAccount: Address }

/** A key that signed receipts once, and the last group that it may have signed. */
export type FormerSigner = { address: Address; lastGroup: bigint }

/** Whose signatures count: the key of now for any group, a former one up to its last. */
export type Signers = { receiptSigner: Address; formerSigners?: readonly FormerSigner[] }

/** The first `previous`, and the root of a group without tips. */
export const zeroHash: Hex = `0x${'00'.repeat(32)}`

const headerTypeHash = typeHash(
  'CommitGroup(bytes32 epoch,uint64 number,bytes32 previous,bytes32 tipsRoot,uint32 tipCount,bytes32 journalHash,uint64 closedAt)',
)

/** The EIP-712 separator of the hub's own signatures (receipts and quotes). */
export function hubDomainSeparator({ chainId, hubAccount }: HubIdentity): Hex {
  const domain = { name: 'jandon', version: '1', chainId, verifyingContract: hubAccount }
  return domainSeparator({ domain })
}

/** The hash by which the next header, and the vault's journal, refer to this one. */
export function headerHash(header: GroupHeader): Hex {
  const fields = [
    headerTypeHash,
    header.epoch,
    header.number,
    header.previous,
    header.tipsRoot,
    BigInt(header.tipCount),
    header.journalHash,
    header.closedAt,
  ]
  return readHex(hashWords(fields))
}

/** The digest that the hub's receipt key signs. */
export function headerDigest(header: GroupHeader, separator: Hex): Hex {
  return typedDigest(separator, headerHash(header))
}

/** The hash of a leaf: keccak256 of a zero byte and the leaf's fields in order. */
export function leafHash(leaf: ReceiptLeaf): Uint8Array {
  const fields = [
    leaf.salt,
    leaf.epoch,
    leaf.group,
    BigInt(leaf.index),
    leaf.channelId,
    leaf.basketId,
    signatureHash(leaf.voucherSignature),
    leaf.to,
    leaf.ref,
    leaf.amount,
    leaf.fee,
    leaf.chargedAfter,
    leaf.acceptedAfter,
  ]
  return hashWords(fields, 0)
}

/** The levels of a Merkle tree, leaves first. A node without a sibling goes up as it is. */
export function merkleLevels(leaves: readonly Uint8Array[]): Uint8Array[][] {
  const levels: Uint8Array[][] = [[...leaves]]
  for (let level = levels[0] ?? []; level.length > 1; ) {
    level = parentLevel(level)
    levels.push(level)
  }
  return levels
}

/** The siblings on the way from leaf `index` to the root of `levels`. */
export function merklePath(levels: readonly Uint8Array[][], index: number): Uint8Array[] {
  const path: Uint8Array[] = []
  let position = index
  for (const level of levels.slice(0, -1)) {
    const sibling = level[position % 2 === 0 ? position + 1 : position - 1]
    if (sibling) path.push(sibling)
    position = Math.floor(position / 2)
  }
  return path
}

/**
 * What leads from the leaves `first` to `first + count − 1`, taken together, to the root: the nodes beside their range on each
 * level, left before right. Far fewer than a path for each.
 */
export function rangeSiblings(
  levels: readonly Uint8Array[][],
  { first, count }: { first: number; count: number },
): Uint8Array[] {
  const siblings: Uint8Array[] = []
  let from = first
  let to = first + count - 1
  for (const level of levels.slice(0, -1)) {
    const left = from % 2 === 1 ? level[from - 1] : undefined
    const right = to % 2 === 0 ? level[to + 1] : undefined
    for (const sibling of [left, right]) if (sibling) siblings.push(sibling)
    from = Math.floor(from / 2)
    to = Math.floor(to / 2)
  }
  return siblings
}

/**
 * The path of each leaf of a range, given the siblings of the range in a tree of `total` leaves. Whether they lead to the root
 * is for {@link rootFromPath} to say.
 *
 * @throws RangeError when there is no such range, or there are more or fewer siblings than it has
 */
export function pathsOfRange(
  leaves: readonly Uint8Array[],
  { first, total, siblings }: { first: number; total: number; siblings: readonly Uint8Array[] },
): Uint8Array[][] {
  if (leaves.length === 0 || first < 0 || first + leaves.length > total) {
    throw new RangeError(`leaves ${first} to ${first + leaves.length - 1} of a tree of ${total}`)
  }
  const given = [...siblings]
  const paths: Uint8Array[][] = leaves.map(() => [])
  let known = { start: first, nodes: leaves }
  for (let width = total, height = 0; width > 1; width = Math.ceil(width / 2), height += 1) {
    known = withSiblings(known, { width, given })
    for (const [index, path] of paths.entries()) {
      const sibling = siblingIn(known, Math.floor((first + index) / 2 ** height))
      if (sibling) path.push(sibling)
    }
    known = { start: known.start / 2, nodes: parentLevel(known.nodes) }
  }
  if (given.length > 0) throw new RangeError(`${given.length} siblings too many for this range`)
  return paths
}

/** Neighbouring nodes of one level, the first at place `start`. */
type Stretch = { start: number; nodes: readonly Uint8Array[] }

/** The stretch with the siblings that its first and last node lack. */
function withSiblings(
  { start, nodes }: Stretch,
  { width, given }: { width: number; given: Uint8Array[] },
): Stretch {
  const take = () => {
    const sibling = given.shift()
    if (!sibling) throw new RangeError('there are too few siblings for this range')
    return sibling
  }
  const from = start - (start % 2)
  const left = from < start ? [take()] : []
  const end = start + nodes.length
  const right = end % 2 === 1 && end < width ? [take()] : []
  return { start: from, nodes: [...left, ...nodes, ...right] }
}

function siblingIn({ start, nodes }: Stretch, position: number): Uint8Array | undefined {
  return nodes[(position % 2 === 0 ? position + 1 : position - 1) - start]
}

/** The root that a leaf and its path lead to, or `undefined` when there is no such place or path in a tree of `count` leaves. */
export function rootFromPath(
  leaf: Uint8Array,
  { index, count, path }: { index: number; count: number; path: readonly Uint8Array[] },
): Uint8Array | undefined {
  if (!isPlace(index, count)) return undefined
  const siblings = [...path]
  let node = leaf
  let position = index
  for (let width = count; width > 1; width = Math.ceil(width / 2)) {
    const alone = position === width - 1 && position % 2 === 0
    if (!alone) {
      const sibling = siblings.shift()
      if (!sibling) return undefined
      node = position % 2 === 0 ? parentHash(node, sibling) : parentHash(sibling, node)
    }
    position = Math.floor(position / 2)
  }
  return siblings.length === 0 ? node : undefined
}

/** Whether a signer counts for a group. */
export function mayHaveSigned(
  signer: Address | undefined,
  { group, by: { receiptSigner, formerSigners = [] } }: { group: bigint; by: Signers },
): boolean {
  if (signer === undefined) return false
  if (lowerCase(signer) === lowerCase(receiptSigner)) return true
  return formerSigners.some(
    ({ address, lastGroup }) => lowerCase(address) === lowerCase(signer) && group <= lastGroup,
  )
}

/**
 * Checks a receipt with nothing but the hub's identity and the address of its receipt key, and of those before it.
 *
 * Returns what is wrong with it in words, or `undefined` when every tip leads to the signed root.
 */
export async function receiptFault(
  receipt: BasketReceipt,
  { hub, ...by }: Signers & { hub: HubIdentity },
): Promise<string | undefined> {
  const { header, tips } = receipt
  const digest = headerDigest(header, hubDomainSeparator(hub))
  const signer = await recoverSigner(digest, receipt.headerSignature)
  if (!mayHaveSigned(signer, { group: header.number, by })) {
    return `the header of group ${header.number} is not signed by ${by.receiptSigner}`
  }
  if (tips.length === 0) return 'the receipt names no tip'
  if (new Set(tips.map(({ leaf }) => leaf.index)).size < tips.length) {
    return 'the receipt names a tip twice'
  }
  for (const { leaf, path } of tips) {
    const fault = leafFault(receipt, leaf, path)
    if (fault) return fault
  }
  return undefined
}

function leafFault(
  { basketId, header }: BasketReceipt,
  leaf: ReceiptLeaf,
  path: readonly Hex[],
): string | undefined {
  const name = `tip ${leaf.index} of group ${leaf.group}`
  if (leaf.epoch !== header.epoch || leaf.group !== header.number) {
    return `${name} belongs to another group than ${header.number}`
  }
  if (leaf.basketId !== basketId) return `${name} belongs to another basket`
  if (!isPlace(leaf.index, header.tipCount)) {
    return `${name} does not exist: the group holds ${header.tipCount}`
  }
  const siblings = path.map((hash) => hexToBytes(hash))
  const root = rootFromPath(leafHash(leaf), {
    index: leaf.index,
    count: header.tipCount,
    path: siblings,
  })
  const expected = hexToBytes(header.tipsRoot)
  const same = root?.every((byte, at) => byte === expected[at])
  return same ? undefined : `${name} does not lead to the root of its group`
}

function isPlace(index: number, count: number): boolean {
  return Number.isInteger(index) && index >= 0 && index < count
}

function parentLevel(level: readonly Uint8Array[]): Uint8Array[] {
  const parents: Uint8Array[] = []
  for (let at = 0; at < level.length; at += 2) {
    const left = level[at]
    const right = level[at + 1]
    if (left) parents.push(right ? parentHash(left, right) : left)
  }
  return parents
}

/** Hashing never waits, so one buffer serves all; its first byte tells a node from a leaf. */
const pair = new Uint8Array(65)
pair[0] = 1

function parentHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  pair.set(left, 1)
  pair.set(right, 33)
  return keccakBytes(pair)
}

/** The tips of a basket stand together and share one signature. */
let newestSignature: { signature: Hex; hash: Hex } | undefined

function signatureHash(signature: Hex): Hex {
  if (newestSignature?.signature !== signature)
    newestSignature = { signature, hash: keccak(hexToBytes(signature)) }
  return newestSignature.hash
}
