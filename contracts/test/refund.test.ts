import assert from 'node:assert/strict'
import { encodeFunctionData } from 'viem'
import {
  balances,
  claimRows,
  day,
  difference,
  keyOf,
  networkHelpers,
  openChannel,
  signBatch,
  signRefund,
  signVoucher,
  viem,
} from './fixture.ts'

const { assertions } = viem

/** One channel of 1,000 of which 250 were claimed. */
async function claimed() {
  const at = await networkHelpers.loadFixture(openChannel)
  const { channels, voucherKey, domain, channelId, config } = at
  const { account } = at.authorizer
  const voucher = { channelId, maxClaimableAmount: 1_000n }
  const signature = await signVoucher(voucherKey, domain, voucher)
  const claim = { config, max: 1_000n, totalClaimed: 250n, signature }
  await channels.write.claim([claimRows(claim)], { account })
  return { ...at, account, claim }
}

describe('refund', () => {
  for (const side of ['receiver', 'authorizer'] as const) {
    it(`sends the payer unclaimed tokens for the ${side}`, async () => {
      const at = await claimed()
      const { channels, token, config, channelId } = at
      const before = await balances(token, config.payer, config.receiver, channels.address)
      const tx = channels.write.refund([config, 100n], { account: at[side].account })
      await assertions.emitWithArgs(tx, channels, 'Refunded', [
        channelId,
        side === 'receiver' ? config.receiver : config.receiverAuthorizer,
        100n,
      ])
      assert.deepEqual(await channels.read.channels([channelId]), [900n, 250n])
      assert.equal(await channels.read.refundNonce([channelId]), 1n)
      const after = await balances(token, config.payer, config.receiver, channels.address)
      assert.deepEqual(difference(before, after), [100n, 0n, -100n])
    })
  }

  it('cuts the amount to what is held unclaimed', async () => {
    const { channels, token, account, config, channelId } = await claimed()
    const before = await balances(token, config.payer, channels.address)
    const tx = channels.write.refund([config, 2n ** 128n - 1n], { account })
    await assertions.emitWithArgs(tx, channels, 'Refunded', [
      channelId,
      config.receiverAuthorizer,
      750n,
    ])
    assert.deepEqual(await channels.read.channels([channelId]), [250n, 250n])
    const after = await balances(token, config.payer, channels.address)
    assert.deepEqual(difference(before, after), [750n, -750n])
  })

  it('leaves what was claimed to be settled', async () => {
    const { channels, token, account, config } = await claimed()
    await channels.write.refund([config, 1_000n], { account })
    await channels.write.settle([config.receiver, config.token])
    assert.equal(await token.read.balanceOf([config.receiver]), 250n)
    assert.equal(await token.read.balanceOf([channels.address]), 0n)
  })

  it('raises the refund nonce even when nothing is left to send', async () => {
    const { channels, account, config, channelId, chain } = await claimed()
    await channels.write.refund([config, 750n], { account })
    const hash = await channels.write.refund([config, 1n], { account })
    assert.equal((await chain.getTransactionReceipt({ hash })).logs.length, 0)
    assert.equal(await channels.read.refundNonce([channelId]), 2n)
    assert.deepEqual(await channels.read.channels([channelId]), [250n, 250n])
  })

  it('shrinks a pending withdrawal', async () => {
    const { channels, account, config, channelId } = await claimed()
    await channels.write.initiateWithdraw([config, 400n])
    const initiatedAt = await networkHelpers.time.latest()
    await channels.write.refund([config, 399n], { account })
    assert.deepEqual(await channels.read.pendingWithdrawals([channelId]), [1n, initiatedAt])
  })

  for (const amount of [400n, 401n]) {
    it(`cancels a pending withdrawal of 400 by sending ${amount}`, async () => {
      const { channels, account, config, channelId } = await claimed()
      await channels.write.initiateWithdraw([config, 400n])
      await channels.write.refund([config, amount], { account })
      assert.deepEqual(await channels.read.pendingWithdrawals([channelId]), [0n, 0])
      await networkHelpers.time.increase(day)
      const call = channels.write.finalizeWithdraw([config])
      await assertions.revertWithCustomErrorWithArgs(call, channels, 'NoWithdrawalPending', [
        channelId,
      ])
    })
  }

  it('measures a pending withdrawal by what is sent, not by what was asked for', async () => {
    const { channels, account, config, channelId, claim } = await claimed()
    await channels.write.initiateWithdraw([config, 400n])
    const initiatedAt = await networkHelpers.time.latest()
    await channels.write.claim([claimRows({ ...claim, totalClaimed: 900n })], { account })
    await channels.write.refund([config, 400n], { account })
    assert.deepEqual(await channels.read.pendingWithdrawals([channelId]), [300n, initiatedAt])
  })

  it('reports a channel as closed when nothing was ever claimed and nothing is left', async () => {
    const at = await networkHelpers.loadFixture(openChannel)
    const { channels, authorizer, config, channelId } = at
    const tx = channels.write.refund([config, 1_000n], { account: authorizer.account })
    await assertions.emitWithArgs(tx, channels, 'ChannelClosed', [channelId, config])
  })

  it('does not report a channel as closed once something was claimed', async () => {
    const { channels, account, config, chain } = await claimed()
    const hash = await channels.write.refund([config, 750n], { account })
    assert.equal((await chain.getTransactionReceipt({ hash })).logs.length, 2)
  })

  for (const side of ['payer', 'stranger'] as const) {
    it(`refuses the ${side}`, async () => {
      const at = await claimed()
      const { channels, config } = at
      const call = channels.write.refund([config, 1n], { account: at[side].account })
      await assertions.revertWithCustomErrorWithArgs(call, channels, 'NotReceiverSide', [
        keyOf(side === 'payer' ? 0 : 3).address,
        config.receiver,
        config.receiverAuthorizer,
      ])
    })
  }

  it('refuses an amount of zero', async () => {
    const { channels, account, config, channelId } = await claimed()
    const call = channels.write.refund([config, 0n], { account })
    await assertions.revertWithCustomError(call, channels, 'ZeroAmount')
    assert.equal(await channels.read.refundNonce([channelId]), 0n)
  })

  it('refuses a token that reenters to be sent twice', async () => {
    const { channels, account, config } = await claimed()
    const token = await viem.deployContract('ReentrantToken')
    const hostile = { ...config, token: token.address, receiver: token.address }
    await token.write.mint([config.payer, 100n])
    await token.write.approve([channels.address, 100n])
    await channels.write.depositDirect([hostile, 100n])
    await token.write.reenter([
      channels.address,
      encodeFunctionData({ abi: channels.abi, functionName: 'refund', args: [hostile, 50n] }),
    ])
    const call = channels.write.refund([hostile, 50n], { account })
    await assertions.revertWithCustomError(call, channels, 'ReentrancyGuardReentrantCall')
  })
})

