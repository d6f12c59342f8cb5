// What a lost hub accepted comes back by two ways: as receipts that are presented, and as baskets that are sent again because
// nobody knows better. Both at once, many times, is one.

import assert from 'node:assert/strict'
import { join } from 'node:path'
import type { Hex, PrivateKeyAccount } from 'viem'
import type { SyncRequest } from '#protocol/messages/restore.ts'
import { syncAnswer } from '#protocol/messages/restore.ts'
import { tipsAnswer } from '#protocol/messages/tips.ts'
import { tipsTotal } from '#protocol/tip.ts'
import { exportedLines } from '../support/books.ts'
import type { OpenChannel } from '../support/channels.ts'
import { openChannel, viewOf } from '../support/channels.ts'
import type { Answer } from '../support/http.ts'
import { assertAnswer } from '../support/http.ts'
import type { HubFixture } from '../support/hub.ts'
import { booked, booksOf, eventually, openHub, reservesOf, settle } from '../support/hub.ts'
import { newCreator, signIn, tipOf } from '../support/paper.ts'
import {
  assertConserved,
  backUp,
  loseAndRestore,
  reconcile,
  restoreStatus,
  tipAndKeep,
} from '../support/restore.ts'

const requestsAtOnce = 20

describe('a basket of a lost hub that is sent and presented', function () {
  this.timeout(180_000)
  let hub: HubFixture
  let ann: PrivateKeyAccount
  let fan: OpenChannel
  const lost: SyncRequest[] = []
  let last: SyncRequest
  let charged: bigint

  before(async () => {
    hub = await openHub()
    ann = await newCreator(hub, 'ann')
    fan = await openChannel(hub)
    await tipAndKeep(hub, fan, [tipOf(ann, 1_000n)])
    const file = await backUp(hub)
    for (let index = 0; index < 24; index += 1)
      lost.push(await tipAndKeep(hub, fan, [tipOf(ann, 100n), tipOf(ann, 7n)]))
    last = await tipAndKeep(hub, fan, [tipOf(ann, 300n)])
    charged = (await viewOf(hub, fan)).amounts.charged
    await loseAndRestore(hub, file)
    fan.token = await signIn(hub, fan.payer)
  })
  after(() => hub?.close())

  const present = (body: SyncRequest): Promise<Answer> => hub.call({ path: '/v1/sync', body })

  const send = ({ basket }: SyncRequest): Promise<Answer> =>
    hub.call({ path: '/v1/tips', body: { channelId: fan.id, ...basket } })

  /** All of `lost`, each many times at once by both ways; `isSent` says which way the request at a place goes. */
  async function rush(isSent: (index: number, place: number) => boolean) {
    for (const [index, request] of lost.entries()) {
      const answers = await Promise.all(
        Array.from({ length: requestsAtOnce }, async (_, place) => {
          if (isSent(index, place)) {
            const { receipt } = tipsAnswer.parse(assertAnswer(await send(request), 200))
            return { receipt, takenIn: 0 }
          }
          const { receipt, state } = syncAnswer.parse(
            assertAnswer(await present(withOtherV(request, place % 3 === 0)), 200),
          )
          return { receipt, takenIn: state === 'taken-in' ? 1 : 0 }
        }),
      )
      const [first] = answers
      for (const { receipt } of answers) assert.deepEqual(receipt, first?.receipt)
      assert.ok(answers.reduce((sum, { takenIn }) => sum + takenIn, 0) <= 1)
    }
  }

  async function assertTakenInOnce() {
    const tips = (await exportedLines(hub)).filter(({ kind }) => kind === 'tip')
    for (const { receipt } of lost) {
      const mine = tips.filter(({ basketId }) => basketId === receipt.basketId)
      assert.equal(mine.length, receipt.tips.length)
    }
    assert.equal((await viewOf(hub, fan)).amounts.charged, charged - tipsTotal(last.basket.tips))
  }

  it('at once is taken in once, whichever way comes first (R2, R23)', async () => {
    await rush((index, place) => (place + index) % 2 === 0)
    await assertTakenInOnce()
  })

  it('again changes nothing (R2)', async () => {
    await rush((index, place) => (place * 7 + index) % 3 === 0)
    await assertTakenInOnce()
  })

  it('is taken in under either v of its voucher, and claimed', async () => {
    const { state } = syncAnswer.parse(assertAnswer(await present(withOtherV(last, true)), 200))
    assert.equal(state, 'taken-in')
    assertAnswer(await settle(hub), 202)
    await booked(hub)
    const view = await viewOf(hub, fan)
    assert.deepEqual([view.amounts.charged, view.totalClaimed], [charged, charged])
  })

  it('is there after a crash, with every sum, though the numbers jumped (R5, R22)', async () => {
    await tipAndKeep(hub, fan, [tipOf(ann, 11n)])
    const [books, page] = [await booksOf(hub), await listed()]
    await hub.world.hub.kill()
    await hub.world.restartHub({ JANDON_DATA_DIR: join(hub.world.folder, 'restored') })
    assert.equal(await booksOf(hub), books)
    assert.deepEqual(await listed(), page)
    assert.equal((await reservesOf(hub))['verdict'], 'equal')
  })

  it('leaves nothing missing (R24)', async () => {
    assert.equal((await restoreStatus(hub)).missing.difference, null)
    await eventually(
      () => reconcile(hub),
      ({ status }) => status === 200,
    )
    await assertConserved(hub)
  })

  /** All tips of the channel, newest first. */
  async function listed() {
    const path = `/v1/channels/${fan.id}/tips?limit=100`
    return assertAnswer(await hub.call({ path, token: fan.token }), 200)
  }
})

/** The same voucher with the v that does not recover its signer, when `isOther`. */
function withOtherV(request: SyncRequest, isOther: boolean): SyncRequest {
  if (!isOther) return request
  const { signature } = request.basket
  const other: Hex = `0x${signature.slice(2, -2)}${signature.endsWith('1b') ? '1c' : '1b'}`
  return { ...request, basket: { ...request.basket, signature: other } }
}
