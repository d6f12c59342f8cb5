// A hub with a watchtower is lost with all that it accepted since its backup. What the tower was told comes back from it,
// before anything else is taken: charged to the unit, at once claimable, and streams with their ticks.

import assert from 'node:assert/strict'
import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import type { PrivateKeyAccount } from 'viem'
import type { SyncRequest } from '#protocol/messages/restore.ts'
import { syncAnswer } from '#protocol/messages/restore.ts'
import { toJson } from '#protocol/messages/wire.ts'
import { tipTo } from '#protocol/tip.ts'
import type { LocalTower } from '../../scripts/world/tower.ts'
import { startTower } from '../../scripts/world/tower.ts'
import type { OpenChannel } from '../support/channels.ts'
import { openChannel, sendTips, viewOf } from '../support/channels.ts'
import { assertAnswer, assertProblem } from '../support/http.ts'
import type { HubFixture } from '../support/hub.ts'
import { eventually, openHub, reservesOf, settle } from '../support/hub.ts'
import { addressOf, newCreator, signBasket, signIn, tipOf } from '../support/paper.ts'
import {
  assertConserved,
  backUp,
  loseAndRestore,
  reconcile,
  restoreStatus,
  tipAndKeep,
} from '../support/restore.ts'
import type { OpenedStream, SocketLine } from '../support/socket.ts'
import { openSocket } from '../support/socket.ts'
import type { Committed } from '../support/streams.ts'
import { commitTo } from '../support/streams.ts'
import { onChain } from '../support/tower.ts'

const tickAmount = 10n

type Playing = { channel: OpenChannel; promised: Committed; opened: OpenedStream; line: SocketLine }

