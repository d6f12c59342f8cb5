// Every route of PROTOCOL.md and every kind of token: nobody's, a session's, one that was given back, the operator's.

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import type { PrivateKeyAccount } from 'viem'
import type { ErrorCode } from '#protocol/errors.ts'
import { listen } from '../support/events.ts'
import { assertAnswer, assertProblem, send } from '../support/http.ts'
import type { HubFixture } from '../support/hub.ts'
import { openHub } from '../support/hub.ts'
import { newCreator, randomHash, signIn } from '../support/paper.ts'
import { openSocket } from '../support/socket.ts'

type Scope = 'anyone' | 'session' | 'session-or-operator' | 'operator'

const id = randomHash()
const hook = { url: 'https://example.com/hook' }

/** A body is needed where its shape is judged before who asks (R13). */
const table: { [route: string]: { scope: Scope; body?: object } } = {
  'GET /.well-known/jandon': { scope: 'anyone' },
  'POST /v1/deposits': { scope: 'anyone' },
  'GET /v1/deposits/:depositId': { scope: 'anyone' },
  'POST /v1/sync': { scope: 'anyone' },
  'POST /v1/tips': { scope: 'anyone' },
  'GET /v1/baskets/:basketId': { scope: 'session' },
  'GET /v1/channels': { scope: 'session' },
  'GET /v1/channels/:id': { scope: 'session' },
  'GET /v1/channels/:id/tips': { scope: 'session' },
  'POST /v1/channels/:id/refunds': { scope: 'session', body: {} },
  'GET /v1/refunds/:refundId': { scope: 'session' },
  'POST /v1/creators': { scope: 'anyone' },
  'GET /v1/creators/:handle': { scope: 'anyone' },
  'GET /v1/creators/:handle/amounts': { scope: 'session' },
  'GET /v1/creators/:handle/tips': { scope: 'session' },
  'POST /v1/creators/:handle/credits': { scope: 'session' },
  'GET /v1/creators/:handle/proof': { scope: 'session-or-operator' },
  'GET /v1/audits': { scope: 'anyone' },
  'POST /v1/audits': { scope: 'operator' },
  'POST /v1/sessions/nonces': { scope: 'anyone' },
  'POST /v1/sessions': { scope: 'anyone' },
  'DELETE /v1/sessions': { scope: 'session' },
  'GET /v1/events': { scope: 'session' },
  'POST /v1/webhooks': { scope: 'session', body: hook },
  'GET /v1/webhooks': { scope: 'session' },
  'GET /v1/webhooks/:webhookId': { scope: 'session' },
  'DELETE /v1/webhooks/:webhookId': { scope: 'session' },
  'POST /v1/webhooks/:webhookId/secret': { scope: 'session' },
  'POST /v1/webhooks/:webhookId/test': { scope: 'session' },
  'GET /v1/webhooks/:webhookId/deliveries': { scope: 'session' },
  'GET /v1/webhooks/:webhookId/dead': { scope: 'session' },
  'POST /v1/webhooks/:webhookId/replay': {
    scope: 'session',
    body: { eventId: `${'0'.repeat(16)}/${'0'.repeat(8)}` },
  },
  'POST /v1/quotes': {
    scope: 'session',
    body: {
      token: `0x${'11'.repeat(20)}`,
      amount: '1',
      rail: 'iso20022',
      currency: 'KRW',
      destination: {},
    },
  },
  'POST /v1/payouts': {
    scope: 'session',
    body: {
      quoteId: id,
      payment: { nonce: '1', deadline: '2', signature: `0x${'11'.repeat(65)}` },
    },
  },
  'GET /v1/payouts': { scope: 'session' },
  'GET /v1/payouts/:payoutId': { scope: 'session' },
  'POST /v1/claims': { scope: 'operator' },
  'GET /v1/claims': { scope: 'operator' },
  'GET /v1/claims/plan': { scope: 'operator' },
  'GET /v1/reserves': { scope: 'operator' },
  'GET /v1/export': { scope: 'operator' },
  'GET /v1/backup': { scope: 'operator' },
  'GET /v1/restore': { scope: 'operator' },
  'POST /v1/restore/reconcile': { scope: 'operator', body: {} },
  'GET /healthz': { scope: 'anyone' },
  'GET /metrics': { scope: 'anyone' },
}

/** What a caller is told before anything else, or nothing when the door is open. */
const doors: { [scope in Scope]: { [caller: string]: ErrorCode | undefined } } = {
  anyone: {},
  session: {
    nobody: 'session_required',
    'a token that was given back': 'session_required',
    'the operator': 'session_required',
  },
  'session-or-operator': {
    nobody: 'session_required',
    'a token that was given back': 'session_required',
  },
  operator: {
    nobody: 'session_required',
    'a session': 'operator_required',
    'a token that was given back': 'operator_required',
  },
}

