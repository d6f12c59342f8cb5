import assert from 'node:assert/strict'
import {
  encodeAbiParameters,
  encodeFunctionData,
  getAddress,
  maxUint128,
  toHex,
  zeroAddress,
} from 'viem'
import type { ChannelConfig } from '#protocol/channel.ts'
import {
  authorizeDeposit,
  balances,
  claimRows,
  day,
  difference,
  keyOf,
  networkHelpers,
  openChannel,
  signVoucher,
  viem,
} from './fixture.ts'

const { assertions } = viem

async function unfunded() {
  const at = await networkHelpers.loadFixture(openChannel)
  const config: ChannelConfig = { ...at.config, salt: toHex(2, { size: 32 }) }
  const channelId = await at.channels.read.getChannelId([config])
  return { ...at, config, channelId }
}

async function withTestCollector() {
  const at = await unfunded()
  const collector = await viem.deployContract('TestCollector')
  await at.token.write.approve([collector.address, maxUint128])
  return { ...at, collector }
}

/** What every way to deposit refuses before it looks at tokens. */
const refusals: [
  what: string,
  change: Partial<ChannelConfig>,
  error: 'ZeroPayer' | 'ZeroReceiver' | 'ZeroReceiverAuthorizer' | 'ZeroToken',
][] = [
  ['no payer', { payer: zeroAddress }, 'ZeroPayer'],
  ['no receiver', { receiver: zeroAddress }, 'ZeroReceiver'],
  ['no receiver authorizer', { receiverAuthorizer: zeroAddress }, 'ZeroReceiverAuthorizer'],
  ['no token', { token: zeroAddress }, 'ZeroToken'],
]

describe('depositDirect', () => {
  it('takes the tokens of the caller and opens the channel', async () => {
    const { channels, token, payer, config, channelId } = await unfunded()
    const before = await balances(token, config.payer, channels.address)
    const tx = channels.write.depositDirect([config, 300n])
    await assertions.emitWithArgs(tx, channels, 'ChannelCreated', [channelId, config])
    await assertions.emitWithArgs(tx, channels, 'Deposited', [
      channelId,
      getAddress(payer.account.address),
      300n,
      300n,
    ])
    assert.deepEqual(await channels.read.channels([channelId]), [300n, 0n])
    const after = await balances(token, config.payer, channels.address)
    assert.deepEqual(difference(before, after), [-300n, 300n])
  })

  it('adds to a channel without opening it again', async () => {
    const { channels, channelId, config, chain } = await networkHelpers.loadFixture(openChannel)
    const hash = await channels.write.depositDirect([config, 50n])
    await assertions.emitWithArgs(Promise.resolve(hash), channels, 'Deposited', [
      channelId,
      getAddress(config.payer),
      50n,
      1_050n,
    ])
    const { logs } = await chain.getTransactionReceipt({ hash })
    assert.equal(logs.length, 2)
    assert.deepEqual(await channels.read.channels([channelId]), [1_050n, 0n])
  })

  it('lets anyone fund a channel that names someone else as payer', async () => {
    const { channels, token, stranger, config, channelId } = await unfunded()
    await token.write.mint([stranger.account.address, 500n])
    await token.write.approve([channels.address, 500n], { account: stranger.account })
    const payerBefore = await token.read.balanceOf([config.payer])
    await channels.write.depositDirect([config, 500n], { account: stranger.account })
    assert.deepEqual(await channels.read.channels([channelId]), [500n, 0n])
    assert.deepEqual(await balances(token, config.payer, stranger.account.address), [
      payerBefore,
      0n,
    ])
  })

  it('takes the shortest and the longest withdraw delay', async () => {
    const { channels, config } = await unfunded()
    await channels.write.depositDirect([{ ...config, withdrawDelay: 900 }, 1n])
    await channels.write.depositDirect([{ ...config, withdrawDelay: 30 * day }, 1n])
  })

  for (const [what, change, error] of refusals) {
    it(`refuses ${what}`, async () => {
      const { channels, config } = await unfunded()
      const call = channels.write.depositDirect([{ ...config, ...change }, 1n])
      await assertions.revertWithCustomError(call, channels, error)
    })
  }

  for (const withdrawDelay of [899, 30 * day + 1]) {
    it(`refuses a withdraw delay of ${withdrawDelay} s`, async () => {
      const { channels, config } = await unfunded()
      const call = channels.write.depositDirect([{ ...config, withdrawDelay }, 1n])
      await assertions.revertWithCustomErrorWithArgs(call, channels, 'WithdrawDelayOutOfRange', [
        withdrawDelay,
      ])
    })
  }

  it('refuses an amount of zero', async () => {
    const { channels, config } = await unfunded()
    const call = channels.write.depositDirect([config, 0n])
    await assertions.revertWithCustomError(call, channels, 'ZeroAmount')
  })

  it('refuses a balance beyond 128 bits', async () => {
    const { channels, token, config, channelId } = await networkHelpers.loadFixture(openChannel)
    await token.write.mint([config.payer, maxUint128])
    const call = channels.write.depositDirect([config, maxUint128 - 999n])
    await assertions.revertWithCustomErrorWithArgs(call, channels, 'BalanceOverflow', [
      channelId,
      1_000n,
      maxUint128 - 999n,
    ])
  })

  it('refuses a caller without allowance', async () => {
    const { channels, token, stranger, config } = await unfunded()
    const call = channels.write.depositDirect([config, 1n], { account: stranger.account })
    await assertions.revertWithCustomErrorWithArgs(call, token, 'ERC20InsufficientAllowance', [
      getAddress(channels.address),
      0n,
      1n,
    ])
  })

  it('refuses a token that takes a fee on transfer', async () => {
    const { channels, config } = await unfunded()
    const token = await viem.deployContract('FeeToken')
    await token.write.mint([config.payer, 100n])
    await token.write.approve([channels.address, 100n])
    await token.write.takeFee()
    const call = channels.write.depositDirect([{ ...config, token: token.address }, 100n])
    await assertions.revertWithCustomErrorWithArgs(call, channels, 'DepositMismatch', [
      getAddress(token.address),
      100n,
      99n,
    ])
    assert.deepEqual(await balances(token, config.payer, channels.address), [100n, 0n])
  })

  it('refuses a token that reenters to have one transfer counted twice', async () => {
    const { channels, config } = await unfunded()
    const token = await viem.deployContract('ReentrantToken')
    const hostile = { ...config, token: token.address }
    await token.write.mint([config.payer, 100n])
    await token.write.approve([channels.address, 100n])
    await token.write.reenter([
      channels.address,
      encodeFunctionData({
        abi: channels.abi,
        functionName: 'depositDirect',
        args: [hostile, 100n],
      }),
    ])
    const call = channels.write.depositDirect([hostile, 100n])
    await assertions.revertWithCustomError(call, channels, 'ReentrancyGuardReentrantCall')
  })
})

