// The unmodified npm client and facilitator of x402 on our contracts at the canonical addresses.

import assert from 'node:assert/strict'
import {
  computeChannelId,
  createBatchSettlementEIP3009DepositPayload,
  signVoucher,
} from '@x402/evm/batch-settlement/client'
import { channelsDomain } from '#protocol/channel.ts'
import { canonical, placed } from './canonical-fixture.ts'
import {
  balances,
  difference,
  keyOf,
  networkHelpers,
  packedArguments,
  packedRows,
  signVoucher as signOurVoucher,
} from './fixture.ts'

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
