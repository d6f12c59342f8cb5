import assert from 'node:assert/strict'
import {
  concatHex,
  encodeFunctionData,
  type Hex,
  hashTypedData,
  keccak256,
  sliceHex,
  toHex,
} from 'viem'
import { channelConfigTypes } from '#protocol/channel.ts'
import { paymentTypes } from '#protocol/payment.ts'
import { tipsHash, tipVoucherTypes } from '#protocol/tip.ts'
import { claimBatchTypes, refundTypes, voucherTypes } from '#protocol/voucher.ts'
import { anyTips, claimRows, networkHelpers, openChannel } from './fixture.ts'
import { openHub, paymentOf } from './hub-fixture.ts'

const maxUint256Hex: Hex = `0x${'ff'.repeat(32)}`
const opened = () => networkHelpers.loadFixture(openChannel)

describe('digests and hashes', () => {
  it('getChannelId hashes the config', async () => {
    const { channels, domain, config, channelId } = await opened()
    const digest = hashTypedData({
      domain,
      types: channelConfigTypes,
      primaryType: 'ChannelConfig',
      message: config,
    })
    assert.equal(channelId, digest)
    assert.equal(await channels.read.getChannelId([config]), digest)
  })

  for (const [index, field] of [
    'payer',
    'payerAuthorizer',
    'receiver',
    'receiverAuthorizer',
    'token',
    'withdrawDelay',
  ].entries()) {
    it(`getChannelId refuses a config whose ${field} has a bit beyond its type`, async () => {
      const { channels, config, chain } = await opened()
      const data = encodeFunctionData({
        abi: channels.abi,
        functionName: 'getChannelId',
        args: [config],
      })
      const call = (input: Hex) => chain.call({ to: channels.address, data: input })
      const lowestBit = 4 + 32 * index + (field === 'withdrawDelay' ? 26 : 11)
      for (const at of [4 + 32 * index, lowestBit]) {
        await assert.rejects(call(withByte(data, at, '0x01')))
      }
      await call(data)
    })
  }

  it('getChannelId takes any salt', async () => {
    const { channels, config, domain } = await opened()
    const message = { ...config, salt: maxUint256Hex }
    assert.equal(
      await channels.read.getChannelId([message]),
      hashTypedData({ domain, types: channelConfigTypes, primaryType: 'ChannelConfig', message }),
    )
  })

  it('getVoucherDigest hashes the voucher', async () => {
    const { channels, domain, channelId } = await opened()
    const message = { channelId, maxClaimableAmount: 600n }
    assert.equal(
      await channels.read.getVoucherDigest([channelId, 600n]),
      hashTypedData({ domain, types: voucherTypes, primaryType: 'Voucher', message }),
    )
  })

  it('getTipVoucherDigest hashes the tip voucher', async () => {
    const { channels, domain, channelId } = await opened()
    const message = { channelId, maxClaimableAmount: 600n, tips: anyTips }
    assert.equal(
      await channels.read.getTipVoucherDigest([channelId, 600n, tipsHash(anyTips)]),
      hashTypedData({ domain, types: tipVoucherTypes, primaryType: 'TipVoucher', message }),
    )
  })

  it('getRefundDigest hashes the refund', async () => {
    const { channels, domain, channelId } = await opened()
    const message = { channelId, nonce: 3n, amount: 50n }
    assert.equal(
      await channels.read.getRefundDigest([channelId, 3n, 50n]),
      hashTypedData({ domain, types: refundTypes, primaryType: 'Refund', message }),
    )
  })

  for (const count of [0, 1, 3]) {
    it(`getClaimBatchDigest hashes a batch of ${count}`, async () => {
      const { channels, domain, config, channelId } = await opened()
      const totals = Array.from({ length: count }, (_, index) => BigInt(index) + 1n)
      const rows = totals.map((totalClaimed) => ({
        config,
        max: 600n,
        totalClaimed,
        signature: '0x' as const,
      }))
      const claims = totals.map((totalClaimed) => ({
        channelId,
        maxClaimableAmount: 600n,
        totalClaimed,
      }))
      assert.equal(
        await channels.read.getClaimBatchDigest([claimRows(...rows)]),
        hashTypedData({
          domain,
          types: claimBatchTypes,
          primaryType: 'ClaimBatch',
          message: { claims },
        }),
      )
    })
  }

  it('getPaymentDigest hashes the payment', async () => {
    const at = await networkHelpers.loadFixture(openHub)
    const message = paymentOf(at)
    const { account, token, to, amount, memo, nonce, deadline } = message
    const input = [account, token, to, amount, memo, nonce, deadline] as const
    assert.equal(
      await at.vault.read.getPaymentDigest(input),
      hashTypedData({
        domain: at.payments,
        types: paymentTypes,
        primaryType: 'Payment',
        message,
      }),
    )
  })

  it('the type hashes are those of the type strings', async () => {
    const { channels } = await opened()
    assert.equal(
      await channels.read.CHANNEL_CONFIG_TYPEHASH(),
      keccak256(
        toHex(
          'ChannelConfig(address payer,address payerAuthorizer,address receiver,address receiverAuthorizer,address token,uint40 withdrawDelay,bytes32 salt)',
        ),
      ),
    )
    assert.equal(
      await channels.read.TIP_VOUCHER_TYPEHASH(),
      keccak256(
        toHex(
          'TipVoucher(bytes32 channelId,uint128 maxClaimableAmount,Tip[] tips)Tip(bytes32 to,uint128 amount,bytes32 ref)',
        ),
      ),
    )
  })

  it('the withdraw delay is bounded by 15 minutes and 30 days', async () => {
    const { channels } = await opened()
    assert.equal(await channels.read.MIN_WITHDRAW_DELAY(), 900)
    assert.equal(await channels.read.MAX_WITHDRAW_DELAY(), 2_592_000)
  })
})

function withByte(data: Hex, at: number, byte: Hex): Hex {
  return concatHex([sliceHex(data, 0, at), byte, sliceHex(data, at + 1)])
}
