// Keys that change while channels stay open, against real processes (R33).

import assert from 'node:assert/strict'
import type { Hex, PrivateKeyAccount } from 'viem'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import { jandon } from '../../client/testing/cli.ts'
import { makeOperator, setClaimer } from '../../scripts/world/admin.ts'
import { startTower } from '../../scripts/world/tower.ts'
import type { OpenChannel } from '../support/channels.ts'
import { openChannel, sendTips } from '../support/channels.ts'
import { assertAnswer, assertProblem } from '../support/http.ts'
import type { HubFixture } from '../support/hub.ts'
import { eventually, newParty, openHub, reservesOf, settle } from '../support/hub.ts'
import { addressOf, newCreator, signDeposit, signIn, tipOf, unit } from '../support/paper.ts'
import { assertConserved, restoreStatus } from '../support/restore.ts'

describe('rotation of the operator key', function () {
  this.timeout(180_000)
  let hub: HubFixture
  let ann: PrivateKeyAccount
  let fan: OpenChannel

  beforeEach(async () => {
    hub = await openHub()
    ann = await newCreator(hub, 'ann')
    fan = await openChannel(hub)
    assertAnswer(await sendTips(hub, fan, [tipOf(ann, unit)]), 200)
  })
  afterEach(() => hub?.close())

  const newKey = () => {
    const key = generatePrivateKey()
    return { key, address: addressOf(privateKeyToAccount(key)) }
  }

  async function rotate(key: Hex, args: string[] = [], changes: NodeJS.ProcessEnv = {}) {
    const { folder, hubEnvironment } = hub.world
    const dataDir = hubEnvironment['JANDON_DATA_DIR'] ?? ''
    const environment = { ...hubEnvironment, JANDON_OPERATOR_KEY: key, ...changes }
    const said = await jandon(['key', 'rotate', '--data-dir', dataDir, ...args], {
      folder,
      environment,
    })
    assert.ok(!(said.stdout + said.stderr).includes(key.slice(2)))
    return said
  }

  /** What waits for the next block. */
  async function pending() {
    const { transactions } = await hub.world.chain.getBlock({ blockTag: 'pending' })
    return transactions
  }

  /** The node forgets what waits, and mines again whatever comes. */
  async function forgetPending() {
    for (const hash of await pending()) await hub.world.chain.dropTransaction({ hash })
    await hub.world.chain.setAutomine(true)
  }

  async function assertWorks() {
    assertAnswer(await sendTips(hub, fan, [tipOf(ann, 100n)]), 200)
    const { settlements } = assertAnswer(await settle(hub), 202) as {
      settlements: { state: string }[]
    }
    assert.deepEqual(
      settlements.map(({ state }) => state),
      ['done'],
    )
    assert.equal((await reservesOf(hub))['verdict'], 'equal')
    assert.equal((await restoreStatus(hub)).locked, null)
    await assertConserved(hub)
  }

  it('goes on with the same channels, and what the former key sent stays ours (R33)', async () => {
    assertAnswer(await settle(hub), 202)
    const { key, address } = newKey()
    await makeOperator(hub.world, address)
    assertAnswer(await sendTips(hub, fan, [tipOf(ann, 100n)]), 200)
    assertProblem(await settle(hub), 'chain_refused')
    await hub.world.hub.stop()
    const { code, stdout, stderr } = await rotate(key)
    assert.equal(code, 0, stderr)
    assert.match(stdout, new RegExp(`Operator: 0x[0-9a-f]{40} was, ${address} is`))
    await hub.world.restartHub({ JANDON_OPERATOR_KEY: key })
    await assertWorks()
    const list = assertAnswer(
      await hub.call({ path: '/v1/claims', token: hub.world.operatorToken }),
      200,
    ) as { settlements: { state: string }[] }
    assert.deepEqual(
      list.settlements.map(({ state }) => state),
      ['done', 'done'],
    )
    const token = await signIn(hub, fan.payer)
    const refund = { path: `/v1/channels/${fan.id}/refunds`, token, body: {} }
    assertAnswer(await hub.call(refund), 202)
  })

  it('is refused while the hub account names another, and while the hub runs, and changes nothing (R25, R33)', async () => {
    const { key, address } = newKey()
    const running = await rotate(key)
    assert.equal(running.code, 1)
    assert.match(running.stderr, /another process holds it/)
    await hub.world.hub.stop()
    const early = await rotate(key)
    assert.equal(early.code, 1)
    assert.match(early.stderr, new RegExp(`its admin calls setOperator\\(${address}\\) first`))
    await hub.world.restartHub()
    await assertWorks()
  })

  it('waits until the change of the operator is final (R33)', async () => {
    const { key, address } = newKey()
    await makeOperator(hub.world, address)
    await hub.world.hub.stop()
    const early = await rotate(key, [], { JANDON_CONFIRMATIONS: '3' })
    assert.equal(early.code, 1)
    assert.match(early.stderr, /is the operator, but not for good yet/)
    await hub.world.chain.mine({ blocks: 3 })
    assert.equal((await rotate(key, [], { JANDON_CONFIRMATIONS: '3' })).code, 0)
    await hub.world.restartHub({ JANDON_OPERATOR_KEY: key })
    await assertWorks()
  })

  it('gives up calls of the hub account that the former key did not get mined, and settles anew (R12, R33)', async () => {
    const { chain } = hub.world
    await chain.setAutomine(false)
    const settling = settle(hub).catch(() => undefined)
    await eventually(pending, ({ length }) => length > 0)
    await hub.world.hub.kill()
    await settling
    await forgetPending()
    const { key, address } = newKey()
    await makeOperator(hub.world, address)
    const { code, stdout, stderr } = await rotate(key, ['--json'])
    assert.equal(code, 0, stderr)
    assert.match(stdout, /given up: the hub account takes it from the new operator only/)
    await hub.world.restartHub({ JANDON_OPERATOR_KEY: key })
    await assertWorks()
  })

  it('waits for a relayed deposit that may still be mined, or gives it up when told to (R12, R33)', async () => {
    const { chain } = hub.world
    const payer = await newParty(hub, { tokens: 10n * unit })
    const { request, depositId } = await signDeposit(hub, { payer, amount: 5n * unit })
    await chain.setAutomine(false)
    assertAnswer(await hub.call({ path: '/v1/deposits', body: request }), 202)
    await eventually(pending, ({ length }) => length > 0)
    await hub.world.hub.stop()
    await forgetPending()
    const { key, address } = newKey()
    await makeOperator(hub.world, address)
    const refused = await rotate(key)
    assert.equal(refused.code, 1)
    assert.match(refused.stderr, /relay deposit 0x[0-9a-f]{64}.*not mined yet, and may still be/)
    const given = await rotate(key, ['--give-up'])
    assert.equal(given.code, 0, given.stderr)
    assert.match(given.stdout, /given up/)
    await hub.world.restartHub({ JANDON_OPERATOR_KEY: key })
    await assertWorks()
    const deposit = assertAnswer(await hub.call({ path: `/v1/deposits/${depositId}` }), 200)
    assert.equal(deposit['state'], 'failed')
  })

  it('takes a new claimer for the watchtower at its next start, and the old one no more (R30, R33)', async () => {
    const tower = await startTower(hub.world)
    const { key, address } = newKey()
    await setClaimer(hub.world, address, true)
    await tower.part.stop()
    await tower.restart({ JANDON_CLAIMER_KEY: key })
    await setClaimer(hub.world, address, false)
    await tower.part.stop()
    await assert.rejects(
      tower.restart({ JANDON_CLAIMER_KEY: key }),
      /is no claimer of the hub account/,
    )
  })
})
