import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { Webhook } from 'standardwebhooks'
import type { Secret } from './signature.ts'
import { newSecret, rotated, signedHeaders } from './signature.ts'

const message = { id: '000000000000000a/00000003', body: '{"type":"tip","data":"₩ 500"}' }
let now: number

const verify = (secret: string, headers: { [name: string]: string }, body = message.body) =>
  new Webhook(secret).verify(body, headers)

function secretsOf(text: string): Secret[] {
  return [{ text, expiresAt: null }]
}

describe('signedHeaders', () => {
  beforeEach(() => {
    now = Date.now()
  })

  it('verify with the package of Standard Webhooks', () => {
    const secret = newSecret(randomBytes)
    const headers = signedHeaders(message, { secrets: secretsOf(secret), now })
    assert.deepEqual(verify(secret, headers), JSON.parse(message.body))
  })

  it('are those that the package makes', () => {
    const secret = newSecret(randomBytes)
    const headers = signedHeaders(message, { secrets: secretsOf(secret), now })
    const theirs = new Webhook(secret).sign(message.id, new Date(now), message.body)
    assert.equal(headers['webhook-signature'], theirs)
  })

  it('do not verify with another secret, body, id or time', () => {
    const secret = newSecret(randomBytes)
    const headers = signedHeaders(message, { secrets: secretsOf(secret), now })
    const later = `${Number(headers['webhook-timestamp']) + 1}`
    assert.throws(() => verify(newSecret(randomBytes), headers))
    assert.throws(() => verify(secret, headers, message.body.replace('500', '501')))
    assert.throws(() => verify(secret, { ...headers, 'webhook-id': 'another' }))
    assert.throws(() => verify(secret, { ...headers, 'webhook-timestamp': later }))
  })

  it('verify with the old and the new secret until the old one ends, then with the new one', () => {
    const [old, next] = [newSecret(randomBytes), newSecret(randomBytes)]
    const secrets = rotated(secretsOf(old), { text: next, overlapEndsAt: now + 1_000 })
    const during = signedHeaders(message, { secrets, now: now + 999 })
    assert.equal(during['webhook-signature']?.split(' ').length, 2)
    verify(old, during)
    verify(next, during)
    const ended = signedHeaders(message, { secrets, now: now + 1_000 })
    assert.throws(() => verify(old, ended))
    verify(next, ended)
  })
})

describe('newSecret', () => {
  it('is whsec_ and 32 random bytes in base64', () => {
    const secret = newSecret(randomBytes)
    assert.match(secret, /^whsec_[A-Za-z0-9+/]{43}=$/)
    assert.notEqual(newSecret(randomBytes), secret)
  })
})

describe('rotated', () => {
  it('ends the secret before the one before', () => {
    const first = rotated(secretsOf('a'), { text: 'b', overlapEndsAt: 10 })
    assert.deepEqual(rotated(first, { text: 'c', overlapEndsAt: 20 }), [
      { text: 'c', expiresAt: null },
      { text: 'b', expiresAt: 20 },
    ])
  })
})
