// A Merkle-sum tree: a Merkle tree whose nodes also carry the sum of what is below them, so that a root commits to a total and
// nobody can be left out of it, counted at less, or stand against somebody with less than nothing.

import { maxAmount } from './amount.ts'
import { writeAmount } from './hex.ts'
import { keccakBytes } from './keccak.ts'

/** A node: its hash in 32 bytes, and the sum of the leaves below it in base units. */
export type SumNode = { hash: Uint8Array; sum: bigint }

export type SumTree = {
  root: SumNode
  count: number
  /** The siblings on the way from a leaf to the root. @throws RangeError when there is no such leaf */
  path(index: number): SumNode[]
}

/** One level of a tree, packed: 32 bytes a node. */
type Level = { hashes: Uint8Array; sums: bigint[] }

/** After so many nodes a growing tree lets others have a turn. */
const stride = 1_000

/**
 * Builds a tree and yields how many nodes were made so far, so that whoever builds a large one can do something else meanwhile.
 *
 * @throws RangeError when there is no leaf, or a sum is below zero or does not fit 128 bits
 */
export function* growSumTree(leaves: readonly SumNode[]): Generator<number, SumTree> {
  if (leaves.length === 0) throw new RangeError('a tree has at least one leaf')
  let made = 0
  let level = newLevel(leaves.length)
  const levels = [level]
  for (const [at, leaf] of leaves.entries()) {
    putNode(level, at, leaf)
    made += 1
    if (made % stride === 0) yield made
  }
  while (level.sums.length > 1) {
    const below = level
    level = newLevel(Math.ceil(below.sums.length / 2))
    levels.push(level)
    for (let at = 0; at < level.sums.length; at += 1) {
      putNode(level, at, parentAt(below, at))
      made += 1
      if (made % stride === 0) yield made
    }
  }
  return {
    root: nodeAt(level, 0),
    count: leaves.length,
    path: (index) => pathIn(levels, index),
  }
}

/** Builds a tree at once. @throws RangeError as {@link growSumTree} */
export function buildSumTree(leaves: readonly SumNode[]): SumTree {
  const growing = growSumTree(leaves)
  for (;;) {
    const step = growing.next()
    if (step.done) return step.value
  }
}

/**
 * The root that a leaf and its path lead to in a tree of `count` leaves, or `undefined` when there is no such place or path, or
 * a sum on the way is below zero or does not fit 128 bits.
 */
export function sumRootFromPath(
  leaf: SumNode,
  { index, count, path }: { index: number; count: number; path: readonly SumNode[] },
): SumNode | undefined {
  if (!isPlace(index, count) || ![leaf, ...path].every(({ sum }) => isSum(sum))) return undefined
  const sides = sidesOf(index, count)
  if (path.length !== sides.length) return undefined
  let node = leaf
  for (const [height, sibling] of path.entries()) {
    if (!isSum(node.sum + sibling.sum)) return undefined
    node = sides[height] === 'right' ? parentOf(node, sibling) : parentOf(sibling, node)
  }
  return node
}

/** On which side the siblings of a leaf are, from the leaf up; levels on which it has none are left out. */
function sidesOf(index: number, count: number): ('left' | 'right')[] {
  const sides: ('left' | 'right')[] = []
  let position = index
  for (let width = count; width > 1; width = Math.ceil(width / 2)) {
    if (position % 2 === 1) sides.push('left')
    else if (position + 1 < width) sides.push('right')
    position = Math.floor(position / 2)
  }
  return sides
}

function isPlace(index: number, count: number): boolean {
  return Number.isInteger(index) && index >= 0 && index < count
}

function isSum(sum: bigint): boolean {
  return sum >= 0n && sum <= maxAmount
}

function newLevel(nodes: number): Level {
  return { hashes: new Uint8Array(nodes * 32), sums: Array.from({ length: nodes }, () => 0n) }
}

function putNode({ hashes, sums }: Level, at: number, { hash, sum }: SumNode) {
  if (!isSum(sum)) throw new RangeError(`a sum of ${sum} is below zero or does not fit 128 bits`)
  hashes.set(hash, at * 32)
  sums[at] = sum
}

function nodeAt({ hashes, sums }: Level, at: number): SumNode {
  return { hash: hashes.subarray(at * 32, at * 32 + 32), sum: sums[at] ?? 0n }
}

/** A node without a sibling goes up as it is. */
function parentAt(below: Level, at: number): SumNode {
  const left = nodeAt(below, at * 2)
  return at * 2 + 1 < below.sums.length ? parentOf(left, nodeAt(below, at * 2 + 1)) : left
}

/** Hashing never waits, so one buffer serves all; its first byte tells a node from a leaf and from the nodes of receipts. */
const pair = new Uint8Array(1 + 4 * 32)
const pairView = new DataView(pair.buffer)
pair[0] = 3

/** The hash covers the sums of both children: with their total alone, one could be counted for the other. */
function parentOf(left: SumNode, right: SumNode): SumNode {
  const sum = left.sum + right.sum
  if (!isSum(sum)) throw new RangeError(`a sum of ${sum} does not fit 128 bits`)
  pair.set(left.hash, 1)
  writeAmount(pairView, 1 + 48, left.sum)
  pair.set(right.hash, 1 + 64)
  writeAmount(pairView, 1 + 112, right.sum)
  return { hash: keccakBytes(pair), sum }
}

function pathIn(levels: readonly Level[], index: number): SumNode[] {
  const count = levels[0]?.sums.length ?? 0
  if (!isPlace(index, count)) throw new RangeError(`leaf ${index} of a tree of ${count}`)
  const path: SumNode[] = []
  let position = index
  for (const level of levels.slice(0, -1)) {
    const sibling = position % 2 === 0 ? position + 1 : position - 1
    if (sibling < level.sums.length) path.push(nodeAt(level, sibling))
    position = Math.floor(position / 2)
  }
  return path
}
