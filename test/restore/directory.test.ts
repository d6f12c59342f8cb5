// Who may run on a data directory: one process, the hub it belongs to, and nobody who is behind the chain without knowing it.

import assert from 'node:assert/strict'
import { cp, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Hex, PrivateKeyAccount } from 'viem'
import { createWalletClient, http } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { hardhat } from 'viem/chains'
import { startPart } from '../../scripts/world/process.ts'
import type { OpenChannel } from '../support/channels.ts'
import { openChannel, sendTips } from '../support/channels.ts'
import { assertAnswer, assertProblem } from '../support/http.ts'
import type { HubFixture } from '../support/hub.ts'
import { eventually, openHub, settle } from '../support/hub.ts'
import { newCreator, randomHash, signIn, tipOf } from '../support/paper.ts'
import { backUp, operate, reconcile, restoreStatus, tipAndKeep } from '../support/restore.ts'

const main = fileURLToPath(new URL('../../server/main.ts', import.meta.url))

describe('a data directory', function () {
  this.timeout(180_000)
  let hub: HubFixture
  let ann: PrivateKeyAccount
  let fan: OpenChannel

  before(async () => {
    hub = await openHub()
    ann = await newCreator(hub, 'ann')
    fan = await openChannel(hub)
    await tipAndKeep(hub, fan, [tipOf(ann, 10_000n)])
  })
  after(() => hub?.close())

  const start = (changes: NodeJS.ProcessEnv) =>
    startPart('hub', [main], { ...hub.world.hubEnvironment, ...changes })

  it('is refused to a second hub, and the first goes on (R25)', async () => {
    await assert.rejects(
      start({ JANDON_PORT: '0' }),
      /another process holds it; stop that one first/,
    )
    assertAnswer(await sendTips(hub, fan, [tipOf(ann, 1n)]), 200)
  })

  it('is refused to a backup from its files while the hub runs, and gives one when it is stopped', async () => {
    const directory = hub.world.hubEnvironment['JANDON_DATA_DIR'] ?? ''
    const out = join(hub.world.folder, 'stopped.backup')
    const refused = await operate(hub, 'backup', '--out', out, '--data-dir', directory)
    assert.equal(refused.code, 1)
    assert.match(JSON.stringify(refused.json), /another process holds it/)
    await hub.world.hub.stop()
    const { code, json } = await operate(hub, 'backup', '--out', out, '--data-dir', directory)
    assert.equal(code, 0, JSON.stringify(json))
    await hub.world.restartHub()
  })

  for (const name of ['JANDON_OPERATOR_KEY', 'JANDON_RECEIPT_KEY'] as const) {
    it(`is refused under another ${name}, by both addresses (R25)`, async () => {
      await hub.world.hub.stop()
      const field = name === 'JANDON_OPERATOR_KEY' ? 'operator' : 'receiptSigner'
      await assert.rejects(
        start({ [name]: randomHash() }),
        new RegExp(
          `is of ${field} 0x[0-9a-f]{40}, this hub of 0x[0-9a-f]{40}; use another directory, or give it the new key with jandon key rotate`,
        ),
      )
      await hub.world.restartHub()
    })
  }

  it('is backed up for the operator alone', async () => {
    assertProblem(await hub.call({ path: '/v1/backup', token: randomHash() }), 'operator_required')
    assertProblem(await hub.call({ path: '/v1/restore', token: randomHash() }), 'operator_required')
    const path = '/v1/restore/reconcile'
    assertProblem(await hub.call({ path, token: randomHash(), body: {} }), 'operator_required')
  })

  it('is not overwritten by a restore (R22)', async () => {
    const file = await backUp(hub)
    const directory = hub.world.hubEnvironment['JANDON_DATA_DIR'] ?? ''
    const { code, json } = await operate(hub, 'restore', file, '--data-dir', directory)
    assert.equal(code, 1)
    assert.match(JSON.stringify(json), /is not empty: it holds/)
  })

  it('stops payments and sends nothing when somebody else uses a nonce of the operator key, until it is reconciled (R12, R25)', async () => {
    const { world } = hub
    const operator = privateKeyToAccount(world.hubEnvironment['JANDON_OPERATOR_KEY'] as Hex)
    const wallet = createWalletClient({
      account: operator,
      chain: hardhat,
      transport: http(world.rpcUrl),
    })
    const sent = () => world.chain.getTransactionCount({ address: operator.address })
    await wallet.sendTransaction({ to: operator.address, value: 0n })
    await eventually(
      () => restoreStatus(hub),
      ({ locked }) => locked?.reason === 'other-hand',
    )
    const refused = await sendTips(hub, fan, [tipOf(ann, 1n)])
    assertProblem(refused, 'stopping')
    assert.match(String(refused.body['detail']), /with nonce \d+ of the operator key was not sent/)
    const before = await sent()
    assertProblem(await settle(hub), 'money_out_locked')
    assert.equal(await sent(), before)
    await world.hub.stop()
    await world.restartHub()
    assertAnswer(await reconcile(hub), 200)
    assertAnswer(await sendTips(hub, fan, [tipOf(ann, 1n)]), 200)
    assertAnswer(await settle(hub), 202)
    assert.equal(await sent(), before + 1)
    assertAnswer(await sendTips(hub, fan, [tipOf(ann, 10_000n)]), 200)
  })

  it('stops payments when it is an old copy and the chain shows what it did not send (R25)', async () => {
    const { world } = hub
    const copy = join(world.folder, 'copy')
    await world.hub.stop()
    await mkdir(copy)
    await cp(world.hubEnvironment['JANDON_DATA_DIR'] ?? '', copy, { recursive: true })
    await world.restartHub()
    assertAnswer(await settle(hub), 202)
    await world.hub.stop()
    await world.restartHub({ JANDON_DATA_DIR: copy })
    const refused = await sendTips(hub, fan, [tipOf(ann, 1n)])
    assertProblem(refused, 'stopping')
    assert.match(String(refused.body['detail']), /was not sent from this data directory/)
    const { locked, missing } = await restoreStatus(hub)
    assert.equal(locked?.reason, 'other-hand')
    assert.equal(missing.difference, null)
    fan.token = await signIn(hub, fan.payer)
    const refund = { path: `/v1/channels/${fan.id}/refunds`, token: fan.token, body: {} }
    assertProblem(await hub.call(refund), 'money_out_locked')
    assertAnswer(await reconcile(hub), 200)
    assertAnswer(await hub.call(refund), 202)
  })
})