describe('deposit', () => {
  it('asks the collector for the tokens and opens the channel', async () => {
    const { channels, token, collector, stranger, config, channelId } = await withTestCollector()
    const before = await balances(token, config.payer, channels.address)
    const tx = channels.write.deposit([config, 300n, collector.address, '0x1234'], {
      account: stranger.account,
    })
    await assertions.emit(tx, channels, 'ChannelCreated')
    await assertions.emitWithArgs(tx, channels, 'Deposited', [
      channelId,
      getAddress(stranger.account.address),
      300n,
      300n,
    ])
    const request = encodeAbiParameters(
      [
        { type: 'address' },
        { type: 'address' },
        { type: 'uint256' },
        { type: 'bytes32' },
        { type: 'address' },
        { type: 'bytes' },
      ],
      [config.payer, config.token, 300n, channelId, stranger.account.address, '0x1234'],
    )
    assert.equal(await collector.read.request(), request)
    assert.deepEqual(await channels.read.channels([channelId]), [300n, 0n])
    const after = await balances(token, config.payer, channels.address)
    assert.deepEqual(difference(before, after), [-300n, 300n])
  })

  it('reports a channel as created again when it was drained before anything was claimed', async () => {
    const { channels, authorizer, config, channelId } =
      await networkHelpers.loadFixture(openChannel)
    await channels.write.refund([config, 1_000n], { account: authorizer.account })
    const tx = channels.write.depositDirect([config, 10n])
    await assertions.emit(tx, channels, 'ChannelCreated')
    assert.deepEqual(await channels.read.channels([channelId]), [10n, 0n])
  })

  it('does not report a channel as created again once something was claimed', async () => {
    const at = await networkHelpers.loadFixture(openChannel)
    const { channels, authorizer, config, channelId, voucherKey, domain, chain } = at
    const signature = await signVoucher(voucherKey, domain, {
      channelId,
      maxClaimableAmount: 1_000n,
    })
    const rows = claimRows({ config, max: 1_000n, totalClaimed: 1_000n, signature })
    await channels.write.claim([rows], { account: authorizer.account })
    const hash = await channels.write.depositDirect([config, 10n])
    const { logs } = await chain.getTransactionReceipt({ hash })
    assert.equal(logs.length, 2)
    assert.deepEqual(await channels.read.channels([channelId]), [1_010n, 1_000n])
  })

  for (const [what, change, error] of refusals) {
    it(`refuses ${what}`, async () => {
      const { channels, collector, config } = await withTestCollector()
      const changed = { ...config, ...change }
      const call = channels.write.deposit([changed, 1n, collector.address, '0x'])
      await assertions.revertWithCustomError(call, channels, error)
    })
  }

  it('refuses a withdraw delay out of range', async () => {
    const { channels, collector, config } = await withTestCollector()
    const changed = { ...config, withdrawDelay: 899 }
    const call = channels.write.deposit([changed, 1n, collector.address, '0x'])
    await assertions.revertWithCustomErrorWithArgs(call, channels, 'WithdrawDelayOutOfRange', [899])
  })

  it('refuses an amount of zero', async () => {
    const { channels, collector, config } = await withTestCollector()
    const call = channels.write.deposit([config, 0n, collector.address, '0x'])
    await assertions.revertWithCustomError(call, channels, 'ZeroAmount')
  })

  it('refuses a collector of zero', async () => {
    const { channels, config } = await withTestCollector()
    const call = channels.write.deposit([config, 1n, zeroAddress, '0x'])
    await assertions.revertWithCustomError(call, channels, 'ZeroCollector')
  })

  it('refuses a balance beyond 128 bits', async () => {
    const { channels, collector, config, channelId } = await withTestCollector()
    await channels.write.depositDirect([config, 1n])
    const call = channels.write.deposit([config, maxUint128, collector.address, '0x'])
    await assertions.revertWithCustomErrorWithArgs(call, channels, 'BalanceOverflow', [
      channelId,
      1n,
      maxUint128,
    ])
  })

  for (const surplus of [-1n, 1n]) {
    it(`refuses a collector that brings ${100n + surplus} instead of 100`, async () => {
      const { channels, token, collector, config } = await withTestCollector()
      await collector.write.misbehave([surplus, zeroAddress, '0x'])
      const before = await balances(token, config.payer, channels.address)
      const call = channels.write.deposit([config, 100n, collector.address, '0x'])
      await assertions.revertWithCustomErrorWithArgs(call, channels, 'DepositMismatch', [
        getAddress(token.address),
        1_100n,
        1_100n + surplus,
      ])
      assert.deepEqual(await balances(token, config.payer, channels.address), before)
    })
  }

  it('refuses a collector that reenters', async () => {
    const { channels, token, collector, receiver, config } = await withTestCollector()
    const settle = encodeFunctionData({
      abi: channels.abi,
      functionName: 'settle',
      args: [receiver.account.address, token.address],
    })
    await collector.write.misbehave([0n, channels.address, settle])
    const call = channels.write.deposit([config, 100n, collector.address, '0x'])
    await assertions.revertWithCustomError(call, channels, 'ReentrancyGuardReentrantCall')
  })
})

