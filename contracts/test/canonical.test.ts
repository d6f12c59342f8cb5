// The unmodified npm client and facilitator of x402 on our contracts at the canonical addresses.

import assert from 'node:assert/strict'
import { toFacilitatorEvmSigner } from '@x402/evm'
import {
  computeChannelId,
  createBatchSettlementEIP3009DepositPayload,
  signVoucher,
} from '@x402/evm/batch-settlement/client'
import { BatchSettlementEvmScheme } from '@x402/evm/batch-settlement/facilitator'
import { type Address, getAddress, type Hex } from 'viem'
import { channelsDomain } from '#protocol/channel.ts'
import {
  balances,
  day,
  difference,
  keyOf,
  networkHelpers,
  openChannel,
  packedArguments,
  packedRows,
  present,
  signVoucher as signOurVoucher,
  viem,
} from './fixture.ts'

const canonical = {
  channels: '0x4020074e9dF2ce1deE5A9C1b5c3f541D02a10003',
  collector: '0x4020806089470a89826cB9fB1f4059150b550004',
  multicall: '0xcA11bde05977b3631167028862bE2a173976CA11',
} as const

/** Our contracts at the canonical addresses, and a facilitator that signs for the receiver. */
async function placed() {
  const { stranger, chain, config, token } = await openChannel()
  const { networkId, place } = await placer()
  const original = await viem.deployContract('PaymentChannels')
  await place(canonical.channels, original.address)
  const collector = await viem.deployContract('Erc3009DepositCollector', [canonical.channels])
  await place(canonical.collector, collector.address)
  const multicall = await viem.deployContract('TestMulticall')
  await place(canonical.multicall, multicall.address)
  const channels = await viem.getContractAt('PaymentChannels', canonical.channels)
  // viem infers the arguments of these from the ABI, which the packages pass as unknown[].
  const client = {
    address: getAddress(stranger.account.address),
    readContract: (args: object) => chain.readContract(args as never),
    verifyTypedData: (args: object) => chain.verifyTypedData(args as never),
    writeContract: (args: object) => stranger.writeContract(args as never),
    sendTransaction: (args: { to: Address; data: Hex }) => stranger.sendTransaction(args),
    waitForTransactionReceipt: (args: { hash: Hex }) => chain.waitForTransactionReceipt(args),
    getCode: (args: { address: Address }) => chain.getCode(args),
  }
  const facilitator = new BatchSettlementEvmScheme(toFacilitatorEvmSigner(client), {
    address: keyOf(2).address,
    signTypedData: (typedData) => keyOf(2).signTypedData(typedData as never),
  })
  const requirements = {
    scheme: 'batch-settlement',
    network: networkId,
    asset: config.token,
    amount: '100',
    payTo: config.receiver,
    // The client signs by the clock of this machine, and the chain's is ahead of it after tests that move it.
    maxTimeoutSeconds: 100 * 365 * day,
    extra: {
      receiverAuthorizer: config.receiverAuthorizer,
      withdrawDelay: config.withdrawDelay,
      name: 'Jandon Test Dollar',
      version: '1',
    },
  }
  return { channels, token, config, facilitator, requirements, networkId }
}

async function placer() {
  const chain = await viem.getPublicClient()
  const networkId = `eip155:${await chain.getChainId()}` as const
  const place = async (at: Address, from: Address) =>
    networkHelpers.setCode(at, present(await chain.getCode({ address: from })))
  return { networkId, place }
}

type Placed = Awaited<ReturnType<typeof placed>>

/** A payment as the npm client signs it: a deposit of 1,000 with a voucher over 100. */
async function deposit({ config, requirements }: Placed) {
  const signer = {
    address: keyOf(0).address,
    signTypedData: (typedData: object) => keyOf(0).signTypedData(typedData as never),
  }
  const own = { ...config, payerAuthorizer: keyOf(0).address }
  const { payload } = await createBatchSettlementEIP3009DepositPayload(
    signer,
    2,
    requirements,
    own,
    '1000',
    '100',
  )
  const payment = { x402Version: 2, accepted: requirements, payload }
  const voucher = (maximum: string) =>
    signVoucher(signer, computeChannelId(own, requirements.network), maximum, requirements.network)
  return { own, payment, voucher }
}

