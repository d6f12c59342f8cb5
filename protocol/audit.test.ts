import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { Hex } from 'viem'
import { bytesToHex, concat, hashTypedData, keccak256, numberToHex, pad } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { maxAmount } from './amount.ts'
import type { LiabilityProof, LiabilityRoot } from './audit.ts'
import {
  liabilityNode,
  liabilityRootDigest,
  proofFault,
  rootFault,
  rootsConflict,
} from './audit.ts'
import { hubDomainSeparator } from './receipt.ts'
import { buildSumTree } from './sum-tree.ts'
import { addresses, hashes, holds, uintOf } from './testing/arbitrary.ts'

const hub = { chainId: 31_337, hubAccount: `0x${'c1'.repeat(20)}` } as const
const key = privateKeyToAccount(`0x${'07'.repeat(32)}`)
const trusted = { hub, receiptSigner: key.address }
const token: Hex = `0x${'70'.repeat(20)}`
const types = {
  LiabilityRoot: [
    { name: 'token', type: 'address' },
    { name: 'root', type: 'bytes32' },
    { name: 'leaves', type: 'uint32' },
    { name: 'total', type: 'uint128' },
    { name: 'group', type: 'uint64' },
    { name: 'block', type: 'uint64' },
    { name: 'takenAt', type: 'uint64' },
  ],
} as const
const domain = { name: 'jandon', version: '1', chainId: 31_337, verifyingContract: hub.hubAccount }

async function signed(root: LiabilityRoot) {
  const digest = liabilityRootDigest(root, hubDomainSeparator(hub))
  return { ...root, signature: await key.sign({ hash: digest }) }
}

const accountAt = (index: number): Hex => `0x${index.toString(16).padStart(40, '0')}`

/** Proofs of all accounts of an audit, with amounts as given. */
async function audit(amounts: readonly { owed: bigint; yours: bigint }[]) {
  const leaves = amounts.map((amount, index) => ({
    ...amount,
    index,
    salt: keccak256(numberToHex(index)),
    account: accountAt(index),
  }))
  const tree = buildSumTree(leaves.map(liabilityNode))
  const root = await signed({
    token,
    root: bytesToHex(tree.root.hash),
    leaves: leaves.length,
    total: tree.root.sum,
    group: 9n,
    block: 8n,
    takenAt: 7n,
  })
  return leaves.map((leaf): LiabilityProof => {
    const path = tree.path(leaf.index).map(({ hash, sum }) => ({ hash: bytesToHex(hash), sum }))
    return { root, leaf, path }
  })
}

const amounts = fc.record({
  owed: fc.bigInt({ min: 0n, max: 2n ** 90n }),
  yours: fc.bigInt({ min: 0n, max: 2n ** 90n }),
})
const audits = fc.array(amounts, { minLength: 1, maxLength: 20 })

async function firstOf(...given: { owed: bigint; yours: bigint }[]) {
  const [proof] = await audit(given)
  assert.ok(proof)
  return proof
}

describe('liabilityRootDigest', () => {
  const roots = fc.record({
    token: addresses,
    root: hashes,
    leaves: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    total: uintOf(128),
    group: uintOf(64),
    block: uintOf(64),
    takenAt: uintOf(64),
  })
  holds('is the EIP-712 digest of the root in the hub’s domain (R31)', roots, (root) => {
    const message = root
    assert.equal(
      liabilityRootDigest(root, hubDomainSeparator(hub)),
      hashTypedData({ domain, types, primaryType: 'LiabilityRoot', message }),
    )
  })
})

describe('liabilityNode', () => {
  it('is the hash of PROTOCOL.md over the leaf, and the sum of both amounts (R31)', () => {
    const salt: Hex = `0x${'5a'.repeat(32)}`
    const account = accountAt(3)
    const words = [numberToHex(4, { size: 32 }), pad(account), ...[5n, 6n].map(wordOf)]
    const { hash, sum } = liabilityNode({ index: 4, salt, account, owed: 5n, yours: 6n })
    assert.equal(bytesToHex(hash), keccak256(concat(['0x02', salt, ...words])))
    assert.equal(sum, 11n)
    function wordOf(amount: bigint) {
      return numberToHex(amount, { size: 32 })
    }
  })

  it('refuses amounts below zero, and amounts that do not fit together (R31)', () => {
    const leaf = { index: 0, salt: token, account: token }
    assert.throws(() => liabilityNode({ ...leaf, owed: -1n, yours: 1n }), /not amounts/)
    assert.throws(() => liabilityNode({ ...leaf, owed: 1n, yours: -1n }), /not amounts/)
    assert.throws(() => liabilityNode({ ...leaf, owed: 1n, yours: maxAmount }), /not amounts/)
  })
})

