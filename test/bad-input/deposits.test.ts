// POST /v1/deposits: what the hub relays, and everything that it must not spend gas on (R20).

import assert from 'node:assert/strict'
import type { Address, Hex, PrivateKeyAccount } from 'viem'
import { erc20Abi } from 'viem'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import { collectorData } from '#protocol/deposit.ts'
import type { ErrorCode } from '#protocol/errors.ts'
import type { DepositRequest, DepositView } from '#protocol/messages/tips.ts'
import { depositView } from '#protocol/messages/tips.ts'
import { messageRef } from '#protocol/tip.ts'
import { cancelAuthorization, onChannels, viewOf } from '../support/channels.ts'
import { assertAnswer, assertProblem } from '../support/http.ts'
import type { HubFixture } from '../support/hub.ts'
import { assertUnchanged, eventually, newParty, openHub, reservesOf } from '../support/hub.ts'
import {
  addressOf,
  channelIdOf,
  configFor,
  newCreator,
  randomHash,
  relayFeeOf,
  signDeposit,
  signIn,
  tipOf,
  unit,
} from '../support/paper.ts'

let hub: HubFixture
let busker: PrivateKeyAccount
let payer: PrivateKeyAccount
let fee: bigint

describe('deposits from somebody who wants them for nothing', () => {
  before(async () => {
    hub = await openHub()
    busker = await newCreator(hub, 'busker')
    payer = await newParty(hub, { tokens: 20n * unit })
    fee = relayFeeOf(hub)
  })

  after(() => hub?.close())

  const post = (body: object) => hub.call({ path: '/v1/deposits', body })

  async function relayed(body: DepositRequest): Promise<DepositView> {
    return depositView.parse(assertAnswer(await post(body), 202))
  }

  /** Waits for the end of a deposit. */
  function finished(depositId: Hex): Promise<DepositView> {
    return eventually(
      async () =>
        depositView.parse(assertAnswer(await hub.call({ path: `/v1/deposits/${depositId}` }), 200)),
      ({ state }) => state === 'done' || state === 'failed',
    )
  }

  /** Nothing is written, nothing is sent, and the payer keeps every token. */
  async function assertNotRelayed(
    body: object,
    code: ErrorCode,
    values?: { [name: string]: unknown },
  ) {
    const before = await balanceOf(payer.address)
    const block = await hub.world.chain.getBlockNumber({ cacheTime: 0 })
    await assertUnchanged(hub, async () => assertProblem(await post(body), code, values))
    assert.equal(await balanceOf(payer.address), before)
    assert.equal(await hub.world.chain.getBlockNumber({ cacheTime: 0 }), block)
  }

  function balanceOf(owner: Address): Promise<bigint> {
    const { chain, token } = hub.world
    const call = { address: token.address, abi: erc20Abi, functionName: 'balanceOf' } as const
    return chain.readContract({ ...call, args: [owner] })
  }

  describe('POST /v1/deposits, a good deposit (R20)', () => {
    it('is relayed, and its basket accepted once the deposit is there', async () => {
      const fan = await newParty(hub, { tokens: 5n * unit })
      const tips = [tipOf(hub.info.feeAccount, fee), tipOf(busker, 7n)]
      const { request, depositId, channelId } = await signDeposit(hub, {
        payer: fan,
        amount: 5n * unit,
        tips,
      })
      const view = await relayed(request)
      assert.equal(view.depositId, depositId)
      assert.equal(view.channelId, channelId)
      const end = await finished(depositId)
      assert.equal(end.state, 'done')
      assert.equal(end.receipt?.tips.length, 2)
      assert.equal(await balanceOf(fan.address), 0n)
      const channel = await viewOf(hub, { id: channelId, token: await signIn(hub, fan) })
      assert.equal(channel.balance, 5n * unit)
      assert.equal(channel.amounts.charged, fee + 7n)
      await assertUnchanged(hub, async () => assert.deepEqual(await relayed(request), end))
    })

    it('is relayed once when it is asked for 20 times at once', async () => {
      const fan = await newParty(hub, { tokens: 10n * unit })
      const { request, depositId, channelId } = await signDeposit(hub, {
        payer: fan,
        amount: 2n * unit,
      })
      const views = await Promise.all(Array.from({ length: 20 }, () => relayed(request)))
      const transactions = new Set(views.map(({ transaction }) => transaction))
      assert.equal(transactions.size, 1)
      assert.equal((await finished(depositId)).state, 'done')
      assert.equal(await balanceOf(fan.address), 8n * unit)
      const channel = await viewOf(hub, { id: channelId, token: await signIn(hub, fan) })
      assert.equal(channel.amounts.charged, fee)
    })

    it('tops up an open channel with a fresh salt', async () => {
      const fan = await newParty(hub, { tokens: 10n * unit })
      const config = configFor(hub, fan)
      const first = await signDeposit(hub, { payer: fan, amount: 2n * unit, config })
      await relayed(first.request)
      await finished(first.depositId)
      const second = await signDeposit(hub, {
        payer: fan,
        amount: 3n * unit,
        config,
        maxClaimableAmount: 2n * fee,
      })
      await relayed(second.request)
      assert.equal((await finished(second.depositId)).state, 'done')
      const channel = await viewOf(hub, { id: first.channelId, token: await signIn(hub, fan) })
      assert.equal(channel.balance, 5n * unit)
      assert.equal(channel.amounts.charged, 2n * fee)
    })

    it('that somebody else relayed first is a success', async () => {
      const fan = await newParty(hub, { tokens: 5n * unit })
      const stranger = await newParty(hub)
      const { request, depositId, channelId } = await signDeposit(hub, {
        payer: fan,
        amount: 5n * unit,
      })
      const { config, amount, authorization } = request
      const args = [config, amount, hub.info.collectors.erc3009, collectorData(authorization)]
      await onChannels(hub, stranger, { functionName: 'deposit', args })
      assert.equal((await relayed(request)).transaction, null)
      assert.equal((await finished(depositId)).state, 'done')
      const channel = await viewOf(hub, { id: channelId, token: await signIn(hub, fan) })
      assert.equal(channel.balance, 5n * unit)
      assert.equal(channel.amounts.charged, fee)
    })
  })

  describe('POST /v1/deposits, the same deposit with other contents', () => {
    it('is a conflict that names the field', async () => {
      const fan = await newParty(hub, { tokens: 5n * unit })
      const config = configFor(hub, fan)
      const salt = 42n
      const first = await signDeposit(hub, { payer: fan, amount: 2n * unit, config, salt })
      await relayed(first.request)
      await finished(first.depositId)
      const again = { payer: fan, config, salt }
      const more = await signDeposit(hub, { ...again, amount: 3n * unit })
      const { request } = first
      const others: [field: string, body: DepositRequest][] = [
        ['amount', more.request],
        ['basket.tips', (await signDeposit(hub, { ...again, amount: 2n * unit })).request],
        [
          'authorization.signature',
          { ...request, authorization: { ...request.authorization, signature: '0x1234' } },
        ],
        [
          'authorization.validBefore',
          { ...request, authorization: { ...request.authorization, validBefore: 4_000_000_000n } },
        ],
        [
          'authorization.validAfter',
          { ...request, authorization: { ...request.authorization, validAfter: 1n } },
        ],
      ]
      for (const [field, body] of others)
        await assertNotRelayed(body, 'deposit_conflict', { field })
    })
  })

  describe('POST /v1/deposits, terms that are not met (R20)', () => {
    it('is relay_fee_missing when the basket pays a unit less than the fee', async () => {
      const tips = [tipOf(hub.info.feeAccount, fee - 1n), tipOf(busker, fee)]
      const { request } = await signDeposit(hub, { payer, amount: unit, tips })
      await assertNotRelayed(request, 'relay_fee_missing', { paid: fee - 1n, needed: fee })
    })

    it('is relay_fee_missing when the basket pays somebody else', async () => {
      const { request } = await signDeposit(hub, {
        payer,
        amount: unit,
        tips: [tipOf(busker, fee)],
      })
      await assertNotRelayed(request, 'relay_fee_missing', { paid: 0n, needed: fee })
    })

    it('is relay_fee_missing when the basket has paid for another deposit already', async () => {
      const fan = await newParty(hub, { tokens: 10n * unit })
      const config = configFor(hub, fan)
      const tips = [tipOf(hub.info.feeAccount, fee)]
      const order = { payer: fan, amount: 2n * unit, config, tips }
      const first = await signDeposit(hub, order)
      const second = await signDeposit(hub, { ...order, maxClaimableAmount: 2n * fee })
      const third = await signDeposit(hub, { ...order, maxClaimableAmount: 3n * fee })
      await relayed(first.request)
      assertProblem(await post(second.request), 'relay_fee_missing', { paid: 0n, needed: fee })
      await finished(first.depositId)
      await assertNotRelayed(third.request, 'relay_fee_missing', { paid: 0n, needed: fee })
      assert.equal(await balanceOf(fan.address), 8n * unit)
    })

    it('is deposit_too_small below the minimum', async () => {
      const minimum = hub.info.tokens[0]?.minimumDeposit ?? 0n
      const { request } = await signDeposit(hub, { payer, amount: minimum - 1n })
      await assertNotRelayed(request, 'deposit_too_small', { amount: minimum - 1n, minimum })
    })

    it('is authorization_expired outside of the time it was signed for', async () => {
      const now = BigInt(Math.floor(Date.now() / 1_000))
      const times = [
        { validBefore: now - 10n },
        { validBefore: 0n },
        { validAfter: now + 1_000n, validBefore: now + 2_000n },
        { validAfter: 2n ** 64n - 1n },
      ]
      for (const time of times) {
        const { request } = await signDeposit(hub, { payer, amount: unit, ...time })
        await assertNotRelayed(request, 'authorization_expired')
      }
    })

    it('is deposit_refused when the payer does not have the tokens', async () => {
      const { request } = await signDeposit(hub, { payer, amount: 21n * unit })
      await assertNotRelayed(request, 'deposit_refused')
    })

    it('is deposit_refused at 2^128 − 1', async () => {
      const { request } = await signDeposit(hub, { payer, amount: 2n ** 128n - 1n })
      await assertNotRelayed(request, 'deposit_refused')
    })
  })

  describe('POST /v1/deposits, anything changed after it was signed', () => {
    const someone = () => addressOf(privateKeyToAccount(generatePrivateKey()))
    const changes: {
      [what: string]: { code: ErrorCode; change: (request: DepositRequest) => object }
    } = {
      'another amount': { code: 'deposit_refused', change: () => ({ amount: 2n * unit + 1n }) },
      'another payer': {
        code: 'bad_signature',
        change: ({ config }) => ({ config: { ...config, payer: someone() } }),
      },
      'another payerAuthorizer': {
        code: 'bad_signature',
        change: ({ config }) => ({ config: { ...config, payerAuthorizer: someone() } }),
      },
      'no payerAuthorizer': {
        code: 'authorizer_required',
        change: ({ config }) => ({
          config: { ...config, payerAuthorizer: `0x${'00'.repeat(20)}` },
        }),
      },
      'another receiver': {
        code: 'wrong_receiver',
        change: ({ config }) => ({ config: { ...config, receiver: someone() } }),
      },
      'another receiverAuthorizer': {
        code: 'wrong_receiver_authorizer',
        change: ({ config }) => ({ config: { ...config, receiverAuthorizer: someone() } }),
      },
      'another token': {
        code: 'token_not_listed',
        change: ({ config }) => ({ config: { ...config, token: someone() } }),
      },
      'a shorter withdraw delay': {
        code: 'withdraw_delay_out_of_range',
        change: ({ config }) => ({ config: { ...config, withdrawDelay: 900 } }),
      },
      'a withdraw delay of 2^40 − 1': {
        code: 'withdraw_delay_out_of_range',
        change: ({ config }) => ({ config: { ...config, withdrawDelay: 2 ** 40 - 1 } }),
      },
      'another salt of the channel': {
        code: 'bad_signature',
        change: ({ config }) => ({ config: { ...config, salt: randomHash() } }),
      },
      'another salt of the deposit': {
        code: 'deposit_refused',
        change: ({ authorization }) => ({ authorization: { ...authorization, salt: 7n } }),
      },
      'another validAfter': {
        code: 'deposit_refused',
        change: ({ authorization }) => ({ authorization: { ...authorization, validAfter: 1n } }),
      },
      'another validBefore': {
        code: 'deposit_refused',
        change: ({ authorization }) => ({
          authorization: { ...authorization, validBefore: authorization.validBefore + 1n },
        }),
      },
      'another signature': {
        code: 'deposit_refused',
        change: ({ authorization, basket }) => ({
          authorization: { ...authorization, signature: basket.signature },
        }),
      },
      'a signature of one byte': {
        code: 'deposit_refused',
        change: ({ authorization }) => ({ authorization: { ...authorization, signature: '0x00' } }),
      },
      'the voucher’s signature replaced by the authorization’s': {
        code: 'bad_signature',
        change: ({ authorization, basket }) => ({
          basket: { ...basket, signature: authorization.signature },
        }),
      },
      'a higher maximum in the voucher': {
        code: 'bad_signature',
        change: ({ basket }) => ({
          basket: { ...basket, maxClaimableAmount: basket.maxClaimableAmount + 1n },
        }),
      },
      'a larger fee in the basket': {
        code: 'ceiling_too_low',
        change: ({ basket }) => ({
          basket: {
            ...basket,
            tips: basket.tips.map((tip) => ({ ...tip, amount: tip.amount + 1n })),
          },
        }),
      },
    }
    for (const [what, { code, change }] of Object.entries(changes)) {
      it(`with ${what} is refused as ${code}, and nothing is relayed`, async () => {
        const { request } = await signDeposit(hub, { payer, amount: 2n * unit })
        await assertNotRelayed({ ...request, ...change(request) }, code)
      })
    }

    it('signed by somebody who is not the payer is refused', async () => {
      const thief = await newParty(hub)
      const config = configFor(hub, payer, { payerAuthorizer: addressOf(thief) })
      const { request } = await signDeposit(hub, { payer: thief, amount: 2n * unit, config })
      await assertNotRelayed(request, 'deposit_refused')
    })
  })

  describe('POST /v1/deposits, a basket that would be refused (R20)', () => {
    const feeTip = () => tipOf(hub.info.feeAccount, fee)
    const orders: { [code in ErrorCode]?: () => Partial<Parameters<typeof signDeposit>[1]> } = {
      unknown_creator: () => ({ tips: [feeTip(), tipOf(payer, 1n)] }),
      duplicate_ref: () => {
        const tip = feeTip()
        return { tips: [tip, { ...tipOf(busker, 1n), ref: tip.ref }] }
      },
      message_mismatch: () => {
        const message = { text: 'hello', salt: randomHash() }
        const tip = { ...tipOf(busker, 1n), ref: messageRef({ ...message, text: 'bye' }), message }
        return { tips: [feeTip(), tip] }
      },
      deposit_exceeded: () => ({ tips: [feeTip(), tipOf(busker, 2n * unit)] }),
      ceiling_too_low: () => ({ maxClaimableAmount: fee - 1n }),
    }
    for (const [code, order] of Object.entries(orders)) {
      it(`is refused as ${code} before anything is relayed`, async () => {
        const { request } = await signDeposit(hub, { payer, amount: 2n * unit, ...order() })
        await assertNotRelayed(request, code as ErrorCode)
      })
    }
  })

  describe('POST /v1/deposits, wrong in several ways (R13)', () => {
    it('answers with the first check that fails, all the way down', async () => {
      const zero: Address = `0x${'00'.repeat(20)}`
      const wrongs: [code: ErrorCode, mend: Partial<DepositRequest['config']>][] = [
        ['authorizer_required', { payerAuthorizer: addressOf(payer) }],
        ['wrong_receiver', { receiver: hub.info.receiver }],
        ['wrong_receiver_authorizer', { receiverAuthorizer: hub.info.receiverAuthorizer }],
        ['token_not_listed', { token: hub.world.token.address }],
        ['withdraw_delay_out_of_range', { withdrawDelay: hub.info.withdrawDelay.minimum }],
      ]
      let config = configFor(hub, payer, {
        payerAuthorizer: zero,
        receiver: addressOf(payer),
        receiverAuthorizer: addressOf(payer),
        token: addressOf(payer),
        withdrawDelay: 1,
      })
      const order = { payer, amount: 1n, validBefore: 0n, tips: [tipOf(payer, unit)] }
      for (const [code, mend] of wrongs) {
        await assertNotRelayed((await signDeposit(hub, { ...order, config })).request, code)
        config = { ...config, ...mend }
      }
      const small = await signDeposit(hub, { ...order, config })
      await assertNotRelayed(small.request, 'deposit_too_small')
      const old = await signDeposit(hub, { ...order, config, amount: unit })
      await assertNotRelayed(old.request, 'authorization_expired')
      const { validBefore: _gone, ...valid } = order
      const unpaid = await signDeposit(hub, { ...valid, config, amount: unit })
      await assertNotRelayed(unpaid.request, 'relay_fee_missing')
    })
  })

  describe('GET /v1/deposits/:depositId', () => {
    it('never says done of an authorization that was cancelled on a fresh channel', async () => {
      const fan = await newParty(hub, { tokens: 5n * unit })
      const { request, depositId } = await signDeposit(hub, { payer: fan, amount: 5n * unit })
      await cancelAuthorization(hub, fan, depositId)
      const answer = await post(request)
      const state = answer.status === 202 ? (await finished(depositId)).state : 'failed'
      assert.equal(state, 'failed')
      assert.equal(await balanceOf(fan.address), 5n * unit)
    })

    it('is unknown_deposit for a deposit that was refused', async () => {
      const config = configFor(hub, payer)
      const { request, depositId } = await signDeposit(hub, { payer, amount: 1n, config })
      await assertNotRelayed(request, 'deposit_too_small')
      const path = `/v1/deposits/${depositId}`
      assertProblem(await hub.call({ path }), 'unknown_deposit', { depositId })
      const token = await signIn(hub, payer)
      const id = channelIdOf(hub, config)
      assertProblem(await hub.call({ path: `/v1/channels/${id}`, token }), 'unknown_channel')
    })
  })

  describe('POST /v1/deposits, after all that', () => {
    it('has spent nothing of the payer whose deposits were all refused, and books equal the chain (I5)', async () => {
      assert.equal(await balanceOf(payer.address), 20n * unit)
      assert.equal((await reservesOf(hub))['verdict'], 'equal')
    })
  })
})
