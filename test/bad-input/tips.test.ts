// POST /v1/tips from somebody who wants more than they signed or paid for.

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import type { Abi, Address, Hex, PrivateKeyAccount } from 'viem'
import { createWalletClient, http, numberToHex, sliceHex } from 'viem'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import { hardhat } from 'viem/chains'
import { testTokenAbi } from '#protocol/abi.ts'
import { channelsDomain } from '#protocol/channel.ts'
import type { ErrorCode } from '#protocol/errors.ts'
import type { TipsRequest } from '#protocol/messages/tips.ts'
import { tipsAnswer } from '#protocol/messages/tips.ts'
import { lowerCase } from '#protocol/signature.ts'
import type { Tip } from '#protocol/tip.ts'
import { messageRef, tipTo } from '#protocol/tip.ts'
import { voucherTypes } from '#protocol/voucher.ts'
import type { OpenChannel } from '../support/channels.ts'
import { depositDirect, openChannel, sendTips, viewOf } from '../support/channels.ts'
import { assertAnswer, assertProblem } from '../support/http.ts'
import type { HubFixture } from '../support/hub.ts'
import { assertUnchanged, openHub, reservesOf, transact } from '../support/hub.ts'
import {
  addressOf,
  channelIdOf,
  configFor,
  newCreator,
  randomHash,
  signBasket,
  tipOf,
  unit,
} from '../support/paper.ts'

const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
const zeroAddress: Address = `0x${'00'.repeat(20)}`

let hub: HubFixture
let busker: PrivateKeyAccount
let painter: PrivateKeyAccount
let channel: OpenChannel
let voucherKey: PrivateKeyAccount

