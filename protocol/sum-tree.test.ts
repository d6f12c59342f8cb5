import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { Hex } from 'viem'
import { bytesToHex, concat, hexToBytes, keccak256, numberToHex } from 'viem'
import { maxAmount } from './amount.ts'
import type { SumNode, SumTree } from './sum-tree.ts'
import { buildSumTree, growSumTree, sumRootFromPath } from './sum-tree.ts'
import { hashes, holds } from './testing/arbitrary.ts'

const sums = fc.bigInt({ min: 0n, max: 2n ** 100n })
const nodes = fc.record({ hash: hashes.map((hash) => hexToBytes(hash)), sum: sums })
const levels = fc.array(nodes, { minLength: 1, maxLength: 40 })

/** A tree with one of its leaves. */
const places = levels.chain((leaves) =>
  fc.record({ leaves: fc.constant(leaves), index: fc.nat({ max: leaves.length - 1 }) }),
)
/** As {@link places}, with a sibling on its path. */
const placesBeside = places.filter(({ leaves }) => leaves.length > 1)

const word = (sum: bigint) => numberToHex(sum, { size: 32 })

/** The root as PROTOCOL.md states it, with viem's functions. */
function rootOf(leaves: readonly { hash: Hex; sum: bigint }[]): { hash: Hex; sum: bigint } {
  const [first] = leaves
  if (first && leaves.length === 1) return first
  const parents: { hash: Hex; sum: bigint }[] = []
  for (let at = 0; at < leaves.length; at += 2) {
    const [left, right] = leaves.slice(at, at + 2)
    assert.ok(left)
    if (!right) parents.push(left)
    else {
      const parts = ['0x03', left.hash, word(left.sum), right.hash, word(right.sum)] as const
      parents.push({ hash: keccak256(concat(parts)), sum: left.sum + right.sum })
    }
  }
  return rootOf(parents)
}

function asHex({ hash, sum }: SumNode) {
  return { hash: bytesToHex(hash), sum }
}

function leafOf(leaves: readonly SumNode[], index: number): SumNode {
  const leaf = leaves[index]
  assert.ok(leaf)
  return leaf
}

function reached(tree: SumTree, leaf: SumNode, index: number, path = tree.path(index)) {
  const root = sumRootFromPath(leaf, { index, count: tree.count, path })
  return root && asHex(root)
}

describe('buildSumTree', () => {
  holds(
    'has the root of PROTOCOL.md, whose sum is that of all leaves (R31)',
    levels,
    (leaves) => {
      const { root, count } = buildSumTree(leaves)
      assert.deepEqual(asHex(root), rootOf(leaves.map(asHex)))
      assert.equal(
        root.sum,
        leaves.reduce((total, { sum }) => total + sum, 0n),
      )
      assert.equal(count, leaves.length)
    },
    200,
  )

  it('refuses a sum below zero, one that does not fit, and a total that does not fit (R31)', () => {
    const hash = new Uint8Array(32)
    const one = { hash, sum: 1n }
    assert.throws(() => buildSumTree([{ hash, sum: -1n }]), /below zero/)
    assert.throws(() => buildSumTree([{ hash, sum: maxAmount + 1n }]), /does not fit 128 bits/)
    assert.throws(() => buildSumTree([one, { hash, sum: maxAmount }]), /does not fit 128 bits/)
    assert.equal(buildSumTree([{ hash, sum: maxAmount }]).root.sum, maxAmount)
    assert.throws(() => buildSumTree([]), /at least one leaf/)
  })

  it('gives others a turn after every thousand nodes', () => {
    const leaves = Array.from({ length: 2_500 }, (_, sum) => ({
      hash: new Uint8Array(32),
      sum: BigInt(sum),
    }))
    const turns = [...growSumTree(leaves)]
    assert.deepEqual(turns, [1_000, 2_000, 3_000, 4_000, 5_000])
  })
})

describe('sumRootFromPath', () => {
  holds('leads every leaf to the root and its total (R31)', places, ({ leaves, index }) => {
    const tree = buildSumTree(leaves)
    assert.deepEqual(reached(tree, leafOf(leaves, index), index), asHex(tree.root))
  })

  holds('does not lead there from another amount (R31)', places, ({ leaves, index }) => {
    const tree = buildSumTree(leaves)
    const leaf = leafOf(leaves, index)
    if (leaves.length === 1) return
    const less = { ...leaf, sum: leaf.sum + 1n }
    assert.notEqual(reached(tree, less, index)?.hash, bytesToHex(tree.root.hash))
  })

  holds(
    'does not lead there when a sum moves from a node to its sibling (R31)',
    placesBeside,
    ({ leaves, index }) => {
      const tree = buildSumTree(leaves)
      const leaf = leafOf(leaves, index)
      const [sibling, ...rest] = tree.path(index)
      if (!sibling || sibling.sum === 0n) return
      const path = [{ ...sibling, sum: sibling.sum - 1n }, ...rest]
      const moved = reached(tree, { ...leaf, sum: leaf.sum + 1n }, index, path)
      assert.equal(moved?.sum, tree.root.sum)
      assert.notEqual(moved?.hash, bytesToHex(tree.root.hash))
    },
  )

  holds('does not lead there from another index (R31)', placesBeside, ({ leaves, index }) => {
    const tree = buildSumTree(leaves)
    const other = index === 0 ? leaves.length - 1 : index - 1
    const leaf = leafOf(leaves, index)
    const wrong = reached(tree, leaf, other, tree.path(index))
    const isSameLeaf = bytesToHex(leaf.hash) === bytesToHex(leafOf(leaves, other).hash)
    if (!isSameLeaf) assert.notEqual(wrong?.hash, bytesToHex(tree.root.hash))
  })

  it('knows no place outside the tree, and no path that is too short or too long', () => {
    const leaves = [1n, 2n, 3n].map((sum) => ({ hash: new Uint8Array(32), sum }))
    const tree = buildSumTree(leaves)
    const leaf = leafOf(leaves, 0)
    for (const index of [-1, 3, 0.5, Number.NaN])
      assert.equal(sumRootFromPath(leaf, { index, count: 3, path: tree.path(0) }), undefined)
    assert.equal(reached(tree, leaf, 0, tree.path(0).slice(1)), undefined)
    assert.equal(reached(tree, leaf, 0, [...tree.path(0), leaf]), undefined)
    assert.throws(() => tree.path(3), /leaf 3 of a tree of 3/)
  })

  it('takes no sum below zero and none that does not fit, on the way too (R31)', () => {
    const hash = new Uint8Array(32)
    const root = (sum: bigint, beside: bigint) =>
      sumRootFromPath({ hash, sum }, { index: 0, count: 2, path: [{ hash, sum: beside }] })
    assert.equal(root(5n, -5n), undefined)
    assert.equal(root(-5n, 5n), undefined)
    assert.equal(root(1n, maxAmount), undefined)
    assert.equal(root(maxAmount + 1n, 0n), undefined)
    assert.equal(root(maxAmount, 0n)?.sum, maxAmount)
  })
})
