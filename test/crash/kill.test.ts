// 200 tips acknowledged, then kill -9 in the middle of the next hundred: what was acknowledged is there once, what was not is
// there wholly or not at all, and the hub goes on.

import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import type { PrivateKeyAccount } from 'viem'
import type { TipsRequest } from '#protocol/messages/tips.ts'
import { basketReceipt, tipsAnswer } from '#protocol/messages/tips.ts'
import type { BasketReceipt } from '#protocol/receipt.ts'
import { receiptFault } from '#protocol/receipt.ts'
import { basketId, tipsHash, tipsTotal } from '#protocol/tip.ts'
import { exportedLines } from '../support/books.ts'
import type { OpenChannel } from '../support/channels.ts'
import { openChannel, viewOf } from '../support/channels.ts'
import type { HubFixture } from '../support/hub.ts'
import { openHub, reservesOf, settle } from '../support/hub.ts'
import { newCreator, signBasket, tipOf } from '../support/paper.ts'

const channelCount = 10
const acknowledgedPerChannel = 20
const inFlightPerChannel = 10
const seed = Number(process.env['JANDON_SEED'] ?? randomInt(1, 100))

type Sent = { basket: TipsRequest; receipt: BasketReceipt | undefined }

describe('kill -9 in the middle of tips', function () {
  this.timeout(120_000)
  let hub: HubFixture
  let channels: OpenChannel[]
  let creators: PrivateKeyAccount[]
  const sent: Sent[] = []

  before(async () => {
    hub = await openHub()
    creators = await Promise.all(['ann', 'bob', 'cho'].map((handle) => newCreator(hub, handle)))
    channels = []
    for (let index = 0; index < channelCount; index += 1) channels.push(await openChannel(hub))
    const baskets = await Promise.all(channels.map((channel) => signAll(channel)))
    const first = baskets.map((line) => line.slice(0, acknowledgedPerChannel))
    const next = baskets.map((line) => line.slice(acknowledgedPerChannel))
    await Promise.all(first.map((line) => sendLine(line, () => undefined)))
    assert.equal(acknowledged().length, channelCount * acknowledgedPerChannel)
    await killDuring(next)
    await hub.world.restartHub()
  })
  after(() => hub.close())

  it(`keeps every acknowledged tip once, after a kill at answer ${seed} of the next hundred (R5, I3)`, async () => {
    const tips = (await exportedLines(hub)).filter(({ kind }) => kind === 'tip')
    const stored = tips.map(({ basketId: id }) => String(id))
    assert.equal(new Set(stored).size, stored.length, 'a basket of one tip is stored once')
    for (const { basket } of acknowledged()) {
      assert.ok(
        stored.includes(idOf(basket)),
        `basket ${idOf(basket)} was acknowledged and is missing`,
      )
    }
    const known = new Set(sent.map(({ basket }) => idOf(basket)))
    for (const id of stored) assert.ok(known.has(id as BasketReceipt['basketId']))
  })

  it('has charged exactly what it stores (I2)', async () => {
    const tips = (await exportedLines(hub)).filter(({ kind }) => kind === 'tip')
    for (const channel of channels) {
      const { amounts } = await viewOf(hub, channel)
      const mine = tips.filter(({ channelId }) => channelId === channel.id)
      const total = mine.reduce((sum, { amount }) => sum + BigInt(String(amount)), 0n)
      assert.equal(amounts.charged, total)
    }
  })

  it('answers an acknowledged basket with the very receipt of before (R2)', async () => {
    for (const { basket, receipt } of acknowledged().slice(0, 50)) {
      const again = await hub.call({ path: '/v1/tips', body: basket })
      assert.deepEqual(basketReceipt.parse(again.body['receipt']), receipt)
    }
  })

  it('accepts what had no answer when it is sent again, once (R2)', async () => {
    for (const line of channels) {
      const mine = sent.filter(({ basket }) => basket.channelId === line.id)
      for (const entry of mine.filter(({ receipt }) => receipt === undefined)) {
        const answer = await hub.call({ path: '/v1/tips', body: entry.basket })
        assert.equal(answer.status, 200, answer.text)
        entry.receipt = tipsAnswer.parse(answer.body).receipt
      }
      const total = mine.reduce((sum, { basket }) => sum + tipsTotal(basket.tips), 0n)
      assert.equal((await viewOf(hub, line)).amounts.charged, total)
    }
  })

  it('has given receipts that all verify, from before and after the kill', async () => {
    const { info } = hub
    for (const { receipt } of acknowledged()) {
      assert.ok(receipt)
      const fault = await receiptFault(receipt, {
        hub: { chainId: info.chainId, hubAccount: info.hubAccount },
        receiptSigner: info.receiptSigner,
      })
      assert.equal(fault, undefined)
    }
  })

  it('claims and credits everything, and the reserves are equal (R4, R14, I5)', async () => {
    const answer = await settle(hub)
    assert.equal(answer.status, 202, answer.text)
    for (const channel of channels) {
      const { totalClaimed, amounts } = await viewOf(hub, channel)
      assert.equal(totalClaimed, amounts.charged)
    }
    assert.equal((await reservesOf(hub))['verdict'], 'equal')
  })

  function acknowledged(): Sent[] {
    return sent.filter(({ receipt }) => receipt !== undefined)
  }

  /** Baskets of one tip each, every voucher raising the maximum by its tip. */
  async function signAll(channel: OpenChannel): Promise<TipsRequest[]> {
    let maxClaimableAmount = 0n
    const baskets: TipsRequest[] = []
    for (let index = 0; index < acknowledgedPerChannel + inFlightPerChannel; index += 1) {
      const creator = creators[index % creators.length]
      assert.ok(creator)
      const tips = [tipOf(creator, BigInt(1_000 + index))]
      maxClaimableAmount += tipsTotal(tips)
      baskets.push(
        await signBasket(hub, {
          channelId: channel.id,
          tips,
          maxClaimableAmount,
          by: channel.authorizer,
        }),
      )
    }
    return baskets
  }

  /** Sends baskets one after the other until the hub is gone. */
  async function sendLine(baskets: readonly TipsRequest[], onAnswer: () => void) {
    for (const basket of baskets) {
      const entry: Sent = { basket, receipt: undefined }
      sent.push(entry)
      const answer = await hub.call({ path: '/v1/tips', body: basket }).catch(() => undefined)
      if (!answer) return
      assert.equal(answer.status, 200, answer.text)
      entry.receipt = tipsAnswer.parse(answer.body).receipt
      onAnswer()
    }
  }

  async function killDuring(baskets: readonly TipsRequest[][]) {
    let answers = 0
    let killed: Promise<void> | undefined
    const onAnswer = () => {
      answers += 1
      if (answers === seed) killed = hub.world.hub.kill()
    }
    await Promise.all(baskets.map((line) => sendLine(line, onAnswer)))
    assert.ok(killed, 'the hub was killed')
    await killed
  }
})

function idOf({ channelId, tips }: TipsRequest) {
  return basketId(channelId, tipsHash(tips))
}
