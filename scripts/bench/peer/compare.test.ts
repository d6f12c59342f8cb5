import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { x402Client } from '@x402/core/client'
import { decodePaymentRequiredHeader } from '@x402/core/http'
import type { PaymentPayload } from '@x402/core/types'
import { toClientEvmSigner } from '@x402/evm'
import { BatchSettlementEvmScheme as ClientScheme } from '@x402/evm/batch-settlement/client'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import type { World } from '../../world/world.ts'
import { startWorld } from '../../world/world.ts'
import type { OpenedChannel } from '../channels.ts'
import { assertSameTotals, compare } from './compare.ts'
import type { Merchant } from './merchant.ts'
import { startMerchant } from './merchant.ts'
import { createPayer, paymentHeader } from './purchase.ts'

describe('compare', () => {
  it('pays both sides the same, and every voucher after the first is verified by the peer itself', async () => {
    const terms = { channels: 3, payments: 4, warmUp: 2, runs: 2 }
    const { jandon, peer, ratio, charged, asked } = await compare(terms)
    assert.equal(charged, 1_000n)
    assert.equal(asked, 3)
    for (const { perSecond, perServerCpuSecond, p99ms } of [jandon, peer]) {
      assert(perSecond > 0 && perServerCpuSecond > 0 && p99ms > 0)
    }
    assert(ratio > 0)
  }).timeout(120_000)
})

describe('assertSameTotals', () => {
  it('takes the same totals, and refuses one base unit more or less, or a channel without any', () => {
    const wanted = [1_000n, 1_000n]
    assertSameTotals({ jandon: wanted, peer: wanted, wanted })
    for (const other of [[1_000n, 999n], [1_001n, 1_000n], [1_000n, undefined], [1_000n]]) {
      assert.throws(() => assertSameTotals({ jandon: other, peer: wanted, wanted }))
      assert.throws(() => assertSameTotals({ jandon: wanted, peer: other, wanted }))
      assert.throws(() => assertSameTotals({ jandon: other, peer: other, wanted }))
    }
  })
})

describe('the shop of the npm packages', () => {
  let world: World
  let merchant: Merchant
  const price = 100n

  beforeEach(async () => {
    const folder = await mkdtemp(join(tmpdir(), 'jandon-shop-'))
    world = await startWorld({ folder, walletNames: ['funder'], withBank: false })
    merchant = await startMerchant(world, { count: 1, price })
  })

  afterEach(async () => {
    await merchant.stop()
    await world.stop()
    await rm(world.folder, { recursive: true })
  })

  function theChannel(): OpenedChannel {
    const [channel] = merchant.channels
    assert(channel)
    return channel
  }

  async function askPrice() {
    const asked = await fetch(merchant.url)
    assert.equal(asked.status, 402)
    return decodePaymentRequiredHeader(asked.headers.get('payment-required') ?? '')
  }

  async function buy(payment: PaymentPayload): Promise<number> {
    const response = await fetch(merchant.url, { headers: paymentHeader(payment) })
    return response.status
  }

  it('is sent what the npm client sends for the same channel', async () => {
    const channel = theChannel()
    const required = await askPrice()
    const account = privateKeyToAccount(channel.key)
    const signer = toClientEvmSigner({
      address: account.address,
      signTypedData: (typedData: object) => account.signTypedData(typedData as never),
      readContract: (args: object) => world.chain.readContract(args as never),
    })
    const scheme = new ClientScheme(signer, { salt: channel.config.salt })
    const client = x402Client
      .fromConfig({ schemes: [], spendControls: false })
      .register('eip155:*', scheme)
    const theirs = await client.createPaymentPayload(required)
    const ours = createPayer(channel, required)(price)
    assert.deepEqual(lowerCased(ours), lowerCased(theirs))
  })

  it('charges what was paid for, and nothing for another key, another total or the same voucher again', async () => {
    const channel = theChannel()
    const required = await askPrice()
    const pay = createPayer(channel, required)
    const stranger = createPayer({ ...channel, key: generatePrivateKey() }, required)
    assert.equal(await buy(pay(price)), 200)
    assert.equal(await buy(stranger(2n * price)), 402)
    assert.equal(await buy(pay(3n * price)), 402)
    assert.equal(await buy(pay(price)), 402)
    assert.equal(await buy(pay(2n * price)), 200)
    const { channels, asked } = await merchant.books()
    assert.deepEqual(channels, [{ channelId: channel.channelId, charged: 2n * price }])
    assert.equal(asked, 1)
  })
})

/** As JSON without the capitals that addresses may be written in. */
function lowerCased(payment: PaymentPayload): unknown {
  return JSON.parse(JSON.stringify(payment).toLowerCase())
}
