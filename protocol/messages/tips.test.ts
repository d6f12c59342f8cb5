import assert from 'node:assert/strict'
import type { z } from 'zod'
import { changed, describeMessage } from '../testing/message.ts'
import {
  basketReceipt,
  channelAmounts,
  channelConfig,
  channelList,
  channelView,
  depositRequest,
  depositView,
  refundRequest,
  refundView,
  tip,
  tipList,
  tipMessage,
  tipsAnswer,
  tipsRequest,
  tipView,
} from './tips.ts'

const address = `0x${'a1'.repeat(20)}`
const hash = `0x${'b2'.repeat(32)}`
const signature = `0x${'c3'.repeat(65)}`
const config = {
  payer: address,
  payerAuthorizer: address,
  receiver: address,
  receiverAuthorizer: address,
  token: address,
  withdrawDelay: 86_400,
  salt: hash,
}
const message = { text: 'great song', salt: hash }
const oneTip = { to: hash, amount: '5', ref: hash, message }
const basket = { maxClaimableAmount: '7', tips: [oneTip], signature }
const request = { channelId: hash, ...basket }
const amounts = { ceiling: '7', charged: '7', held: '7', escrowCap: '7', available: '7' }
const leaf = {
  salt: hash,
  epoch: hash,
  group: '11',
  index: 3,
  channelId: hash,
  basketId: hash,
  voucherSignature: signature,
  to: hash,
  ref: hash,
  amount: '7',
  fee: '7',
  chargedAfter: '7',
  acceptedAfter: '7',
}
const header = {
  epoch: hash,
  number: '11',
  previous: hash,
  tipsRoot: hash,
  tipCount: 5,
  journalHash: hash,
  closedAt: '11',
}
const receipt = {
  basketId: hash,
  header,
  headerSignature: signature,
  tips: [{ leaf, path: [hash] }],
}
const channel = {
  channelId: hash,
  config,
  balance: '7',
  totalClaimed: '7',
  pendingWithdrawal: { amount: '7', finalizeAfter: '11' },
  refundNonce: '13',
  amounts,
  refusal: 'wrong_receiver',
}
const view = {
  cursor: 'abc',
  basketId: hash,
  channelId: hash,
  payer: address,
  token: address,
  to: hash,
  ref: hash,
  amount: '7',
  fee: '7',
  message: 'great song',
  acceptedAt: '11',
  progress: 'accepted',
}

const takes = (schema: z.ZodType, value: unknown) => schema.safeParse(value).success

describeMessage('channelConfig', channelConfig, { sample: config, kind: 'request' })
describeMessage('tipMessage', tipMessage, { sample: message, kind: 'request' })
describeMessage('tip', tip, { sample: oneTip, kind: 'request', optional: ['message'] })
describeMessage('tipsRequest', tipsRequest, {
  sample: request,
  kind: 'request',
  optional: ['tips.0.message'],
})
describeMessage('depositRequest', depositRequest, {
  sample: {
    config,
    amount: '5',
    authorization: {
      validAfter: '11',
      validBefore: '11',
      salt: '13',
      signature: `0x${'d4'.repeat(70)}`,
    },
    basket,
  },
  kind: 'request',
  optional: ['basket.tips.0.message'],
})
describeMessage('refundRequest', refundRequest, {
  sample: { amount: '5' },
  kind: 'request',
  optional: ['amount'],
})
describeMessage('basketReceipt', basketReceipt, { sample: receipt, kind: 'answer' })
describeMessage('channelAmounts', channelAmounts, { sample: amounts, kind: 'answer' })
describeMessage('tipsAnswer', tipsAnswer, { sample: { receipt, channel: amounts }, kind: 'answer' })
describeMessage('channelView', channelView, {
  sample: channel,
  kind: 'answer',
  nullable: ['pendingWithdrawal', 'refusal'],
})
describeMessage('channelList', channelList, {
  sample: { channels: [channel] },
  kind: 'answer',
  nullable: ['channels.0.pendingWithdrawal', 'channels.0.refusal'],
})
describeMessage('depositView', depositView, {
  sample: {
    depositId: hash,
    channelId: hash,
    amount: '7',
    state: 'done',
    transaction: hash,
    failure: 'refused',
    receipt,
  },
  kind: 'answer',
  nullable: ['transaction', 'failure', 'receipt'],
})
describeMessage('refundView', refundView, {
  sample: {
    refundId: hash,
    channelId: hash,
    amount: '7',
    state: 'sending',
    transaction: hash,
    failure: 'refused',
  },
  kind: 'answer',
  nullable: ['transaction', 'failure'],
})
describeMessage('tipView', tipView, { sample: view, kind: 'answer', nullable: ['message'] })
describeMessage('tipList', tipList, {
  sample: { tips: [view], next: 'abc' },
  kind: 'answer',
  nullable: ['tips.0.message', 'next'],
})

