// Round after round: tips from several payers at once, kill -9 at a random moment, a restart on the same data. What was
// acknowledged in any round is there once, and what was not is there wholly or not at all.

import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import type { Address, Hex, PrivateKeyAccount } from 'viem'
import type { TipsRequest } from '#protocol/messages/tips.ts'
import { basketReceipt, tipList, tipsAnswer } from '#protocol/messages/tips.ts'
import type { BasketReceipt } from '#protocol/receipt.ts'
import { receiptFault } from '#protocol/receipt.ts'
import type { Tip } from '#protocol/tip.ts'
import { basketId, tipsHash, tipsTotal } from '#protocol/tip.ts'
import type { OpenChannel } from '../support/channels.ts'
import { openChannel, viewOf } from '../support/channels.ts'
import { assertAnswer } from '../support/http.ts'
import type { HubFixture } from '../support/hub.ts'
import { openHub, reservesOf, settle } from '../support/hub.ts'
import { addressOf, newCreator, randomHash, signBasket, signIn, unit } from '../support/paper.ts'

const { JANDON_TORTURE_ROUNDS, JANDON_SEED } = process.env
const rounds = Number(JANDON_TORTURE_ROUNDS ?? 5)
const seed = Number(JANDON_SEED ?? randomInt(1, 2 ** 31))
const channelCount = 6
const basketsPerRound = 12
const linesPerChannel = 2
/** Of each channel, and what every voucher allows: a basket without an answer stays good. */
const deposit = 1_000n * unit

type Sent = { basket: TipsRequest; receipt: BasketReceipt | undefined }
type Creator = { account: PrivateKeyAccount; address: Address; handle: string }

