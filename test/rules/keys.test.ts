// Keys in files: a hub and a tower that run on keystores, and what they say when they cannot (R32).

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Hex } from 'viem'
import { privateKeyToAddress } from 'viem/accounts'
import { encryptKey } from '#server/keys/keystore.ts'
import { setClaimer } from '../../scripts/world/admin.ts'
import { startPart } from '../../scripts/world/process.ts'
import { assertAnswer } from '../support/http.ts'
import type { HubFixture } from '../support/hub.ts'
import { openHub, reservesOf } from '../support/hub.ts'
import { randomHash } from '../support/paper.ts'

const main = fileURLToPath(new URL('../../server/main.ts', import.meta.url))
const tower = fileURLToPath(new URL('../../server/tower/main.ts', import.meta.url))
const passphrase = 'what only the operator knows'

describe('keys in keystores', function () {
  this.timeout(120_000)
  let hub: HubFixture
  let files: NodeJS.ProcessEnv

  before(async () => {
    hub = await openHub()
    await hub.world.hub.stop()
    files = {
      JANDON_KEYSTORE_PASSPHRASE_FILE: await secretFile('passphrase', `${passphrase}\n`),
      JANDON_OPERATOR_KEYSTORE: await keystoreOf('JANDON_OPERATOR_KEY'),
      JANDON_RECEIPT_KEYSTORE: await keystoreOf('JANDON_RECEIPT_KEY'),
      JANDON_OPERATOR_KEY: undefined,
      JANDON_RECEIPT_KEY: undefined,
    }
  })
  after(() => hub?.close())

  async function secretFile(name: string, text: string, mode = 0o600) {
    const path = join(hub.world.folder, name)
    await writeFile(path, text)
    await chmod(path, mode)
    return path
  }

  const keyOf = (name: string) => hub.world.hubEnvironment[name] as Hex

  async function keystoreOf(name: string, mode = 0o600) {
    const cost = { n: 1024, r: 8, p: 1 }
    const text = await encryptKey(keyOf(name), { passphrase, randomBytes, cost })
    return secretFile(`${name}-${mode.toString(8)}.json`, text, mode)
  }

  /** Starts a program that must not start; answers what it said, with no secret in it. */
  async function complaintOf(changes: NodeJS.ProcessEnv, script = main) {
    const env = { ...hub.world.hubEnvironment, ...files, JANDON_PORT: '0', ...changes }
    const said = await startPart('hub', [script], env).then(
      async (part) => {
        await part.kill()
        return assert.fail('it started')
      },
      (cause: unknown) => String(cause),
    )
    const { operatorToken } = hub.world
    const keys = [keyOf('JANDON_OPERATOR_KEY'), keyOf('JANDON_RECEIPT_KEY')]
    for (const secret of [passphrase, operatorToken, ...keys.map((key) => key.slice(2, 40))])
      assert.ok(!said.includes(secret), said)
    return said
  }

  it('run the same hub as raw keys in the environment, and it prints none of them (R32)', async () => {
    await hub.world.restartHub(files)
    const { body } = await hub.call({ path: '/.well-known/jandon' })
    assert.equal(body['receiptSigner'], hub.info.receiptSigner)
    assert.equal((await reservesOf(hub))['verdict'], 'equal')
    assertAnswer(await hub.call({ path: '/healthz' }), 200)
    const printed = hub.world.hub.complaints()
    for (const name of ['JANDON_OPERATOR_KEY', 'JANDON_RECEIPT_KEY'])
      assert.ok(!printed.includes(keyOf(name).slice(2)))
    await hub.world.hub.stop()
  })

  it('are refused beside a raw key, and without a passphrase file or any key (R32)', async () => {
    const both = await complaintOf({ JANDON_OPERATOR_KEY: keyOf('JANDON_OPERATOR_KEY') })
    assert.match(both, /JANDON_OPERATOR_KEY: is given, and so is JANDON_OPERATOR_KEYSTORE/)
    const none = await complaintOf({ JANDON_RECEIPT_KEYSTORE: undefined })
    assert.match(none, /JANDON_RECEIPT_KEY: is missing; give it, or a keystore file in/)
    const open = await complaintOf({ JANDON_KEYSTORE_PASSPHRASE_FILE: undefined })
    assert.match(open, /JANDON_KEYSTORE_PASSPHRASE_FILE: is needed with JANDON_OPERATOR_KEYSTORE/)
  })

  it('are refused under another passphrase, and when they cannot be read, by name (R32)', async () => {
    const JANDON_KEYSTORE_PASSPHRASE_FILE = await secretFile('wrong', 'something else')
    assert.match(
      await complaintOf({ JANDON_KEYSTORE_PASSPHRASE_FILE }),
      /JANDON_OPERATOR_KEYSTORE: .*: the passphrase is not that of this keystore/,
    )
    const gone = await complaintOf({ JANDON_RECEIPT_KEYSTORE: join(hub.world.folder, 'gone') })
    assert.match(gone, /JANDON_RECEIPT_KEYSTORE: .*gone cannot be read/)
    const raw = await secretFile('raw', keyOf('JANDON_RECEIPT_KEY'))
    assert.match(await complaintOf({ JANDON_RECEIPT_KEYSTORE: raw }), /this is not a keystore/)
  })

  it('are refused when everybody on the machine can read them, or the passphrase (R32)', async () => {
    const JANDON_OPERATOR_KEYSTORE = await keystoreOf('JANDON_OPERATOR_KEY', 0o644)
    assert.match(await complaintOf({ JANDON_OPERATOR_KEYSTORE }), /run chmod 600/)
    const JANDON_KEYSTORE_PASSPHRASE_FILE = await secretFile('open', passphrase, 0o604)
    assert.match(await complaintOf({ JANDON_KEYSTORE_PASSPHRASE_FILE }), /run chmod 600/)
  })

  it('repeats nothing of a raw key with a typing error (R32)', async () => {
    const raw = { JANDON_OPERATOR_KEYSTORE: undefined, JANDON_RECEIPT_KEYSTORE: undefined }
    const receipt = { JANDON_RECEIPT_KEY: keyOf('JANDON_RECEIPT_KEY') }
    const typo = keyOf('JANDON_OPERATOR_KEY').slice(0, -1)
    for (const JANDON_OPERATOR_KEY of [typo, `${typo}g`, typo.slice(2), `${typo}00`])
      assert.match(
        await complaintOf({ ...raw, ...receipt, JANDON_OPERATOR_KEY }),
        /JANDON_OPERATOR_KEY: must be 0x and 64 hex digits/,
      )
    const order = '0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141'
    assert.match(
      await complaintOf({ ...raw, ...receipt, JANDON_OPERATOR_KEY: order }),
      /JANDON_OPERATOR_KEY: this is not a private key/,
    )
  })

  it('run a watchtower too, whose start is refused in the same words (R32)', async () => {
    const settings = {
      JANDON_TOWER_DIR: join(hub.world.folder, 'tower'),
      JANDON_TOWER_PORT: '0',
      JANDON_TOWER_TOKEN: randomHash().slice(2),
      JANDON_CLAIMER_KEYSTORE: await keystoreOf('JANDON_OPERATOR_KEY'),
    }
    const env = { ...hub.world.hubEnvironment, ...files, ...settings }
    const claimer = privateKeyToAddress(keyOf('JANDON_OPERATOR_KEY'))
    await setClaimer(hub.world, claimer, true)
    const running = await startPart('tower', [tower], env)
    await running.stop()
    const open = {
      ...settings,
      JANDON_CLAIMER_KEYSTORE: await keystoreOf('JANDON_OPERATOR_KEY', 0o606),
    }
    assert.match(await complaintOf(open, tower), /JANDON_CLAIMER_KEYSTORE: .*run chmod 600/)
    const none = { ...settings, JANDON_CLAIMER_KEYSTORE: undefined }
    assert.match(await complaintOf(none, tower), /JANDON_CLAIMER_KEY: is missing/)
  })
})
