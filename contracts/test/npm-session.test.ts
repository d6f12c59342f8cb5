// A payer, a merchant and a facilitator who all run the npm packages of x402, unmodified, over HTTP, on our contracts at the
// canonical addresses.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { x402Client, x402HTTPClient } from '@x402/core/client'
import { x402Facilitator } from '@x402/core/facilitator'
import { x402HTTPResourceServer, x402ResourceServer } from '@x402/core/server'
import { toClientEvmSigner } from '@x402/evm'
import { BatchSettlementEvmScheme as ClientScheme } from '@x402/evm/batch-settlement/client'
import {
  BatchSettlementChannelManager,
  BatchSettlementEvmScheme as ServerScheme,
} from '@x402/evm/batch-settlement/server'
import { type Address, type Hex, maxUint256 } from 'viem'
import { z } from 'zod'
import { permit2 } from '#protocol/deposit.ts'
import { canonical, placed } from './canonical-fixture.ts'
import { balances, day, difference, keyOf, networkHelpers } from './fixture.ts'

const price = 5n

type Placed = Awaited<ReturnType<typeof placed>>

/** A merchant who sells songs at 5 base units each, and what it needs to be paid on chain. */
async function openShop(at: Placed, transferMethod: 'eip3009' | 'permit2') {
  const { config, networkId, requirements } = at
  const facilitator = new x402Facilitator().register(networkId, at.facilitator)
  const facilitatorClient = {
    verify: facilitator.verify.bind(facilitator),
    settle: facilitator.settle.bind(facilitator),
    getSupported: async () => facilitator.getSupported() as never,
  }
  const scheme = new ServerScheme(config.receiver, {
    receiverAuthorizerSigner: {
      address: keyOf(2).address,
      signTypedData: (typedData) => keyOf(2).signTypedData(typedData as never),
    },
    withdrawDelay: day,
  })
  const resources = new x402ResourceServer(facilitatorClient).register(networkId, scheme)
  const shop = new x402HTTPResourceServer(resources, {
    'GET /song': {
      accepts: {
        scheme: 'batch-settlement',
        payTo: config.receiver,
        network: networkId,
        maxTimeoutSeconds: requirements.maxTimeoutSeconds,
        price: {
          asset: config.token,
          amount: String(price),
          extra: {
            name: 'Jandon Test Dollar',
            version: '1',
            assetTransferMethod: transferMethod,
          },
        },
      },
    },
  })
  await shop.initialize()
  const manager = new BatchSettlementChannelManager({
    scheme,
    facilitator: facilitatorClient,
    receiver: config.receiver,
    token: config.token,
    network: networkId,
  })
  const server = createServer((request, response) => {
    serve(shop, request, response).catch((error: unknown) => {
      response.statusCode = 500
      response.end(String(error))
    })
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const { port } = server.address() as AddressInfo
  return { manager, server, url: `http://127.0.0.1:${port}/song` }
}

/** What the packages' adapters for web servers do. */
async function serve(
  shop: x402HTTPResourceServer,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const header = (name: string) => request.headers[name.toLowerCase()]?.toString()
  const context = {
    adapter: {
      getHeader: header,
      getMethod: () => request.method ?? 'GET',
      getPath: () => request.url ?? '/',
      getUrl: () => `http://${request.headers.host}${request.url}`,
      getAcceptHeader: () => 'application/json',
      getUserAgent: () => 'test',
    },
    path: request.url ?? '/',
    method: request.method ?? 'GET',
    ...(header('payment-signature') && { paymentHeader: header('payment-signature') as string }),
  }
  const result = await shop.processHTTPRequest(context)
  assert.notEqual(result.type, 'no-payment-required')
  if (result.type === 'payment-error') {
    const { status, headers, body } = result.response
    response.writeHead(status, headers).end(JSON.stringify(body))
    return
  }
  if (result.type !== 'payment-verified') return
  const settled = await shop.processSettlement(
    result.paymentPayload,
    result.paymentRequirements,
    result.declaredExtensions,
    { request: context, responseBody: Buffer.from('a song') },
  )
  const status = settled.success ? 200 : 402
  response.writeHead(status, settled.headers).end(settled.success ? 'a song' : '')
}

/** A payer who deposits for 100 songs at a time. */
function openWallet(at: Placed, salt: Hex) {
  const account = keyOf(0)
  const signer = toClientEvmSigner({
    address: account.address,
    signTypedData: (typedData: object) => account.signTypedData(typedData as never),
    readContract: (args: object) => at.chain.readContract(args as never),
  })
  const scheme = new ClientScheme(signer, { depositStrategy: () => String(100n * price), salt })
  const client = x402Client
    .fromConfig({ schemes: [], spendControls: false })
    .register('eip155:*', scheme)
  const http = new x402HTTPClient(client)
  /** Asks, pays when asked to, and says what came. */
  const buy = async (url: string): Promise<string> => {
    const asked = await fetch(url)
    assert.equal(asked.status, 402)
    const required = http.getPaymentRequiredResponse((name) => asked.headers.get(name))
    const payload = await http.createPaymentPayload(required)
    const paid = await fetch(url, { headers: http.encodePaymentSignatureHeader(payload) })
    await http.processPaymentResult(payload, (name) => paid.headers.get(name), paid.status)
    assert.equal(paid.status, 200, await paid.clone().text())
    return paid.text()
  }
  return { scheme, buy }
}

describe('payer, merchant and facilitator from npm', () => {
  let servers: Server[] = []
  afterEach(() => {
    for (const server of servers) server.close()
    servers = []
  })

  async function trade(transferMethod: 'eip3009' | 'permit2' = 'eip3009') {
    const at = await networkHelpers.loadFixture(placed)
    const shop = await openShop(at, transferMethod)
    servers.push(shop.server)
    const salt: Hex = `0x${'77'.repeat(32)}`
    const wallet = openWallet(at, salt)
    const own = { ...at.config, payerAuthorizer: keyOf(0).address, salt }
    const channelId = await at.channels.read.getChannelId([own])
    const parties: Address[] = [own.payer, own.receiver, canonical.channels]
    const before = await balances(at.token, ...parties)
    const moved = async () => difference(before, await balances(at.token, ...parties))
    return { ...at, ...shop, ...wallet, own, channelId, moved }
  }

  it('deposit, pay 210 times, claim, settle, refund a part and then the rest: balances are exact', async () => {
    const { channels, manager, url, buy, scheme, channelId, moved } = await trade()
    for (let song = 1; song <= 210; song += 1) assert.equal(await buy(url), 'a song')
    // 100 songs were deposited for, three times.
    assert.deepEqual(await channels.read.channels([channelId]), [1_500n, 0n])
    assert.deepEqual(await moved(), [-1_500n, 0n, 1_500n])

    assert.equal((await manager.claim()).length, 1)
    assert.deepEqual(await channels.read.channels([channelId]), [1_500n, 1_050n])
    await manager.settle()
    assert.deepEqual(await moved(), [-1_500n, 1_050n, 450n])

    assert.equal((await scheme.refund(url, { amount: '100' })).success, true)
    assert.deepEqual(await channels.read.channels([channelId]), [1_400n, 1_050n])
    assert.deepEqual(await moved(), [-1_400n, 1_050n, 350n])

    for (let song = 1; song <= 3; song += 1) await buy(url)
    assert.equal((await scheme.refund(url)).success, true)
    assert.deepEqual(await channels.read.channels([channelId]), [1_065n, 1_065n])
    await manager.settle()
    assert.deepEqual(await moved(), [-1_065n, 1_065n, 0n])
  }).timeout(120_000)

  it('withdraw without the merchant, who still gets what was paid for', async () => {
    const { channels, manager, url, buy, own, channelId, moved } = await trade()
    for (let song = 1; song <= 7; song += 1) await buy(url)
    await channels.write.initiateWithdraw([own, 500n])
    await manager.claimAndSettle()
    await networkHelpers.time.increase(day)
    await channels.write.finalizeWithdraw([own])
    assert.deepEqual(await channels.read.channels([channelId]), [35n, 35n])
    assert.deepEqual(await moved(), [-35n, 35n, 0n])
  })

  it('deposit by Permit2', async () => {
    const { channels, token, manager, url, buy, channelId, moved } = await trade('permit2')
    const { bytecode } = z
      .object({ bytecode: z.templateLiteral(['0x', z.string()]) })
      .parse(JSON.parse(readFileSync(new URL('./permit2.json', import.meta.url), 'utf8')))
    await networkHelpers.setCode(permit2, bytecode)
    await token.write.approve([permit2, maxUint256])
    for (let song = 1; song <= 3; song += 1) await buy(url)
    assert.deepEqual(await channels.read.channels([channelId]), [500n, 0n])
    await manager.claimAndSettle()
    assert.deepEqual(await moved(), [-500n, 15n, 485n])
  })
})
