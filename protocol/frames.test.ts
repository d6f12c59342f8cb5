import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { FramedBasket, FramedReceipt } from './frames.ts'
import {
  decodeBaskets,
  decodeReceipts,
  decodeTicked,
  decodeTicks,
  encodeBaskets,
  encodeReceipts,
  encodeTicked,
  encodeTicks,
  FrameError,
} from './frames.ts'
import { unpackTips } from './packed-tips.ts'
import { amounts, hashes, hexOf, holds } from './testing/arbitrary.ts'

const uint32 = fc.nat(2 ** 32 - 1)
const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })
const plain = { noNullPrototype: true }
const messages = fc.record(
  { text: fc.string({ unit: 'grapheme', maxLength: 40 }), salt: hashes },
  plain,
)
const tips = fc.record(
  { to: hashes, amount: amounts.filter((amount) => amount > 0n), ref: hashes, message: messages },
  { ...plain, requiredKeys: ['to', 'amount', 'ref'] },
)
const baskets = fc.array(
  fc.record(
    {
      channelId: hashes,
      maxClaimableAmount: amounts,
      signature: hexOf(65),
      tips: fc.array(tips, { minLength: 1, maxLength: 4 }),
    },
    plain,
  ),
  { minLength: 1, maxLength: 4 },
)
const packed = (size: number, most: number) =>
  fc.nat(most).chain((count) => fc.uint8Array({ minLength: count * size, maxLength: count * size }))
const receipts = fc.record(
  {
    request: uint32,
    firstIndex: uint32,
    proofs: packed(80, 4),
    siblings: packed(32, 9),
    charged: amounts,
    held: amounts,
    ceiling: amounts,
    escrowCap: amounts,
  },
  plain,
)
const headers = fc.record(
  {
    epoch: hashes,
    number: uint64,
    previous: hashes,
    tipsRoot: hashes,
    tipCount: uint32,
    journalHash: hashes,
    closedAt: uint64,
  },
  plain,
)

function numbered(first: number, list: readonly Omit<FramedBasket, 'request'>[]): FramedBasket[] {
  return list.map((basket, at) => ({ request: first + at, ...basket }))
}

describe('baskets in a frame', () => {
  holds('come out as they went in', fc.tuple(fc.nat(2 ** 31), baskets), ([first, list]) => {
    const sent = numbered(first, list)
    const received = decodeBaskets(encodeBaskets(first, sent))
    assert.deepEqual(
      received.map(({ tips, ...basket }) => ({ ...basket, tips: unpackTips(tips) })),
      sent,
    )
  })

  holds(
    'are refused when the frame is cut anywhere, or too long',
    baskets,
    (list) => {
      const frame = encodeBaskets(1, numbered(1, list))
      for (let length = 1; length < frame.length; length += 1)
        assert.throws(() => decodeBaskets(frame.subarray(0, length)), FrameError)
      assert.throws(() => decodeBaskets(new Uint8Array([...frame, 0])), /1 bytes too many/)
    },
    20,
  )

  holds('are read or refused, whatever the bytes', fc.uint8Array({ maxLength: 400 }), (noise) => {
    try {
      decodeBaskets(noise)
    } catch (error) {
      assert.ok(error instanceof FrameError)
    }
  })

  const tip = { to: `0x${'11'.repeat(32)}`, amount: 1n, ref: `0x${'22'.repeat(32)}` } as const
  const basket = {
    request: 0,
    channelId: `0x${'33'.repeat(32)}`,
    maxClaimableAmount: 1n,
    signature: `0x${'44'.repeat(65)}`,
    tips: [tip],
  } as const
  const refused: [what: string, frame: Uint8Array, why: RegExp][] = [
    ['without a basket', encodeBaskets(0, []), /no basket/],
    ['with a basket of no tips', encodeBaskets(0, [{ ...basket, tips: [] }]), /of 0 tips/],
    [
      'with a basket of 257 tips',
      encodeBaskets(0, [{ ...basket, tips: Array(257).fill(tip) }]),
      /of 257 tips/,
    ],
    [
      'with a tip of nothing',
      encodeBaskets(0, [{ ...basket, tips: [{ ...tip, amount: 0n }] }]),
      /above zero/,
    ],
    [
      'with a message of 1,121 bytes',
      encodeBaskets(0, [
        { ...basket, tips: [{ ...tip, message: { text: 'x'.repeat(1_121), salt: tip.ref } }] },
      ]),
      /message of 1121 bytes/,
    ],
  ]
  for (const [what, frame, why] of refused) {
    it(`are refused ${what}`, () => assert.throws(() => decodeBaskets(frame), why))
  }

  it('are refused with a message that is not UTF-8', () => {
    const message = { text: 'xx', salt: tip.ref }
    const frame = encodeBaskets(0, [{ ...basket, tips: [{ ...tip, message }] }])
    frame[frame.length - 1] = 0xff
    assert.throws(() => decodeBaskets(frame), /not UTF-8/)
  })
})

describe('receipts in a frame', () => {
  holds(
    'come out as they went in, with what is available',
    fc.tuple(headers, hexOf(65), fc.array(receipts, { maxLength: 4 })),
    ([header, headerSignature, list]) => {
      const sent = list.map(({ ceiling, charged, held, escrowCap, ...rest }): FramedReceipt => {
        const used = charged + held
        const available = escrowCap > used ? escrowCap - used : 0n
        return { ...rest, channel: { ceiling, charged, held, escrowCap, available } }
      })
      const frame = { header, headerSignature, receipts: sent }
      assert.deepEqual(decodeReceipts(encodeReceipts(frame)), frame)
    },
  )
})

describe('ticks in a frame', () => {
  const preimages = fc.uint8Array({ minLength: 32, maxLength: 32 })
  const ticks = fc.record({ stream: uint32, ticks: uint32, preimage: preimages }, plain)
  holds('come out as they went in', fc.array(ticks, { minLength: 1, maxLength: 9 }), (list) => {
    assert.deepEqual(decodeTicks(encodeTicks(list)), list)
    const ticked = list.map(({ stream, ticks: count }) => ({ stream, ticks: count }))
    assert.deepEqual(decodeTicked(encodeTicked(ticked)), ticked)
  })

  it('are refused when there are none, or a byte is missing', () => {
    assert.throws(() => decodeTicks(encodeTicks([])), /no tick/)
    const frame = encodeTicks([{ stream: 1, ticks: 2, preimage: new Uint8Array(32).fill(0x55) }])
    assert.throws(() => decodeTicks(frame.subarray(0, -1)), FrameError)
  })
})