describe('collect (ERC-3009)', () => {
  async function authorized() {
    const at = await unfunded()
    const chainId = await at.chain.getChainId()
    const authorization = {
      token: { address: at.token.address, chainId },
      from: at.config.payer,
      collector: at.collector.address,
      channelId: at.channelId,
      amount: 300n,
    }
    const data = await authorizeDeposit(keyOf(0), authorization)
    return { ...at, authorization, data }
  }

  it('brings the tokens that the payer authorized for the channel, whoever relays', async () => {
    const { channels, token, collector, stranger, config, channelId, data } = await authorized()
    const before = await balances(token, config.payer, channels.address, collector.address)
    const tx = channels.write.deposit([config, 300n, collector.address, data], {
      account: stranger.account,
    })
    await assertions.emitWithArgs(tx, channels, 'Deposited', [
      channelId,
      getAddress(stranger.account.address),
      300n,
      300n,
    ])
    const after = await balances(token, config.payer, channels.address, collector.address)
    assert.deepEqual(difference(before, after), [-300n, 300n, 0n])
  })

  it('brings the tokens of a contract wallet by its ERC-1271 signature', async () => {
    const { channels, token, collector, config, authorization } = await authorized()
    const wallet = await viem.deployContract('TestWallet', [keyOf(3).address])
    await token.write.mint([wallet.address, 300n])
    const owned = { ...config, payer: wallet.address }
    const channelId = await channels.read.getChannelId([owned])
    const data = await authorizeDeposit(keyOf(3), {
      ...authorization,
      from: wallet.address,
      channelId,
    })
    await channels.write.deposit([owned, 300n, collector.address, data])
    assert.deepEqual(await channels.read.channels([channelId]), [300n, 0n])
    assert.equal(await token.read.balanceOf([wallet.address]), 0n)
  })

  it('brings the tokens of an account that delegated itself (EIP-7702) by its own key', async () => {
    const { channels, config, channelId, collector, data, stranger } = await authorized()
    await networkHelpers.setCode(config.payer, `0xef0100${zeroAddress.slice(2)}`)
    await channels.write.deposit([config, 300n, collector.address, data], {
      account: stranger.account,
    })
    assert.deepEqual(await channels.read.channels([channelId]), [300n, 0n])
  })

  it('refuses a stranger who wants the tokens forwarded to themselves', async () => {
    const { channels, collector, stranger, config, channelId, data } = await authorized()
    const call = collector.write.collect(
      [config.payer, config.token, 300n, channelId, stranger.account.address, data],
      { account: stranger.account },
    )
    await assertions.revertWithCustomErrorWithArgs(call, collector, 'NotChannels', [
      getAddress(stranger.account.address),
      getAddress(channels.address),
    ])
  })

  it('refuses the same authorization twice', async () => {
    const { channels, token, collector, config, data } = await authorized()
    await channels.write.deposit([config, 300n, collector.address, data])
    const call = channels.write.deposit([config, 300n, collector.address, data])
    await assertions.revertWithCustomError(call, token, 'ERC3009UsedAuthorization')
  })

  it('refuses an authorization that has expired', async () => {
    const { channels, token, collector, config, authorization } = await authorized()
    const validBefore = BigInt(await networkHelpers.time.latest())
    const data = await authorizeDeposit(keyOf(0), { ...authorization, validBefore })
    const call = channels.write.deposit([config, 300n, collector.address, data])
    await assertions.revertWithCustomErrorWithArgs(call, token, 'ERC3009InvalidAuthorizationTime', [
      0n,
      validBefore,
    ])
  })

  it('refuses another amount than the payer authorized', async () => {
    const { channels, token, collector, config, data } = await authorized()
    const call = channels.write.deposit([config, 299n, collector.address, data])
    await assertions.revertWithCustomError(call, token, 'ERC3009InvalidSignature')
  })

  it('refuses another token than the payer authorized', async () => {
    const { channels, collector, config, data } = await authorized()
    const other = await viem.deployContract('TestToken')
    await other.write.mint([config.payer, 300n])
    const changed = { ...config, token: other.address }
    const call = channels.write.deposit([changed, 300n, collector.address, data])
    await assertions.revertWithCustomError(call, other, 'ERC3009InvalidSignature')
  })

  it("refuses a thief's channel for the payer's authorization", async () => {
    const { channels, token, collector, stranger, config, data } = await authorized()
    const thief = stranger.account.address
    const theirs = { ...config, payerAuthorizer: thief, receiver: thief, receiverAuthorizer: thief }
    const call = channels.write.deposit([theirs, 300n, collector.address, data], {
      account: stranger.account,
    })
    await assertions.revertWithCustomError(call, token, 'ERC3009InvalidSignature')
  })

  it("refuses an authorization that somebody else signed in the payer's name", async () => {
    const { channels, token, collector, config, authorization } = await authorized()
    const data = await authorizeDeposit(keyOf(3), authorization)
    const call = channels.write.deposit([config, 300n, collector.address, data])
    await assertions.revertWithCustomError(call, token, 'ERC3009InvalidSignature')
  })

  it('refuses an authorization for another collector', async () => {
    const { channels, token, config, data } = await authorized()
    const other = await viem.deployContract('Erc3009DepositCollector', [channels.address])
    const call = channels.write.deposit([config, 300n, other.address, data])
    await assertions.revertWithCustomError(call, token, 'ERC3009InvalidSignature')
  })

  it("never spends an allowance, not even the collector's", async () => {
    const { channels, token, collector, config } = await authorized()
    await token.write.approve([collector.address, maxUint128])
    const call = channels.write.deposit([config, 300n, collector.address, '0x'])
    await assertions.revert(call)
  })
})
