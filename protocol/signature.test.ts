import assert from 'node:assert/strict'
import type { Hex } from 'viem'
import { numberToHex, parseSignature, recoverAddress, serializeCompactSignature } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { isCanonicalSignature, lowerCase, recoverSigner } from './signature.ts'
import { hashes, hexOf, holds } from './testing/arbitrary.ts'

const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
const account = privateKeyToAccount(`0x${'11'.repeat(32)}`)
const digest: Hex = `0x${'5a'.repeat(32)}`
const signature = await account.sign({ hash: digest })
const r = signature.slice(2, 66)
const s = signature.slice(66, 130)
const v = signature.slice(130)

/** The same signature with the other s, which the curve takes as well and the contract does not. */
function highS(hex: Hex): Hex {
  const flipped = numberToHex(order - BigInt(`0x${hex.slice(66, 130)}`), { size: 32 })
  return `${hex.slice(0, 66) as Hex}${flipped.slice(2)}${hex.endsWith('1b') ? '1c' : '1b'}`
}

function withS(value: bigint): Hex {
  return `0x${r}${numberToHex(value, { size: 32 }).slice(2)}${v}`
}

function withR(value: bigint): Hex {
  return `${numberToHex(value, { size: 32 })}${s}${v}`
}

const compact = serializeCompactSignature({
  r: parseSignature(signature).r,
  yParityAndS: parseSignature(signature).s,
})

describe('isCanonicalSignature (R7)', () => {
  it('takes 65 bytes with low s and v 27 or 28, in any case', () => {
    assert.equal(isCanonicalSignature(signature), true)
    assert.equal(isCanonicalSignature(`0x${r}${s}1b`), true)
    assert.equal(isCanonicalSignature(`0x${r}${s}1c`), true)
    assert.equal(isCanonicalSignature(`0x${signature.slice(2).toUpperCase()}`), true)
  })
  it('takes s and r at their limits and refuses one past them', () => {
    const half = order / 2n
    assert.equal(isCanonicalSignature(withS(1n)), true)
    assert.equal(isCanonicalSignature(withS(half)), true)
    assert.equal(isCanonicalSignature(withS(half + 1n)), false)
    assert.equal(isCanonicalSignature(withR(1n)), true)
    assert.equal(isCanonicalSignature(withR(order - 1n)), true)
    assert.equal(isCanonicalSignature(withR(order)), false)
  })
  const refused: Record<string, Hex> = {
    'a high s': highS(signature),
    's = 0': withS(0n),
    's = order': withS(order),
    'r = 0': withR(0n),
    'r above the order': withR(2n ** 256n - 1n),
    'v 0': `0x${r}${s}00`,
    'v 1': `0x${r}${s}01`,
    'v 26': `0x${r}${s}1a`,
    'v 29': `0x${r}${s}1d`,
    'v of EIP-155': `0x${r}${s}25`,
    '64 bytes (EIP-2098)': compact,
    '64 bytes and a half': signature.slice(0, -1) as Hex,
    '66 bytes': `${signature}00`,
    'a byte before': `0x00${signature.slice(2)}`,
    nothing: '0x',
    'digits that are not hex': `0x${'zz'.repeat(64)}1b`,
    'a capital X': `0X${signature.slice(2)}` as Hex,
    'no prefix': signature.slice(2) as Hex,
    'a line end': `${signature}\n`,
  }
  for (const [what, bad] of Object.entries(refused)) {
    it(`refuses ${what}`, () => {
      assert.equal(isCanonicalSignature(bad), false)
    })
  }
})

describe('recoverSigner', () => {
  it('names the signer in lower case', async () => {
    assert.equal(await recoverSigner(digest, signature), account.address.toLowerCase())
  })
  it('names somebody else for another digest', async () => {
    assert.notEqual(
      await recoverSigner(`0x${'5b'.repeat(32)}`, signature),
      lowerCase(account.address),
    )
  })
  it('refuses a high s, though the curve would recover the signer', async () => {
    const flipped = highS(signature)
    assert.equal(await recoverAddress({ hash: digest, signature: flipped }), account.address)
    assert.equal(await recoverSigner(digest, flipped), undefined)
  })
  it('answers undefined for an r that is on no point of the curve', async () => {
    assert.equal(isCanonicalSignature(withR(5n)), true)
    assert.equal(await recoverSigner(digest, withR(5n)), undefined)
  })
  holds(
    'agrees with viem on every signature that a key makes',
    hashes,
    async (hash) => {
      const made = await account.sign({ hash })
      assert.equal(isCanonicalSignature(made), true)
      assert.equal(await recoverSigner(hash, made), account.address.toLowerCase())
      assert.equal(await recoverSigner(hash, highS(made)), undefined)
    },
    100,
  )
  holds('refuses random bytes or agrees with viem on them', hexOf(65), async (bytes) => {
    const signer = await recoverSigner(digest, bytes)
    if (signer === undefined) return
    const recovered = await recoverAddress({ hash: digest, signature: bytes })
    assert.equal(signer, recovered.toLowerCase())
  })
})

describe('lowerCase', () => {
  it('spells hex in lower case', () => {
    assert.equal(lowerCase('0xABcd12'), '0xabcd12')
  })
})
