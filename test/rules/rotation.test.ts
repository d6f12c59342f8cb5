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
import { assertConserved, backUp, operate, restoreStatus, tipAndKeep } from '../support/restore.ts'

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

  it('books what the former key got mined while the hub was down as its own (R11, R33)', async () => {
    const { chain } = hub.world
    await chain.setAutomine(false)
    const settling = settle(hub).catch(() => undefined)
    await eventually(pending, ({ length }) => length > 0)
    await hub.world.hub.kill()
    await settling
    await chain.mine({ blocks: 1 })
    await chain.setAutomine(true)
    const { key, address } = newKey()
    await makeOperator(hub.world, address)
    const { code, stdout, stderr } = await rotate(key)
    assert.equal(code, 0, stderr)
    assert.match(stdout, /transaction 0x[0-9a-f]{64}: success/)
    await hub.world.restartHub({ JANDON_OPERATOR_KEY: key })
    const { operatorToken: token } = hub.world
    await eventually(
      async () => assertAnswer(await hub.call({ path: '/v1/claims', token }), 200),
      ({ settlements }) => JSON.stringify(settlements).includes('"state":"done"'),
    )
    assert.equal((await restoreStatus(hub)).locked, null)
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

describe('rotation of the receipt key', function () {
  this.timeout(180_000)
  let hub: HubFixture
  let ann: PrivateKeyAccount
  let former: NodeJS.ProcessEnv

  beforeEach(async () => {
    hub = await openHub()
    ann = await newCreator(hub, 'ann')
    former = { JANDON_FORMER_RECEIPT_KEY: hub.world.hubEnvironment['JANDON_RECEIPT_KEY'] }
  })
  afterEach(() => hub?.close())

  /** Stops the hub, rotates its receipt key, and starts it again with the new one. */
  async function rotate({
    args = [],
    given = former,
    dataDir = hub.world.hubEnvironment['JANDON_DATA_DIR'] ?? '',
    key = generatePrivateKey(),
  }: {
    args?: string[]
    given?: NodeJS.ProcessEnv
    dataDir?: string
    key?: Hex
  } = {}) {
    const { folder, hubEnvironment } = hub.world
    await hub.world.hub.stop()
    const settings = { JANDON_RECEIPT_KEY: key, JANDON_DATA_DIR: dataDir }
    const said = await jandon(['key', 'rotate', '--data-dir', dataDir, ...args], {
      folder,
      environment: { ...hubEnvironment, ...given, ...settings },
    })
    const all = said.stdout + said.stderr
    for (const secret of [key, former['JANDON_FORMER_RECEIPT_KEY'] ?? key])
      assert.ok(!all.includes(secret.slice(2)))
    if (said.code === 0) await hub.world.restartHub(settings)
    return { ...said, address: addressOf(privateKeyToAccount(key)), key }
  }

  /** The command line of one wallet with a store of its own. */
  async function newWallet() {
    const key = generatePrivateKey()
    const { address } = privateKeyToAccount(key)
    await hub.world.mint(address, 100n * unit)
    const { folder } = hub.world
    return (...args: string[]) =>
      jandon([...args, '--home', `${folder}/home`], {
        folder,
        environment: {
          JANDON_KEY: key,
          JANDON_HUB: hub.world.hub.url,
          JANDON_RPC: hub.world.rpcUrl,
        },
      })
  }

  async function tipped(wallet: Awaited<ReturnType<typeof newWallet>>, ...more: string[]) {
    const { code, stdout, stderr } = await wallet('tip', '@ann', '0.05', '--json', ...more)
    assert.equal(code, 0, stdout + stderr)
    return (JSON.parse(stdout) as { basketId: string }).basketId
  }

  it('is followed by who trusted the former key, which vouches for the new one: receipts of both verify (R33)', async () => {
    const wallet = await newWallet()
    assert.equal((await wallet('open', '--deposit', '5')).code, 0)
    const before = await tipped(wallet)
    const { code, stdout, stderr, address } = await rotate()
    assert.equal(code, 0, stderr)
    assert.match(stdout, new RegExp(`up to group \\d+, ${address} is`))
    const after = await tipped(wallet)
    for (const receipt of [before, after]) {
      const checked = await wallet('verify', receipt)
      assert.equal(checked.code, 0, checked.stdout)
      assert.match(checked.stdout, new RegExp(address))
    }
    assert.equal((await rotate({ given: { JANDON_FORMER_RECEIPT_KEY: undefined } })).code, 1)
  })

  it('is refused without the former key, and with another in its place, and changes nothing (R33)', async () => {
    const none = await rotate({ given: {} })
    assert.equal(none.code, 1)
    assert.match(
      none.stderr,
      /the former receipt key, of 0x[0-9a-f]{40}, has to vouch for the new one/,
    )
    const wrong = await rotate({ given: { JANDON_FORMER_RECEIPT_KEY: generatePrivateKey() } })
    assert.equal(wrong.code, 1)
    await hub.world.restartHub()
    assert.equal(
      (await hub.call({ path: '/.well-known/jandon' })).body['receiptSigner'],
      hub.info.receiptSigner,
    )
  })

  it('takes no key that was the receipt key before (R33)', async () => {
    const { key } = await rotate()
    const first = former['JANDON_FORMER_RECEIPT_KEY'] as Hex
    const back = await rotate({ key: first, given: { JANDON_FORMER_RECEIPT_KEY: key } })
    assert.equal(back.code, 1)
    assert.match(back.stderr, /was the receipt key before; take a new one/)
  })

  it('is refused by clients when the former key was lost, until they are told the new one (R33)', async () => {
    const wallet = await newWallet()
    assert.equal((await wallet('open', '--deposit', '5')).code, 0)
    const before = await tipped(wallet)
    const { code, stdout, address } = await rotate({ args: ['--receipt-key-lost'], given: {} })
    assert.equal(code, 0)
    assert.match(stdout, new RegExp(`nobody vouches for it: .*--hub-key ${address}`))
    const refused = await wallet('tip', '@ann', '0.05')
    assert.equal(refused.code, 1)
    assert.match(refused.stderr, /receiptSigner is 0x[0-9a-f]{40} now, it was/i)
    await tipped(wallet, '--hub-key', address)
    assert.equal((await wallet('verify', before)).code, 0)
    await tipped(wallet)
  })

  it('lets a restored hub take in again what the former key signed, also in the time that was lost (R23, R33)', async () => {
    const fan = await openChannel(hub)
    const file = await backUp(hub)
    const lost = await tipAndKeep(hub, fan, [tipOf(ann, unit)])
    const directory = `${hub.world.folder}/restored`
    const { code } = await operate(hub, 'restore', file, '--data-dir', directory)
    assert.equal(code, 0)
    assert.equal((await rotate({ dataDir: directory })).code, 0)
    const answer = assertAnswer(await hub.call({ path: '/v1/sync', body: lost }), 200)
    assert.equal(answer['state'], 'taken-in')
  })
})
