// The root over a block's receipts, as its header names it: who has receipts that lead to it has every log of the block.

import type { Address, Hex } from 'viem'
import { concatHex, hexToBytes, numberToHex, toRlp } from 'viem'
import { keccak } from '#protocol/keccak.ts'

/** What the root commits to of one transaction. `type` is that of its envelope, 0 for the oldest. */
export type Receipt = {
  type: number
  status: boolean
  cumulativeGasUsed: bigint
  logsBloom: Hex
  logs: readonly { address: Address; topics: readonly Hex[]; data: Hex }[]
}

/** Envelopes whose receipts are laid out as below; chains with others of their own cannot be checked by this. */
const newestKnownType = 4

/** The root of receipts in the order of their transactions; `undefined` when one is of a kind that is not known here. */
export function receiptsRoot(receipts: readonly Receipt[]): Hex | undefined {
  if (receipts.some(({ type }) => type > newestKnownType)) return undefined
  const items = receipts.map((receipt, index) => ({
    path: nibbles(toRlp(numberOf(BigInt(index)))),
    value: encodeReceipt(receipt),
  }))
  return keccak(hexToBytes(toRlp(items.length === 0 ? '0x' : nodeOf(items, 0))))
}

type Item = { path: readonly number[]; value: Hex }
type Node = Hex | readonly Node[]

function encodeReceipt({ type, status, cumulativeGasUsed, logsBloom, logs }: Receipt): Hex {
  const body = toRlp([
    numberOf(status ? 1n : 0n),
    numberOf(cumulativeGasUsed),
    logsBloom,
    logs.map(({ address, topics, data }) => [address, [...topics], data]),
  ])
  return type === 0 ? body : concatHex([numberToHex(type, { size: 1 }), body])
}

/** A node of the Merkle-Patricia trie over items that share their path up to `depth`. */
function nodeOf(items: readonly Item[], depth: number): readonly Node[] {
  const [first] = items
  if (!first) throw new Error('a node of no items')
  if (items.length === 1) return [packed(first.path.slice(depth), { isLeaf: true }), first.value]
  const shared = sharedLength(items, depth)
  if (shared > 0) {
    const path = first.path.slice(depth, depth + shared)
    return [packed(path, { isLeaf: false }), link(nodeOf(items, depth + shared))]
  }
  const children = Array.from({ length: 16 }, (_, nibble): Node => {
    const below = items.filter(({ path }) => path[depth] === nibble)
    return below.length === 0 ? '0x' : link(nodeOf(below, depth + 1))
  })
  const here = items.find(({ path }) => path.length === depth)
  return [...children, here?.value ?? '0x']
}

/** A node is named by its hash, unless it is shorter than one. */
function link(node: readonly Node[]): Node {
  const encoded = toRlp(node as Hex[])
  return encoded.length < 2 + 2 * 32 ? node : keccak(hexToBytes(encoded))
}

function sharedLength(items: readonly Item[], depth: number): number {
  const [first] = items
  let shared = 0
  for (;;) {
    const nibble = first?.path[depth + shared]
    if (nibble === undefined) return shared
    if (items.some(({ path }) => path[depth + shared] !== nibble)) return shared
    shared += 1
  }
}

/** Nibbles as bytes, with their parity and the kind of node in front. */
function packed(path: readonly number[], { isLeaf }: { isLeaf: boolean }): Hex {
  const flag = isLeaf ? 2 : 0
  const whole = path.length % 2 === 0 ? [flag, 0, ...path] : [flag + 1, ...path]
  return `0x${whole.map((nibble) => nibble.toString(16)).join('')}`
}

function nibbles(hex: Hex): number[] {
  return [...hex.slice(2)].map((digit) => Number.parseInt(digit, 16))
}

/** A number as RLP has it: no leading zeros, and nothing for zero. */
function numberOf(value: bigint): Hex {
  if (value === 0n) return '0x'
  const digits = value.toString(16)
  return `0x${digits.length % 2 === 0 ? '' : '0'}${digits}`
}
