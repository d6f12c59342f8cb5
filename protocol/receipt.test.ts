import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { Hex } from 'viem'
import {
  bytesToHex,
  concat,
  encodeAbiParameters,
  hashStruct,
  hashTypedData,
  hexToBytes,
  keccak256,
  numberToBytes,
} from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { concatBytes, keccakBytes } from './keccak.ts'
import { merkleLevels, merklePath, pathsOfRange, rangeSiblings, rootFromPath } from './merkle.ts'
import {
  type BasketReceipt,
  type GroupHeader,
  headerDigest,
  headerHash,
  hubDomainSeparator,
  leafHash,
  type ReceiptLeaf,
  receiptFault,
  zeroHash,
} from './receipt.ts'
import { amounts, hashes, hexOf, holds, uintOf } from './testing/arbitrary.ts'

const hub = { chainId: 31_337, hubAccount: `0x${'0b'.repeat(20)}` } as const
const separator = hubDomainSeparator(hub)
const signer = privateKeyToAccount(`0x${'77'.repeat(32)}`)
const receiptSigner = signer.address
const types = {
  CommitGroup: [
    { name: 'epoch', type: 'bytes32' },
    { name: 'number', type: 'uint64' },
    { name: 'previous', type: 'bytes32' },
    { name: 'tipsRoot', type: 'bytes32' },
    { name: 'tipCount', type: 'uint32' },
    { name: 'journalHash', type: 'bytes32' },
    { name: 'closedAt', type: 'uint64' },
  ],
} as const
const headers = fc.record<GroupHeader>({
  epoch: hashes,
  number: uintOf(64),
  previous: hashes,
  tipsRoot: hashes,
  tipCount: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  journalHash: hashes,
  closedAt: uintOf(64),
})
const leaves = fc.record<ReceiptLeaf>({
  salt: hashes,
  epoch: hashes,
  group: uintOf(64),
  index: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  channelId: hashes,
  basketId: hashes,
  voucherSignature: hexOf(65),
  to: hashes,
  ref: hashes,
  amount: amounts,
  fee: amounts,
  chargedAfter: amounts,
  acceptedAfter: amounts,
})
const some = (byte: string): Hex => `0x${byte.repeat(32)}`

function leafOf(index: number, basketId = some('b0')): ReceiptLeaf {
  return {
    salt: keccak256(some(String(10 + index))),
    epoch: some('e0'),
    group: 7n,
    index,
    channelId: some('c0'),
    basketId,
    voucherSignature: `0x${'5a'.repeat(65)}`,
    to: some('d0'),
    ref: some('d1'),
    amount: 50_000n,
    fee: 500n,
    chargedAfter: 1_000_000n,
    acceptedAfter: 2_000_000n,
  }
}

async function sign(header: GroupHeader): Promise<Hex> {
  return signer.sign({ hash: headerDigest(header, separator) })
}

/** A receipt over the last two of five tips; the group's other three belong to another basket. */
async function goodReceipt(): Promise<BasketReceipt> {
  const all = [0, 1, 2, 3, 4].map((index) => leafOf(index, index < 3 ? some('bb') : some('b0')))
  const levels = merkleLevels(concatBytes(all.map(leafHash)))
  const header: GroupHeader = {
    epoch: some('e0'),
    number: 7n,
    previous: some('e1'),
    tipsRoot: bytesToHex(levels.at(-1) ?? new Uint8Array()),
    tipCount: 5,
    journalHash: some('e2'),
    closedAt: 1_790_000_000_000n,
  }
  const tips = all.slice(3).map((leaf) => ({
    leaf,
    path: merklePath(levels, leaf.index).map((node) => bytesToHex(node)),
  }))
  return { basketId: some('b0'), header, headerSignature: await sign(header), tips }
}

const good = await goodReceipt()
const fault = (receipt: BasketReceipt) => receiptFault(receipt, { hub, receiptSigner })

