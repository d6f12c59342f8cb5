// Every route of PROTOCOL.md §8 with everything that is not a request: each is refused as documented and leaves no trace.

import assert from 'node:assert/strict'
import { connect } from 'node:net'
import type { PrivateKeyAccount } from 'viem'
import type { ErrorCode } from '#protocol/errors.ts'
import { toJson } from '#protocol/messages/wire.ts'
import type { OpenChannel } from '../support/channels.ts'
import { openChannel, sendTips } from '../support/channels.ts'
import type { Call } from '../support/http.ts'
import { assertAnswer, assertProblem } from '../support/http.ts'
import type { HubFixture } from '../support/hub.ts'
import { assertUnchanged, newParty, openHub } from '../support/hub.ts'
import {
  newCreator,
  randomHash,
  signBasket,
  signDeposit,
  signIn,
  signInMessage,
  signRegistration,
  tipOf,
  unit,
} from '../support/paper.ts'
import { presentable } from '../support/restore.ts'
import type { Json } from '../support/spoil.ts'
import {
  withExtraFields,
  withOtherTypes,
  withoutEachField,
  withRepeatedKey,
} from '../support/spoil.ts'

let hub: HubFixture
let busker: PrivateKeyAccount
let channel: OpenChannel

describe('every route and what is not a request', () => {
  before(async () => {
    hub = await openHub()
    busker = await newCreator(hub, 'busker')
    channel = await openChannel(hub)
  })

  after(() => hub?.close())

  /** A route that takes a body: how it is called, a body of the right shape, and what of it is free. */
  type BodyRoute = {
    name: string
    path: () => string
    good: () => Promise<object>
    needsSession: boolean
    /** More bytes than it takes; without it, one MiB. */
    tooManyBytes?: number
    optional?: string[]
    /** Objects whose fields are not the protocol's. */
    open?: string[]
  }

  const aMessage = { text: 'well played', salt: randomHash() }

  const bodyRoutes: BodyRoute[] = [
    {
      name: 'POST /v1/tips',
      path: () => '/v1/tips',
      needsSession: false,
      optional: ['tips.0.message'],
      good: () =>
        signBasket(hub, {
          channelId: channel.id,
          tips: [{ ...tipOf(busker, 1n), message: aMessage } as ReturnType<typeof tipOf>],
          by: channel.payer,
        }),
    },
    {
      name: 'POST /v1/sync',
      path: () => '/v1/sync',
      tooManyBytes: 2 * 1024 * 1024,
      needsSession: false,
      optional: ['basket.tips.0.message'],
      good: async () => {
        const basket = await signBasket(hub, {
          channelId: channel.id,
          tips: [{ ...tipOf(busker, 1n), message: aMessage } as ReturnType<typeof tipOf>],
          by: channel.payer,
        })
        return presentable(basket)
      },
    },
    {
      name: 'POST /v1/deposits',
      path: () => '/v1/deposits',
      needsSession: false,
      good: async () => (await signDeposit(hub, { payer: channel.payer, amount: unit })).request,
    },
    {
      name: 'POST /v1/creators',
      path: () => '/v1/creators',
      needsSession: false,
      good: async () => signRegistration(hub, await newParty(hub), { handle: 'somebody' }),
    },
    {
      name: 'POST /v1/sessions',
      path: () => '/v1/sessions',
      needsSession: false,
      good: () => signInMessage(hub, channel.payer),
    },
    {
      name: 'POST /v1/channels/:id/refunds',
      path: () => `/v1/channels/${channel.id}/refunds`,
      needsSession: true,
      optional: ['amount'],
      good: async () => ({ amount: '1' }),
    },
    {
      name: 'POST /v1/quotes',
      path: () => '/v1/quotes',
      needsSession: true,
      open: ['destination'],
      optional: ['destination.name', 'destination.bank'],
      good: async () => ({
        token: hub.world.token.address,
        amount: '1000000',
        rail: 'iso20022',
        currency: 'KRW',
        destination: { name: 'Kim Painter', bank: '004' },
      }),
    },
    {
      name: 'POST /v1/payouts',
      path: () => '/v1/payouts',
      needsSession: true,
      good: async () => ({
        quoteId: randomHash(),
        payment: { nonce: '1', deadline: '2', signature: `0x${'11'.repeat(65)}` },
      }),
    },
    {
      name: 'POST /v1/webhooks',
      path: () => '/v1/webhooks',
      needsSession: true,
      optional: ['events'],
      good: async () => ({ url: 'https://example.com/hook', events: ['tip'] }),
    },
    {
      name: 'POST /v1/webhooks/:id/replay',
      path: () => `/v1/webhooks/${randomHash()}/replay`,
      needsSession: true,
      optional: ['to'],
      good: async () => ({
        from: '0000000000000001/00000000',
        to: '0000000000000002/00000000',
      }),
    },
  ]

  for (const route of bodyRoutes) {
    const { name, path, good, needsSession, optional, open, tooManyBytes = 1024 * 1024 } = route
    describe(`${name}, a bad body (R13)`, () => {
      const post = (call: Omit<Call, 'path' | 'method'>) =>
        hub.call({
          method: 'POST',
          path: path(),
          ...(needsSession ? { token: channel.token } : {}),
          ...call,
        })
      const goodJson = async () => JSON.parse(toJson(await good())) as Json

      async function assertAll(code: ErrorCode, calls: Omit<Call, 'path' | 'method'>[]) {
        await assertUnchanged(hub, async () => {
          for (const call of calls) assertProblem(await post(call), code)
        })
      }

      it('is unsupported_media_type when it is not said to be JSON', async () => {
        const body = toJson(await good())
        const types = [
          'text/plain',
          'application/x-www-form-urlencoded',
          'multipart/form-data; boundary=x',
          'application/jsonp',
          'application/json-patch+json',
          'text/json',
          '',
        ]
        await assertAll(
          'unsupported_media_type',
          types.map((type) => ({ body, headers: { 'content-type': type } })),
        )
        await assertAll('unsupported_media_type', [{}])
      })

      it('is body_too_large above its limit, however it is sent', async () => {
        const body = `{"extra":"${'x'.repeat(tooManyBytes)}"}`
        await assertAll('body_too_large', [{ body }, { body, chunked: true }])
      })

      it('is malformed_json when it is not JSON', async () => {
        const text = toJson(await good())
        const texts = [
          '',
          ' ',
          '{',
          text.slice(0, -1),
          `${text}}`,
          `${text}${text}`,
          text.replace(/}$/, ',}'),
          text.replaceAll('"', "'"),
          text.replace('{', '{/* */'),
          `${text}\u0000`,
          'undefined',
          'NaN',
          "{'a':1}",
          '{"a":01}',
          '{"a":"\n"}',
          `{"a":"\\x"}`,
        ]
        await assertAll(
          'malformed_json',
          texts.map((body) => ({ body: Buffer.from(body) })),
        )
      })

      it('is malformed_json when it is not UTF-8', async () => {
        const text = toJson(await good())
        const broken = [
          Buffer.concat([Buffer.from(text.slice(0, -1)), Buffer.from([0xff, 0x7d])]),
          Buffer.from(`{"extra":"\u00fc"}`, 'latin1'),
          Buffer.from(text, 'utf16le'),
          Buffer.from([0x7b, 0x22, 0xc0, 0xaf, 0x22, 0x3a, 0x31, 0x7d]),
          Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]),
        ]
        await assertAll(
          'malformed_json',
          broken.map((body) => ({ body })),
        )
      })

      it('is duplicate_key when a key stands twice, in whatever spelling and depth', async () => {
        const body = await goodJson()
        const nested = `{"extra":[{"deep":{"a":1,"\\u0061":2}}],${JSON.stringify(body).slice(1)}`
        await assertAll(
          'duplicate_key',
          [...withRepeatedKey(body), nested].map((text) => ({ body: text })),
        )
      })

      it('is invalid_request when it is no object', async () => {
        const texts = ['null', 'true', '0', '"text"', '[]', `[${toJson(await good())}]`]
        await assertAll(
          'invalid_request',
          texts.map((body) => ({ body })),
        )
      })

      it('is invalid_request without any one of its fields', async () => {
        const spoiled = withoutEachField(await goodJson(), optional)
        await assertAll(
          'invalid_request',
          spoiled.map(({ body }) => ({ body: JSON.stringify(body) })),
        )
      })

      it('is invalid_request with one field more, in any of its objects', async () => {
        const body = await goodJson()
        const text = JSON.stringify(body)
        const bodies = withExtraFields(body, open).map((spoiled) => JSON.stringify(spoiled.body))
        for (const key of ['__proto__', 'constructor', 'toString', '']) {
          bodies.push(`{"${key}":{},${text.slice(1)}`)
        }
        await assertAll(
          'invalid_request',
          bodies.map((spoiled) => ({ body: spoiled })),
        )
      })

      it('is invalid_request with a value of another type in any place', async () => {
        const freeText = / as (?:destination\..*|rail|message)$/
        const calls = withOtherTypes(await goodJson()).filter(
          ({ what }) => !(what.startsWith('with "') && freeText.test(what)),
        )
        await assertUnchanged(hub, async () => {
          for (const { what, body } of calls) {
            const answer = await post({ body: JSON.stringify(body) })
            assert.equal(answer.body['code'], 'invalid_request', `${what}: ${answer.text}`)
          }
        })
      })

      it('is refused without harm when it is nested 100,000 deep', async () => {
        const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`
        const objects = `${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}`
        const [first] = Object.keys(await good())
        await assertAll('invalid_request', [
          { body: deep },
          { body: objects },
          { body: `{"${first}":${deep}}` },
        ])
        await assertAll('malformed_json', [{ body: '['.repeat(500_000) }])
      })

      it('names what is wrong in "issues", at most eight of it', async () => {
        const answer = await post({ body: '{"a":1,"amount":[]}' })
        assertProblem(answer, 'invalid_request')
        const { issues } = answer.body['values'] as { issues: string[] }
        assert.ok(issues.length >= 1 && issues.length <= 8, answer.text)
        assert.equal(issues[0], answer.body['detail'])
      })
    })
  }

  describe('routes that need a session, body and session both bad (R13)', () => {
    for (const { name, path, needsSession } of bodyRoutes) {
      if (!needsSession) continue
      it(`${name} names the body first`, async () => {
        const wrong = { path: path(), method: 'POST' }
        const headers = { 'content-type': 'text/plain' }
        assertProblem(await hub.call({ ...wrong, body: 'x', headers }), 'unsupported_media_type')
        assertProblem(await hub.call({ ...wrong, body: '{' }), 'malformed_json')
        assertProblem(await hub.call({ ...wrong, body: '{"extra":1}' }), 'invalid_request')
      })
    }
  })

  const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']

  /** Paths with a place for an id, and the methods that PROTOCOL.md gives them. */
  const routes: { path: string; allow: string[] }[] = [
    { path: '/.well-known/jandon', allow: ['GET'] },
    { path: '/v1/deposits', allow: ['POST'] },
    { path: '/v1/deposits/:id', allow: ['GET'] },
    { path: '/v1/tips', allow: ['POST'] },
    { path: '/v1/baskets/:id', allow: ['GET'] },
    { path: '/v1/channels', allow: ['GET'] },
    { path: '/v1/channels/:id', allow: ['GET'] },
    { path: '/v1/channels/:id/tips', allow: ['GET'] },
    { path: '/v1/channels/:id/refunds', allow: ['POST'] },
    { path: '/v1/refunds/:id', allow: ['GET'] },
    { path: '/v1/creators', allow: ['POST'] },
    { path: '/v1/creators/:handle', allow: ['GET'] },
    { path: '/v1/creators/:handle/amounts', allow: ['GET'] },
    { path: '/v1/creators/:handle/tips', allow: ['GET'] },
    { path: '/v1/sessions/nonces', allow: ['POST'] },
    { path: '/v1/sessions', allow: ['POST', 'DELETE'] },
    { path: '/v1/events', allow: ['GET'] },
    { path: '/v1/quotes', allow: ['POST'] },
    { path: '/v1/quotes/:id', allow: ['GET'] },
    { path: '/v1/payouts', allow: ['GET', 'POST'] },
    { path: '/v1/payouts/:id', allow: ['GET'] },
    { path: '/v1/webhooks', allow: ['GET', 'POST'] },
    { path: '/v1/webhooks/:id', allow: ['GET', 'DELETE'] },
    { path: '/v1/webhooks/:id/secret', allow: ['POST'] },
    { path: '/v1/webhooks/:id/test', allow: ['POST'] },
    { path: '/v1/webhooks/:id/deliveries', allow: ['GET'] },
    { path: '/v1/webhooks/:id/dead', allow: ['GET'] },
    { path: '/v1/webhooks/:id/replay', allow: ['POST'] },
    { path: '/v1/claims', allow: ['GET', 'POST'] },
    { path: '/v1/reserves', allow: ['GET'] },
    { path: '/v1/sync', allow: ['POST'] },
    { path: '/v1/backup', allow: ['GET'] },
    { path: '/v1/restore', allow: ['GET'] },
    { path: '/v1/restore/reconcile', allow: ['POST'] },
    { path: '/v1/export', allow: ['GET'] },
    { path: '/healthz', allow: ['GET'] },
    { path: '/metrics', allow: ['GET'] },
  ]

  describe('every route, a wrong method', () => {
    for (const { path, allow } of routes) {
      it(`${path} answers 405 and names ${allow.join(' and ')}`, async () => {
        const real = path.replace(':id', randomHash()).replace(':handle', 'busker')
        await assertUnchanged(hub, async () => {
          for (const method of methods.filter((candidate) => !allow.includes(candidate))) {
            const answer = await hub.call({ method, path: real, token: channel.token })
            assertProblem(answer, 'method_not_allowed')
            const named = String(answer.headers['allow']).split(/,\s*/)
            assert.deepEqual(named.sort(), [...allow].sort(), method)
          }
        })
      })
    }
  })

  describe('every route with an id, an id that is none', () => {
    const badIds = [
      'x',
      '0x',
      '1',
      'ab'.repeat(32),
      `0x${'ab'.repeat(31)}a`,
      `0x${'ab'.repeat(32)}a`,
      `0x${'ag'.repeat(32)}`,
      `0X${'ab'.repeat(32)}`,
      `0x${'ab'.repeat(32)}%0a`,
      '%00',
      '..%2f..%2fetc%2fpasswd',
      '%F0%9F%8E%B8',
    ]
    for (const { path, allow } of routes.filter(({ path: each }) => each.includes(':id'))) {
      it(`${path} answers invalid_request, whoever asks (R13)`, async () => {
        const [method = 'GET'] = allow
        await assertUnchanged(hub, async () => {
          for (const id of badIds) {
            const body = method === 'POST' ? { body: '{}' } : {}
            const call = { method, path: path.replace(':id', id), ...body }
            assertProblem(await hub.call({ ...call, token: channel.token }), 'invalid_request')
            assertProblem(await hub.call(call), 'invalid_request')
          }
        })
      })
    }

    it('GET /v1/creators/:handle answers invalid_request to what cannot be a handle', async () => {
      for (const handle of [
        'a',
        'A',
        'Busker',
        '-ab',
        '_ab',
        'a b',
        'a'.repeat(31),
        'é1',
        '%00%00',
      ]) {
        for (const rest of ['', '/amounts', '/tips']) {
          const path = `/v1/creators/${encodeURI(handle).replaceAll('%25', '%')}${rest}`
          assertProblem(await hub.call({ path, token: channel.token }), 'invalid_request')
        }
      }
    })

    it('answers that it does not know an id that could be one', async () => {
      const id = randomHash()
      const unknown: [path: string, code: ErrorCode][] = [
        [`/v1/deposits/${id}`, 'unknown_deposit'],
        [`/v1/baskets/${id}`, 'unknown_basket'],
        [`/v1/channels/${id}`, 'unknown_channel'],
        [`/v1/channels/${id}/tips`, 'unknown_channel'],
        [`/v1/refunds/${id}`, 'unknown_refund'],
        [`/v1/quotes/${id}`, 'unknown_quote'],
        [`/v1/payouts/${id}`, 'unknown_payout'],
        [`/v1/webhooks/${id}`, 'unknown_webhook'],
        [`/v1/webhooks/${id}/deliveries`, 'unknown_webhook'],
        [`/v1/webhooks/${id}/dead`, 'unknown_webhook'],
        ['/v1/creators/nobody', 'unknown_handle'],
        ['/v1/creators/nobody/amounts', 'unknown_handle'],
        ['/v1/creators/nobody/tips', 'unknown_handle'],
      ]
      for (const [path, code] of unknown) {
        assertProblem(await hub.call({ path, token: channel.token }), code)
      }
      const path = `/v1/channels/${id}/refunds`
      assertProblem(await hub.call({ path, body: {}, token: channel.token }), 'unknown_channel')
    })
  })

  describe('lists, a bad cursor or limit', () => {
    const badPages = [
      'limit=0',
      'limit=101',
      'limit=-1',
      'limit=1.5',
      'limit=ten',
      'limit=',
      'limit=1e1',
      'limit=0x10',
      'limit=%2010',
      'limit=1&limit=2',
      `limit=${'9'.repeat(400)}`,
      'cursor=',
      'cursor=x',
      'cursor=0',
      `cursor=${'f'.repeat(65)}`,
      'cursor=0000000000000001',
      'cursor=0000000000000001/0000000',
      'cursor=0000000000000001/0000000g',
      'cursor=0000000000000001/00000000/',
      'cursor=a&cursor=b',
      'cursor=%00',
    ]
    it('GET /v1/channels/:id/tips refuses it', async () => {
      for (const query of badPages) {
        const path = `/v1/channels/${channel.id}/tips?${query}`
        const answer = await hub.call({ path, token: channel.token })
        assert.equal(answer.body['code'], 'invalid_request', `${query}: ${answer.text}`)
      }
    })

    it('GET /v1/creators/:handle/tips refuses it', async () => {
      const token = await signIn(hub, busker)
      for (const query of badPages) {
        const answer = await hub.call({ path: `/v1/creators/busker/tips?${query}`, token })
        assert.equal(answer.body['code'], 'invalid_request', `${query}: ${answer.text}`)
      }
    })

    it('GET /v1/webhooks/:id/dead refuses it', async () => {
      for (const query of badPages) {
        const path = `/v1/webhooks/${randomHash()}/dead?${query}`
        const answer = await hub.call({ path, token: channel.token })
        assert.equal(answer.body['code'], 'invalid_request', `${query}: ${answer.text}`)
      }
    })

    it('GET /v1/claims refuses a bad limit', async () => {
      const token = hub.world.operatorToken
      for (const query of badPages.filter((page) => page.startsWith('limit'))) {
        const answer = await hub.call({ path: `/v1/claims?${query}`, token })
        assert.equal(answer.body['code'], 'invalid_request', `${query}: ${answer.text}`)
      }
    })

    it('walks a list in pages of one without missing or repeating a tip', async () => {
      const walked = await openChannel(hub)
      const tips = [1n, 2n, 3n, 4n, 5n].map((amount) => tipOf(busker, amount))
      assertAnswer(await sendTips(hub, walked, tips), 200)
      const seen: unknown[] = []
      for (let query = 'limit=1'; query !== ''; ) {
        const path = `/v1/channels/${walked.id}/tips?${query}`
        const page = assertAnswer(await hub.call({ path, token: walked.token }), 200)
        seen.push(...(page['tips'] as { ref: string }[]).map(({ ref }) => ref))
        query = page['next'] === null ? '' : `limit=1&cursor=${String(page['next'])}`
      }
      assert.deepEqual(seen, tips.map(({ ref }) => ref).reverse())
    })
  })

  describe('paths that are none', () => {
    it('answers not_found to what is not in the table', async () => {
      const paths = [
        '/',
        '/v1',
        '/v2/tips',
        '/v1/tip',
        '/v1/tips/1',
        '/v1/journal',
        '/v1/sessions/nonces/1',
        '/v1/channels/a/b/c',
        '/.well-known',
        '/index.html',
        '/favicon.ico',
        '/v1/creators/busker/secrets',
        '//v1/tips',
        '/v1/../v1/tips',
        `/${'a'.repeat(8_000)}`,
      ]
      await assertUnchanged(hub, async () => {
        for (const path of paths) {
          for (const method of ['GET', 'POST', 'DELETE']) {
            assertProblem(await hub.call({ method, path }), 'not_found')
          }
        }
      })
    })

    it('answers invalid_request to an id that cannot be decoded', async () => {
      const bad = ['%', '%E0%A4%A', '%zz', '%ff', '%c0%af']
      await assertUnchanged(hub, async () => {
        for (const { path, allow } of routes.filter((route) => route.path.includes('/:'))) {
          for (const part of bad) {
            const real = path.replace(/:\w+/, part)
            const answer = await hub.call({ method: allow[0] ?? 'GET', path: real })
            assertProblem(answer, 'invalid_request')
          }
        }
      })
    })

    it('answers a broken HTTP request line with 400, and lives', async () => {
      const { port } = new URL(hub.world.hub.url)
      const text = await new Promise<string>((resolve, reject) => {
        const socket = connect(Number(port), '127.0.0.1', () => socket.end('NONSENSE\r\n\r\n'))
        let read = ''
        socket.on('data', (chunk) => {
          read += chunk
        })
        socket.on('error', reject)
        socket.on('end', () => resolve(read))
      })
      assert.match(text, /^HTTP\/1\.1 400 /)
    })
  })

  describe('every route, after all that', () => {
    it('answers the next good request', async () => {
      assertAnswer(await sendTips(hub, channel, [tipOf(busker, 1n)]), 200)
      assertAnswer(await hub.call({ path: '/.well-known/jandon' }), 200)
      assert.equal((await hub.call({ path: '/metrics' })).status, 200)
    })

    it('has logged nothing: bad input is expected', () => {
      assert.equal(hub.world.hub.complaints(), '')
    })
  })
})
