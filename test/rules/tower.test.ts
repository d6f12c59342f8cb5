// A hub that is gone loses nothing: its watchtower claims what was accepted before a withdrawal can be finalised (R30).

import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { PrivateKeyAccount } from 'viem'
import { tipsAnswer } from '#protocol/messages/tips.ts'
import { toJson } from '#protocol/messages/wire.ts'
import { tipTo } from '#protocol/tip.ts'
import type { LocalTower } from '../../scripts/world/tower.ts'
import { startTower } from '../../scripts/world/tower.ts'
import type { OpenChannel } from '../support/channels.ts'
import { openChannel, viewOf } from '../support/channels.ts'
import { assertAnswer, assertProblem } from '../support/http.ts'
import type { HubFixture } from '../support/hub.ts'
import { eventually, openHub } from '../support/hub.ts'
import { addressOf, newCreator, signBasket, tipOf, unit } from '../support/paper.ts'
import { tipAndKeep } from '../support/restore.ts'
import { openSocket } from '../support/socket.ts'
import { commitTo } from '../support/streams.ts'
import { initiateAlone, onChain, passTime } from '../support/tower.ts'

const daySeconds = 86_400

/** A feed that goes out too late for these tests, so that only what waits for the tower is there in time. */
const slowFeed = { JANDON_TOWER_FEED_MS: '5000' }