/** Numbers that follow from the seed alone (mulberry32). */
function createDice(start: number) {
  let state = start
  return (below: number): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

describe(`kill -9, ${rounds} rounds from seed ${seed}`, function () {
  this.timeout(60_000 + rounds * 30_000)
  const dice = createDice(seed)
  const sent = new Map<Hex, Sent>()
  let hub: HubFixture
  let channels: OpenChannel[]
  let creators: Creator[]

  before(async () => {
    hub = await openHub()
    creators = []
    for (const handle of ['ann', 'bob', 'cho']) {
      const account = await newCreator(hub, handle)
      creators.push({ account, address: addressOf(account), handle })
    }
    channels = []
    for (let index = 0; index < channelCount; index += 1)
      channels.push(await openChannel(hub, { deposit }))
  })
  after(() => hub?.close())

  for (let round = 1; round <= rounds; round += 1) {
    it(`loses and doubles nothing that was acknowledged, round ${round} (R2, R5, I3)`, async () => {
      const before = await chargedOf()
      const killAt = 1 + dice(channelCount * basketsPerRound - 1)
      await tipUntilKilled(killAt)
      await hub.world.restartHub()
      await assertKept(before)
    })
  }

  it('accepts what had no answer when it is sent again, and counts nothing twice (R2)', async () => {
    for (const [id, entry] of sent) {
      const answer = await hub.call({ path: '/v1/tips', body: entry.basket })
      const { receipt } = tipsAnswer.parse(assertAnswer(answer, 200))
      if (entry.receipt) assert.deepEqual(receipt, entry.receipt)
      assert.equal(receipt.basketId, id)
      entry.receipt = receipt
    }
    const charged = await chargedOf()
    for (const { id } of channels) {
      const mine = [...sent.values()].filter(({ basket }) => basket.channelId === id)
      const total = mine.reduce((sum, { basket }) => sum + tipsTotal(basket.tips), 0n)
      assert.equal(charged.get(id), total)
    }
    await assertKept(charged)
  })

  it('has given no two receipts under one place, and all of them verify (R5, I7)', async () => {
    const { chainId, hubAccount, receiptSigner } = hub.info
    const places = new Set<string>()
    for (const { receipt } of sent.values()) {
      assert.ok(receipt)
      const identity = { hub: { chainId, hubAccount }, receiptSigner }
      assert.equal(await receiptFault(receipt, identity), undefined)
      for (const { leaf } of receipt.tips) {
        const place = `${leaf.group}/${leaf.index}`
        assert.ok(!places.has(place), `two tips at ${place}`)
        places.add(place)
      }
    }
  })

  it('claims and credits everything to the unit, and the reserves are equal (R4, R14, I5, I8)', async () => {
    assertAnswer(await settle(hub), 202)
    for (const channel of channels) {
      const { totalClaimed, amounts } = await viewOf(hub, channel)
      assert.equal(totalClaimed, amounts.charged)
    }
    const leaves = [...sent.values()].flatMap(({ receipt }) => receipt?.tips ?? [])
    for (const { account, address, handle } of creators) {
      const mine = leaves.filter(({ leaf }) => leaf.to.endsWith(address.slice(2)))
      const due = mine.reduce((sum, { leaf }) => sum + leaf.amount - leaf.fee, 0n)
      const token = await signIn(hub, account)
      const answer = await hub.call({ path: `/v1/creators/${handle}/amounts`, token })
      const [amounts] = assertAnswer(answer, 200)['amounts'] as {
        yours: string
        accepted: string
      }[]
      assert.equal(BigInt(amounts?.yours ?? 0), due)
      assert.equal(BigInt(amounts?.accepted ?? 0), due)
    }
    assert.equal((await reservesOf(hub))['verdict'], 'equal')
  })

  /** Baskets of random sizes on every channel, two at a time on each; the hub is killed at an answer in the middle. */
  async function tipUntilKilled(killAt: number) {
    const lines: Sent[][] = []
    for (const channel of channels) {
      const mine = await signRound(channel)
      for (let line = 0; line < linesPerChannel; line += 1)
        lines.push(mine.filter((_, index) => index % linesPerChannel === line))
    }
    let answers = 0
    let killed: Promise<void> | undefined
    await Promise.all(
      lines.map((line) =>
        sendLine(line, () => {
          answers += 1
          if (answers === killAt) killed = hub.world.hub.kill()
        }),
      ),
    )
    assert.ok(killed, `the hub was killed at answer ${killAt} of ${answers}`)
    await killed
  }

  async function signRound(channel: OpenChannel): Promise<Sent[]> {
    const all = Array.from({ length: basketsPerRound }, () =>
      Array.from({ length: 1 + dice(4) }, newTip),
    )
    const entries = all.map(async (tips): Promise<Sent> => {
      const order = { channelId: channel.id, tips, maxClaimableAmount: deposit }
      return {
        basket: await signBasket(hub, { ...order, by: channel.authorizer }),
        receipt: undefined,
      }
    })
    return Promise.all(entries)
  }

  function newTip(): Tip {
    const creator = creators[dice(creators.length)]
    assert.ok(creator)
    const to: Hex = `0x${creator.address.slice(2).padStart(64, '0')}`
    return { to, amount: BigInt(1 + dice(50_000)), ref: randomHash() }
  }

  async function sendLine(line: readonly Sent[], onAnswer: () => void) {
    for (const entry of line) {
      sent.set(idOf(entry.basket), entry)
      const answer = await hub.call({ path: '/v1/tips', body: entry.basket }).catch(() => undefined)
      if (!answer) return
      entry.receipt = tipsAnswer.parse(assertAnswer(answer, 200)).receipt
      onAnswer()
    }
  }

  /** Compares what payers can read with what was acknowledged, and with what was charged before. */
  async function assertKept(before: ReadonlyMap<Hex, bigint>) {
    for (const channel of channels) {
      const stored = await storedBaskets(channel)
      const { amounts } = await viewOf(hub, channel)
      let charged = 0n
      for (const [id, amount] of stored) {
        const entry = sent.get(id)
        assert.ok(entry, `basket ${id} was never sent`)
        assert.equal(amount, tipsTotal(entry.basket.tips), `basket ${id} is not whole, or doubled`)
        charged += amount
      }
      assert.equal(amounts.charged, charged)
      assert.ok(amounts.charged >= (before.get(channel.id) ?? 0n))
      await assertAcknowledged(channel, stored)
    }
    assert.equal((await reservesOf(hub))['verdict'], 'equal')
  }

  async function assertAcknowledged(channel: OpenChannel, stored: ReadonlyMap<Hex, bigint>) {
    const { token } = channel
    for (const [id, { basket, receipt }] of sent) {
      if (!receipt || basket.channelId !== channel.id) continue
      assert.ok(stored.has(id), `basket ${id} was acknowledged and is missing`)
      const answer = await hub.call({ path: `/v1/baskets/${id}`, token })
      assert.deepEqual(basketReceipt.parse(assertAnswer(answer, 200)), receipt)
    }
  }

  /** What a channel's list of tips adds up to per basket, read page by page; a tip that comes twice counts twice. */
  async function storedBaskets({ id, token }: OpenChannel): Promise<Map<Hex, bigint>> {
    const baskets = new Map<Hex, bigint>()
    for (let next: string | null = ''; next !== null; ) {
      const cursor: string = next === '' ? '' : `&cursor=${encodeURIComponent(next)}`
      const answer = await hub.call({ path: `/v1/channels/${id}/tips?limit=100${cursor}`, token })
      const page = tipList.parse(assertAnswer(answer, 200))
      for (const { basketId: of, amount } of page.tips)
        baskets.set(of, (baskets.get(of) ?? 0n) + amount)
      next = page.next
    }
    return baskets
  }

  async function chargedOf(): Promise<Map<Hex, bigint>> {
    const charged = new Map<Hex, bigint>()
    for (const channel of channels)
      charged.set(channel.id, (await viewOf(hub, channel)).amounts.charged)
    return charged
  }
})

function idOf({ channelId, tips }: TipsRequest): Hex {
  return basketId(channelId, tipsHash(tips))
}