describe('a hub that is restored with a watchtower', function () {
  this.timeout(180_000)
  let hub: HubFixture
  let tower: LocalTower
  let ann: PrivateKeyAccount
  let fan: OpenChannel
  let friend: OpenChannel
  let late: OpenChannel
  let older: Playing
  let newer: Playing
  const lost: SyncRequest[] = []
  let everybody: OpenChannel[]
  let chargedBefore: bigint[]

  before(async () => {
    hub = await openHub()
    tower = await startTower(hub.world)
    await hub.world.hub.stop()
    await hub.world.restartHub(tower.hubSettings)
    ann = await newCreator(hub, 'ann')
    fan = await openChannel(hub)
    friend = await openChannel(hub)
    older = await play(5)
    await tipAndKeep(hub, fan, [tipOf(ann, 10_000n)])
    const file = await backUp(hub)
    lost.push(await tipAndKeep(hub, fan, [tipOf(ann, 50_000n)]))
    assertAnswer(await settle(hub), 202)
    lost.push(await tipAndKeep(hub, fan, [tipOf(ann, 40_000n)]))
    lost.push(await tipAndKeep(hub, friend, [tipOf(ann, 20_000n)]))
    late = await openChannel(hub)
    lost.push(await tipAndKeep(hub, late, [tipOf(ann, 30_000n)]))
    await tick(older, 40)
    newer = await play(20)
    everybody = [fan, friend, late]
    chargedBefore = await charged()
    await eventually(
      async () => (await hub.call({ path: '/metrics' })).text,
      (text) => /^jandon_tower_lag_seconds 0$/m.test(text),
    )
    await tower.part.kill()
    const settings = { ...tower.hubSettings, JANDON_STREAM_IDLE_MS: '0' }
    await loseAndRestore(hub, file, 'restored', settings)
  })
  after(async () => {
    for (const played of [older, newer]) played?.line.cut()
    await tower?.part.stop()
    await hub?.close()
  })

  /** Opens a channel with a stream to ann, and ticks. */
  async function play(ticks: number): Promise<Playing> {
    const channel = await openChannel(hub)
    const promised = await commitTo(hub, channel, { to: tipTo(addressOf(ann)), tickAmount })
    const line = await openSocket(hub)
    line.send(toJson({ type: 'sign-in', token: channel.token }))
    await line.until(({ type }) => type === 'signed-in')
    const opened = await line.openStream(promised)
    assert.ok('stream' in opened)
    const playing = { channel, promised, opened, line }
    await tick(playing, ticks)
    return playing
  }

  async function tick({ line, opened, promised }: Playing, ticks: number) {
    line.reveal([{ stream: opened.stream, ...promised.paying(ticks) }])
    await line.ticked(opened.stream, ticks)
  }

  const charged = () =>
    Promise.all(everybody.map(async (one) => (await viewOf(hub, one)).amounts.charged))

  it('takes no payment and is not reconciled before it has read what the tower knows (R24, R30)', async () => {
    const answer = await sendTips(hub, fan, [tipOf(ann, 1n)], 10_001n)
    assertProblem(answer, 'stopping')
    const { waitingFor } = await restoreStatus(hub)
    assert.ok(waitingFor.includes('the rows of the watchtower are not taken over'))
    await tower.restart()
    await eventually(
      async () => (await hub.call({ path: '/healthz' })).body,
      ({ ready }) => ready === true,
    )
  })

  it('has charged every channel as it had, also those that the backup does not know (R30, I3)', async () => {
    for (const { channel } of [older, newer]) everybody.push(channel)
    for (const channel of everybody) channel.token = await signIn(hub, channel.payer)
    assert.deepEqual(await charged(), [...chargedBefore, 0n, 0n])
    assert.equal((await reservesOf(hub))['verdict'], 'equal')
    await assertConserved(hub)
  })

  it('holds the ticks that streams had since, also of one that the backup does not know (R27)', async () => {
    assert.equal((await viewOf(hub, older.channel)).amounts.held, 40n * tickAmount)
    assert.equal((await viewOf(hub, newer.channel)).amounts.held, 20n * tickAmount)
  })

  it('claims at once what the tower told, and names as missing whose it is (R24)', async () => {
    assertAnswer(await settle(hub), 202)
    for (const [index, channel] of [fan, friend, late].entries())
      assert.equal((await onChain(hub, channel)).claimed, chargedBefore[index])
    const { missing } = await restoreStatus(hub)
    assert.equal(missing.totals[0]?.missing, 140_000n)
  })

  it('takes each basket in once, and nothing is missing then (R2, R23)', async () => {
    for (const body of [...lost, ...lost]) {
      const answer = await hub.call({ path: '/v1/sync', body })
      syncAnswer.parse(assertAnswer(answer, 200))
    }
    assert.deepEqual((await charged()).slice(0, 3), chargedBefore)
    const { missing } = await restoreStatus(hub)
    assert.deepEqual([missing.difference, missing.recipients], [null, []])
  })

  it('ends the streams for what was ticked, by their payers or by itself (R28)', async () => {
    const { to, root } = newer.promised.commitment
    const basket = await signBasket(hub, {
      channelId: newer.channel.id,
      tips: [{ to, amount: 20n * tickAmount, ref: root }],
      by: newer.channel.authorizer,
    })
    assertAnswer(await hub.call({ path: '/v1/tips', body: basket }), 200)
    await eventually(
      () => reconcile(hub),
      ({ status }) => status === 200,
    )
    const ended = await eventually(
      () => viewOf(hub, older.channel),
      ({ amounts }) => amounts.held === 0n,
    )
    assert.equal(ended.amounts.charged, 40n * tickAmount)
    assert.equal((await viewOf(hub, newer.channel)).amounts.charged, 20n * tickAmount)
  })

  it('has lost nothing and doubled nothing (I5, I8)', async () => {
    assertAnswer(await settle(hub), 202)
    const token = await signIn(hub, ann)
    const answer = await hub.call({ path: '/v1/creators/ann/amounts', token })
    const [first] = assertAnswer(answer, 200)['amounts'] as { accepted: string; yours: string }[]
    const tips = [10_000n, 50_000n, 40_000n, 20_000n, 30_000n, 400n, 200n]
    const net = tips.reduce((sum, amount) => sum + amount - amount / 100n, 0n)
    assert.deepEqual([first?.accepted, first?.yours], [net.toString(), net.toString()])
    assert.equal((await reservesOf(hub))['verdict'], 'equal')
    await assertConserved(hub)
  })

  it('stops when its directory is an old copy, which the tower knows by what it was told (R25)', async () => {
    const { folder } = hub.world
    const data = (name: string) => ({ ...tower.hubSettings, JANDON_DATA_DIR: join(folder, name) })
    await hub.world.hub.stop()
    await cp(join(folder, 'restored'), join(folder, 'copy'), { recursive: true })
    await hub.world.restartHub(data('restored'))
    fan.token = await signIn(hub, fan.payer)
    await tipAndKeep(hub, fan, [tipOf(ann, 1n)])
    await hub.world.hub.stop()
    await hub.world.restartHub(data('copy'))
    await eventually(
      async () => (await hub.call({ path: '/healthz' })).body,
      ({ ready }) => ready === false,
    )
    const after = (chargedBefore[0] ?? 0n) + 2n
    assertProblem(await sendTips(hub, fan, [tipOf(ann, 2n)], after), 'stopping')
  })
})