describe('proofFault', () => {
  holds(
    'finds nothing wrong with the proof of any account (R31)',
    audits,
    async (given) => {
      for (const proof of await audit(given))
        assert.equal(await proofFault(proof, trusted), undefined)
    },
    20,
  )

  const spoils: { [what: string]: (proof: LiabilityProof) => LiabilityProof } = {
    'an account': ({ leaf, ...rest }) => ({ ...rest, leaf: { ...leaf, account: accountAt(77) } }),
    'an index': ({ leaf, ...rest }) => ({ ...rest, leaf: { ...leaf, index: leaf.index + 1 } }),
    'an index beyond the tree': ({ leaf, ...rest }) => ({ ...rest, leaf: { ...leaf, index: 99 } }),
    'a salt': ({ leaf, ...rest }) => ({ ...rest, leaf: { ...leaf, salt: keccak256('0x') } }),
    'what is owed': ({ leaf, ...rest }) => ({ ...rest, leaf: { ...leaf, owed: leaf.owed - 1n } }),
    'what is yours': ({ leaf, ...rest }) => ({
      ...rest,
      leaf: { ...leaf, yours: leaf.yours + 1n },
    }),
    'what moves between the two': ({ leaf, ...rest }) => ({
      ...rest,
      leaf: { ...leaf, owed: leaf.owed - 1n, yours: leaf.yours + 1n },
    }),
    'an amount below zero': ({ leaf, ...rest }) => ({
      ...rest,
      leaf: { ...leaf, owed: leaf.owed + leaf.yours + 1n, yours: -1n },
    }),
    'an amount that does not fit': ({ leaf, ...rest }) => ({
      ...rest,
      leaf: { ...leaf, owed: maxAmount },
    }),
    'a path': ({ path, ...rest }) => ({ ...rest, path: path.slice(1) }),
    'a sum on the path': ({ path, ...rest }) => ({
      ...rest,
      path: path.map(({ hash, sum }) => ({ hash, sum: sum - 1n })),
    }),
    'a total': ({ root, ...rest }) => ({ ...rest, root: { ...root, total: root.total - 1n } }),
    'a group': ({ root, ...rest }) => ({ ...rest, root: { ...root, group: root.group + 1n } }),
    'a count of leaves': ({ root, ...rest }) => ({ ...rest, root: { ...root, leaves: 5 } }),
  }
  for (const [what, spoil] of Object.entries(spoils)) {
    it(`finds ${what} that was changed (R31)`, async () => {
      const proof = await firstOf(
        { owed: 10n, yours: 4n },
        { owed: 3n, yours: 1n },
        { owed: 2n, yours: 0n },
      )
      assert.notEqual(await proofFault(spoil(proof), trusted), undefined)
    })
  }

  it('finds a total that the hub signed and that is less than its leaves (R31)', async () => {
    const proof = await firstOf({ owed: 10n, yours: 4n }, { owed: 3n, yours: 1n })
    const root = await signed({ ...proof.root, total: 17n })
    assert.match((await proofFault({ ...proof, root }, trusted)) ?? '', /come to 18.*says 17/)
  })

  it('finds that the hub left an account out by giving its place to another (R31)', async () => {
    const [, second] = await audit([
      { owed: 10n, yours: 0n },
      { owed: 3n, yours: 0n },
    ])
    const leftOut = {
      index: 1,
      salt: keccak256('0x01'),
      account: accountAt(5),
      owed: 3n,
      yours: 0n,
    }
    assert.ok(second)
    assert.match(
      (await proofFault({ ...second, leaf: leftOut }, trusted)) ?? '',
      /leaf 1 does not lead to the root/,
    )
  })

  it('takes a root of another hub, chain or key for unsigned (R31)', async () => {
    const proof = await firstOf({ owed: 1n, yours: 1n })
    const others = [
      { ...trusted, receiptSigner: token },
      { ...trusted, hub: { ...hub, chainId: 1 } },
      { ...trusted, hub: { ...hub, hubAccount: token } },
    ]
    for (const other of others)
      assert.match((await proofFault(proof, other)) ?? '', /is not signed by/)
    assert.equal(await rootFault(proof.root, trusted), undefined)
  })
})

describe('rootsConflict', () => {
  it('tells two roots of one token and group apart, by whichever field (R31)', async () => {
    const { root } = await firstOf({ owed: 1n, yours: 1n })
    assert.equal(rootsConflict(root, { ...root }), false)
    assert.equal(rootsConflict(root, { ...root, group: 10n, total: 5n }), false)
    assert.equal(rootsConflict(root, { ...root, token: accountAt(1), total: 5n }), false)
    const changes = [{ root: keccak256('0x') }, { total: 1n }, { leaves: 2 }, { block: 1n }]
    for (const change of [...changes, { takenAt: 1n }])
      assert.equal(rootsConflict(root, { ...root, ...change }), true)
  })
})