describe('refundWithSignature', () => {
  async function refundSigned() {
    const at = await claimed()
    const refund = { channelId: at.channelId, nonce: 0n, amount: 100n }
    const signature = await signRefund(keyOf(2), at.domain, refund)
    return { ...at, refund, signature }
  }

  it('sends the payer unclaimed tokens for anyone with the signed refund', async () => {
    const { channels, token, stranger, config, channelId, signature } = await refundSigned()
    const before = await balances(token, config.payer, keyOf(3).address, channels.address)
    const tx = channels.write.refundWithSignature([config, 100n, 0n, signature], {
      account: stranger.account,
    })
    await assertions.emitWithArgs(tx, channels, 'Refunded', [channelId, keyOf(3).address, 100n])
    assert.deepEqual(await channels.read.channels([channelId]), [900n, 250n])
    assert.equal(await channels.read.refundNonce([channelId]), 1n)
    const after = await balances(token, config.payer, keyOf(3).address, channels.address)
    assert.deepEqual(difference(before, after), [100n, 0n, -100n])
  })

  it('takes the ERC-1271 signature of a receiver authorizer', async () => {
    const { channels, config, domain } = await refundSigned()
    const wallet = await viem.deployContract('TestWallet', [keyOf(5).address])
    const other = { ...config, receiverAuthorizer: wallet.address }
    const channelId = await channels.read.getChannelId([other])
    await channels.write.depositDirect([other, 10n])
    const refund = { channelId, nonce: 0n, amount: 10n }
    const signature = await signRefund(keyOf(5), domain, refund)
    await channels.write.refundWithSignature([other, 10n, 0n, signature])
    assert.deepEqual(await channels.read.channels([channelId]), [0n, 0n])
  })

  it('goes together with a claim in one transaction', async () => {
    const { channels, token, config, channelId, claim, domain, refund, signature } =
      await refundSigned()
    const totals = { channelId, maxClaimableAmount: 1_000n, totalClaimed: 950n }
    const batch = await signBatch(keyOf(2), domain, [totals])
    const { abi } = channels
    const before = await token.read.balanceOf([config.payer])
    await channels.write.multicall([
      [
        encodeFunctionData({
          abi,
          functionName: 'claimWithSignature',
          args: [claimRows({ ...claim, totalClaimed: 950n }), batch],
        }),
        encodeFunctionData({
          abi,
          functionName: 'refundWithSignature',
          args: [config, refund.amount, 0n, signature],
        }),
      ],
    ])
    assert.deepEqual(await channels.read.channels([channelId]), [950n, 950n])
    assert.equal(await token.read.balanceOf([config.payer]), before + 50n)
  })

  it('refuses an amount of zero', async () => {
    const { channels, config, signature } = await refundSigned()
    const call = channels.write.refundWithSignature([config, 0n, 0n, signature])
    await assertions.revertWithCustomError(call, channels, 'ZeroAmount')
  })

  it('refuses the same refund twice', async () => {
    const { channels, config, channelId, signature } = await refundSigned()
    await channels.write.refundWithSignature([config, 100n, 0n, signature])
    const call = channels.write.refundWithSignature([config, 100n, 0n, signature])
    await assertions.revertWithCustomErrorWithArgs(call, channels, 'RefundNonceMismatch', [
      channelId,
      1n,
      0n,
    ])
  })

  it('refuses a signed refund that a refund by call overtook', async () => {
    const { channels, account, config, channelId, signature } = await refundSigned()
    await channels.write.refund([config, 1n], { account })
    const call = channels.write.refundWithSignature([config, 100n, 0n, signature])
    await assertions.revertWithCustomErrorWithArgs(call, channels, 'RefundNonceMismatch', [
      channelId,
      1n,
      0n,
    ])
  })

  it('refuses a nonce from the future', async () => {
    const { channels, config, channelId, domain, refund } = await refundSigned()
    const signature = await signRefund(keyOf(2), domain, { ...refund, nonce: 1n })
    const call = channels.write.refundWithSignature([config, 100n, 1n, signature])
    await assertions.revertWithCustomErrorWithArgs(call, channels, 'RefundNonceMismatch', [
      channelId,
      0n,
      1n,
    ])
  })

  for (const [who, index] of [
    ['payer', 0],
    ['receiver', 1],
    ['stranger', 3],
  ] as const) {
    it(`refuses the ${who}'s signature`, async () => {
      const { channels, config, channelId, domain, refund } = await refundSigned()
      const signature = await signRefund(keyOf(index), domain, refund)
      const call = channels.write.refundWithSignature([config, 100n, 0n, signature])
      const digest = await channels.read.getRefundDigest([channelId, 0n, 100n])
      await assertions.revertWithCustomErrorWithArgs(call, channels, 'InvalidAuthorizerSignature', [
        config.receiverAuthorizer,
        digest,
      ])
    })
  }

  it('refuses another amount than was signed', async () => {
    const { channels, config, signature } = await refundSigned()
    const call = channels.write.refundWithSignature([config, 101n, 0n, signature])
    await assertions.revertWithCustomError(call, channels, 'InvalidAuthorizerSignature')
  })

  it('refuses another nonce than was signed', async () => {
    const { channels, config, domain, refund } = await refundSigned()
    const signature = await signRefund(keyOf(2), domain, { ...refund, nonce: 1n })
    const call = channels.write.refundWithSignature([config, 100n, 0n, signature])
    await assertions.revertWithCustomError(call, channels, 'InvalidAuthorizerSignature')
  })

  it('refuses another channel than was signed', async () => {
    const { channels, config, signature } = await refundSigned()
    const other = { ...config, withdrawDelay: day + 1 }
    await channels.write.depositDirect([other, 100n])
    const call = channels.write.refundWithSignature([other, 100n, 0n, signature])
    await assertions.revertWithCustomError(call, channels, 'InvalidAuthorizerSignature')
  })

  for (const [field, change] of [
    ['chain', { chainId: 1 }],
    ['contract', { verifyingContract: keyOf(8).address }],
  ] as const) {
    it(`refuses a refund signed in the domain of another ${field}`, async () => {
      const { channels, config, domain, refund } = await refundSigned()
      const signature = await signRefund(keyOf(2), { ...domain, ...change }, refund)
      const call = channels.write.refundWithSignature([config, 100n, 0n, signature])
      await assertions.revertWithCustomError(call, channels, 'InvalidAuthorizerSignature')
    })
  }
})
