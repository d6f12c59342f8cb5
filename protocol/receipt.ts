// Receipts: a signed commit-group header, and for each tip its leaf and the path from the leaf to the header's root.
// A receipt proves that the hub accepted the tip; it says nothing about who is entitled to what now.

import type { Address, Hex } from 'viem'
import { domainSeparator, hexToBytes } from 'viem'
import { hashWords, hashWordsToHex, keccak, typedDigest, typeHash } from './keccak.ts'
import { isPlace, rootFromPath } from './merkle.ts'
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
  return hashWordsToHex(fields)
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

/** The tips of a basket stand together and share one signature. */
let newestSignature: { signature: Hex; hash: Hex } | undefined

function signatureHash(signature: Hex): Hex {
  if (newestSignature?.signature !== signature)
    newestSignature = { signature, hash: keccak(hexToBytes(signature)) }
  return newestSignature.hash
}
