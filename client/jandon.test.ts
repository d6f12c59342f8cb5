import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { PrivateKeyAccount } from 'viem/accounts'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import { testTokenAbi } from '#protocol/abi.ts'
import { channelsDomain } from '#protocol/channel.ts'
import { HubError, toProblem } from '#protocol/errors.ts'
import { toJson } from '#protocol/messages/wire.ts'
import { tipTo, tipVoucherTypes } from '#protocol/tip.ts'
import type { World } from '../scripts/world/world.ts'
import { startWorld } from '../scripts/world/world.ts'
import { ClientError } from './errors.ts'
import type { Jandon, JandonOptions } from './jandon.ts'
import { createJandon } from './jandon.ts'
import type { Store } from './store.ts'
import { createMemoryStore } from './store.ts'
import { Crash, crashingAt } from './testing/crash.ts'
import {
  changingAnswers,
  losingAnswers,
  recording,
  unreachable,
  withValue,
} from './testing/network.ts'

const unit = 1_000_000n
const cent = 10_000n

describe('createJandon against a real hub', function () {
  this.timeout(120_000)
  let world: World
  let busker: Jandon
  let painter: Jandon

  before(async () => {
    const folder = await mkdtemp(join(tmpdir(), 'jandon-client-'))
    world = await startWorld({ folder, walletNames: ['busker', 'painter'], withBank: true })
    busker = clientOf('busker')
    painter = clientOf('painter')
    await busker.register({ handle: 'busker', displayName: 'The Busker' })
    await painter.register({ handle: 'painter', displayName: '화가' })
  })

  after(async () => {
    await world.stop()
    await rm(world.folder, { recursive: true, force: true })
  })

  describe('openChannel', () => {
    it('deposits without gas, pays the relay fee, and leaves the rest unspent (R20)', async () => {
      const payer = await newPayer({ tokens: 8n * unit })
      const steps: string[] = []
      const opened = await payer.jandon.openChannel({
        deposit: 5n * unit,
        onProgress: (step) => steps.push(step),
      })
      assert.equal(opened.relayFee, 5n * cent)
      const [balance] = await payer.jandon.balance()
      assert.deepEqual(
        [balance?.deposited, balance?.charged, balance?.unspent, balance?.unproven],
        [5n * unit, 5n * cent, 495n * cent, 0n],
      )
      assert.equal(steps.at(-1), 'done')
      assert.equal(await world.chain.getBalance({ address: payer.jandon.address }), 0n)
      assert.equal(await payer.jandon.tokens(), 3n * unit)
    })

    it('refuses a second channel in the same token', async () => {
      const { jandon } = await openPayer()
      await assert.rejects(jandon.openChannel({ deposit: unit }), client('channel_exists'))
    })

    it('refuses a relay fee above what is allowed, before anything is signed', async () => {
      const { jandon } = await newPayer()
      const order = { deposit: 5n * unit, maxRelayFee: 1n }
      await assert.rejects(jandon.openChannel(order), client('fee_too_high'))
      assert.equal(await jandon.pending(), null)
    })

    it('passes the refusal of the hub on, and is ready to try again', async () => {
      const { jandon } = await newPayer({ tokens: 2n * unit })
      await assert.rejects(jandon.openChannel({ deposit: 5n * cent }), hub('deposit_too_small'))
      await assert.rejects(jandon.openChannel({ deposit: 3n * unit }), hub('deposit_refused'))
      assert.equal(await jandon.pending(), null)
      await jandon.openChannel({ deposit: 2n * unit })
    })

    it('deposits once when the answers are lost', async () => {
      const lossy = losingAnswers(/^POST \/v1\/deposits$/, 2)
      const { jandon } = await newPayer({ fetch: lossy })
      await jandon.openChannel({ deposit: 5n * unit })
      assert.equal(await jandon.tokens(), 95n * unit)
    })

    it('goes on with an opening that was cut off, instead of depositing twice', async () => {
      const lost = /^POST \/v1\/deposits$/
      const payer = await newPayer({ fetch: losingAnswers(lost, Number.POSITIVE_INFINITY) })
      const first = payer.jandon.openChannel({ deposit: 5n * unit })
      await assert.rejects(first, client('basket_kept'))
      const again = payer.reopened({ fetch })
      const opened = await again.openChannel({ deposit: 5n * unit })
      assert.equal(opened.deposit, 5n * unit)
      assert.equal(await again.tokens(), 95n * unit)
    })

    it('finishes although the hub cannot be asked how far it is', async () => {
      const { jandon } = await newPayer({ fetch: unreachable(/^GET \/v1\/deposits/) })
      await jandon.openChannel({ deposit: 5n * unit })
    })

    it('counts the relay fee once when the channel is found before its opening is finished', async () => {
      const lost = /^POST \/v1\/deposits$/
      const { jandon, reopened } = await newPayer({
        fetch: losingAnswers(lost, Number.POSITIVE_INFINITY),
      })
      await assert.rejects(jandon.openChannel({ deposit: 5n * unit }), client('basket_kept'))
      const again = reopened({ fetch })
      await until(async () => (await again.balance())[0]?.charged === 5n * cent)
      assert.equal((await again.resume())?.total, 5n * cent)
      await again.tip({ to: '@busker', amount: cent })
      const [balance] = await again.balance()
      assert.deepEqual([balance?.charged, balance?.unproven], [6n * cent, 0n])
      assert.equal((await again.history()).length, 2)
    })
  })

  describe('topUp', () => {
    it('adds to the channel and pays the relay fee again', async () => {
      const { jandon } = await openPayer()
      await jandon.topUp({ deposit: 2n * unit })
      const [balance] = await jandon.balance()
      assert.deepEqual([balance?.deposited, balance?.charged], [12n * unit, 10n * cent])
    })

    it('refuses without a channel', async () => {
      const { jandon } = await newPayer()
      await assert.rejects(jandon.topUp({ deposit: unit }), client('no_channel'))
    })
  })

  describe('tip and basket', () => {
    it('reach the creators by handle and address, with their words', async () => {
      const { jandon } = await openPayer()
      const sent = await jandon.basket([
        { to: '@busker', amount: 5n * cent, message: '고마워요 ♪' },
        { to: painter.address, amount: 10n * cent },
      ])
      assert.equal(sent.total, 15n * cent)
      const [newest] = (await busker.statement({ limit: 1 })).tips
      assert.deepEqual(
        [newest?.basketId, newest?.amount, newest?.message],
        [sent.basketId, 5n * cent, '고마워요 ♪'],
      )
      const [drawn] = (await painter.statement({ limit: 1 })).tips
      assert.equal(drawn?.amount, 10n * cent)
    })

    it('pass the refusal of the hub on and charge nothing', async () => {
      const { jandon } = await openPayer()
      const stranger = privateKeyToAccount(generatePrivateKey()).address
      await assert.rejects(jandon.tip({ to: stranger, amount: 1n }), hub('unknown_creator'))
      await assert.rejects(jandon.tip({ to: '@nobody', amount: 1n }), hub('unknown_handle'))
      const tooMuch = { to: '@busker', amount: 11n * unit }
      await assert.rejects(jandon.tip(tooMuch), hub('deposit_exceeded'))
      await jandon.tip({ to: '@busker', amount: cent })
      assert.equal((await jandon.balance())[0]?.charged, 6n * cent)
    })

    it('sign from a delegated key, so that the wallet signs deposits only', async () => {
      const voucherKey = privateKeyToAccount(generatePrivateKey())
      const { jandon } = await openPayer({ voucherKey })
      const { receipt } = await jandon.tip({ to: '@busker', amount: cent })
      assert.equal(receipt.tips.length, 1)
    })

    it('refuse a handle that the hub gave to somebody else meanwhile', async () => {
      const payer = await openPayer()
      await payer.jandon.tip({ to: '@busker', amount: cent })
      const moved = changingAnswers(/^GET \/v1\/creators\/busker$/, ({ status, body }) => ({
        status,
        body: withValue(body, ['account'], painter.address),
      }))
      const cheated = payer.reopened({ fetch: moved })
      await assert.rejects(cheated.tip({ to: '@busker', amount: cent }), client('creator_changed'))
    })
  })

  describe('when an answer is lost', () => {
    it('the same basket is sent again and charged once (R2)', async () => {
      const { fetch, bodies } = recording(/^POST \/v1\/tips$/)
      const payer = await openPayer()
      const lossy = losingAnswers(/^POST \/v1\/tips$/, 2)
      const jandon = payer.reopened({ fetch: lossy })
      await jandon.tip({ to: '@busker', amount: cent })
      await payer.reopened({ fetch }).tip({ to: '@busker', amount: cent })
      assert.equal(bodies.length, 1)
      assert.equal((await jandon.balance())[0]?.charged, 7n * cent)
    })

    it('for good, the basket is kept, and the next program finishes it first', async () => {
      const payer = await openPayer()
      const lossy = losingAnswers(/^POST \/v1\/tips$/, Number.POSITIVE_INFINITY)
      const cut = payer.reopened({ fetch: lossy })
      await assert.rejects(cut.tip({ to: '@busker', amount: cent, message: 'a' }), (error) => {
        return error instanceof ClientError && error.outcome === 'unknown'
      })
      const kept = await cut.pending()
      assert.equal(kept?.basket.tips[0]?.message?.text, 'a')
      const notices: string[] = []
      const next = payer.reopened({ onNotice: (text) => notices.push(text) })
      await next.tip({ to: '@busker', amount: cent, message: 'b' })
      const texts = (await next.history()).flatMap(({ tips }) => tips.map(({ message }) => message))
      assert.deepEqual(texts, ['b', 'a', null])
      assert.equal((await next.balance())[0]?.charged, 7n * cent)
      assert.equal(notices.length, 1)
    })

    it('and the hub is killed, nothing is lost or doubled after its restart', async () => {
      const payer = await openPayer()
      const lossy = payer.reopened({ fetch: losingAnswers(/^POST \/v1\/tips$/, 9) })
      await assert.rejects(lossy.tip({ to: '@busker', amount: cent }), client('basket_kept'))
      await world.hub.kill()
      const alone = payer.reopened()
      await assert.rejects(alone.tip({ to: '@busker', amount: cent }), client('hub_unreachable'))
      await world.restartHub()
      const resumed = await alone.resume()
      assert.equal(resumed?.total, cent)
      assert.equal((await alone.balance())[0]?.charged, 6n * cent)
    })
  })

  describe('when the program dies', () => {
    it('between any two writes of a tip, the next run charges it once or not at all', async () => {
      const payer = await openPayer()
      let charged = 5n * cent
      for (let write = 0, survived = false; !survived; write += 1) {
        const dying = payer.reopened({ store: crashingAt(payer.store, write) })
        survived = await dying.tip({ to: '@busker', amount: cent }).then(
          () => true,
          (error) => {
            assert.ok(error instanceof Crash, String(error))
            return false
          },
        )
        const next = payer.reopened()
        const resumed = await next.resume()
        charged += survived || resumed ? cent : 0n
        const [balance] = await next.balance()
        assert.deepEqual([balance?.charged, balance?.unproven], [charged, 0n], `write ${write}`)
        assert.ok(write < 20)
      }
    })

    it('between any two writes of an opening, the next run deposits once', async () => {
      for (let write = 0, survived = false; !survived; write += 1) {
        const payer = await newPayer()
        const dying = payer.reopened({ store: crashingAt(payer.store, write) })
        survived = await dying.openChannel({ deposit: 2n * unit }).then(
          () => true,
          (error) => {
            assert.ok(error instanceof Crash, String(error))
            return false
          },
        )
        const next = payer.reopened()
        if (!survived) await next.openChannel({ deposit: 2n * unit })
        assert.equal(await next.tokens(), 98n * unit, `write ${write}`)
        assert.ok(write < 20)
      }
    })
  })

  describe('when two programs sign from one base', () => {
    it('the second is refused once, proves what the first tipped, and signs higher (R3)', async () => {
      const payer = await openPayer()
      const one = payer.reopened({ maxUnreceipted: 0n })
      const another = payer.elsewhere({ maxUnreceipted: 0n })
      await another.balance()
      await one.tip({ to: '@busker', amount: 3n * cent })
      const sent = await another.tip({ to: '@busker', amount: cent })
      assert.equal(sent.receipt.tips[0]?.leaf.chargedAfter, 9n * cent)
      assert.equal((await another.balance())[0]?.unproven, 0n)
    })

    it('tips at the same time are all accepted', async () => {
      const payer = await openPayer()
      const programs = [payer.reopened(), payer.elsewhere(), payer.elsewhere()]
      await Promise.all(programs.map((program) => program.balance()))
      const tips = programs.flatMap((program) =>
        [1, 2, 3].map(() => program.tip({ to: '@busker', amount: cent })),
      )
      await Promise.all(tips)
      assert.equal((await payer.jandon.balance())[0]?.charged, 14n * cent)
    })
  })

  describe('when another program signed a higher ceiling', () => {
    it('a tip that it covers is accepted, and nothing is taken on trust (R1)', async () => {
      const payer = await openPayer({ maxUnreceipted: 0n })
      const stale = payer.elsewhere()
      await stale.balance()
      await tipGenerously(payer, { amount: cent, maximum: 3n * unit })
      const { receipt } = await stale.tip({ to: '@busker', amount: cent })
      assert.equal(receipt.tips[0]?.leaf.chargedAfter, 7n * cent)
      await stale.tip({ to: '@busker', amount: cent })
      await stale.reconcile()
      const [balance] = await stale.balance()
      assert.deepEqual([balance?.charged, balance?.unproven], [8n * cent, 0n])
    })
  })

  describe('when the hub lies', () => {
    it('about what was charged, nothing higher is signed', async () => {
      const payer = await openPayer({ tokens: 20n * unit })
      const lie = changingAnswers(/^POST \/v1\/tips$/, () => ({
        status: 409,
        body: tooLow({ charged: 4n * unit, added: cent }),
      }))
      const cheated = payer.reopened({ fetch: lie })
      await assert.rejects(cheated.tip({ to: '@busker', amount: cent }), client('unproven_charge'))
      assert.equal(await cheated.pending(), null)
    })

    it('about what it needs, nothing higher is signed', async () => {
      const payer = await openPayer()
      const lie = changingAnswers(/^POST \/v1\/tips$/, () => {
        const body = tooLow({ charged: 5n * cent, added: cent })
        return { status: 409, body: { ...body, values: { ...body.values, needed: '9000000' } } }
      })
      const cheated = payer.reopened({ fetch: lie })
      await assert.rejects(cheated.tip({ to: '@busker', amount: cent }), hub('ceiling_too_low'))
    })

    it('in a receipt, the basket is kept, and proven when an honest answer comes', async () => {
      const payer = await openPayer()
      const lie = changingAnswers(/^POST \/v1\/tips$/, ({ status, body }) => ({
        status,
        body: withValue(body, ['receipt', 'tips', 0, 'leaf', 'chargedAfter'], '1'),
      }))
      const cheated = payer.reopened({ fetch: lie })
      await assert.rejects(cheated.tip({ to: '@busker', amount: cent }), client('receipt_invalid'))
      const honest = payer.reopened()
      assert.equal((await honest.resume())?.total, cent)
      assert.equal((await honest.balance())[0]?.charged, 6n * cent)
    })

    for (const field of ['vault', 'hubAccount', 'receiptSigner', 'receiver', 'chainId']) {
      it(`about its ${field}, nothing is sent`, async () => {
        const payer = await openPayer()
        const lie = changingAnswers(/jandon$/, ({ status, body }) => ({
          status,
          body: withValue(body, [field], field === 'chainId' ? 1 : busker.address),
        }))
        const cheated = payer.reopened({ fetch: lie })
        await assert.rejects(cheated.tip({ to: '@busker', amount: cent }), client('hub_changed'))
      })
    }

    it('about the decimals of a token, nothing is sent', async () => {
      const payer = await openPayer()
      const lie = changingAnswers(/jandon$/, ({ status, body }) => ({
        status,
        body: withValue(body, ['tokens', 0, 'decimals'], 9),
      }))
      const cheated = payer.reopened({ fetch: lie })
      await assert.rejects(cheated.tip({ to: '@busker', amount: cent }), client('hub_changed'))
    })
  })

  describe('when the store is lost', () => {
    it('the channel is taken up again with the proof of every tip', async () => {
      const payer = await openPayer()
      await payer.jandon.tip({ to: '@busker', amount: 2n * cent })
      await payer.jandon.basket([
        { to: '@busker', amount: cent },
        { to: '@painter', amount: cent },
      ])
      const notices: string[] = []
      const afresh = payer.elsewhere({ maxUnreceipted: 0n, onNotice: (text) => notices.push(text) })
      await afresh.tip({ to: '@busker', amount: cent })
      assert.equal((await afresh.history()).length, 4)
      const [balance] = await afresh.balance()
      assert.deepEqual([balance?.charged, balance?.unproven], [10n * cent, 0n])
      assert.match(notices.join(), /taken up again/)
    })

    it('a channel that another key signs for is not taken up', async () => {
      const voucherKey = privateKeyToAccount(generatePrivateKey())
      const payer = await openPayer({ voucherKey })
      const afresh = payer.elsewhere({ voucherKey: undefined })
      await assert.rejects(afresh.tip({ to: '@busker', amount: cent }), client('no_channel'))
    })
  })

  describe('verifyReceipt', () => {
    it('checks a receipt by the beginning of its id, or as JSON, without the hub', async () => {
      const payer = await openPayer()
      const { basketId, receipt } = await payer.jandon.tip({ to: '@busker', amount: cent })
      const offline = payer.reopened({ fetch: () => Promise.reject(new TypeError('offline')) })
      const json = JSON.parse(toJson(receipt))
      for (const target of [basketId, basketId.slice(0, 12), basketId.slice(2, 12), json]) {
        assert.equal((await offline.verifyReceipt(target)).fault, null)
      }
      json.tips[0].leaf.amount = '1'
      assert.notEqual((await offline.verifyReceipt(json)).fault, null)
      await assert.rejects(offline.verifyReceipt('0xffffffffffff'), client('no_receipt'))
      await assert.rejects(offline.verifyReceipt({}), client('no_receipt'))
    })
  })

  describe('refund', () => {
    it('brings an amount back, then all the rest', async () => {
      const { jandon } = await openPayer()
      await jandon.refund({ amount: 4n * unit })
      assert.equal(await jandon.tokens(), 94n * unit)
      await jandon.refund()
      assert.equal(await jandon.tokens(), 9_995n * cent)
      await assert.rejects(jandon.refund(), hub('nothing_to_refund'))
    })

    it('refuses more than is unspent', async () => {
      const { jandon } = await openPayer()
      await assert.rejects(jandon.refund({ amount: 10n * unit }), hub('refund_too_large'))
    })
  })

  describe('cashOut', () => {
    it('turns what is theirs into a bank payment, once', async () => {
      const { jandon } = await openPayer()
      await jandon.tip({ to: '@busker', amount: 5n * unit })
      await settle()
      const quote = await busker.quote({ ...cashOutOrder, amount: 4n * unit })
      const [first, again] = [
        await busker.cashOut(quote.quoteId),
        await busker.cashOut(quote.quoteId),
      ]
      assert.deepEqual([first.payoutId, first.net], [again.payoutId, quote.net])
      await until(async () => (await busker.payout(first.payoutId)).state === 'SETTLED')
      const [creator] = (await busker.amounts()).amounts
      assert.equal(creator?.paid, 4n * unit)
    })

    it('refuses a quote that lies about where the money goes', async () => {
      const lie = changingAnswers(/^POST \/v1\/quotes$/, ({ status, body }) => ({
        status,
        body: withValue(body, ['destination', 'account'], '9999999999'),
      }))
      const cheated = clientOf('busker', { fetch: lie })
      const order = { ...cashOutOrder, amount: unit / 2n }
      await assert.rejects(cheated.quote(order), client('quote_invalid'))
    })

    it('refuses a quote that was not asked for from here', async () => {
      await assert.rejects(busker.cashOut(`0x${'12'.repeat(32)}`), client('no_quote'))
    })
  })

  describe('without the hub', () => {
    it('pay takes what is theirs out of the vault; it needs gas', async () => {
      const { jandon } = await openPayer()
      await jandon.tip({ to: '@painter', amount: 2n * unit })
      await settle()
      const to = privateKeyToAccount(generatePrivateKey()).address
      const order = { to, amount: unit }
      await assert.rejects(painter.pay(order), client('gas_needed'))
      await world.fundGas(painter.address)
      await painter.pay(order)
      const tooMuch = { to, amount: 1_000n * unit }
      await assert.rejects(painter.pay(tooMuch), client('transaction_refused'))
    })

    it('withdraw begins once; nothing is tipped from there any more, and a new channel has a new salt', async () => {
      const payer = await openPayer()
      const { jandon } = payer
      const [before] = await jandon.balance()
      await world.fundGas(jandon.address)
      const begun = await jandon.withdraw()
      assert.deepEqual([begun.state, begun.amount], ['waiting', 995n * cent])
      assert.equal((await jandon.withdraw()).state, 'waiting')
      await assert.rejects(jandon.tip({ to: '@busker', amount: cent }), client('no_channel'))
      await until(async () => (await jandon.balance())[0]?.leaving === 995n * cent)
      const afresh = payer.elsewhere()
      await assert.rejects(afresh.tip({ to: '@busker', amount: cent }), client('no_channel'))
      const opened = await jandon.openChannel({ deposit: 2n * unit })
      assert.notEqual(opened.channelId, before?.channelId)
      await jandon.tip({ to: '@busker', amount: cent })
    })

    it('withdraw refuses without an endpoint, and without anything to withdraw', async () => {
      const payer = await openPayer()
      await assert.rejects(payer.reopened({ rpcUrl: undefined }).withdraw(), client('rpc_required'))
      await payer.jandon.refund()
      await world.fundGas(payer.jandon.address)
      await assert.rejects(payer.jandon.withdraw(), client('nothing_to_withdraw'))
    })

    it('withdraw takes the deposit back after the delay, with the hub gone', async () => {
      const payer = await openPayer()
      await payer.jandon.tip({ to: '@busker', amount: cent })
      await world.hub.kill()
      const alone = payer.reopened()
      await assert.rejects(alone.withdraw(), client('gas_needed'))
      await world.fundGas(alone.address)
      const left = 10n * unit - 6n * cent
      const begun = await alone.withdraw()
      assert.deepEqual([begun.state, begun.amount], ['waiting', left])
      await world.chain.increaseTime({ seconds: 86_400 })
      await world.chain.mine({ blocks: 1 })
      const done = await alone.withdraw()
      assert.deepEqual([done.state, done.amount], ['done', left])
      assert.equal(await tokensOf(alone), 90n * unit + left)
    })
  })

  const cashOutOrder = {
    currency: 'KRW',
    rail: 'iso20022',
    destination: { name: '김거리', bank: '004', account: '1234567890' },
  }

  function clientOf(name: string, options: Partial<JandonOptions> = {}): Jandon {
    const key = world.wallets[name]?.privateKey ?? '0x'
    const account = privateKeyToAccount(key)
    const { url: hubUrl } = world.hub
    const { rpcUrl } = world
    return createJandon({ hubUrl, account, store: createMemoryStore(), rpcUrl, wait, ...options })
  }

  type Payer = {
    account: PrivateKeyAccount
    jandon: Jandon
    store: Store
    /** Another program on the same store. */
    reopened(options?: Partial<JandonOptions>): Jandon
    /** Another program on a store of its own. */
    elsewhere(options?: Partial<JandonOptions>): Jandon
  }

  /** A new wallet with 100 tokens and no gas. */
  async function newPayer({
    tokens = 100n * unit,
    ...options
  }: Partial<JandonOptions> & { tokens?: bigint } = {}): Promise<Payer> {
    const account = privateKeyToAccount(generatePrivateKey())
    await world.mint(account.address, tokens)
    const store = createMemoryStore()
    const { rpcUrl } = world
    const base = { hubUrl: world.hub.url, account, store, rpcUrl, wait, ...options }
    return {
      account,
      jandon: createJandon(base),
      store,
      reopened: (changes) => createJandon({ ...base, ...changes }),
      elsewhere: (changes) => createJandon({ ...base, store: createMemoryStore(), ...changes }),
    }
  }

  /** A new wallet with 90 tokens and 10 in an open channel, 0.05 of which went to the relay fee. */
  async function openPayer(options: Partial<JandonOptions> & { tokens?: bigint } = {}) {
    const payer = await newPayer(options)
    await payer.jandon.openChannel({ deposit: 10n * unit })
    return payer
  }

  /** Tips with a voucher that allows more than it has to, past the SDK. */
  async function tipGenerously(
    { account, jandon }: Payer,
    { amount, maximum }: { amount: bigint; maximum: bigint },
  ) {
    const channelId = (await jandon.balance())[0]?.channelId ?? '0x'
    const { chainId, channels } = world.deployment
    const tips = [{ to: tipTo(busker.address), amount, ref: channelId }]
    const signature = await account.signTypedData({
      domain: channelsDomain({ chainId, address: channels }),
      types: tipVoucherTypes,
      primaryType: 'TipVoucher',
      message: { channelId, maxClaimableAmount: maximum, tips },
    })
    const response = await fetch(`${world.hub.url}/v1/tips`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: toJson({ channelId, maxClaimableAmount: maximum, tips, signature }),
    })
    assert.ok(response.ok, await response.text())
  }

  /** Has the hub claim and credit, and waits until it is booked. */
  async function settle() {
    const response = await fetch(`${world.hub.url}/v1/claims`, {
      method: 'POST',
      headers: { authorization: `Bearer ${world.operatorToken}` },
    })
    assert.ok(response.ok, await response.text())
  }

  async function tokensOf({ address }: Jandon): Promise<bigint> {
    const { abi, functionName } = balanceCall
    const args = [address] as const
    return world.chain.readContract({ address: world.token.address, abi, functionName, args })
  }
})

const balanceCall = { abi: testTokenAbi, functionName: 'balanceOf' } as const

/** What a hub says when the voucher is too low. */
function tooLow({ charged, added }: { charged: bigint; added: bigint }) {
  const amounts = { charged, held: 0n, ceiling: charged, new: added, needed: charged + added }
  return toProblem(new HubError('ceiling_too_low', 'sign higher', { values: amounts }))
}

function client(code: string) {
  return (error: unknown) => isCode(error, ClientError, code)
}

function hub(code: string) {
  return (error: unknown) => isCode(error, HubError, code)
}

/** A mismatch is thrown on, so that the test shows the error that came instead. */
function isCode(error: unknown, kind: typeof ClientError | typeof HubError, code: string): true {
  if (error instanceof kind && error.code === code) return true
  throw error
}

/** Asks again until it is so; the suite's timeout ends it otherwise. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await wait(50)
}

/** The real hub needs real time, but not that much of it. */
function wait(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, Math.min(milliseconds, 50))
  })
}
