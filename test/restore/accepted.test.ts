// A hub is restored and nobody presents anything: the operator takes what is missing as it is. Who is paid then, and what a
// receipt that comes after all still brings.

import assert from 'node:assert/strict'
import type { PrivateKeyAccount } from 'viem'
import type { SyncRequest } from '#protocol/messages/restore.ts'
import { syncAnswer } from '#protocol/messages/restore.ts'
import type { OpenChannel } from '../support/channels.ts'
import { openChannel, viewOf } from '../support/channels.ts'
import { assertAnswer, assertProblem } from '../support/http.ts'
import type { HubFixture } from '../support/hub.ts'
import { openHub, reservesOf, settle, stateOf } from '../support/hub.ts'
import { addressOf, newCreator, randomHash, signIn, tipOf } from '../support/paper.ts'
import {
  assertConserved,
  backUp,
  loseAndRestore,
  reconcile,
  restoreStatus,
  tipAndKeep,
} from '../support/restore.ts'

/** What a creator gets of a tip at the local fee of 1 %. */
const net = (amount: bigint) => amount - amount / 100n

describe('reconciling a restored hub without receipts', function () {
  this.timeout(180_000)
  let hub: HubFixture
  let ann: PrivateKeyAccount
  let fan: OpenChannel
  let friend: OpenChannel
  let claimed: SyncRequest
  let unclaimed: SyncRequest
  let yoursBefore: bigint

  before(async () => {
    hub = await openHub()
    ann = await newCreator(hub, 'ann')
    fan = await openChannel(hub)
    friend = await openChannel(hub)
    await tipAndKeep(hub, fan, [tipOf(ann, 10_000n)])
    const file = await backUp(hub)
    claimed = await tipAndKeep(hub, fan, [tipOf(ann, 50_000n)])
    assertAnswer(await settle(hub), 202)
    unclaimed = await tipAndKeep(hub, friend, [tipOf(ann, 20_000n)])
    yoursBefore = (await amountsOf()).yours
    await loseAndRestore(hub, file)
    for (const channel of [fan, friend]) channel.token = await signIn(hub, channel.payer)
  })
  after(() => hub?.close())

  async function amountsOf() {
    const token = await signIn(hub, ann)
    const answer = await hub.call({ path: '/v1/creators/ann/amounts', token })
    const [first] = assertAnswer(answer, 200)['amounts'] as { accepted: string; yours: string }[]
    return { accepted: BigInt(first?.accepted ?? 0), yours: BigInt(first?.yours ?? 0) }
  }

  it('names the channel, the recipients and the sums, to the unit (R24)', async () => {
    const { missing } = await restoreStatus(hub)
    const { token } = fan.config
    assert.deepEqual(missing.channels, [
      {
        channelId: fan.id,
        token,
        inBackup: 10_000n,
        claimedAbove: 50_000n,
        seen: 0n,
        presented: 0n,
        missing: 50_000n,
      },
    ])
    const above = missing.recipients.map(({ account, creditedAbove }) => [account, creditedAbove])
    assert.deepEqual(
      new Map(above as [string, bigint][]),
      new Map([
        [addressOf(ann), net(50_000n)],
        [hub.info.feeAccount, 500n],
      ]),
    )
    assert.deepEqual(missing.totals, [{ token, presented: 0n, missing: 50_000n }])
  })

  it('refuses to go on without the name of the difference, or with another one (R24)', async () => {
    assertProblem(await reconcile(hub), 'not_reconciled')
    assertProblem(await reconcile(hub, { accept: randomHash() }), 'not_reconciled')
    assert.notEqual((await restoreStatus(hub)).locked, null)
  })

  it('claims meanwhile, and credits nobody (R24)', async () => {
    await tipAndKeep(hub, fan, [tipOf(ann, 3_000n)])
    assertAnswer(await settle(hub), 202)
    const view = await viewOf(hub, fan)
    assert.equal(view.totalClaimed, view.amounts.charged)
    assert.equal((await amountsOf()).yours, yoursBefore)
  })

  it('accepts the difference by its name, and books it to suspense', async () => {
    const { missing } = await restoreStatus(hub)
    const done = assertAnswer(await reconcile(hub, { accept: missing.difference }), 200)
    assert.equal(done['locked'], null)
    assert.equal((await reservesOf(hub))['verdict'], 'equal')
    await assertConserved(hub)
    assert.deepEqual((await restoreStatus(hub)).missing, missing)
  })

  it('credits what was tipped since, and not once more what the chain had credited (R4, I3)', async () => {
    assertAnswer(await settle(hub), 202)
    assert.equal((await amountsOf()).yours, yoursBefore + net(3_000n))
    await assertConserved(hub)
  })

  it('takes a receipt that comes later in, without paying for it twice (R23)', async () => {
    const before = await amountsOf()
    const answer = await hub.call({ path: '/v1/sync', body: claimed })
    assert.equal(syncAnswer.parse(assertAnswer(answer, 200)).state, 'taken-in')
    assert.deepEqual(await amountsOf(), before)
    assertAnswer(await settle(hub), 202)
    assert.deepEqual(await amountsOf(), before)
    await assertConserved(hub)
  })

  it('pays for a receipt that comes later when nothing of it had been claimed (R23)', async () => {
    const before = await amountsOf()
    assertAnswer(await hub.call({ path: '/v1/sync', body: unclaimed }), 200)
    assertAnswer(await settle(hub), 202)
    assert.equal((await amountsOf()).yours, before.yours + net(20_000n))
    assert.equal((await amountsOf()).accepted, (await amountsOf()).yours)
    await assertConserved(hub)
  })

  it('changes nothing when it is reconciled once more', async () => {
    const before = await stateOf(hub)
    assertAnswer(await reconcile(hub), 200)
    assert.deepEqual(await stateOf(hub), before)
  })
})
