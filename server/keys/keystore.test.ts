import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import type { Hex } from 'viem'
import { privateKeyToAddress } from 'viem/accounts'
import { hashes, holds } from '#protocol/testing/arbitrary.ts'
import { addressOfKey, decryptKeystore, encryptKey } from './keystore.ts'

/** The two examples of the Web3 Secret Storage definition, which geth tests with as well. */
const published = {
  key: '0x7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d',
  passphrase: 'testpassword',
  pbkdf2: {
    version: 3,
    id: '3198bc9c-6672-5ab3-d995-4942343ae5b6',
    address: '008aeeda4d805471df9b2a5b0f38a0c3bcba786b',
    crypto: {
      cipher: 'aes-128-ctr',
      cipherparams: { iv: '6087dab2f9fdbbfaddc31a909735c1e6' },
      ciphertext: '5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46',
      kdf: 'pbkdf2',
      kdfparams: {
        c: 262_144,
        dklen: 32,
        prf: 'hmac-sha256',
        salt: 'ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd',
      },
      mac: '517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2',
    },
  },
  scrypt: {
    version: 3,
    id: '3198bc9c-6672-5ab3-d995-4942343ae5b6',
    crypto: {
      cipher: 'aes-128-ctr',
      cipherparams: { iv: '83dbcc02d8ccb40e466191a123791e0e' },
      ciphertext: 'd172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c',
      kdf: 'scrypt',
      kdfparams: {
        dklen: 32,
        n: 262_144,
        r: 1,
        p: 8,
        salt: 'ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19',
      },
      mac: '2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097',
    },
  },
} as const

const cheap = { n: 2, r: 1, p: 1 }
const key: Hex = `0x${'4b'.repeat(32)}`
const passphrase = 'correct horse 잔돈'

/** Any keystore as an object, changed and written again. */
async function spoiled(
  change: (file: { crypto: Record<string, unknown> } & Record<string, unknown>) => void,
) {
  const file = JSON.parse(await encryptKey(key, { passphrase, randomBytes, cost: cheap }))
  change(file)
  return JSON.stringify(file)
}

/** Fails with a message that has none of the secrets in it, its causes included. */
async function assertSilent(work: Promise<unknown>, message: RegExp) {
  await assert.rejects(work, (error: unknown) => {
    const told: string[] = []
    for (let at = error; at instanceof Error; at = at.cause) told.push(at.message, at.stack ?? '')
    const text = told.join('\n')
    assert.match(text, message)
    for (const secret of [key.slice(2), key.slice(2, 18), passphrase])
      assert.ok(!text.includes(secret))
    return true
  })
}

describe('decryptKeystore', () => {
  for (const kdf of ['pbkdf2', 'scrypt'] as const) {
    it(`reads the published example of ${kdf}`, async () => {
      const text = JSON.stringify(published[kdf])
      assert.equal(await decryptKeystore(text, published.passphrase), published.key)
    })
  }

  it('reads a file that writes Crypto, and an address with 0x', async () => {
    const { crypto, ...rest } = published.scrypt
    const address = privateKeyToAddress(published.key)
    const text = JSON.stringify({ ...rest, address, Crypto: crypto })
    assert.equal(await decryptKeystore(text, published.passphrase), published.key)
  })

  it('refuses another passphrase, and says no more', async () => {
    const text = await spoiled(() => undefined)
    for (const wrong of ['', `${passphrase} `, passphrase.toUpperCase()])
      await assertSilent(
        decryptKeystore(text, wrong),
        /the passphrase is not that of this keystore/,
      )
  })

  const changes: { [what: string]: [(file: Record<string, unknown>) => void, RegExp] } = {
    ciphertext: [
      ({ crypto }) => Object.assign(crypto as object, { ciphertext: '00'.repeat(32) }),
      /passphrase/,
    ],
    mac: [({ crypto }) => Object.assign(crypto as object, { mac: '00'.repeat(32) }), /passphrase/],
    'address of another key': [
      (file) => Object.assign(file, { address: '11'.repeat(20) }),
      /names address 0x1{40} and holds the key of 0x/,
    ],
    version: [(file) => Object.assign(file, { version: 4 }), /see version/],
    cipher: [
      ({ crypto }) => Object.assign(crypto as object, { cipher: 'aes-128-cbc' }),
      /see crypto.cipher/,
    ],
    kdf: [({ crypto }) => Object.assign(crypto as object, { kdf: 'md5' }), /see crypto/],
    'demand for memory': [
      ({ crypto }) => Object.assign((crypto as { kdfparams: object }).kdfparams, { n: 2 ** 30 }),
      /see crypto.kdfparams/,
    ],
    'cost that is no power of two': [
      ({ crypto }) => Object.assign((crypto as { kdfparams: object }).kdfparams, { n: 3 }),
      /scrypt does not take n 3/,
    ],
  }
  for (const [what, [change, message]] of Object.entries(changes)) {
    it(`refuses a file with a wrong ${what}`, async () => {
      await assertSilent(decryptKeystore(await spoiled(change), passphrase), message)
    })
  }

  it('repeats nothing of what is no keystore: it may be a raw key', async () => {
    for (const text of [key, key.slice(2), `{"key":"${key}"}`, `["${key}"]`, '', `${key}{`])
      await assertSilent(decryptKeystore(text, passphrase), /this is not a keystore/)
  })
})

describe('encryptKey', () => {
  holds(
    'keeps any key under any passphrase',
    fc.record({ secret: hashes.filter((hash) => isKey(hash)), words: fc.string({ minLength: 1 }) }),
    async ({ secret, words }) => {
      const text = await encryptKey(secret, { passphrase: words, randomBytes, cost: cheap })
      assert.equal(await decryptKeystore(text, words), secret)
      assert.ok(!text.includes(secret.slice(2)))
    },
    50,
  )

  it('draws salt and iv anew, and asks for 256 MiB and more work than a millisecond', async () => {
    const files = await Promise.all([1, 2].map(() => encryptKey(key, { passphrase, randomBytes })))
    const [one, other] = files.map((text) => JSON.parse(text).crypto)
    assert.notEqual(one.kdfparams.salt, other.kdfparams.salt)
    assert.notEqual(one.cipherparams.iv, other.cipherparams.iv)
    assert.notEqual(one.ciphertext, other.ciphertext)
    assert.deepEqual(
      { ...one.kdfparams, salt: '' },
      { n: 2 ** 18, r: 8, p: 1, dklen: 32, salt: '' },
    )
  })
})

describe('addressOfKey', () => {
  it('refuses zero and whatever is not below the order, without repeating it', async () => {
    const order = 'fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141'
    for (const none of ['00'.repeat(32), order, 'ff'.repeat(32)]) {
      const ask = async () => addressOfKey(`0x${none}`)
      await assert.rejects(ask, (error: Error) => !error.message.includes(none))
    }
  })
})

function isKey(text: Hex): boolean {
  try {
    return addressOfKey(text) !== undefined
  } catch (cause) {
    if (cause instanceof Error) return false
    throw cause
  }
}
