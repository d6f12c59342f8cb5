import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { Hex } from 'viem'
import { bytesToHex, concat, numberToHex, recoverAddress } from 'viem'
import { privateKeyToAddress } from 'viem/accounts'
import { lowerCase } from '#protocol/signature.ts'
import { hashes, holds } from '#protocol/testing/arbitrary.ts'
import { createDigestSigner, createSignatureBackend } from './signature-backend.ts'

const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
const half = order / 2n
const field = 2n ** 256n - 2n ** 32n - 977n
const keys = fc.bigInt({ min: 1n, max: order - 1n }).map((key) => numberToHex(key, { size: 32 }))
const backend = createSignatureBackend()
const digest: Hex = `0x${'d1'.repeat(32)}`
const sample = createDigestSigner(`0x${'5a'.repeat(32)}`)(digest)

type Parts = { r: bigint; s: bigint; v: number }

function partsOf(signature: Hex): Parts {
  return {
    r: BigInt(signature.slice(0, 66)),
    s: BigInt(`0x${signature.slice(66, 130)}`),
    v: Number(`0x${signature.slice(130)}`),
  }
}

function signatureOf({ r, s, v }: Parts): Hex {
  return concat([
    numberToHex(r, { size: 32 }),
    numberToHex(s, { size: 32 }),
    numberToHex(v, { size: 1 }),
  ])
}

/** Whom viem recovers, or `undefined` when it throws. */
async function viemRecovers(hash: Hex, signature: Hex): Promise<Hex | undefined> {
  try {
    return lowerCase(await recoverAddress({ hash, signature }))
  } catch (error) {
    if (error instanceof Error) return undefined
    throw error
  }
}

describe('createSignatureBackend', () => {
  it('says what does the arithmetic', () => assert.equal(backend.name, 'secp256k1'))

  holds(
    'recovers whom viem recovers from a signature by any key',
    fc.tuple(keys, hashes),
    async ([key, hash]) => {
      const signature = createDigestSigner(key)(hash)
      const signer = backend.recover(hash, signature)
      assert.equal(signer, await viemRecovers(hash, signature))
      assert.equal(signer, lowerCase(privateKeyToAddress(key)))
    },
    200,
  )

  const scalar = fc.oneof(
    fc.bigInt({ min: 1n, max: half }),
    fc.constantFrom(1n, 2n, half - 1n, half),
  )
  holds(
    'recovers whom viem recovers from any canonical numbers, or nobody with it',
    fc.tuple(hashes, fc.record({ r: scalar, s: scalar, v: fc.constantFrom(27, 28) })),
    async ([hash, parts]) => {
      const signature = signatureOf(parts)
      assert.equal(backend.recover(hash, signature), await viemRecovers(hash, signature))
    },
    300,
  )

  holds(
    'recovers another signer, or none, when any one bit of the signature is flipped',
    fc.nat(65 * 8 - 1),
    (bit) => {
      const bytes = Buffer.from(sample.slice(2), 'hex')
      const at = Math.floor(bit / 8)
      bytes[at] = (bytes[at] ?? 0) ^ (1 << (bit % 8))
      assert.notEqual(backend.recover(digest, bytesToHex(bytes)), backend.recover(digest, sample))
    },
  )

  it('takes s at half the order, and not one above (R7)', async () => {
    const taken = signatureOf({ ...partsOf(sample), s: half })
    const signer = backend.recover(digest, taken)
    assert.ok(signer)
    assert.equal(signer, await viemRecovers(digest, taken))
    const above = signatureOf({ ...partsOf(sample), s: half + 1n })
    assert.equal(backend.recover(digest, above), undefined)
  })

  it('refuses the other signature of the same signer: high s, other v (R7)', async () => {
    const { r, s, v } = partsOf(sample)
    const twin = signatureOf({ r, s: order - s, v: 55 - v })
    assert.equal(await viemRecovers(digest, twin), backend.recover(digest, sample))
    assert.equal(backend.recover(digest, twin), undefined)
  })

  for (const v of [0, 1, 2, 26, 29, 30, 31, 255]) {
    it(`refuses v ${v} (R7)`, () => {
      const signature = signatureOf({ ...partsOf(sample), v })
      assert.equal(backend.recover(digest, signature), undefined)
    })
  }

  const edges: { [name: string]: Partial<Parts> } = {
    'r zero': { r: 0n },
    's zero': { s: 0n },
    'r at the order': { r: order },
    's at the order': { s: order },
    'r at the field': { r: field },
    'r of all ones': { r: 2n ** 256n - 1n },
    's of all ones': { s: 2n ** 256n - 1n },
  }
  for (const [name, change] of Object.entries(edges)) {
    it(`refuses ${name} (R7)`, () => {
      const signature = signatureOf({ ...partsOf(sample), ...change })
      assert.equal(backend.recover(digest, signature), undefined)
    })
  }

  const shapes: { [name: string]: Hex } = {
    nothing: '0x',
    '64 bytes': sample.slice(0, -2) as Hex,
    '66 bytes': `${sample}00`,
    'half a byte less': sample.slice(0, -1) as Hex,
    'letters that are no digits': sample.replace(/^0x../, '0xzz') as Hex,
    'no prefix': sample.slice(2) as Hex,
  }
  for (const [name, signature] of Object.entries(shapes)) {
    it(`refuses ${name} (R7)`, () => {
      assert.equal(backend.recover(digest, signature), undefined)
    })
  }

  it('recovers nobody from an r that is no point', async () => {
    const { v } = partsOf(sample)
    const nobody: Hex[] = []
    for (let r = 1n; r <= 40n; r += 1n) {
      const signature = signatureOf({ r, s: 1n, v })
      const expected = await viemRecovers(digest, signature)
      assert.equal(backend.recover(digest, signature), expected)
      if (expected === undefined) nobody.push(signature)
    }
    assert.ok(nobody.length > 0, 'some of these have no point')
  })
})

describe('createDigestSigner', () => {
  holds(
    'signs canonically, and the same digest the same way',
    fc.tuple(keys, hashes),
    ([key, hash]) => {
      const signature = createDigestSigner(key)(hash)
      const { r, s, v } = partsOf(signature)
      assert.equal(signature.length, 2 + 65 * 2)
      assert.ok(r > 0n && r < order && s > 0n && s <= half)
      assert.ok(v === 27 || v === 28)
      assert.equal(createDigestSigner(key)(hash), signature)
      assert.equal(backend.recover(hash, signature), lowerCase(privateKeyToAddress(key)))
    },
    200,
  )

  for (const key of [0n, order]) {
    it(`throws for the key ${key}, which is none`, () => {
      const sign = createDigestSigner(numberToHex(key, { size: 32 }))
      assert.throws(() => sign(digest))
    })
  }
})