let hub: HubFixture
let busker: PrivateKeyAccount

describe('every route and every kind of token', () => {
  const tokens = new Map<string, string | undefined>()
  const given: string[] = []

  before(async () => {
    hub = await openHub()
    busker = await newCreator(hub, 'busker')
    const back = await signIn(hub, busker)
    await signOut(back)
    tokens.set('nobody', undefined)
    tokens.set('a session', await signIn(hub, busker))
    tokens.set('a token that was given back', back)
    tokens.set('the operator', hub.world.operatorToken)
    for (const token of tokens.values()) if (token) given.push(token)
  })
  after(() => hub?.close())

  async function signOut(token: string) {
    const answer = await hub.call({ method: 'DELETE', path: '/v1/sessions', token })
    assert.equal(answer.status, 204)
  }

  it('is in the table', async () => {
    const text = await readFile(new URL('../../PROTOCOL.md', import.meta.url), 'utf8')
    assert.deepEqual(Object.keys(table).sort(), routesIn(text).sort())
  })

  for (const [route, entry] of Object.entries(table)) {
    it(`${route} is for ${entry.scope === 'anyone' ? 'anyone' : `a ${entry.scope}`}`, async () => {
      for (const [caller, token] of tokens) {
        const code = doors[entry.scope][caller]
        if (code) assertProblem(await ask(route, token), code)
        else await assertOpen(route, caller, token)
      }
    })
  }

  async function assertOpen(route: string, caller: string, token: string | undefined) {
    if (route === 'GET /v1/events') return (await listen(hub, token ?? '')).close()
    const own = route === 'DELETE /v1/sessions' ? await signIn(hub, busker) : token
    const answer = await ask(route, own)
    assert.ok(![401, 403].includes(answer.status), `${caller}: ${answer.text}`)
  }

  function ask(route: string, token: string | undefined) {
    const [method = 'GET', pattern = ''] = route.split(' ')
    const path = pattern.replace(':handle', 'busker').replace(/:\w+/, id)
    const { body } = table[route] ?? {}
    return send(hub.world.hub.url, { method, path, token, ...(body ? { body } : {}) })
  }

  describe('a token that is given back', () => {
    it('ends its event stream and its WebSocket, and opens no new ones', async () => {
      const token = await signIn(hub, busker)
      given.push(token)
      const stream = await listen(hub, token)
      const following = await openSocket(hub)
      following.send(JSON.stringify({ type: 'sign-in', token }))
      await following.until(({ type }) => type === 'signed-in')
      following.send('{"type":"follow"}')
      following.send('{"type":"follow"}')
      await following.until(({ type }) => type === 'problem')
      await signOut(token)
      await stream.ended
      assert.equal((await following.closed).code, 1001)
      assertProblem(await hub.call({ path: '/v1/events', token }), 'session_required')
      const next = await openSocket(hub)
      next.send(JSON.stringify({ type: 'sign-in', token }))
      const answer = await next.until(({ type }) => type === 'problem')
      assert.ok(answer.type === 'problem')
      assert.equal(answer.problem.code, 'session_required')
      next.cut()
    })

    it('leaves the streams of other sessions of its address open', async () => {
      const [token, other] = [await signIn(hub, busker), await signIn(hub, busker)]
      const staying = await listen(hub, other)
      await signOut(token)
      assertAnswer(await hub.call({ path: '/v1/channels', token: other }), 200)
      staying.close()
    })
  })

  describe('what the hub prints', () => {
    it('holds no token and no key, nor anything else', () => {
      const printed = hub.world.hub.complaints()
      const keys = Object.entries(hub.world.hubEnvironment).filter(([name]) =>
        /KEY|TOKEN/.test(name),
      )
      for (const secret of [...given, ...keys.map(([, value]) => value ?? '')])
        assert.ok(secret === '' || !printed.includes(secret))
      assert.equal(printed, '')
    })
  })
})

/** The routes of the table in PROTOCOL.md §8: a method alone is for the path before it, and `…` stands for webhooks. */
function routesIn(text: string): string[] {
  const rows = [...text.matchAll(/^\| (`(?:GET|POST|DELETE) .*?) \|/gm)].map(
    ([, cell]) => cell ?? '',
  )
  let before = ''
  return rows
    .flatMap((row) => [...row.matchAll(/`(\w+)(?: ([^`]+))?`/g)])
    .map(([, method, path]) => {
      before = (path ?? before).replace('…', '/v1/webhooks')
      return `${method} ${before}`
    })
}