describe('tips from somebody who wants more than they signed for', () => {
  before(async () => {
    hub = await openHub()
    busker = await newCreator(hub, 'busker')
    painter = await newCreator(hub, 'painter')
    voucherKey = privateKeyToAccount(generatePrivateKey())
    channel = await openChannel(hub, { authorizer: voucherKey })
  })

  after(() => hub?.close())

  /** A basket of two tips that the hub would take. */
  function goodBasket(changes: Partial<Parameters<typeof signBasket>[1]> = {}) {
    const tips = [tipOf(busker, 30n), tipOf(painter, 20n)]
    const maxClaimableAmount = 5n * unit
    return signBasket(hub, {
      channelId: channel.id,
      tips,
      maxClaimableAmount,
      by: voucherKey,
      ...changes,
    })
  }

  async function assertRefused(
    body: object,
    code: ErrorCode,
    values?: { [name: string]: unknown },
  ) {
    await assertUnchanged(hub, async () => {
      assertProblem(await hub.call({ path: '/v1/tips', body }), code, values)
    })
  }

  describe('POST /v1/tips, a good basket', () => {
    it('is accepted with its receipt and the amounts after it (R1, R5)', async () => {
      const { charged } = (await viewOf(hub, channel)).amounts
      const body = await goodBasket()
      const answer = tipsAnswer.parse(assertAnswer(await hub.call({ path: '/v1/tips', body }), 200))
      assert.equal(answer.channel.charged, charged + 50n)
      assert.deepEqual(
        answer.receipt.tips.map(({ leaf }) => [leaf.to, leaf.amount, leaf.ref]),
        body.tips.map(({ to, amount, ref }) => [to, amount, ref]),
      )
    })

    it('may be written with upper-case hex', async () => {
      const body = await goodBasket()
      const upper = (hex: Hex) => `0x${hex.slice(2).toUpperCase()}`
      const tips = body.tips.map((tip) => ({ ...tip, to: upper(tip.to), ref: upper(tip.ref) }))
      const shouted = { ...body, tips, channelId: upper(body.channelId) }
      const answer = await hub.call({
        path: '/v1/tips',
        body: { ...shouted, signature: upper(body.signature) },
      })
      assert.equal(tipsAnswer.parse(assertAnswer(answer, 200)).receipt.tips.length, 2)
    })
  })

  describe('POST /v1/tips, the signature (R7)', () => {
    const spoiled: { [what: string]: (signature: Hex) => string } = {
      'a changed r': (signature) => withParts(signature, { r: partsOf(signature).r ^ 1n }),
      'a changed s': (signature) => withParts(signature, { s: partsOf(signature).s ^ 2n }),
      'v as 0 or 1': (signature) => withParts(signature, { v: partsOf(signature).v - 27n }),
      'v of 29': (signature) => withParts(signature, { v: 29n }),
      'v of 255': (signature) => withParts(signature, { v: 255n }),
      'the high-s twin': (signature) => {
        const { s, v } = partsOf(signature)
        return withParts(signature, { s: order - s, v: v === 27n ? 28n : 27n })
      },
      'r of zero': (signature) => withParts(signature, { r: 0n }),
      's of zero': (signature) => withParts(signature, { s: 0n }),
      'r of the order': (signature) => withParts(signature, { r: order }),
      's of the order': (signature) => withParts(signature, { s: order }),
      'all zeros': () => `0x${'00'.repeat(65)}`,
      'all ones': () => `0x${'ff'.repeat(65)}`,
    }
    for (const [what, spoil] of Object.entries(spoiled)) {
      it(`with ${what} is refused as bad_signature`, async () => {
        const body = await goodBasket()
        const expected = addressOf(voucherKey)
        await assertRefused({ ...body, signature: spoil(body.signature) }, 'bad_signature', {
          expected,
        })
      })
    }

    const misshaped: { [what: string]: (signature: Hex) => string } = {
      '64 bytes': (signature) => sliceHex(signature, 0, 64),
      '66 bytes': (signature) => `${signature}00`,
      'one hex digit short': (signature) => signature.slice(0, -1),
      'no bytes': () => '0x',
      'no 0x': (signature) => signature.slice(2),
      'a letter that is no hex digit': (signature) => signature.replace(/.$/, 'g'),
      'a space after it': (signature) => `${signature} `,
      'a line feed after it': (signature) => `${signature}\n`,
    }
    for (const [what, spoil] of Object.entries(misshaped)) {
      it(`of ${what} is refused as invalid_request`, async () => {
        const body = await goodBasket()
        await assertRefused({ ...body, signature: spoil(body.signature) }, 'invalid_request')
      })
    }

    it('of the payer is refused when the channel has another authorizer', async () => {
      await assertRefused(await goodBasket({ by: channel.payer }), 'bad_signature')
    })

    it('of a stranger is refused', async () => {
      const by = privateKeyToAccount(generatePrivateKey())
      await assertRefused(await goodBasket({ by }), 'bad_signature')
    })

    it('of a creator who is tipped is refused', async () => {
      await assertRefused(await goodBasket({ by: busker }), 'bad_signature')
    })
  })

  describe('POST /v1/tips, the voucher changed after it was signed (R8)', () => {
    const changes: { [what: string]: (body: TipsRequest) => Partial<TipsRequest> } = {
      'a higher maximum': ({ maxClaimableAmount }) => ({
        maxClaimableAmount: maxClaimableAmount + 1n,
      }),
      'a lower maximum': ({ maxClaimableAmount }) => ({
        maxClaimableAmount: maxClaimableAmount - 1n,
      }),
      'another recipient': ({ tips }) => ({
        tips: changed(tips, { to: tipTo(addressOf(painter)) }),
      }),
      'another amount': ({ tips }) => ({ tips: changed(tips, { amount: 31n }) }),
      'another ref': ({ tips }) => ({ tips: changed(tips, { ref: randomHash() }) }),
      'its tips in another order': ({ tips }) => ({ tips: [...tips].reverse() }),
      'a tip less': ({ tips }) => ({ tips: tips.slice(1) }),
      'a tip more': ({ tips }) => ({ tips: [...tips, tipOf(busker, 1n)] }),
      'a message that the ref does not commit to': ({ tips }) => {
        const message = { text: 'hello', salt: randomHash() }
        return { tips: changed(tips, { ref: messageRef(message) }) }
      },
    }
    for (const [what, change] of Object.entries(changes)) {
      it(`with ${what} is refused as bad_signature`, async () => {
        const body = await goodBasket()
        await assertRefused({ ...body, ...change(body) }, 'bad_signature')
      })
    }

    it('for another channel of the same authorizer is refused', async () => {
      const other = await openChannel(hub, { authorizer: voucherKey })
      const body = await goodBasket()
      await assertRefused({ ...body, channelId: other.id }, 'bad_signature')
    })
  })

  describe('POST /v1/tips, a voucher from elsewhere (R7)', () => {
    it('signed for another chain is refused', async () => {
      await assertRefused(await goodBasket({ chainId: 8453 }), 'bad_signature')
    })

    it('signed for another contract is refused', async () => {
      const contract = lowerCase(hub.world.deployment.canonicalChannels ?? zeroAddress)
      await assertRefused(await goodBasket({ contract }), 'bad_signature')
    })

    it('on the same config under another contract names no channel here', async () => {
      const contract = lowerCase(hub.world.deployment.canonicalChannels ?? zeroAddress)
      const channelId = channelIdOf(hub, channel.config, contract)
      await assertRefused(await goodBasket({ channelId, contract }), 'unknown_channel', {
        channelId,
      })
    })

    it('on a channel of a contract that the hub does not claim from gets no credit', async () => {
      const contract = lowerCase(hub.world.deployment.canonicalChannels ?? zeroAddress)
      const foreign = await openChannel(hub, { contract })
      const body = await signBasket(hub, {
        channelId: foreign.id,
        tips: [tipOf(busker, 10n)],
        by: foreign.payer,
        contract,
      })
      await assertRefused(body, 'unknown_channel')
    })

    it('that is a plain x402 voucher over the same maximum is refused', async () => {
      const body = await goodBasket()
      const { chainId, channels } = hub.info
      const signature = await voucherKey.signTypedData({
        domain: channelsDomain({ chainId, address: channels.address }),
        types: voucherTypes,
        primaryType: 'Voucher',
        message: { channelId: channel.id, maxClaimableAmount: body.maxClaimableAmount },
      })
      await assertRefused({ ...body, signature }, 'bad_signature')
    })
  })

  describe('POST /v1/tips, amounts that are none', () => {
    const nonsense: { [what: string]: unknown } = {
      'a negative one': '-1',
      'a fraction': '1.5',
      'an exponent': '1e3',
      '2^128': String(2n ** 128n),
      'a leading zero': '01',
      'an empty text': '',
      'a leading space': ' 1',
      'a trailing space': '1 ',
      'a line feed': '1\n',
      'a plus sign': '+1',
      hex: '0x10',
      'a separator': '1,000',
      'an underscore': '1_000',
      'Arabic-Indic digits': '١٢',
      'full-width digits': '１２',
      'a number': 1,
      'a number of 2^53 + 1': Number('9007199254740993'),
      null: null,
      true: true,
      'a list': ['1'],
      'an object': { amount: '1' },
      '79 digits': '9'.repeat(79),
      '10,000 digits': '9'.repeat(10_000),
      'NaN as text': 'NaN',
      'Infinity as text': 'Infinity',
    }
    for (const [what, value] of Object.entries(nonsense)) {
      it(`refuses ${what} as the amount of a tip and as the maximum`, async () => {
        const body = await goodBasket()
        const tips = body.tips.map((tip) => ({ ...tip, amount: value }))
        await assertUnchanged(hub, async () => {
          for (const bad of [
            { ...body, tips },
            { ...body, maxClaimableAmount: value },
          ]) {
            assertProblem(await hub.call({ path: '/v1/tips', body: bad }), 'invalid_request')
          }
        })
      })
    }

    it('refuses a tip of zero', async () => {
      await assertRefused(await goodBasket({ tips: [tipOf(busker, 0n)] }), 'invalid_request')
    })

    it('takes a maximum of zero as a number, and refuses it as too low (R1)', async () => {
      await sendTips(hub, channel, [tipOf(busker, 1n)])
      const { amounts } = await viewOf(hub, channel)
      const added = amounts.ceiling - amounts.charged + 1n
      const body = await goodBasket({ tips: [tipOf(busker, added)], maxClaimableAmount: 0n })
      const needed = amounts.ceiling + 1n
      await assertRefused(body, 'ceiling_too_low', { ...amounts, new: added, needed })
    })

    const tooMuch = {
      'a 30-digit amount': 10n ** 29n,
      '2^128 − 1': 2n ** 128n - 1n,
      '2^53 + 1': 2n ** 53n + 1n,
    }
    for (const [what, amount] of Object.entries(tooMuch)) {
      it(`counts ${what} exactly, and refuses it as above the deposit (R1)`, async () => {
        const { amounts } = await viewOf(hub, channel)
        const body = await goodBasket({ tips: [tipOf(busker, amount)], maxClaimableAmount: amount })
        const needed = amounts.charged + amount
        await assertRefused(body, 'deposit_exceeded', { ...amounts, new: amount, needed })
      })
    }

    it('adds 256 tips of 2^128 − 1 without overflow (R1)', async () => {
      const amount = 2n ** 128n - 1n
      const tips = Array.from({ length: 256 }, () => tipOf(busker, amount))
      const { amounts } = await viewOf(hub, channel)
      const body = await goodBasket({ tips, maxClaimableAmount: amount })
      const added = 256n * amount
      const needed = amounts.charged + added
      await assertRefused(body, 'deposit_exceeded', { ...amounts, new: added, needed })
    })

    it('accepts a maximum of 2^128 − 1: it is the payer’s to sign (R1)', async () => {
      const generous = await openChannel(hub)
      const answer = await sendTips(hub, generous, [tipOf(busker, 1n)], 2n ** 128n - 1n)
      const { channel: amounts } = tipsAnswer.parse(assertAnswer(answer, 200))
      assert.equal(amounts.ceiling, 2n ** 128n - 1n)
      assert.equal(amounts.available, 10n * unit - 1n)
    })
  })

  describe('POST /v1/tips, the number of tips', () => {
    it('accepts 256', async () => {
      const tips = Array.from({ length: 256 }, () => tipOf(busker, 1n))
      const answer = tipsAnswer.parse(assertAnswer(await sendTips(hub, channel, tips), 200))
      assert.equal(answer.receipt.tips.length, 256)
    })

    it('accepts 256 with the longest messages', async () => {
      const text = '\u{1F3B8}'.repeat(280)
      const tips = Array.from({ length: 256 }, () => {
        const message = { text, salt: randomHash() }
        return { ...tipOf(busker, 1n), ref: messageRef(message), message }
      })
      assertAnswer(await sendTips(hub, channel, tips), 200)
    })

    it('refuses a message of 281 characters, and one of control characters or nothing but space', async () => {
      for (const text of [
        'x'.repeat(281),
        '\u{1F3B8}'.repeat(281),
        'a\u0000b',
        'a\u001bb',
        ' ',
        '',
        '\ud800',
      ]) {
        const message = { text, salt: randomHash() }
        const tip = { ...tipOf(busker, 1n), message }
        const body = await goodBasket({ tips: [tip] })
        await assertRefused(body, 'invalid_request')
      }
    })

    it('refuses 257, and none', async () => {
      const tips = Array.from({ length: 257 }, () => tipOf(busker, 1n))
      await assertRefused(await goodBasket({ tips }), 'invalid_request')
      await assertRefused({ ...(await goodBasket()), tips: [] }, 'invalid_request')
    })
  })

  describe('POST /v1/tips, recipients and refs (R8, R9)', () => {
    it('refuses somebody who has not joined', async () => {
      const stranger = tipOf(privateKeyToAccount(generatePrivateKey()), 1n)
      const tips = [tipOf(busker, 1n), stranger]
      await assertRefused(await goodBasket({ tips }), 'unknown_creator', {
        index: 1,
        to: stranger.to,
      })
    })

    it('refuses an address with anything in the 12 bytes before it', async () => {
      const to: Hex = `0x01${tipTo(addressOf(busker)).slice(4)}`
      const tips = [{ ...tipOf(busker, 1n), to }]
      await assertRefused(await goodBasket({ tips }), 'unknown_creator', { index: 0, to })
    })

    it('refuses the vault, the hub account, the treasury and the zero address as recipients', async () => {
      for (const to of [hub.info.vault, hub.info.hubAccount, hub.info.treasury, zeroAddress]) {
        await assertRefused(await goodBasket({ tips: [tipOf(to, 1n)] }), 'unknown_creator')
      }
    })

    it('refuses a ref that stands twice', async () => {
      const first = tipOf(busker, 1n)
      const tips = [tipOf(painter, 1n), first, { ...tipOf(painter, 2n), ref: first.ref }]
      await assertRefused(await goodBasket({ tips }), 'duplicate_ref', { index: 2, ref: first.ref })
    })

    it('accepts refs that begin alike, and refuses the one of them that stands twice', async () => {
      const begin = (end: string): Hex => `0x12345678${end.padStart(56, '0')}`
      const tips = ['1', '2', '3'].map((end) => ({ ...tipOf(busker, 1n), ref: begin(end) }))
      const twice = [...tips, { ...tipOf(busker, 1n), ref: begin('2') }]
      const values = { index: 3, ref: begin('2') }
      await assertRefused(await goodBasket({ tips: twice }), 'duplicate_ref', values)
      assertAnswer(await sendTips(hub, channel, tips), 200)
    })

    it('refuses a message that is not the one that the ref commits to (R9)', async () => {
      const salt = randomHash()
      const ref = messageRef({ salt, text: 'well played' })
      const spoiled = [
        { text: 'badly played', salt },
        { text: 'well played', salt: randomHash() },
        { text: 'well played ', salt },
      ]
      for (const message of spoiled) {
        const tips = [{ ...tipOf(busker, 1n), ref, message }]
        await assertRefused(await goodBasket({ tips }), 'message_mismatch', { index: 0 })
      }
    })

    it('accepts the message that the ref commits to (R9)', async () => {
      const message = { text: 'well played', salt: randomHash() }
      const tips = [{ ...tipOf(busker, 1n), ref: messageRef(message), message }]
      assertAnswer(await sendTips(hub, channel, tips), 200)
    })
  })

  describe('POST /v1/tips, channels that get no credit (R7)', () => {
    async function refusedChannel(code: ErrorCode, order: Parameters<typeof openChannel>[1]) {
      const opened = await openChannel(hub, order)
      const body = await signBasket(hub, {
        channelId: opened.id,
        tips: [tipOf(busker, 1n)],
        by: opened.authorizer,
      })
      await assertRefused(body, code)
      return opened
    }

    it('refuses one that nobody opened', async () => {
      const channelId = channelIdOf(hub, configFor(hub, channel.payer))
      await assertRefused(await goodBasket({ channelId }), 'unknown_channel', { channelId })
    })

    it('refuses one without a payerAuthorizer, and shows why to its payer', async () => {
      const opened = await refusedChannel('authorizer_required', {
        changes: { payerAuthorizer: zeroAddress },
      })
      assert.equal((await viewOf(hub, opened)).refusal, 'authorizer_required')
    })

    it('refuses one that answers to another receiverAuthorizer', async () => {
      await refusedChannel('wrong_receiver_authorizer', {
        changes: { receiverAuthorizer: addressOf(painter) },
      })
    })

    it('names the missing payerAuthorizer before the wrong receiverAuthorizer (R13)', async () => {
      await refusedChannel('authorizer_required', {
        changes: { payerAuthorizer: zeroAddress, receiverAuthorizer: addressOf(painter) },
      })
    })

    it('does not know one that pays another receiver', async () => {
      await refusedChannel('unknown_channel', { changes: { receiver: addressOf(painter) } })
    })

    it('refuses one with a withdraw delay below the hub’s minimum', async () => {
      await refusedChannel('withdraw_delay_out_of_range', { changes: { withdrawDelay: 900 } })
    })

    it('refuses one in a token that is not on the list', async () => {
      const token = await deployToken()
      const { payer } = channel
      await transact(hub, payer, {
        address: token,
        abi: testTokenAbi as Abi,
        functionName: 'mint',
        args: [payer.address, unit],
      })
      const config = configFor(hub, payer, { token })
      await depositDirect(hub, payer, { config, amount: unit })
      const body = await signBasket(hub, {
        channelId: channelIdOf(hub, config),
        tips: [tipOf(busker, 1n)],
        by: payer,
      })
      await assertRefused(body, 'token_not_listed')
    })
  })

  describe('POST /v1/tips, wrong in several ways (R13)', () => {
    it('answers with the first check that fails, all the way down', async () => {
      const stranger = privateKeyToAccount(generatePrivateKey())
      const twin = tipOf(stranger, 1n)
      const message = { text: 'hello', salt: randomHash() }
      const all = [
        tipOf(stranger, 100n * unit),
        { ...tipOf(busker, 1n), message },
        twin,
        { ...twin, amount: 2n },
      ]
      const low = { maxClaimableAmount: 1n, by: stranger }
      const steps: [ErrorCode, Tip[]][] = [
        ['duplicate_ref', all],
        ['message_mismatch', all.slice(0, 3)],
        ['unknown_creator', [tipOf(stranger, 100n * unit), tipOf(busker, 1n)]],
        ['deposit_exceeded', [tipOf(busker, 100n * unit)]],
        ['ceiling_too_low', [tipOf(busker, 9n * unit)]],
      ]
      for (const [code, tips] of steps)
        await assertRefused(await goodBasket({ ...low, tips }), code)
      await assertRefused(await goodBasket({ ...low, tips: [tipOf(busker, 1n)] }), 'bad_signature')
    })

    it('answers unsupported_media_type, body_too_large, malformed_json, duplicate_key, invalid_request in this order', async () => {
      const path = '/v1/tips'
      const large = `{"channelId":1,"channelId":${'x'.repeat(600_000)}`
      const headers = { 'content-type': 'text/plain' }
      await assertUnchanged(hub, async () => {
        assertProblem(await hub.call({ path, body: large, headers }), 'unsupported_media_type')
        assertProblem(await hub.call({ path, body: large }), 'body_too_large')
        assertProblem(
          await hub.call({ path, body: '{"channelId":1,"channelId":}' }),
          'malformed_json',
        )
        assertProblem(
          await hub.call({ path, body: '{"channelId":1,"channelId":2}' }),
          'duplicate_key',
        )
      })
      const unknown = await goodBasket({ channelId: randomHash() })
      await assertRefused({ ...unknown, signature: '0x' }, 'invalid_request')
      await assertRefused(unknown, 'unknown_channel')
    })
  })

  describe('POST /v1/tips, after all that', () => {
    it('accepts a good basket, and books equal the chain (I5)', async () => {
      assertAnswer(await sendTips(hub, channel, [tipOf(busker, 5n)]), 200)
      assert.equal((await reservesOf(hub))['verdict'], 'equal')
    })
  })
})