describe('a hub with a watchtower', function () {
  this.timeout(120_000)
  let hub: HubFixture
  let tower: LocalTower
  let ann: PrivateKeyAccount
  let channel: OpenChannel

  before(async () => {
    hub = await openHub()
    tower = await startTower(hub.world)
    ann = await newCreator(hub, 'ann')
  })
  after(async () => {
    await tower?.part.stop()
    await hub?.close()
  })

  async function begin(settings: NodeJS.ProcessEnv = {}) {
    await hub.world.hub.kill()
    await hub.world.restartHub({ ...tower.hubSettings, ...settings })
    channel = await openChannel(hub, { deposit: 10n * unit })
  }

  const told = () =>
    eventually(
      async () => (await hub.call({ path: '/metrics' })).text,
      (text) => /^jandon_tower_lag_seconds 0$/m.test(text),
    )

  /** The payer takes everything, the hub being dead, and waits until little of the delay is left. */
  async function leave() {
    await hub.world.hub.kill()
    await initiateAlone(hub, channel)
    await passTime(hub, daySeconds - 600)
  }

  const claimedOf = async () => (await onChain(hub, channel)).claimed
  const claimed = () => eventually(claimedOf, (amount) => amount > 0n)

  it('answers a large basket only when the tower has it: killed at once, the tower claims it in time (R30)', async () => {
    await begin(slowFeed)
    await tipAndKeep(hub, channel, [tipOf(ann, 2n * unit)])
    await leave()
    assert.equal(await claimed(), 2n * unit)
  })

  it('tells the tower of small baskets soon after, of which it claims what was charged, not the ceiling (R4, R30)', async () => {
    await begin()
    await tipAndKeep(hub, channel, [tipOf(ann, 7n)])
    const generous = await signBasket(hub, {
      channelId: channel.id,
      tips: [tipOf(ann, 5n)],
      maxClaimableAmount: unit,
      by: channel.authorizer,
    })
    assertAnswer(await hub.call({ path: '/v1/tips', body: generous }), 200)
    await told()
    await leave()
    assert.equal(await claimed(), 12n)
  })

  it('tells the tower of ticks, which it claims on top of what was charged (R27, R30)', async () => {
    await begin()
    await tipAndKeep(hub, channel, [tipOf(ann, 7n)])
    const promised = await commitTo(hub, channel, { to: tipTo(addressOf(ann)), baseAmount: 7n })
    const line = await openSocket(hub)
    line.send(toJson({ type: 'sign-in', token: channel.token }))
    await line.until(({ type }) => type === 'signed-in')
    const opened = await line.openStream(promised)
    assert.ok('stream' in opened)
    line.reveal([{ stream: opened.stream, ...promised.paying(40) }])
    await line.ticked(opened.stream, 40)
    await told()
    line.cut()
    await leave()
    assert.equal(await claimed(), 407n)
  })

  it('is spared the gas when a withdrawal leaves what was charged', async () => {
    await begin()
    await tipAndKeep(hub, channel, [tipOf(ann, 2n * unit)])
    await hub.world.hub.kill()
    await initiateAlone(hub, channel, 8n * unit)
    await passTime(hub, daySeconds - 600)
    const looked = await tower.health()
    await eventually(tower.health, ({ looks }) => looks > looked.looks + 3)
    assert.equal(await claimedOf(), 0n)
  })

  it('is kept from loss by a tower that was dead itself for most of the delay', async () => {
    await begin()
    await tipAndKeep(hub, channel, [tipOf(ann, 2n * unit)])
    await tower.part.kill()
    await leave()
    await tower.restart()
    assert.equal(await claimed(), 2n * unit)
  })

  describe('while the tower is gone', () => {
    before(() => begin(slowFeed))

    it('takes small baskets, refuses what it would have to tell first, and answers that once afterwards (R2)', async () => {
      await told()
      await tower.part.kill()
      await tipAndKeep(hub, channel, [tipOf(ann, 1n)])
      const large = await signBasket(hub, {
        channelId: channel.id,
        tips: [tipOf(ann, 2n * unit)],
        maxClaimableAmount: 5n * unit,
        by: channel.authorizer,
      })
      const send = () => hub.call({ path: '/v1/tips', body: large })
      assertProblem(await send(), 'tower_unavailable')
      const another = await signBasket(hub, {
        channelId: channel.id,
        tips: [tipOf(ann, 3n)],
        maxClaimableAmount: 5n * unit,
        by: channel.authorizer,
      })
      assertProblem(await hub.call({ path: '/v1/tips', body: another }), 'tower_unavailable')
      assert.equal((await viewOf(hub, channel)).amounts.charged, 2n * unit + 1n)
      await tower.restart()
      const { receipt } = tipsAnswer.parse(assertAnswer(await send(), 200))
      assert.equal(receipt.tips[0]?.leaf.amount, 2n * unit)
      assertAnswer(await hub.call({ path: '/v1/tips', body: another }), 200)
      assert.equal((await viewOf(hub, channel)).amounts.charged, 2n * unit + 4n)
    })
  })

  it('does not take a tower for its own that does not know the secret', async () => {
    await begin({ ...slowFeed, JANDON_TOWER_TOKEN: 'x'.repeat(32) })
    const large = await signBasket(hub, {
      channelId: channel.id,
      tips: [tipOf(ann, 2n * unit)],
      by: channel.authorizer,
    })
    assertProblem(await hub.call({ path: '/v1/tips', body: large }), 'tower_unavailable')
  })

  it('does not answer a large basket that the tower refuses to keep (R30)', async () => {
    const { folder } = hub.world
    const elsewhere = join(folder, 'elsewhere.json')
    const vault = `0x${'ab'.repeat(20)}`
    await writeFile(elsewhere, JSON.stringify({ ...hub.world.deployment, vault }))
    const settings = {
      JANDON_DEPLOYMENT: elsewhere,
      JANDON_TOWER_DIR: join(folder, 'tower-elsewhere'),
    }
    const other = await startTower(hub.world, settings)
    await begin({ ...other.hubSettings, ...slowFeed })
    const large = await signBasket(hub, {
      channelId: channel.id,
      tips: [tipOf(ann, 2n * unit)],
      by: channel.authorizer,
    })
    assertProblem(await hub.call({ path: '/v1/tips', body: large }), 'tower_unavailable')
    await other.part.stop()
  })
})
