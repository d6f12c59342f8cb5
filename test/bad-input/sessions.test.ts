// Who is who, and who may see what: sign-in (EIP-4361), registration, and every route for every kind of caller.

import assert from 'node:assert/strict'
import type { PrivateKeyAccount } from 'viem'
import { payoutView } from '#protocol/messages/payouts.ts'
import { refundView, tipsAnswer } from '#protocol/messages/tips.ts'
import type { OpenChannel } from '../support/channels.ts'
import { openChannel, sendTips } from '../support/channels.ts'
import type { Answer } from '../support/http.ts'
import { assertAnswer, assertProblem } from '../support/http.ts'
import type { HubFixture } from '../support/hub.ts'
import {
  assertBooksUnchanged,
  assertUnchanged,
  eventually,
  newParty,
  openHub,
} from '../support/hub.ts'
import type { SignInChanges } from '../support/paper.ts'
import {
  addressOf,
  newNonce,
  signIn,
  signInMessage,
  signRegistration,
  tipOf,
} from '../support/paper.ts'
import type { Earner } from '../support/payouts.ts'
import { askQuote, newEarner, quoteOrder, signPayment } from '../support/payouts.ts'

let hub: HubFixture
let fan: PrivateKeyAccount

describe('who is who, and who may see what', () => {
  before(async () => {
    hub = await openHub({ withBank: true })
    fan = await newParty(hub)
  })

  after(() => hub?.close())

  const enter = (body: object) => hub.call({ path: '/v1/sessions', body })

  async function assertRejected(body: object) {
    await assertUnchanged(hub, async () => assertProblem(await enter(body), 'session_rejected'))
  }

  describe('POST /v1/sessions', () => {
    it('gives a token that says who one is, to the address in lower case', async () => {
      const body = assertAnswer(await enter(await signInMessage(hub, fan)), 201)
      assert.equal(body['address'], addressOf(fan))
      const token = String(body['token'])
      assert.match(token, /^[\w-]{43}$/)
      assertAnswer(await hub.call({ path: '/v1/channels', token }), 200)
    })

    const minutes = (count: number) => new Date(Date.now() + count * 60_000)
    const changes: { [what: string]: () => SignInChanges } = {
      'for another domain': () => ({ domain: 'evil.example' }),
      'for another port of this host': () => ({ domain: '127.0.0.1:1' }),
      'with a URI elsewhere': () => ({ uri: 'https://evil.example/' }),
      'with this URI on another scheme': () => ({
        uri: hub.world.hub.url.replace('http:', 'https:'),
      }),
      'with a URI that only begins like this one': () => ({
        uri: `${hub.world.hub.url}.evil.example`,
      }),
      'for another chain': () => ({ chainId: 1 }),
      'with a nonce that nobody gave out': () => ({ nonce: 'a'.repeat(32) }),
      'issued 11 minutes ago': () => ({ issuedAt: minutes(-11) }),
      'issued 11 minutes from now': () => ({ issuedAt: minutes(11) }),
      'that has expired': () => ({ expirationTime: minutes(-1) }),
      'that is not valid yet': () => ({ notBefore: minutes(5) }),
    }
    for (const [what, change] of Object.entries(changes)) {
      it(`rejects a message ${what}`, async () => {
        await assertRejected(await signInMessage(hub, fan, change()))
      })
    }

    it('rejects a message that somebody else signed', async () => {
      await assertRejected(await signInMessage(hub, fan, { by: await newParty(hub) }))
    })

    it('rejects signatures that are none', async () => {
      for (const signature of [
        '0x00',
        `0x${'00'.repeat(65)}`,
        `0x${'ff'.repeat(65)}`,
        `0x${'12'.repeat(4_000)}`,
      ]) {
        await assertRejected({ ...(await signInMessage(hub, fan)), signature })
      }
    })

    it('rejects a message of which any line was changed after it was signed', async () => {
      const { message, signature } = await signInMessage(hub, fan)
      const other = await newParty(hub)
      const changed = [
        message.replace(fan.address, other.address),
        message.replace(/Nonce: .*/, `Nonce: ${await newNonce(hub)}`),
        message.replace(/Issued At: .*/, `Issued At: ${new Date().toISOString()}`),
        message.replace('Version: 1', 'Version: 2'),
        `${message}\nResources:\n- https://evil.example`,
        `${message}\n`,
        message.toUpperCase(),
        'Sign me in',
      ]
      for (const text of changed) await assertRejected({ message: text, signature })
    })

    it('takes a nonce once', async () => {
      const body = await signInMessage(hub, fan)
      assertAnswer(await enter(body), 201)
      await assertRejected(body)
      const { message } = body
      const nonce = /Nonce: (\w+)/.exec(message)?.[1] ?? ''
      await assertRejected(await signInMessage(hub, fan, { nonce }))
    })

    it('takes a message once of ten times at once', async () => {
      const body = await signInMessage(hub, fan)
      const answers = await Promise.all(Array.from({ length: 10 }, () => enter(body)))
      assert.equal(answers.filter(({ status }) => status === 201).length, 1)
      for (const answer of answers.filter(({ status }) => status !== 201)) {
        assertProblem(answer, 'session_rejected')
      }
    })

    it('gives every nonce once', async () => {
      const nonces = await Promise.all(Array.from({ length: 50 }, () => newNonce(hub)))
      assert.equal(new Set(nonces).size, 50)
    })
  })

  describe('DELETE /v1/sessions', () => {
    it('ends a token at once, and no other of the same address', async () => {
      const [token, other] = [await signIn(hub, fan), await signIn(hub, fan)]
      const answer = await hub.call({ method: 'DELETE', path: '/v1/sessions', token })
      assert.equal(answer.status, 204)
      assertProblem(await hub.call({ path: '/v1/channels', token }), 'session_required')
      assertAnswer(await hub.call({ path: '/v1/channels', token: other }), 200)
      await assertUnchanged(hub, async () => {
        const again = await hub.call({ method: 'DELETE', path: '/v1/sessions', token })
        assertProblem(again, 'session_required')
      })
    })

    it('writes nothing for a token that was never given', async () => {
      await assertUnchanged(hub, async () => {
        const call = { method: 'DELETE', path: '/v1/sessions' }
        assertProblem(await hub.call({ ...call, token: 'a'.repeat(43) }), 'session_required')
        assertProblem(await hub.call(call), 'session_required')
      })
    })
  })

  describe('a bearer token in the wrong dress', () => {
    it('is no session', async () => {
      const token = await signIn(hub, fan)
      const dresses = [
        token,
        `Basic ${token}`,
        `Bearer  ${token}`,
        `Bearer ${token} `.concat('x'),
        `Bearer ${token}=`,
        `Bearer ${token.slice(0, -1)}`,
        `Bearer ${token}${token}`,
        'Bearer',
        'Bearer null',
        `Bearer ${'x'.repeat(5_000)}`,
      ]
      for (const authorization of dresses) {
        const answer = await hub.call({ path: '/v1/channels', headers: { authorization } })
        assertProblem(answer, 'session_required')
      }
      const inQuery = `/v1/channels?token=${token}&access_token=${token}`
      assertProblem(await hub.call({ path: inQuery }), 'session_required')
    })
  })

  describe('every route that is not for everyone, for every kind of caller', () => {
    type Caller = 'nobody' | 'other' | 'owner' | 'voucher key' | 'operator'
    const tokens: { [caller in Caller]?: string } = {}
    let owner: OpenChannel
    let earner: Earner
    let paths: { [name: string]: string }

    before(async () => {
      const voucherKey = await newParty(hub)
      owner = await openChannel(hub, { authorizer: voucherKey })
      earner = await newEarner(hub, 'earner', 50_000_000n)
      const other = await newEarner(hub, 'other', 50_000_000n)
      const tipped = await sendTips(hub, owner, [tipOf(earner.account, 5n)])
      const { receipt } = tipsAnswer.parse(assertAnswer(tipped, 200))
      const ask = { path: `/v1/channels/${owner.id}/refunds`, body: { amount: '5' } }
      const asked = await hub.call({ ...ask, token: owner.token })
      const refund = refundView.parse(assertAnswer(asked, 202))
      const quote = await askQuote(hub, earner, 2_000_000n)
      const body = await signPayment(hub, earner, quote)
      const paid = await hub.call({ path: '/v1/payouts', body, token: earner.token })
      const payout = payoutView.parse(assertAnswer(paid, 202))
      paths = {
        ':channel': owner.id,
        ':basket': receipt.basketId,
        ':refund': refund.refundId,
        ':quote': quote.quoteId,
        ':payout': payout.payoutId,
      }
      tokens.other = other.token
      tokens['voucher key'] = await signIn(hub, voucherKey)
      tokens.operator = hub.world.operatorToken
      await eventually(
        async () => (await call('GET /v1/payouts/:payout', earner.token)).body,
        ({ state }) => state === 'SETTLED',
      )
      await eventually(
        async () => (await call('GET /v1/refunds/:refund', owner.token)).body,
        ({ state }) => state === 'done',
      )
    })

    const bodies: { [route: string]: () => object } = {
      'POST /v1/channels/:channel/refunds': () => ({ amount: '999999999' }),
      'POST /v1/quotes': () => quoteOrder(hub, 2n ** 127n),
      'POST /v1/payouts': () => ({
        quoteId: paths[':quote'],
        payment: { nonce: '1', deadline: '1', signature: '0x00' },
      }),
    }

    function call(route: string, token: string | undefined): Promise<Answer> {
      const [method = 'GET', path = ''] = route.split(' ')
      const body = bodies[route]?.()
      return hub.call({
        method,
        path: path.replace(/:\w+/, (name) => paths[name] ?? name),
        token,
        body,
      })
    }

    const forPayerSide = [
      'GET /v1/channels/:channel',
      'GET /v1/channels/:channel/tips',
      'GET /v1/refunds/:refund',
      'GET /v1/baskets/:basket',
    ]
    for (const route of forPayerSide) {
      it(`${route} is for the payer side alone`, async () => {
        await assertBooksUnchanged(hub, async () => {
          assertProblem(await call(route, undefined), 'session_required')
          assertProblem(await call(route, tokens.other), 'not_yours')
          assertProblem(await call(route, earner.token), 'not_yours')
          assertProblem(await call(route, tokens.operator), 'session_required')
          assertAnswer(await call(route, owner.token), 200)
          assertAnswer(await call(route, tokens['voucher key']), 200)
        })
      })
    }

    const forTheCreator = [
      'GET /v1/creators/earner/amounts',
      'GET /v1/creators/earner/tips',
      'GET /v1/quotes/:quote',
      'GET /v1/payouts/:payout',
    ]
    for (const route of forTheCreator) {
      it(`${route} is for the creator alone`, async () => {
        await assertBooksUnchanged(hub, async () => {
          assertProblem(await call(route, undefined), 'session_required')
          assertProblem(await call(route, tokens.other), 'not_yours')
          assertProblem(await call(route, owner.token), 'not_yours')
          assertProblem(await call(route, tokens.operator), 'session_required')
          assertAnswer(await call(route, earner.token), 200)
        })
      })
    }

    it('POST /v1/channels/:id/refunds is for the payer side alone', async () => {
      const route = 'POST /v1/channels/:channel/refunds'
      await assertBooksUnchanged(hub, async () => {
        assertProblem(await call(route, undefined), 'session_required')
        assertProblem(await call(route, tokens.other), 'not_yours')
        assertProblem(await call(route, tokens.operator), 'session_required')
        assertProblem(await call(route, owner.token), 'refund_too_large')
        assertProblem(await call(route, tokens['voucher key']), 'refund_too_large')
      })
    })

    it('POST /v1/payouts is for whom the quote was made', async () => {
      const route = 'POST /v1/payouts'
      await assertBooksUnchanged(hub, async () => {
        assertProblem(await call(route, undefined), 'session_required')
        assertProblem(await call(route, tokens.other), 'not_yours')
        assertProblem(await call(route, owner.token), 'not_yours')
        assertProblem(await call(route, tokens.operator), 'session_required')
        assertAnswer(await call(route, earner.token), 202)
      })
    })

    it('POST /v1/quotes needs a session, and counts its own money only', async () => {
      const route = 'POST /v1/quotes'
      await assertBooksUnchanged(hub, async () => {
        assertProblem(await call(route, undefined), 'session_required')
        assertProblem(await call(route, tokens.operator), 'session_required')
        assertProblem(await call(route, earner.token), 'not_yet_credited')
      })
    })

    it('GET /v1/channels and GET /v1/payouts show to each what is theirs', async () => {
      const lists: [route: string, name: string, owners: (string | undefined)[]][] = [
        ['GET /v1/channels', 'channels', [owner.token, tokens['voucher key']]],
        ['GET /v1/payouts', 'payouts', [earner.token]],
      ]
      for (const [route, name, owners] of lists) {
        assertProblem(await call(route, undefined), 'session_required')
        assertProblem(await call(route, tokens.operator), 'session_required')
        assert.deepEqual(assertAnswer(await call(route, tokens.other), 200)[name], [])
        for (const token of owners) {
          const shown = assertAnswer(await call(route, token), 200)[name] as unknown[]
          assert.equal(shown.length, 1)
        }
      }
    })

    const forTheOperator = [
      'POST /v1/claims',
      'GET /v1/claims',
      'GET /v1/reserves',
      'GET /v1/export',
    ]
    for (const route of forTheOperator) {
      it(`${route} is for the operator alone`, async () => {
        await assertBooksUnchanged(hub, async () => {
          assertProblem(await call(route, undefined), 'session_required')
          for (const token of [tokens.other, owner.token, earner.token]) {
            assertProblem(await call(route, token), 'operator_required')
          }
          const wrong = `${hub.world.operatorToken}x`
          assertProblem(await call(route, wrong), 'operator_required')
        })
        const { status } = await call(route, tokens.operator)
        assert.equal(status, route.startsWith('POST') ? 202 : 200)
      })
    }
  })

  describe('POST /v1/creators', () => {
    const register = (body: object) => hub.call({ path: '/v1/creators', body })
    let account: PrivateKeyAccount

    before(async () => {
      account = await newParty(hub)
      const body = await signRegistration(hub, account, { handle: 'taken', displayName: 'Ann' })
      assertAnswer(await register(body), 201)
    })

    it('answers the same registration with the same answer, and writes it once', async () => {
      const body = await signRegistration(hub, account, { handle: 'taken', displayName: 'Ann' })
      await assertBooksUnchanged(hub, async () => {
        const { signature: _signature, ...creator } = body
        assert.deepEqual(assertAnswer(await register(body), 201), creator)
      })
      const known = assertAnswer(await hub.call({ path: '/v1/creators/taken' }), 200)
      assert.equal(known['account'], addressOf(account))
    })

    it('answers the same registration ten times at once with the same answer', async () => {
      const body = await signRegistration(hub, await newParty(hub), { handle: 'eager' })
      const answers = await Promise.all(Array.from({ length: 10 }, () => register(body)))
      for (const answer of answers) assert.equal(assertAnswer(answer, 201)['handle'], 'eager')
    })

    it('gives a handle to one of ten who want it at once', async () => {
      const accounts = await Promise.all(Array.from({ length: 10 }, () => newParty(hub)))
      const bodies = await Promise.all(
        accounts.map((each) => signRegistration(hub, each, { handle: 'wanted' })),
      )
      const answers = await Promise.all(bodies.map(register))
      assert.equal(answers.filter(({ status }) => status === 201).length, 1)
      for (const answer of answers.filter(({ status }) => status !== 201)) {
        assertProblem(answer, 'handle_taken', { handle: 'wanted' })
      }
    })

    it('refuses handles against the rule', async () => {
      const stranger = await newParty(hub)
      const handles = [
        '',
        'a',
        'Ann',
        'a b',
        'ann!',
        '-ann',
        '_ann',
        'a'.repeat(31),
        'änn',
        'аnn',
        'ann\n',
        '@ann',
        'a/b',
        'ann.eth',
      ]
      await assertBooksUnchanged(hub, async () => {
        for (const handle of handles) {
          assertProblem(
            await register(await signRegistration(hub, stranger, { handle })),
            'invalid_request',
          )
        }
      })
    })

    it('refuses names that nobody could read', async () => {
      const stranger = await newParty(hub)
      await assertBooksUnchanged(hub, async () => {
        for (const displayName of [
          '',
          ' ',
          '\u00a0',
          'x'.repeat(61),
          'a\u0000',
          'a\nb',
          '\u001b[31m',
          '\ud800',
        ]) {
          const body = await signRegistration(hub, stranger, { handle: 'fresh', displayName: 'x' })
          assertProblem(await register({ ...body, displayName }), 'invalid_request')
        }
      })
    })

    it('refuses handles that would pass for the hub', async () => {
      const stranger = await newParty(hub)
      await assertBooksUnchanged(hub, async () => {
        for (const handle of ['admin', 'hub', 'jandon', 'operator', 'support', 'v1']) {
          const body = await signRegistration(hub, stranger, { handle })
          assertProblem(await register(body), 'handle_taken', { handle })
        }
      })
    })

    it('refuses a handle that is taken, and an address or name that changes', async () => {
      const stranger = await newParty(hub)
      await assertBooksUnchanged(hub, async () => {
        const theirs = await signRegistration(hub, stranger, { handle: 'taken' })
        assertProblem(await register(theirs), 'handle_taken', { handle: 'taken' })
        const renamed = await signRegistration(hub, account, {
          handle: 'taken',
          displayName: 'Bob',
        })
        assertProblem(await register(renamed), 'handle_taken', { handle: 'taken' })
        const second = await signRegistration(hub, account, { handle: 'second' })
        const values = { account: addressOf(account), handle: 'taken' }
        assertProblem(await register(second), 'account_registered', values)
      })
    })

    it('refuses a registration of which any field was changed after it was signed', async () => {
      const stranger = await newParty(hub)
      const body = await signRegistration(hub, stranger, { handle: 'fresh' })
      const elsewhere = { ...hub, info: { ...hub.info, chainId: 1 } }
      const contract = { ...hub, info: { ...hub.info, hubAccount: hub.info.vault } }
      const changed = [
        { ...body, handle: 'fresher' },
        { ...body, displayName: 'Fresher' },
        { ...body, account: addressOf(fan) },
        { ...body, signature: `0x${'00'.repeat(65)}` },
        { ...body, signature: '0x00' },
        { ...body, signature: `0x${'12'.repeat(4_000)}` },
        await signRegistration(elsewhere, stranger, { handle: 'fresh' }),
        await signRegistration(contract, stranger, { handle: 'fresh' }),
      ]
      await assertBooksUnchanged(hub, async () => {
        for (const each of changed) assertProblem(await register(each), 'bad_signature')
      })
      assertAnswer(await register(body), 201)
    })
  })
})