/** The receipt with something else in one of its tips. */
function withTip(
  at: number,
  change: (tip: BasketReceipt['tips'][number]) => object,
): BasketReceipt {
  return {
    ...good,
    tips: good.tips.map((tip, index) => (index === at ? { ...tip, ...change(tip) } : tip)),
  }
}

describe('hubDomainSeparator', () => {
  it('differs by chain and by hub account', () => {
    assert.notEqual(hubDomainSeparator({ ...hub, chainId: 1 }), separator)
    assert.notEqual(hubDomainSeparator({ ...hub, hubAccount: `0x${'0c'.repeat(20)}` }), separator)
  })
})

describe('headerHash', () => {
  holds("equals viem's struct hash", headers, (header) => {
    assert.equal(
      headerHash(header),
      hashStruct({ types, primaryType: 'CommitGroup', data: header }),
    )
  })
})

describe('headerDigest', () => {
  holds("equals viem's typed-data hash in the hub's domain", headers, (message) => {
    const { chainId, hubAccount: verifyingContract } = hub
    const domain = { name: 'jandon', version: '1', chainId, verifyingContract }
    const expected = hashTypedData({ domain, types, primaryType: 'CommitGroup', message })
    assert.equal(headerDigest(message, separator), expected)
  })
})

describe('leafHash', () => {
  holds('hashes a zero byte and each field as a word', leaves, (leaf) => {
    const words = Object.entries(leaf).map(([name, value]) => {
      if (name === 'voucherSignature')
        return { type: 'bytes32', value: keccak256(leaf.voucherSignature) }
      return typeof value === 'string'
        ? { type: 'bytes32', value }
        : { type: 'uint256', value: BigInt(value) }
    })
    const encoded = encodeAbiParameters(
      words.map(({ type }) => ({ type })),
      words.map(({ value }) => value),
    )
    assert.equal(bytesToHex(leafHash(leaf)), keccak256(concat(['0x00', encoded])))
  })
})

describe('merkleLevels', () => {
  const leaf = (at: number) => keccak256(new Uint8Array([at]), 'bytes')
  const node = (left: Uint8Array, right: Uint8Array) =>
    keccak256(concat([new Uint8Array([1]), left, right]), 'bytes')
  it('has one empty level without leaves', () => {
    assert.deepEqual(merkleLevels(new Uint8Array()), [new Uint8Array()])
  })
  it('has the leaf itself as the root of one', () => {
    assert.deepEqual(merkleLevels(leaf(0)), [leaf(0)])
  })
  it('takes a node without a sibling up as it is', () => {
    const [a, b, c] = [leaf(0), leaf(1), leaf(2)]
    const levels = [concatBytes([a, b, c]), concatBytes([node(a, b), c]), node(node(a, b), c)]
    assert.deepEqual(merkleLevels(concatBytes([a, b, c])), levels)
  })
  it('has the root of the largest-power-of-two split for 1 to 40 leaves, and for very many', () => {
    const rootOf = (nodes: readonly Uint8Array[]): Uint8Array => {
      const [only = new Uint8Array()] = nodes
      if (nodes.length < 2) return only
      const half = 2 ** Math.floor(Math.log2(nodes.length - 1))
      return node(rootOf(nodes.slice(0, half)), rootOf(nodes.slice(half)))
    }
    const counts = [...Array.from({ length: 40 }, (_, at) => at + 1), 511, 512, 513, 514, 1_025]
    for (const count of counts) {
      const nodes = Array.from({ length: count }, (_, at) => keccakBytes(numberToBytes(at)))
      assert.deepEqual(merkleLevels(concatBytes(nodes)).at(-1), rootOf(nodes))
    }
  })
  it('leaves the list of leaves alone', () => {
    const nodes = concatBytes([leaf(0), leaf(1), leaf(2)])
    const before = nodes.slice()
    merkleLevels(nodes)
    assert.deepEqual(nodes, before)
  })
})