describe('the npm packages of x402', () => {
  it('compute the same channel id as the contract at the canonical address', async () => {
    const { channels, config, networkId } = await networkHelpers.loadFixture(placed)
    assert.equal(await channels.read.getChannelId([config]), computeChannelId(config, networkId))
  })

  it('deposit, claim, settle and refund', async () => {
    const at = await networkHelpers.loadFixture(placed)
    const { channels, token, facilitator, requirements } = at
    const { own, payment, voucher } = await deposit(at)
    const channelId = await channels.read.getChannelId([own])
    const before = await balances(token, own.payer, own.receiver, canonical.channels)
    const settle = async (payload: Record<string, unknown>) => {
      const result = await facilitator.settle({ ...payment, payload }, requirements)
      assert.ok(result.success, `${result.errorReason}: ${result.errorMessage}`)
    }

    const verified = await facilitator.verify(payment, requirements)
    assert.ok(verified.isValid, `${verified.invalidReason}: ${verified.invalidMessage}`)
    await settle(payment.payload)
    assert.deepEqual(await channels.read.channels([channelId]), [1_000n, 0n])

    const { signature } = await voucher('300')
    const claim = {
      voucher: { channel: own, maxClaimableAmount: '300' },
      signature,
      totalClaimed: '250',
    }
    await settle({ type: 'claim', claims: [claim] })
    assert.deepEqual(await channels.read.channels([channelId]), [1_000n, 250n])
    await settle({ type: 'settle', receiver: own.receiver, token: own.token })
    assert.deepEqual(await channels.read.receivers([own.receiver, own.token]), [250n, 250n])

    await settle({
      type: 'refund',
      channelConfig: own,
      voucher: { channelId, maxClaimableAmount: '300', signature },
      amount: '1000',
      refundNonce: '0',
      claims: [{ ...claim, totalClaimed: '300' }],
    })
    assert.deepEqual(await channels.read.channels([channelId]), [300n, 300n])
    assert.equal(await channels.read.refundNonce([channelId]), 1n)
    const after = await balances(token, own.payer, own.receiver, canonical.channels)
    assert.deepEqual(difference(before, after), [-300n, 250n, 50n])
  })

  it('say that there is nothing to settle', async () => {
    const at = await networkHelpers.loadFixture(placed)
    const { facilitator, requirements, config } = at
    const { payment } = await deposit(at)
    const payload = { type: 'settle', receiver: config.receiver, token: config.token }
    const result = await facilitator.settle({ ...payment, payload }, requirements)
    assert.equal(result.errorReason, 'invalid_batch_settlement_evm_nothing_to_settle')
  })

  it('sign vouchers that a packed claim takes', async () => {
    const at = await networkHelpers.loadFixture(placed)
    const { channels, facilitator, requirements, networkId } = at
    const { own, payment, voucher } = await deposit(at)
    await facilitator.settle(payment, requirements)
    const { signature } = await voucher('300')
    const channelId = await channels.read.getChannelId([own])
    const domain = channelsDomain({
      chainId: Number(networkId.slice('eip155:'.length)),
      address: canonical.channels,
    })
    const ours = await signOurVoucher(keyOf(0), domain, { channelId, maxClaimableAmount: 300n })
    assert.equal(signature, ours)
    const rows = packedRows({ config: own, max: 300n, totalClaimed: 300n, signature })
    await channels.write.claimPacked(packedArguments(own, rows), { account: keyOf(2).address })
    assert.deepEqual(await channels.read.channels([channelId]), [1_000n, 300n])
  })
})
