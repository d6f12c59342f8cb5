import assert from 'node:assert/strict'
import { toHex, zeroAddress } from 'viem'
import {
  balances,
  claimRows,
  day,
  difference,
  keyOf,
  networkHelpers,
  openChannel,
  present,
  signVoucher,
  viem,
} from './fixture.ts'

const { assertions } = viem
const { time } = networkHelpers

/** One channel with a voucher over all of it, whose payer authorizer is a wallet of the chain. */
async function channel() {
  const at = await networkHelpers.loadFixture(openChannel)
  const clients = await viem.getWalletClients()
  const payerAuthorizer = present(clients[4])
  const config = { ...at.config, payerAuthorizer: keyOf(4).address }
  const channelId = await at.channels.read.getChannelId([config])
  await at.channels.write.depositDirect([config, 1_000n])
  const voucher = { channelId, maxClaimableAmount: 1_000n }
  const signature = await signVoucher(keyOf(4), at.domain, voucher)
  /** Claims up to a total. */
  const claim = (totalClaimed: bigint) =>
    at.channels.write.claim([claimRows({ config, max: 1_000n, totalClaimed, signature })], {
      account: at.authorizer.account,
    })
  return { ...at, config, channelId, payerAuthorizer, claim }
}

/** The same, with a withdrawal of 400 whose delay has passed. */
async function due() {
  const at = await channel()
  await at.channels.write.initiateWithdraw([at.config, 400n])
  await time.increase(day)
  return at
}

describe('initiateWithdraw', () => {
  for (const side of ['payer', 'payerAuthorizer'] as const) {
    it(`starts the clock for the ${side}`, async () => {
      const at = await channel()
      const { channels, token, config, channelId } = at
      const before = await balances(token, config.payer, channels.address)
      const now = (await time.latest()) + 10
      await time.setNextBlockTimestamp(now)
      const { account } = at[side]
      const tx = channels.write.initiateWithdraw([config, 400n], { account })
      await assertions.emitWithArgs(tx, channels, 'WithdrawInitiated', [channelId, 400n, now + day])
      assert.deepEqual(await channels.read.pendingWithdrawals([channelId]), [400n, now])
      assert.deepEqual(await channels.read.channels([channelId]), [1_000n, 0n])
      const after = await balances(token, config.payer, channels.address)
      assert.deepEqual(difference(before, after), [0n, 0n])
    })
  }

  it('takes all that is held unclaimed', async () => {
    const { channels, config, channelId, claim } = await channel()
    await claim(250n)
    await channels.write.initiateWithdraw([config, 750n])
    const [amount] = await channels.read.pendingWithdrawals([channelId])
    assert.equal(amount, 750n)
  })

  for (const side of ['receiver', 'authorizer', 'stranger'] as const) {
    it(`refuses the ${side}`, async () => {
      const at = await channel()
      const { channels, config } = at
      const { account } = at[side]
      const call = channels.write.initiateWithdraw([config, 1n], { account })
      await assertions.revertWithCustomErrorWithArgs(call, channels, 'NotPayerSide', [
        keyOf(['payer', 'receiver', 'authorizer', 'stranger'].indexOf(side)).address,
        config.payer,
        config.payerAuthorizer,
      ])
    })
  }

  it('refuses an amount of zero', async () => {
    const { channels, config } = await channel()
    const call = channels.write.initiateWithdraw([config, 0n])
    await assertions.revertWithCustomError(call, channels, 'ZeroAmount')
  })

  it('refuses while one is pending, so that its clock cannot be moved', async () => {
    const { channels, config, channelId } = await channel()
    await channels.write.initiateWithdraw([config, 400n])
    const initiatedAt = await time.latest()
    const call = channels.write.initiateWithdraw([config, 1n])
    await assertions.revertWithCustomErrorWithArgs(call, channels, 'WithdrawalPending', [
      channelId,
      400n,
      initiatedAt,
    ])
  })

  it('refuses more than is held unclaimed', async () => {
    const { channels, config, channelId, claim } = await channel()
    await claim(250n)
    const call = channels.write.initiateWithdraw([config, 751n])
    await assertions.revertWithCustomErrorWithArgs(call, channels, 'WithdrawalAboveAvailable', [
      channelId,
      751n,
      750n,
    ])
  })

  it('refuses a channel that was never funded', async () => {
    const { channels, config } = await channel()
    const other = { ...config, salt: toHex(9, { size: 32 }) }
    const call = channels.write.initiateWithdraw([other, 1n])
    await assertions.revertWithCustomErrorWithArgs(call, channels, 'WithdrawalAboveAvailable', [
      await channels.read.getChannelId([other]),
      1n,
      0n,
    ])
  })
})