describe('rootFromPath', () => {
  const nodesOf = (count: number) =>
    Array.from({ length: count }, (_, at) => keccak256(new Uint8Array([count, at]), 'bytes'))
  const trees = Array.from({ length: 40 }, (_, at) => {
    const nodes = nodesOf(at + 1)
    const levels = merkleLevels(concatBytes(nodes))
    const root = levels.at(-1) ?? new Uint8Array()
    return { count: at + 1, nodes, levels, root }
  })
  const proofs = trees.flatMap(({ count, nodes, levels, root }) =>
    nodes.map((leaf, index) => ({ leaf, index, count, root, path: merklePath(levels, index) })),
  )
  it('leads every leaf of 1 to 40 to the root', () => {
    assert.equal(proofs.length, 820)
    for (const { leaf, root, ...place } of proofs) assert.deepEqual(rootFromPath(leaf, place), root)
  })
  it('leads no leaf to the root at another index', () => {
    for (const { leaf, root, ...place } of proofs) {
      for (let index = -3; index < place.count + 3; index += 1) {
        if (index === place.index) continue
        assert.notDeepEqual(rootFromPath(leaf, { ...place, index }), root)
      }
    }
  })
  it('refuses an index that is not a place in the tree', () => {
    for (const { leaf, root: _root, ...place } of proofs) {
      for (const index of [-1, -2, 0.5, place.count, place.count + 1, Number.NaN, Infinity]) {
        assert.equal(rootFromPath(leaf, { ...place, index }), undefined)
      }
    }
  })
  it('refuses a path that is a node too long or too short', () => {
    for (const { leaf, root: _root, ...place } of proofs) {
      const longer = [...place.path, new Uint8Array(32)]
      assert.equal(rootFromPath(leaf, { ...place, path: longer }), undefined)
      if (place.path.length === 0) continue
      assert.equal(rootFromPath(leaf, { ...place, path: place.path.slice(1) }), undefined)
    }
  })
  it('leads another leaf, or the leaf with a changed or swapped path, elsewhere', () => {
    for (const { leaf, root, ...place } of proofs) {
      assert.notDeepEqual(rootFromPath(new Uint8Array(32), place), root)
      for (const at of place.path.keys()) {
        const path = place.path.with(at, new Uint8Array(32))
        assert.notDeepEqual(rootFromPath(leaf, { ...place, path }), root)
      }
      if (place.path.length < 2) continue
      assert.notDeepEqual(rootFromPath(leaf, { ...place, path: place.path.toReversed() }), root)
    }
  })
  it('never takes an inner node for a leaf: both have their own first byte', () => {
    const { levels, root } = trees[3] ?? { levels: [], root: undefined }
    const [inner = new Uint8Array(), other = new Uint8Array()] = [0, 1].map((at) =>
      levels[1]?.subarray(at * 32, (at + 1) * 32),
    )
    const place = { index: 0, count: 2, path: [other] }
    assert.deepEqual(rootFromPath(inner, place), root)
    const leaf = leafOf(0)
    assert.notDeepEqual(leafHash(leaf), inner)
  })
  it('refuses any place in a tree without leaves', () => {
    assert.equal(rootFromPath(new Uint8Array(32), { index: 0, count: 0, path: [] }), undefined)
  })
})

