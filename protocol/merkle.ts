// The Merkle tree over the leaves of a commit group: of packed nodes, each level one piece of memory, because a hub makes one
// many times a second. Leaves and inner nodes are hashed with different first bytes, so that neither passes for the other.

import { copyBytes } from './hex.ts'
import { concatBytes } from './keccak.ts'
import { createBatch, hashing } from './sponge.ts'

/** Bytes of a node: its digest. */
export const nodeBytes = 32

/** Each node is keccak256(0x01 ‖ left ‖ right). */
const pairs = createBatch({ length: 65, most: 256 })
for (let index = 0; index < pairs.most; index += 1) hashing.bytes[pairs.messageAt(index)] = 1

/** The levels of a tree over packed leaves, leaves first, all packed. A node without a sibling goes up as it is. */
export function merkleLevels(leaves: Uint8Array): Uint8Array[] {
  const levels = [leaves]
  for (let level = leaves; level.length > nodeBytes; ) {
    level = parentLevel(level)
    levels.push(level)
  }
  return levels
}

/** The siblings on the way from leaf `index` to the root of `levels`. */
export function merklePath(levels: readonly Uint8Array[], index: number): Uint8Array[] {
  const path: Uint8Array[] = []
  let position = index
  for (const level of levels.slice(0, -1)) {
    const sibling = nodeAt(level, position % 2 === 0 ? position + 1 : position - 1)
    if (sibling) path.push(sibling)
    position = Math.floor(position / 2)
  }
  return path
}

/**
 * What leads from the leaves `first` to `first + count − 1`, taken together, to the root: the nodes beside their range on each
 * level, left before right, packed. Far fewer than a path for each.
 */
export function rangeSiblings(
  levels: readonly Uint8Array[],
  { first, count }: { first: number; count: number },
): Uint8Array {
  const siblings = new Uint8Array(2 * levels.length * nodeBytes)
  let length = 0
  let from = first
  let to = first + count - 1
  for (const level of levels) {
    if (level.length === nodeBytes) break
    if (from % 2 === 1) length = append(siblings, length, { level, position: from - 1 })
    if (to % 2 === 0) length = append(siblings, length, { level, position: to + 1 })
    from >>= 1
    to >>= 1
  }
  return siblings.subarray(0, length)
}

/**
 * The path of each leaf of a range, given the siblings of the range in a tree of `total` leaves. Whether they lead to the root
 * is for {@link rootFromPath} to say.
 *
 * @throws RangeError when there is no such range, or there are more or fewer siblings than it has
 */
export function pathsOfRange(
  leaves: readonly Uint8Array[],
  { first, total, siblings }: { first: number; total: number; siblings: Uint8Array },
): Uint8Array[][] {
  if (leaves.length === 0 || first < 0 || first + leaves.length > total) {
    throw new RangeError(`leaves ${first} to ${first + leaves.length - 1} of a tree of ${total}`)
  }
  const given = nodesOf(siblings)
  const paths: Uint8Array[][] = leaves.map(() => [])
  let known = { start: first, nodes: leaves }
  for (let width = total, height = 0; width > 1; width = Math.ceil(width / 2), height += 1) {
    known = withSiblings(known, { width, given })
    for (const [index, path] of paths.entries()) {
      const sibling = siblingIn(known, Math.floor((first + index) / 2 ** height))
      if (sibling) path.push(sibling)
    }
    known = { start: known.start / 2, nodes: parentsOf(known.nodes) }
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

/** Whether a tree of `count` leaves has a leaf with this index. */
export function isPlace(index: number, count: number): boolean {
  return Number.isInteger(index) && index >= 0 && index < count
}

function parentsOf(level: readonly Uint8Array[]): Uint8Array[] {
  return nodesOf(parentLevel(concatBytes(level)))
}

function parentHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return parentLevel(concatBytes([left, right]))
}

function parentLevel(level: Uint8Array): Uint8Array {
  const width = level.length / nodeBytes
  const parents = new Uint8Array(Math.ceil(width / 2) * nodeBytes)
  const view = new DataView(level.buffer, level.byteOffset, level.byteLength)
  const whole = Math.floor(width / 2)
  for (let done = 0; done < whole; done += pairs.most) {
    const count = Math.min(pairs.most, whole - done)
    for (let index = 0; index < count; index += 1)
      layPair(index, view, 2 * (done + index) * nodeBytes)
    pairs.hash(count)
    parents.set(
      hashing.bytes.subarray(pairs.digests, pairs.digests + count * nodeBytes),
      done * nodeBytes,
    )
  }
  if (width % 2 === 1) parents.set(level.subarray((width - 1) * nodeBytes), whole * nodeBytes)
  return parents
}

function layPair(index: number, level: DataView, place: number) {
  const at = pairs.messageAt(index) + 1
  copyBytes({ into: hashing.view, at, length: 2 * nodeBytes }, level, place)
}

/** Appends a node of a level, if there is one at that place. */
function append(
  into: Uint8Array,
  at: number,
  { level, position }: { level: Uint8Array; position: number },
): number {
  const place = position * nodeBytes
  if (place >= level.length) return at
  for (let offset = 0; offset < nodeBytes; offset += 1)
    into[at + offset] = level[place + offset] ?? 0
  return at + nodeBytes
}

function nodeAt(level: Uint8Array, position: number): Uint8Array | undefined {
  const node = level.subarray(position * nodeBytes, (position + 1) * nodeBytes)
  return position >= 0 && node.length > 0 ? node : undefined
}

function nodesOf(packed: Uint8Array): Uint8Array[] {
  return Array.from({ length: packed.length / nodeBytes }, (_, at) =>
    packed.subarray(at * nodeBytes, (at + 1) * nodeBytes),
  )
}