describe('finalizeWithdraw', () => {
  for (const side of ['payer', 'payerAuthorizer'] as const) {
    it(`sends the payer what was asked for when the ${side} calls`, async () => {
      const at = await due()
      const { channels, token, config, channelId } = at
      const before = await balances(token, config.payer, keyOf(4).address, channels.address)
      const { account } = at[side]
      const tx = channels.write.finalizeWithdraw([config], { account })
      await assertions.emitWithArgs(tx, channels, 'WithdrawFinalized', [
        channelId,
        side === 'payer' ? config.payer : config.payerAuthorizer,
        400n,
      ])
      assert.deepEqual(await channels.read.pendingWithdrawals([channelId]), [0n, 0])
      assert.deepEqual(await channels.read.channels([channelId]), [600n, 0n])
      const after = await balances(token, config.payer, keyOf(4).address, channels.address)
      assert.deepEqual(difference(before, after), [400n, 0n, -400n])
    })
  }

  it('cuts the amount to what is held unclaimed by then', async () => {
    const { channels, token, config, channelId, claim } = await due()
    await claim(900n)
    const before = await balances(token, config.payer, channels.address)
    const tx = channels.write.finalizeWithdraw([config])
    await assertions.emitWithArgs(tx, channels, 'WithdrawFinalized', [
      channelId,
      config.payer,
      100n,
    ])
    assert.deepEqual(await channels.read.channels([channelId]), [900n, 900n])
    const after = await balances(token, config.payer, channels.address)
    assert.deepEqual(difference(before, after), [100n, -100n])
  })

  it('ends the withdrawal even when everything was claimed', async () => {
    const { channels, token, config, channelId, claim } = await due()
    await claim(1_000n)
    const before = await balances(token, config.payer, channels.address)
    const tx = channels.write.finalizeWithdraw([config])
    await assertions.emitWithArgs(tx, channels, 'WithdrawFinalized', [channelId, config.payer, 0n])
    assert.deepEqual(await channels.read.pendingWithdrawals([channelId]), [0n, 0])
    const after = await balances(token, config.payer, channels.address)
    assert.deepEqual(difference(before, after), [0n, 0n])
  })

  it('reports a channel as closed when nothing was ever claimed and nothing is left', async () => {
    const { channels, config, channelId } = await channel()
    await channels.write.initiateWithdraw([config, 1_000n])
    await time.increase(day)
    const tx = channels.write.finalizeWithdraw([config])
    await assertions.emitWithArgs(tx, channels, 'ChannelClosed', [channelId, config])
    assert.deepEqual(await channels.read.channels([channelId]), [0n, 0n])
  })

  it('does not report a channel as closed once something was claimed', async () => {
    const { channels, config, claim, chain } = await channel()
    await claim(250n)
    await channels.write.initiateWithdraw([config, 750n])
    await time.increase(day)
    const hash = await channels.write.finalizeWithdraw([config])
    const { logs } = await chain.getTransactionReceipt({ hash })
    assert.equal(logs.length, 2)
  })

  it('lets another withdrawal begin', async () => {
    const { channels, config, channelId } = await due()
    await channels.write.finalizeWithdraw([config])
    await channels.write.initiateWithdraw([config, 600n])
    await time.increase(day)
    await channels.write.finalizeWithdraw([config])
    assert.deepEqual(await channels.read.channels([channelId]), [0n, 0n])
  })

  it('has no deadline: an old withdrawal still ends', async () => {
    const { channels, config, channelId } = await due()
    await time.increase(400 * day)
    await channels.write.finalizeWithdraw([config])
    assert.deepEqual(await channels.read.channels([channelId]), [600n, 0n])
  })

  it('refuses everyone else', async () => {
    const { channels, authorizer, config } = await due()
    const call = channels.write.finalizeWithdraw([config], { account: authorizer.account })
    await assertions.revertWithCustomErrorWithArgs(call, channels, 'NotPayerSide', [
      config.receiverAuthorizer,
      config.payer,
      config.payerAuthorizer,
    ])
  })

  it('refuses when none is pending', async () => {
    const { channels, config, channelId } = await channel()
    const call = channels.write.finalizeWithdraw([config])
    await assertions.revertWithCustomErrorWithArgs(call, channels, 'NoWithdrawalPending', [
      channelId,
    ])
  })

  it('refuses one second before the delay has passed and not a second later', async () => {
    const { channels, config, channelId } = await channel()
    await channels.write.initiateWithdraw([config, 400n])
    const finalizeAfter = BigInt((await time.latest()) + day)
    await time.setNextBlockTimestamp(finalizeAfter - 1n)
    const call = channels.write.finalizeWithdraw([config], { gas: 200_000n })
    await assertions.revertWithCustomErrorWithArgs(call, channels, 'WithdrawalTooEarly', [
      channelId,
      finalizeAfter,
      finalizeAfter - 1n,
    ])
    await time.setNextBlockTimestamp(finalizeAfter)
    await channels.write.finalizeWithdraw([config])
    assert.deepEqual(await channels.read.channels([channelId]), [600n, 0n])
  })

  it("cannot be had for somebody's channel by naming oneself payer", async () => {
    const { channels, stranger, config } = await due()
    const forged = { ...config, payer: keyOf(3).address, payerAuthorizer: zeroAddress }
    const call = channels.write.finalizeWithdraw([forged], { account: stranger.account })
    await assertions.revertWithCustomErrorWithArgs(call, channels, 'NoWithdrawalPending', [
      await channels.read.getChannelId([forged]),
    ])
  })
})