describe('receiptFault', () => {
  it('finds none in a receipt that the hub signed', async () => {
    assert.equal(await fault(good), undefined)
    assert.equal(
      await receiptFault(good, { hub, receiptSigner: receiptSigner.toLowerCase() as Hex }),
      undefined,
    )
  })
  it('finds none in a receipt for one of the tips', async () => {
    for (const tip of good.tips) assert.equal(await fault({ ...good, tips: [tip] }), undefined)
  })
  it('names another hub account, chain or receipt key', async () => {
    const unsigned = /^the header of group 7 is not signed by 0x/
    const elsewhere = { receiptSigner, hub: { ...hub, chainId: 1 } }
    assert.match((await receiptFault(good, elsewhere)) ?? '', unsigned)
    const otherHub = { receiptSigner, hub: { ...hub, hubAccount: receiptSigner } }
    assert.match((await receiptFault(good, otherHub)) ?? '', unsigned)
    const otherKey = { hub, receiptSigner: hub.hubAccount }
    assert.match((await receiptFault(good, otherKey)) ?? '', unsigned)
  })

  const otherHeader: GroupHeader = {
    epoch: some('f0'),
    number: 8n,
    previous: some('f1'),
    tipsRoot: some('f2'),
    tipCount: 6,
    journalHash: some('f3'),
    closedAt: 1_790_000_000_001n,
  }
  for (const [field, value] of Object.entries(otherHeader)) {
    it(`refuses another header ${field}`, async () => {
      const header = { ...good.header, [field]: value }
      assert.match((await fault({ ...good, header })) ?? '', /is not signed by/)
    })
  }
  for (const field of ['epoch', 'number', 'tipsRoot'] as const) {
    it(`refuses another header ${field} although the hub signed it`, async () => {
      const header = { ...good.header, [field]: otherHeader[field] }
      assert.ok(await fault({ ...good, header, headerSignature: await sign(header) }))
    })
  }
  for (const tipCount of [0, 3, 4, 9, 17]) {
    it(`refuses a header of ${tipCount} tips although the hub signed it`, async () => {
      const header = { ...good.header, tipCount }
      assert.ok(await fault({ ...good, header, headerSignature: await sign(header) }))
    })
  }
  const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
  const signature = good.headerSignature
  const highS = (order - BigInt(`0x${signature.slice(66, 130)}`)).toString(16).padStart(64, '0')
  const otherV = signature.endsWith('1b') ? '1c' : '1b'
  const signatures: Record<string, string> = {
    r: `0x${'11'.repeat(32)}${signature.slice(66)}`,
    s: `${signature.slice(0, 66)}${'11'.repeat(32)}${signature.slice(130)}`,
    v: `${signature.slice(0, 130)}${otherV}`,
    'high s': `${signature.slice(0, 66)}${highS}${otherV}`,
    'v 0 or 1': `${signature.slice(0, 130)}0${otherV === '1c' ? 0 : 1}`,
    length: signature.slice(0, 130),
    'missing bytes': '0x',
  }
  for (const [what, headerSignature] of Object.entries(signatures)) {
    it(`refuses a signature with tampered ${what}`, async () => {
      const tampered = { ...good, headerSignature: headerSignature as Hex }
      assert.match((await fault(tampered)) ?? '', /is not signed by/)
    })
  }
  it('refuses the signature of somebody else', async () => {
    const stranger = privateKeyToAccount(`0x${'78'.repeat(32)}`)
    const headerSignature = await stranger.sign({ hash: headerDigest(good.header, separator) })
    assert.match((await fault({ ...good, headerSignature })) ?? '', /is not signed by/)
  })

  const otherLeaf: ReceiptLeaf = {
    salt: some('f4'),
    epoch: some('f5'),
    group: 8n,
    index: 2,
    channelId: some('f6'),
    basketId: some('f7'),
    voucherSignature: `0x${'5b'.repeat(65)}`,
    to: some('f8'),
    ref: some('f9'),
    amount: 50_001n,
    fee: 501n,
    chargedAfter: 1_000_001n,
    acceptedAfter: 2_000_001n,
  }
  for (const [field, value] of Object.entries(otherLeaf)) {
    it(`refuses another leaf ${field}, in the first tip and in the last`, async () => {
      for (const at of [0, 1]) {
        const tampered = withTip(at, ({ leaf }) => ({ leaf: { ...leaf, [field]: value } }))
        assert.match((await fault(tampered)) ?? '', /^tip \d+ of group \d+ (belongs|does not)/)
      }
    })
  }
  for (const field of ['amount', 'fee', 'chargedAfter', 'acceptedAfter'] as const) {
    it(`refuses a leaf ${field} that is one less`, async () => {
      const tampered = withTip(1, ({ leaf }) => ({ leaf: { ...leaf, [field]: leaf[field] - 1n } }))
      assert.match((await fault(tampered)) ?? '', /does not lead to the root/)
    })
  }
  it('refuses two fields that swapped their values', async () => {
    const tampered = withTip(0, ({ leaf }) => ({ leaf: { ...leaf, to: leaf.ref, ref: leaf.to } }))
    assert.match((await fault(tampered)) ?? '', /does not lead to the root/)
  })
  for (const index of [-1, 0, 4, 5, 2 ** 32]) {
    it(`refuses tip 3 under index ${index}`, async () => {
      const tampered = withTip(0, ({ leaf }) => ({ leaf: { ...leaf, index } }))
      assert.ok(await fault(tampered))
    })
  }
  it('refuses a changed, missing, extra or swapped element of the path', async () => {
    const path = good.tips[0]?.path ?? []
    assert.ok(path.length > 1)
    const paths = [
      ...path.map((_, at) => path.with(at, some('00'))),
      path.slice(1),
      path.slice(0, -1),
      [],
      [...path, some('00')],
      path.toReversed(),
    ]
    for (const other of paths) {
      const tampered = withTip(0, () => ({ path: other }))
      assert.match((await fault(tampered)) ?? '', /^tip 3 of group 7 does not lead to the root/)
    }
  })
  it('refuses the path of the other tip', async () => {
    const tampered = withTip(0, () => ({ path: good.tips[1]?.path }))
    assert.match((await fault(tampered)) ?? '', /does not lead to the root/)
  })
  it('refuses a tip of another basket of the same group', async () => {
    assert.match(
      (await fault({ ...good, basketId: some('bb') })) ?? '',
      /^tip 3 of group 7 belongs to another basket$/,
    )
  })
  it('refuses a receipt without tips', async () => {
    assert.equal(await fault({ ...good, tips: [] }), 'the receipt names no tip')
  })
  it('refuses a receipt that names a tip twice', async () => {
    const [tip] = good.tips
    assert.ok(tip)
    assert.match((await fault({ ...good, tips: [tip, tip] })) ?? '', /twice/)
  })
  it('refuses the root of no tips as the root of one', async () => {
    const header = { ...good.header, tipsRoot: zeroHash, tipCount: 1 }
    const headerSignature = await sign(header)
    const tips = [{ leaf: leafOf(0), path: [] }]
    const receipt = { ...good, header, headerSignature, tips }
    assert.match((await fault(receipt)) ?? '', /does not lead to the root/)
    assert.equal(hexToBytes(zeroHash).length, 32)
  })
})

