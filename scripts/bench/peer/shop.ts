// The peer: a merchant who runs the npm packages of x402 as they are, express with `@x402/express` in front of one route, the
// memory store and a facilitator of the same packages. A process of its own; its settings come as a file.

import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { x402Facilitator } from '@x402/core/facilitator'
import type { FacilitatorClient } from '@x402/core/server'
import { toFacilitatorEvmSigner } from '@x402/evm'
import { BatchSettlementEvmScheme as FacilitatorScheme } from '@x402/evm/batch-settlement/facilitator'
import {
  InMemoryChannelStorage,
  BatchSettlementEvmScheme as ServerScheme,
} from '@x402/evm/batch-settlement/server'
import { paymentMiddleware, x402ResourceServer } from '@x402/express'
import express from 'express'
import type { Address, Hex } from 'viem'
import { createWalletClient, http, publicActions } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { hardhat } from 'viem/chains'

/** What the shop is started with. `price` is in base units, `withdrawDelay` in seconds. */
export type ShopSettings = {
  rpcUrl: string
  network: `eip155:${number}`
  receiver: Address
  /** Signs claims and refunds for the receiver. */
  receiverAuthorizerKey: Hex
  token: { address: Address; name: string; version: string }
  price: string
  withdrawDelay: number
}

const [, , path = ''] = process.argv
const settings = JSON.parse(await readFile(path, 'utf8')) as ShopSettings
const { network, receiver, token, price, withdrawDelay } = settings
const authorizer = privateKeyToAccount(settings.receiverAuthorizerKey)
const storage = new InMemoryChannelStorage()
const facilitator = createFacilitator()
const scheme = new ServerScheme(receiver, {
  storage,
  receiverAuthorizerSigner: {
    address: authorizer.address,
    signTypedData: (typedData) => authorizer.signTypedData(typedData as never),
  },
  withdrawDelay,
})

const app = express()
app.get('/books', async (_request, response) => {
  const channels = await storage.list()
  const { user, system } = process.cpuUsage()
  response.json({
    cpuSeconds: (user + system) / 1_000_000,
    asked: facilitator.asked(),
    channels: channels.map(({ channelId, chargedCumulativeAmount }) => ({
      channelId,
      charged: chargedCumulativeAmount,
    })),
  })
})
app.use(
  paymentMiddleware(
    {
      'GET /song': {
        accepts: {
          scheme: 'batch-settlement',
          payTo: receiver,
          network,
          maxTimeoutSeconds: 3_600,
          price: {
            asset: token.address,
            amount: price,
            extra: { name: token.name, version: token.version, assetTransferMethod: 'eip3009' },
          },
        },
      },
    },
    new x402ResourceServer(facilitator.client).register(network, scheme),
  ),
)
app.get('/song', (_request, response) => {
  response.json({ title: 'a song' })
})

const server = app.listen(0, '127.0.0.1')
await once(server, 'listening')
const { port } = server.address() as AddressInfo
process.stdout.write(`${JSON.stringify({ listening: `http://127.0.0.1:${port}` })}\n`)
await Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')])
server.close()
server.closeAllConnections()

/**
 * The packages' facilitator in this process. The packages ask it about the first voucher of a channel, and again when what
 * they know of the chain has aged (5 minutes here); any other voucher they verify by themselves. `asked` counts.
 */
function createFacilitator() {
  const wallet = createWalletClient({
    account: authorizer,
    chain: hardhat,
    transport: http(settings.rpcUrl),
  }).extend(publicActions)
  // viem infers the arguments of these from the ABI, which the packages pass as unknown[].
  const signer = toFacilitatorEvmSigner({
    address: authorizer.address,
    readContract: (args) => wallet.readContract(args as never),
    verifyTypedData: (args) => wallet.verifyTypedData(args as never),
    writeContract: (args) => wallet.writeContract(args as never),
    sendTransaction: (args) => wallet.sendTransaction(args),
    waitForTransactionReceipt: (args) => wallet.waitForTransactionReceipt(args),
    getCode: (args) => wallet.getCode(args),
  })
  const own = new x402Facilitator().register(network, new FacilitatorScheme(signer, authorizer))
  let asked = 0
  const client: FacilitatorClient = {
    verify(...args) {
      asked += 1
      return own.verify(...args)
    },
    settle: own.settle.bind(own),
    getSupported: async () => own.getSupported() as never,
  }
  return { client, asked: () => asked }
}
