import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type { Hex } from 'viem'
import { generatePrivateKey, privateKeyToAddress } from 'viem/accounts'
import { lowerCase } from '#protocol/signature.ts'
import { createDigestSigner } from './signature-backend.ts'
import type { SignatureChecks } from './signature-checks.ts'
import { createSignatureChecks } from './signature-checks.ts'

const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n

function newSigner() {
  const key = generatePrivateKey()
  return { address: lowerCase(privateKeyToAddress(key)), sign: createDigestSigner(key) }
}

const randomDigest = (): Hex => `0x${randomBytes(32).toString('hex')}`

describe('createSignatureChecks', () => {
  let checks: SignatureChecks
  before(() => {
    checks = createSignatureChecks({
      workers: 2,
      onFailure(cause) {
        throw cause
      },
    })
  })
  after(() => checks.stop())

  it('finds every signature right, the first of a signer and the later ones', async () => {
    const signers = Array.from({ length: 20 }, newSigner)
    const all = Array.from({ length: 400 }, (_, at) => {
      const { address, sign } = signers[at % signers.length] ?? newSigner()
      const digest = randomDigest()
      return checks.isBy(address, digest, sign(digest))
    })
    assert.deepEqual(await Promise.all(all), Array(400).fill(true))
    const again = await Promise.all(
      signers.map(({ address, sign }) => {
        const digest = randomDigest()
        return checks.isBy(address, digest, sign(digest))
      }),
    )
    assert.deepEqual(again, Array(20).fill(true))
  })

  it('answers each check for itself, however they are mixed', async () => {
    const { address, sign } = newSigner()
    const asked = Array.from({ length: 300 }, (_, at) => {
      const digest = randomDigest()
      const signature = sign(at % 3 === 0 ? randomDigest() : digest)
      return { digest, signature, expected: at % 3 !== 0 }
    })
    const found = await Promise.all(
      asked.map(({ digest, signature }) => checks.isBy(address, digest, signature)),
    )
    assert.deepEqual(
      found,
      asked.map(({ expected }) => expected),
    )
  })

  for (const known of [false, true]) {
    describe(`of a signer whose key is ${known ? '' : 'not '}known`, () => {
      const digest = randomDigest()
      let signer: ReturnType<typeof newSigner>
      let signature: Hex
      beforeEach(async () => {
        signer = newSigner()
        signature = signer.sign(digest)
        if (known) assert.equal(await checks.isBy(signer.address, digest, signature), true)
      })

      it('takes either v', async () => {
        for (const v of ['1b', '1c']) {
          const other: Hex = `0x${signature.slice(2, -2)}${v}`
          assert.equal(await checks.isBy(signer.address, digest, other), true)
        }
      })

      const spoiled: { [what: string]: (signature: Hex) => Hex } = {
        'the high-s twin': (of) => {
          const s = order - BigInt(`0x${of.slice(66, 130)}`)
          const v = of.endsWith('1b') ? '1c' : '1b'
          return `0x${of.slice(2, 66)}${s.toString(16).padStart(64, '0')}${v}`
        },
        'r of zero': (of) => `0x${'00'.repeat(32)}${of.slice(66)}`,
        's of zero': (of) => `0x${of.slice(2, 66)}${'00'.repeat(32)}${of.slice(130)}`,
        'r of the order': (of) => `0x${order.toString(16)}${of.slice(66)}`,
        '64 bytes': (of) => `0x${of.slice(2, 130)}`,
        '66 bytes': (of) => `${of}1b`,
        nothing: () => '0x',
      }
      for (const [what, spoil] of Object.entries(spoiled)) {
        it(`refuses ${what}`, async () => {
          assert.equal(await checks.isBy(signer.address, digest, spoil(signature)), false)
        })
      }

      for (const v of ['00', '01', '1a', '1d', 'ff']) {
        it(`refuses a v of 0x${v}`, async () => {
          const other: Hex = `0x${signature.slice(2, -2)}${v}`
          assert.equal(await checks.isBy(signer.address, digest, other), false)
        })
      }

      it('refuses another digest, and the signature of somebody else', async () => {
        const stranger = newSigner()
        assert.equal(await checks.isBy(signer.address, randomDigest(), signature), false)
        assert.equal(await checks.isBy(signer.address, digest, stranger.sign(digest)), false)
        assert.equal(await checks.isBy(stranger.address, digest, signature), false)
      })
    })
  }
})