describe('rangeSiblings and pathsOfRange', () => {
  const trees = fc
    .tuple(fc.integer({ min: 1, max: 70 }), fc.nat(69), fc.integer({ min: 1, max: 70 }))
    .map(([total, from, length]) => {
      const first = from % total
      return { total, first, count: Math.min(length, total - first) }
    })

  holds('give every leaf of a range the path that it has by itself', trees, (tree) => {
    const { total, first, count } = tree
    const leaves = Array.from({ length: total }, (_, at) => keccakBytes(new Uint8Array([at])))
    const levels = merkleLevels(concatBytes(leaves))
    const siblings = rangeSiblings(levels, { first, count })
    const paths = pathsOfRange(leaves.slice(first, first + count), { first, total, siblings })
    assert.deepEqual(
      paths,
      Array.from({ length: count }, (_, at) => merklePath(levels, first + at)),
    )
    for (const wrong of [siblings.slice(32), concatBytes([siblings, new Uint8Array(32)])]) {
      if (wrong.length === siblings.length) continue
      assert.throws(
        () => pathsOfRange(leaves.slice(first, first + count), { first, total, siblings: wrong }),
        RangeError,
      )
    }
  })

  it('refuse a range that the tree does not have', () => {
    const leaf = keccakBytes(new Uint8Array([1]))
    for (const [first, count] of [
      [0, 0],
      [0, 4],
      [3, 1],
      [-1, 1],
    ] as const) {
      const leaves = Array.from({ length: count }, () => leaf)
      assert.throws(
        () => pathsOfRange(leaves, { first, total: 3, siblings: new Uint8Array() }),
        RangeError,
      )
    }
  })
})