type Parts = { r: bigint; s: bigint; v: bigint }

function partsOf(signature: Hex): Parts {
  return {
    r: BigInt(sliceHex(signature, 0, 32)),
    s: BigInt(sliceHex(signature, 32, 64)),
    v: BigInt(sliceHex(signature, 64)),
  }
}

function withParts(signature: Hex, changes: Partial<Parts>): Hex {
  const { r, s, v } = { ...partsOf(signature), ...changes }
  const words = [
    numberToHex(r, { size: 32 }),
    numberToHex(s, { size: 32 }),
    numberToHex(v, { size: 1 }),
  ]
  return `0x${words.map((word) => word.slice(2)).join('')}`
}

/** The tips with a change to the first. */
function changed(tips: TipsRequest['tips'], change: Partial<Tip>): TipsRequest['tips'] {
  return tips.map((tip, index) => (index === 0 ? { ...tip, ...change } : tip))
}

async function deployToken(): Promise<Address> {
  const path = new URL(
    '../../artifacts/contracts/test/TestToken.sol/TestToken.json',
    import.meta.url,
  )
  const { abi, bytecode } = JSON.parse(await readFile(path, 'utf8')) as { abi: Abi; bytecode: Hex }
  const wallet = createWalletClient({
    account: channel.payer,
    chain: hardhat,
    transport: http(hub.world.rpcUrl),
  })
  const hash = await wallet.deployContract({ abi, bytecode })
  const { contractAddress } = await hub.world.chain.waitForTransactionReceipt({ hash })
  return lowerCase(contractAddress ?? zeroAddress)
}
