import assert from 'node:assert/strict'
import { describeMessage } from '../testing/message.ts'
import {
  attemptList,
  deadLetterList,
  eventTypes,
  replayRequest,
  testAnswer,
  webhookList,
  webhookRequest,
  webhookSecretAnswer,
} from './webhooks.ts'

const eventId = '000000000000000a/00000003'
const webhook = {
  webhookId: `0x${'b2'.repeat(32)}`,
  url: 'https://example.com/hook',
  events: ['tip'],
  createdAt: '11',
  disabledAt: '11',
  delivery: { doneThrough: eventId, failures: 2, nextAttemptAt: '11', replays: 3 },
}
const attempt = { eventId, type: 'tip', at: '11', status: 204, failure: 'ECONNREFUSED' }
const dead = { eventId, type: 'tip', attempts: 4, failure: 'it answered 500', at: '11' }
const nullable = ['disabledAt', 'delivery.nextAttemptAt']

describeMessage('webhookRequest', webhookRequest, {
  sample: { url: 'https://example.com/hook', events: ['tip'] },
  kind: 'request',
  optional: ['events'],
})
describeMessage('replayRequest', replayRequest, {
  sample: { from: eventId, to: eventId },
  kind: 'request',
  optional: ['to'],
})
describeMessage('webhookSecretAnswer', webhookSecretAnswer, {
  sample: { webhook, secret: 'whsec_AAAA' },
  kind: 'answer',
  nullable: nullable.map((name) => `webhook.${name}`),
})
describeMessage('webhookList', webhookList, {
  sample: { webhooks: [webhook] },
  kind: 'answer',
  nullable: nullable.map((name) => `webhooks.0.${name}`),
})
describeMessage('attemptList', attemptList, {
  sample: { attempts: [attempt] },
  kind: 'answer',
  nullable: ['attempts.0.status', 'attempts.0.failure'],
})
describeMessage('testAnswer', testAnswer, {
  sample: { delivered: true, status: 204, failure: 'ECONNREFUSED' },
  kind: 'answer',
  nullable: ['status', 'failure'],
})
describeMessage('deadLetterList', deadLetterList, {
  sample: { dead: [dead], next: eventId },
  kind: 'answer',
  nullable: ['next'],
})

describe('webhookRequest', () => {
  const url = 'https://example.com/hook'
  it('is for all types of events when it names none', () => {
    assert.deepEqual(webhookRequest.parse({ url }).events, eventTypes)
  })
  it('refuses no type, an unknown one, and one that is named twice', () => {
    for (const events of [[], ['test'], ['tip', 'tip']]) {
      assert.equal(webhookRequest.safeParse({ url, events }).success, false)
    }
  })
  it('takes a URL of 2,048 characters, and none that is longer', () => {
    const long = url.padEnd(2_048, 'x')
    assert.equal(webhookRequest.safeParse({ url: long }).success, true)
    assert.equal(webhookRequest.safeParse({ url: `${long}x` }).success, false)
  })
})

describe('replayRequest', () => {
  it('takes one event', () => {
    assert.deepEqual(replayRequest.parse({ eventId }), { eventId })
  })
  it('refuses an event beside a range, and a range that ends before it begins', () => {
    const earlier = '0000000000000009/ffffffff'
    const wrong = [
      {},
      { to: eventId },
      { eventId, from: eventId },
      { eventId, to: eventId },
      { from: eventId, to: earlier },
      { from: 'x' },
    ]
    for (const body of wrong) assert.equal(replayRequest.safeParse(body).success, false)
  })
})
