// A hub is backed up under load, goes on, and is lost. What was accepted after the backup comes back from the receipts that
// people hold, once, and until then the hub names what is missing.

import assert from 'node:assert/strict'
import type { PrivateKeyAccount } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import type { SyncRequest } from '#protocol/messages/restore.ts'
import { syncAnswer } from '#protocol/messages/restore.ts'
import { tipsTotal } from '#protocol/tip.ts'
import { exportedLines } from '../support/books.ts'
import type { OpenChannel } from '../support/channels.ts'
import { openChannel, sendTips, viewOf } from '../support/channels.ts'
import type { Answer } from '../support/http.ts'
import { assertAnswer, assertProblem } from '../support/http.ts'
import type { HubFixture } from '../support/hub.ts'
import { booked, eventually, openHub, reservesOf, settle } from '../support/hub.ts'
import { addressOf, newCreator, randomHash, signBasket, signIn, tipOf } from '../support/paper.ts'
import {
  assertConserved,
  backUp,
  loseAndRestore,
  operate,
  reconcile,
  restoreStatus,
  tipAndKeep,
} from '../support/restore.ts'

/** In base units, too small for a fee. */
const newTip = 5n

const stranger = privateKeyToAccount(randomHash())

describe('a hub that is restored from a backup', function () {
  this.timeout(180_000)
  let hub: HubFixture
  let ann: PrivateKeyAccount
  let bob: PrivateKeyAccount
  let fan: OpenChannel
  let friend: OpenChannel
  const acknowledged: SyncRequest[] = []
  const claimed: SyncRequest[] = []
  const unclaimed: SyncRequest[] = []
  const friends: SyncRequest[] = []
  const underLoad: SyncRequest[] = []
  let lostUnderLoad: SyncRequest[]
  let chargedBefore: bigint[]
  let accepted: bigint[]
  let newestLost: bigint
  let newestInBackup: bigint
  let epoch: string
  let file: string

  before(async () => {
    hub = await openHub()
    ann = await newCreator(hub, 'ann')
    bob = await newCreator(hub, 'bob')
    fan = await openChannel(hub)
    friend = await openChannel(hub)
    for (let count = 0; count < 10; count += 1)
      acknowledged.push(await tipAndKeep(hub, fan, [tipOf(ann, 1_000n)]))
    await settle(hub)
    epoch = hub.info.epoch
    file = await backUpUnderLoad()
    newestInBackup = BigInt((await restoredHeader()).number)
    lostUnderLoad = underLoad.filter(({ receipt }) => receipt.header.number > newestInBackup)
    for (const amount of [10_000n, 20_000n]) claimed.push(await lost(fan, [tipOf(ann, amount)]))
    await settle(hub)
    for (const amount of [30_000n, 40_000n]) unclaimed.push(await lost(fan, [tipOf(bob, amount)]))
    friends.push(await lost(friend, [tipOf(ann, 50_000n), tipOf(bob, 60_000n)]))
    chargedBefore = await chargedOf()
    accepted = await acceptedOf()
    newestLost = friends[0]?.receipt.header.number ?? 0n
    await loseAndRestore(hub, file)
  })
  after(() => hub?.close())

  /** Tips keep coming while the backup is made; what was answered before it began must be in it. */
  async function backUpUnderLoad(): Promise<string> {
    const done = new AbortController()
    const load = (async () => {
      while (!done.signal.aborted) underLoad.push(await tipAndKeep(hub, friend, [tipOf(bob, 1n)]))
    })()
    const path = await backUp(hub)
    done.abort()
    await load
    return path
  }

  async function restoredHeader(): Promise<{ number: string }> {
    const { json } = await operate(hub, 'backup', 'verify', file)
    return (json['header'] as { newestGroup: { number: string } }).newestGroup
  }

  async function lost(channel: OpenChannel, tips: Parameters<typeof tipAndKeep>[2]) {
    return tipAndKeep(hub, channel, tips)
  }

  async function chargedOf() {
    const lines = await exportedLines(hub)
    return [fan, friend].map(({ id }) => {
      const line = lines.find(({ kind, channelId }) => kind === 'channel' && channelId === id)
      return BigInt(String(line?.['charged']))
    })
  }

  async function acceptedOf() {
    return Promise.all(
      [ann, bob].map(async (creator, index) => {
        const handle = ['ann', 'bob'][index]
        const path = `/v1/creators/${handle}/amounts`
        const answer = await hub.call({ path, token: await signIn(hub, creator) })
        const [amounts] = assertAnswer(answer, 200)['amounts'] as { accepted: string }[]
        return BigInt(amounts?.accepted ?? 0)
      }),
    )
  }

  const present = (body: SyncRequest): Promise<Answer> => hub.call({ path: '/v1/sync', body })

  async function taken(body: SyncRequest) {
    return syncAnswer.parse(assertAnswer(await present(body), 200))
  }

  it('holds everything that was acknowledged before the backup (R22, I3)', async () => {
    const tips = (await exportedLines(hub)).filter(({ kind }) => kind === 'tip')
    const stored = tips.map(({ basketId }) => String(basketId))
    assert.equal(new Set(stored).size, stored.length)
    const held = [...acknowledged, ...underLoad].filter((one) => !lostUnderLoad.includes(one))
    for (const { receipt } of held) assert.ok(stored.includes(receipt.basketId))
    for (const { receipt } of lostUnderLoad) assert.ok(!stored.includes(receipt.basketId))
  })

  it('has another epoch, equal reserves, and claims that happened since in its books (R11, R14)', async () => {
    const { body } = await hub.call({ path: '/.well-known/jandon' })
    assert.notEqual(body['epoch'], epoch)
    assert.equal((await reservesOf(hub))['verdict'], 'equal')
    await assertConserved(hub)
  })

  it('has revoked every session (R22)', async () => {
    assertProblem(await hub.call({ path: '/v1/channels', token: fan.token }), 'session_required')
    fan.token = await signIn(hub, fan.payer)
    friend.token = await signIn(hub, friend.payer)
  })

  it('lets no money leave (R24)', async () => {
    const path = `/v1/channels/${fan.id}/refunds`
    const refused = await hub.call({ path, body: {}, token: fan.token })
    assertProblem(refused, 'money_out_locked')
    assert.equal((refused.body['values'] as { reason: string }).reason, 'restored')
  })

  it('names what the chain shows to be missing (R24)', async () => {
    const { missing, locked } = await restoreStatus(hub)
    assert.equal(locked?.reason, 'restored')
    const expected = new Map([
      [fan.id, totalOf(claimed)],
      [friend.id, totalOf(lostUnderLoad)],
    ])
    for (const [id, amount] of expected) {
      const line = missing.channels.find(({ channelId }) => channelId === id)
      assert.deepEqual([line?.claimedAbove ?? 0n, line?.missing ?? 0n], [amount, amount])
    }
    const [total] = missing.totals
    assert.equal(total?.missing, totalOf([...claimed, ...lostUnderLoad]))
    assert.equal(missing.groups.highest, null)
    assert.ok(missing.recipients.some(({ account }) => account === addressOf(ann)))
    const refused = await reconcile(hub)
    assertProblem(refused, 'not_reconciled')
    assert.equal((refused.body['values'] as { difference: string }).difference, missing.difference)
  })

  it('refuses a receipt that was forged, in any of its parts (R23)', async () => {
    const [good] = unclaimed
    assert.ok(good)
    const { receipt, basket } = good
    const [first] = receipt.tips
    assert.ok(first)
    const forged: SyncRequest[] = [
      { basket, receipt: { ...receipt, header: { ...receipt.header, closedAt: 1n } } },
      { basket, receipt: { ...receipt, headerSignature: basket.signature } },
      {
        basket,
        receipt: { ...receipt, tips: [{ ...first, leaf: { ...first.leaf, fee: 0n } }] },
      },
      { receipt, basket: { ...basket, tips: [tipOf(ann, 40_000n)] } },
      { receipt, basket: { ...basket, tips: [...basket.tips, tipOf(ann, 1n)] } },
    ]
    for (const body of forged) assertProblem(await present(body), 'receipt_rejected')
    const { channelId: _id, ...other } = await signBasket(hub, {
      channelId: fan.id,
      tips: basket.tips,
      maxClaimableAmount: basket.maxClaimableAmount,
      by: stranger,
    })
    assertProblem(await present({ receipt, basket: other }), 'bad_signature')
    const higher = { ...basket, maxClaimableAmount: basket.maxClaimableAmount + 1n }
    assertProblem(await present({ receipt, basket: higher }), 'bad_signature')
    const [tip] = basket.tips
    assert.ok(tip)
    const message = { text: 'not what was signed', salt: randomHash() }
    assertProblem(
      await present({ receipt, basket: { ...basket, tips: [{ ...tip, message }] } }),
      'message_mismatch',
    )
  })

  it('takes new tips meanwhile, under numbers that were never given (R22)', async () => {
    const [, charged = 0n] = chargedBefore
    const answer = await sendTips(hub, friend, [tipOf(bob, newTip)], charged + newTip)
    const { receipt } = assertAnswer(answer, 200) as { receipt: { header: { number: string } } }
    assert.ok(BigInt(receipt.header.number) > newestLost + 2n ** 32n)
  })

  it('names the groups and the money that a presented receipt shows to be missing (R24)', async () => {
    const newest = unclaimed.at(-1)
    assert.ok(newest)
    assert.equal((await taken(newest)).state, 'taken-in')
    const { missing } = await restoreStatus(hub)
    const { number } = newest.receipt.header
    assert.deepEqual(missing.groups, {
      backup: newestInBackup,
      highest: number,
      seen: 1,
      absent: number - newestInBackup - 1n,
    })
    const line = missing.channels.find(({ channelId }) => channelId === fan.id)
    assert.equal(line?.presented, totalOf([newest]))
    assert.equal(line?.missing, totalOf([...claimed, ...unclaimed]) - totalOf([newest]))
  })

  it('takes each basket in once, however often and by how many it is presented (R2, R23)', async () => {
    const all = [...lostUnderLoad, ...claimed, ...unclaimed, ...friends]
    for (const body of [...claimed, ...friends]) {
      const answers = await Promise.all(Array.from({ length: 20 }, () => taken(body)))
      assert.equal(answers.filter(({ state }) => state === 'taken-in').length, 1)
      assert.equal(new Set(answers.map(({ receipt }) => receipt.header.number)).size, 1)
    }
    for (const body of all) {
      const { receipt } = await taken(body)
      assert.equal(receipt.basketId, body.receipt.basketId)
      assert.equal((await taken(body)).state, 'known')
      const { headerSignature } = receipt
      assert.notEqual(headerSignature, body.receipt.headerSignature)
    }
    const tips = (await exportedLines(hub)).filter(({ kind }) => kind === 'tip')
    for (const { receipt } of all) {
      const mine = tips.filter(({ basketId }) => basketId === receipt.basketId)
      assert.equal(mine.length, receipt.tips.length)
    }
  })

  it('has charged and accepted what it had before it was lost: nothing lost, nothing doubled (I2, I3)', async () => {
    const [fans = 0n, theirs = 0n] = chargedBefore
    assert.equal((await viewOf(hub, fan)).amounts.charged, fans)
    assert.equal((await viewOf(hub, friend)).amounts.charged, theirs + newTip)
    const [anns = 0n, bobs = 0n] = accepted
    assert.deepEqual(await acceptedOf(), [anns, bobs + newTip])
    const { missing } = await restoreStatus(hub)
    assert.deepEqual([missing.difference, missing.recipients], [null, []])
    assert.equal((await reservesOf(hub))['verdict'], 'equal')
    await assertConserved(hub)
  })

  it('lets money leave again when nothing is missing, and credits what it owes (R24)', async () => {
    const answer = await eventually(
      () => reconcile(hub),
      ({ status }) => status === 200,
    )
    assert.equal(answer.body['locked'], null)
    const { available } = (await viewOf(hub, fan)).amounts
    const path = `/v1/channels/${fan.id}/refunds`
    const started = assertAnswer(await hub.call({ path, body: {}, token: fan.token }), 202)
    assert.equal(started['amount'], available.toString())
    await eventually(
      () => hub.call({ path: `/v1/refunds/${started['refundId']}`, token: fan.token }),
      ({ body }) => body['state'] === 'done',
    )
    assertAnswer(await settle(hub), 202)
    await booked(hub)
    assert.equal((await reservesOf(hub))['verdict'], 'equal')
    await assertConserved(hub)
  })
})

function totalOf(requests: readonly SyncRequest[]): bigint {
  return requests.reduce((sum, { basket }) => sum + tipsTotal(basket.tips), 0n)
}
