import assert from 'node:assert/strict'
import { channelsDomainSeparator } from '#protocol/channel.ts'
import { recoverSigner } from '#protocol/signature.ts'
import { messageRef, tipsHash, tipTo, tipVoucherDigest } from '#protocol/tip.ts'
import { bareHandle, makeTip, nameTips, signBasket, signHigher } from './baskets.ts'
import { ClientError } from './errors.ts'
import { offlineContext } from './testing/context.ts'
import { hashOf, hub, payer } from './testing/hub-paper.ts'

const creator = `0x${'0c'.repeat(20)}` as const

describe('makeTip', () => {
  it('gives each tip a fresh ref', () => {
    const context = offlineContext()
    const one = makeTip(context, creator, { amount: 5n })
    const another = makeTip(context, creator, { amount: 5n })
    assert.deepEqual({ to: one.to, amount: one.amount }, { to: tipTo(creator), amount: 5n })
    assert.notEqual(one.ref, another.ref)
  })

  it('commits to the message with a fresh salt (R9)', () => {
    const { message, ref } = makeTip(offlineContext(), creator, { amount: 5n, message: '고마워요' })
    assert.equal(message?.text, '고마워요')
    assert.equal(ref, messageRef({ text: '고마워요', salt: message?.salt ?? '0x' }))
  })

  it('refuses amounts that no tip can carry', () => {
    for (const amount of [0n, -1n, 2n ** 128n]) {
      assert.throws(() => makeTip(offlineContext(), creator, { amount }), refused('invalid_amount'))
    }
  })

  it('refuses messages that are blank, too long, or hold control characters', () => {
    for (const message of ['', '  ', 'x'.repeat(281), 'a\u0007b']) {
      const make = () => makeTip(offlineContext(), creator, { amount: 1n, message })
      assert.throws(make, refused('invalid_input'))
    }
  })
})

describe('nameTips', () => {
  it('takes addresses without asking the hub', async () => {
    const [named] = await nameTips(offlineContext(), [{ to: creator, amount: 3n }])
    assert.deepEqual([named?.name, named?.tip.to], [null, tipTo(creator)])
  })

  it('refuses a basket of none and one of more than 256', async () => {
    const order = { to: creator, amount: 1n }
    assert.equal((await nameTips(offlineContext(), Array(256).fill(order))).length, 256)
    for (const count of [0, 257]) {
      await assert.rejects(
        nameTips(offlineContext(), Array(count).fill(order)),
        refused('invalid_input'),
      )
    }
  })
})

describe('signBasket', () => {
  it('signs for the base and exactly the tips', async () => {
    const basket = await signBasket(offlineContext(), order())
    assert.equal(basket.maxClaimableAmount, 112n)
    assert.equal(await signerOf(basket), payer.address.toLowerCase())
  })
})

describe('signHigher', () => {
  it('keeps the basket id and every signature that left (R2, R3)', async () => {
    const context = offlineContext()
    const basket = await signBasket(context, order())
    const raised = await signHigher(context, { hub, basket, maximum: 200n })
    assert.equal(raised.basketId, basket.basketId)
    assert.deepEqual(raised.signatures.slice(0, 1), basket.signatures)
    assert.equal(await signerOf(raised), payer.address.toLowerCase())
  })
})

describe('bareHandle', () => {
  it('takes a handle with or without @, in any case', () => {
    assert.deepEqual(['@Busker', 'busker'].map(bareHandle), ['busker', 'busker'])
  })

  it('refuses what can be no handle', () => {
    for (const text of ['', '@', 'b', '@a b', '../x', 'x'.repeat(31)]) {
      assert.throws(() => bareHandle(text), refused('invalid_input'))
    }
  })
})

function order() {
  const tip = makeTip(offlineContext(), creator, { amount: 12n })
  return { hub, channel: { channelId: hashOf(5), base: 100n }, tips: [{ name: null, tip }] }
}

type Basket = Awaited<ReturnType<typeof signBasket>>

function signerOf({ channelId, maxClaimableAmount, tips, signatures }: Basket) {
  const separator = channelsDomainSeparator({ chainId: hub.chainId, address: hub.channels })
  const voucher = { channelId, maxClaimableAmount, tipsHash: tipsHash(tips) }
  return recoverSigner(tipVoucherDigest(voucher, separator), signatures.at(-1) ?? '0x')
}

function refused(code: string) {
  return (error: unknown) => error instanceof ClientError && error.code === code
}
