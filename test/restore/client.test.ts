// The fan's side of a restore: `jandon sync` brings back what the store can prove, also after another device signed from the
// lower base that the restored hub told it.

import assert from 'node:assert/strict'
import { privateKeyToAccount } from 'viem/accounts'
import type { Jandon } from '#client/index.ts'
import { createJandon, createMemoryStore } from '#client/index.ts'
import { jandon } from '../../client/testing/cli.ts'
import { exportedLines } from '../support/books.ts'
import type { HubFixture } from '../support/hub.ts'
import { openHub } from '../support/hub.ts'
import { newCreator, randomHash, unit } from '../support/paper.ts'
import {
  assertConserved,
  backUp,
  loseAndRestore,
  reconcile,
  restoreStatus,
} from '../support/restore.ts'

describe('jandon sync', function () {
  this.timeout(180_000)
  let hub: HubFixture
  let fan: Jandon
  let secret: `0x${string}`

  before(async () => {
    hub = await openHub()
    await newCreator(hub, 'ann')
    secret = randomHash()
    await fundFan()
    assert.equal((await cli('open', '--deposit', '5')).code, 0)
    assert.equal((await cli('tip', '@ann', '0.01')).code, 0)
    const file = await backUp(hub)
    for (const amount of ['0.02', '0.03', '0.04'])
      assert.equal((await cli('tip', '@ann', amount, '-m', `for ${amount}`)).code, 0)
    await loseAndRestore(hub, file)
  })
  after(() => hub?.close())

  async function fundFan() {
    const account = privateKeyToAccount(secret)
    await hub.world.fundGas(account.address)
    await hub.world.mint(account.address, 10n * unit)
    fan = createJandon({ hubUrl: hub.world.hub.url, account, store: createMemoryStore() })
  }

  function cli(...args: string[]) {
    const { folder, hub: part } = hub.world
    const environment = { JANDON_HUB: part.url, JANDON_KEY: secret }
    return jandon([...args, '--home', `${folder}/fan`, '--json'], { folder, environment })
  }

  async function charged(): Promise<bigint> {
    const [line] = (await exportedLines(hub)).filter(({ kind }) => kind === 'channel')
    return BigInt(String(line?.['charged']))
  }

  it('has three baskets to present, of which the hub knows none', async () => {
    assert.equal(await charged(), 60_000n)
    const answer = await fan.tip({ to: '@ann', amount: 5_000n })
    assert.equal(answer.total, 5_000n)
    assert.equal(await charged(), 65_000n)
  })

  it('presents them with their messages, and signs again where a lower voucher took the room (R23)', async () => {
    const { code, stdout } = await cli('sync')
    assert.equal(code, 0, stdout)
    const { takenIn, refused } = JSON.parse(stdout)
    assert.deepEqual([takenIn.length, refused], [3, []])
    assert.equal(await charged(), 155_000n)
    const tips = (await exportedLines(hub)).filter(({ kind }) => kind === 'tip')
    assert.deepEqual(
      tips.map(({ message }) => message).filter((message) => message !== null),
      ['for 0.02', 'for 0.03', 'for 0.04'],
    )
  })

  it('has nothing to present the next time (R2)', async () => {
    const { code, stdout } = await cli('sync')
    assert.equal(code, 0, stdout)
    const { known, takenIn } = JSON.parse(stdout)
    assert.deepEqual([known, takenIn], [6, []])
    assert.equal(await charged(), 155_000n)
  })

  it('leaves the hub with nothing missing and the fan able to tip (R24)', async () => {
    assert.equal((await restoreStatus(hub)).missing.difference, null)
    assert.equal((await reconcile(hub)).status, 200)
    assert.equal((await cli('tip', '@ann', '0.01')).code, 0)
    assert.equal(await charged(), 165_000n)
    await assertConserved(hub)
  })
})