describe('tipsRequest: limits', () => {
  const withTips = (count: number) => ({
    ...request,
    tips: Array.from({ length: count }, () => oneTip),
  })
  it('takes 1 to 256 tips', () => {
    assert.ok(takes(tipsRequest, withTips(1)))
    assert.ok(takes(tipsRequest, withTips(256)))
  })
  it('refuses no tips and 257', () => {
    assert.ok(!takes(tipsRequest, withTips(0)))
    assert.ok(!takes(tipsRequest, withTips(257)))
  })
  it('takes a message of 280 code points and refuses one of 281', () => {
    const withText = (text: string) => changed(request, ['tips', 0, 'message', 'text'], text)
    assert.ok(takes(tipsRequest, withText('x'.repeat(280))))
    assert.ok(takes(tipsRequest, withText('🎵'.repeat(280))))
    assert.ok(!takes(tipsRequest, withText('x'.repeat(281))))
    assert.ok(!takes(tipsRequest, withText('🎵'.repeat(281))))
    assert.ok(!takes(tipsRequest, withText('')))
  })
  it('spells refs that differ in case only the same, so that a repetition shows', () => {
    const ref = `0x${'b2'.repeat(31)}AB`
    const twice = {
      ...request,
      tips: [
        { ...oneTip, ref },
        { ...oneTip, ref: ref.replace('AB', 'ab') },
      ],
    }
    assert.equal(new Set(tipsRequest.parse(twice).tips.map((each) => each.ref)).size, 1)
  })
})

describe('channelConfig: limits', () => {
  it('takes a withdraw delay that fits 40 bits and nothing else', () => {
    for (const withdrawDelay of [0, 1, 2 ** 40 - 1]) {
      assert.ok(takes(channelConfig, { ...config, withdrawDelay }))
    }
    for (const withdrawDelay of [-1, 0.5, 2 ** 40, Number.NaN, Infinity, 2 ** 60]) {
      assert.ok(!takes(channelConfig, { ...config, withdrawDelay }))
    }
  })
})

describe('basketReceipt: limits', () => {
  it('refuses an index or a count that is negative or a fraction', () => {
    for (const number of [-1, 0.5, 2 ** 53]) {
      assert.ok(!takes(basketReceipt, changed(receipt, ['header', 'tipCount'], number)))
      assert.ok(!takes(basketReceipt, changed(receipt, ['tips', 0, 'leaf', 'index'], number)))
    }
  })
  it('takes an empty path, which a group of one tip has', () => {
    assert.ok(takes(basketReceipt, changed(receipt, ['tips', 0, 'path'], [])))
  })
})

describe('states on the wire', () => {
  it('are those of their lists and no others', () => {
    for (const state of ['relaying', 'confirming', 'done', 'failed']) {
      assert.ok(takes(depositView.shape.state, state))
    }
    for (const state of ['sending', 'done', 'failed'])
      assert.ok(takes(refundView.shape.state, state))
    for (const progress of ['accepted', 'claimed', 'yours']) {
      assert.ok(takes(tipView.shape.progress, progress))
    }
    for (const state of ['', 'DONE', 'paid', 'relaying ', 'toString']) {
      assert.ok(!takes(depositView.shape.state, state))
      assert.ok(!takes(refundView.shape.state, state))
      assert.ok(!takes(tipView.shape.progress, state))
    }
  })
})
