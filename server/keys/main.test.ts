// `jandon key` as an operator runs it.

import assert from 'node:assert/strict'
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generatePrivateKey, privateKeyToAddress } from 'viem/accounts'
import { jandon } from '../../client/testing/cli.ts'
import { decryptKeystore } from './keystore.ts'

describe('jandon key', function () {
  this.timeout(60_000)
  let folder: string
  let passphraseFile: string
  const passphrase = 'a long passphrase'
  const key = generatePrivateKey()
  const address = privateKeyToAddress(key).toLowerCase()

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'jandon-key-'))
    passphraseFile = await secretFile('passphrase', `${passphrase}\n`)
  })
  after(() => rm(folder, { recursive: true, force: true }))

  async function secretFile(name: string, text: string, mode = 0o600) {
    const path = join(folder, name)
    await writeFile(path, text)
    await chmod(path, mode)
    return path
  }

  async function run(...args: string[]) {
    const environment = { JANDON_KEYSTORE_PASSPHRASE_FILE: passphraseFile }
    const said = await jandon(['key', ...args], { folder, environment })
    const all = said.stdout + said.stderr
    for (const secret of [passphrase, key.slice(2)]) assert.ok(!all.includes(secret), all)
    return said
  }

  it('makes a key that only its owner can read, and says whose it is', async () => {
    const out = join(folder, 'new.json')
    const { code, stdout } = await run('new', '--out', out, '--json')
    assert.equal(code, 0)
    const text = await readFile(out, 'utf8')
    const made = await decryptKeystore(text, passphrase)
    assert.deepEqual(JSON.parse(stdout), {
      address: privateKeyToAddress(made).toLowerCase(),
      file: out,
    })
    assert.equal((await stat(out)).mode & 0o777, 0o600)
    assert.ok(!text.includes(made.slice(2)))
    const shown = await run('show-address', out)
    assert.equal(shown.stdout.trim(), privateKeyToAddress(made).toLowerCase())
  })

  it('overwrites nothing', async () => {
    const out = await secretFile('there.json', 'something')
    const { code, stderr } = await run('new', '--out', out)
    assert.equal(code, 1)
    assert.match(stderr, /there\.json is there already/)
    assert.equal(await readFile(out, 'utf8'), 'something')
  })

  it('puts a raw key from a file into a keystore', async () => {
    const raw = await secretFile('raw', `${key}\n`)
    const out = join(folder, 'from-raw.json')
    const { code, stdout } = await run('encrypt', '--key-file', raw, '--out', out)
    assert.equal(code, 0)
    assert.match(stdout, new RegExp(address))
    assert.equal(await decryptKeystore(await readFile(out, 'utf8'), passphrase), key)
  })

  it('refuses files that everybody can read, and says what to run', async () => {
    const raw = await secretFile('open', key, 0o644)
    const { code, stderr } = await run('encrypt', '--key-file', raw, '--out', join(folder, 'x'))
    assert.equal(code, 1)
    assert.match(stderr, /open is open to everybody on this machine: run chmod 600/)
    const open = await secretFile('open-passphrase', passphrase, 0o604)
    const args = ['show-address', join(folder, 'from-raw.json'), '--passphrase-file', open]
    assert.match((await run(...args)).stderr, /run chmod 600/)
  })

  it('repeats nothing of a key with a typing error, wherever it stands', async () => {
    const raw = await secretFile('typo', key.slice(0, -1))
    const typed = await run('encrypt', '--key-file', raw, '--out', join(folder, 'x'))
    assert.equal(typed.code, 1)
    assert.match(typed.stderr, /does not hold a private key/)
    assert.ok(!typed.stderr.includes(key.slice(2, 30)))
    for (const args of [['encrypt', key], [`--${key}`], ['new', `--out-${key}`], [key]]) {
      const { code, stderr } = await run(...args)
      assert.equal(code, 2)
      assert.match(stderr, /usage: jandon key/)
    }
  })

  it('refuses another passphrase, an empty one and none', async () => {
    const file = join(folder, 'from-raw.json')
    const other = await secretFile('other', 'another one')
    const wrong = await run('show-address', file, '--passphrase-file', other)
    assert.equal(wrong.code, 1)
    assert.match(wrong.stderr, /the passphrase is not that of this keystore/)
    const empty = await secretFile('empty', '\n')
    const none = await run('show-address', file, '--passphrase-file', empty)
    assert.match(none.stderr, /the passphrase, is empty/)
    const unnamed = await jandon(['key', 'show-address', file], { folder })
    assert.equal(unnamed.code, 2)
    assert.match(unnamed.stderr, /name the file with the passphrase/)
  })

  it('tells its commands', async () => {
    const { code, stdout } = await run('--help')
    assert.equal(code, 0)
    assert.match(stdout, /jandon key new --out/)
  })
})
