// Attacks on payment channels and vaults that are known from elsewhere or from drafts of this design.

import assert from 'node:assert/strict'
import {
  encodeErrorResult,
  encodeFunctionData,
  getAddress,
  type Hex,
  maxUint128,
  parseSignature,
  toHex,
  zeroAddress,
} from 'viem'
import {
  balances,
  claimRows,
  day,
  difference,
  keyOf,
  networkHelpers,
  openChannel,
  packedArguments,
  packedRows,
  signVoucher,
  viem,
} from './fixture.ts'
import {
  keys,
  memo,
  openCreditedHub,
  openHub,
  payArguments,
  paymentOf,
  signPayment,
} from './hub-fixture.ts'

const { assertions } = viem
const { time } = networkHelpers

describe("theft of a victim's allowance", () => {
  it('fails: a channel in their name is funded by the caller alone', async () => {
    const at = await networkHelpers.loadFixture(openChannel)
    const { channels, token, stranger, collector, config } = at
    await token.write.approve([collector.address, maxUint128])
    const thief = keyOf(3).address
    const trap = { ...config, payerAuthorizer: thief, receiver: thief, receiverAuthorizer: thief }
    const before = await balances(token, config.payer, channels.address)
    const { account } = stranger
    await assertions.revertWithCustomError(
      channels.write.depositDirect([trap, 500n], { account }),
      token,
      'ERC20InsufficientAllowance',
    )
    await assertions.revert(
      channels.write.deposit([trap, 500n, collector.address, '0x'], { account }),
    )
    await assertions.revert(channels.write.deposit([trap, 500n, token.address, '0x'], { account }))
    assert.deepEqual(await balances(token, config.payer, channels.address), before)
  })
})

describe('a withdrawal armed before the first tip', () => {
  async function armed() {
    const at = await networkHelpers.loadFixture(openChannel)
    const { channels, config, channelId, voucherKey, domain } = at
    await channels.write.initiateWithdraw([config, 800n])
    await time.increase(day)
    const voucher = { channelId, maxClaimableAmount: 1_000n }
    const signature = await signVoucher(voucherKey, domain, voucher)
    const claim = (totalClaimed: bigint) =>
      channels.write.claim([claimRows({ config, max: 1_000n, totalClaimed, signature })], {
        account: at.authorizer.account,
      })
    return { ...at, claim }
  }

  it('is visible on chain before anything is accepted', async () => {
    const { channels, channelId } = await armed()
    const [amount, initiatedAt] = await channels.read.pendingWithdrawals([channelId])
    assert.equal(amount, 800n)
    assert.ok(initiatedAt > 0)
  })

  it('takes what was accepted beyond balance less the pending amount', async () => {
    const { channels, config, channelId, claim } = await armed()
    await channels.write.finalizeWithdraw([config])
    await assertions.revertWithCustomErrorWithArgs(claim(201n), channels, 'ClaimAboveBalance', [
      channelId,
      201n,
      200n,
    ])
  })

  it('takes nothing of what was accepted within it', async () => {
    const { channels, config, channelId, claim } = await armed()
    await channels.write.finalizeWithdraw([config])
    await claim(200n)
    assert.deepEqual(await channels.read.channels([channelId]), [200n, 200n])
  })

  it('yields to claims that come first', async () => {
    const { channels, token, config, claim } = await armed()
    await claim(1_000n)
    const before = await token.read.balanceOf([config.payer])
    await channels.write.finalizeWithdraw([config])
    assert.equal(await token.read.balanceOf([config.payer]), before)
  })
})

describe('a payer without payer authorizer', () => {
  async function ownChannel(payer: Hex, signer: number) {
    const at = await networkHelpers.loadFixture(openChannel)
    const config = { ...at.config, payer, payerAuthorizer: zeroAddress }
    const channelId = await at.channels.read.getChannelId([config])
    await at.channels.write.depositDirect([config, 10n])
    const voucher = { channelId, maxClaimableAmount: 10n }
    const signature = await signVoucher(keyOf(signer), at.domain, voucher)
    const rows = claimRows({ config, max: 10n, totalClaimed: 10n, signature })
    const claim = () => at.channels.write.claim([rows], { account: at.authorizer.account })
    return { ...at, claim }
  }

  it('voids accepted vouchers by rotating the key of a contract wallet', async () => {
    await networkHelpers.loadFixture(openChannel)
    const wallet = await viem.deployContract('TestWallet', [keyOf(5).address])
    const { address } = wallet
    const code = await (await viem.getPublicClient()).getCode({ address })
    const { channels, claim } = await ownChannel(address, 5)
    await networkHelpers.setCode(address, code ?? '0x')
    await wallet.write.setOwner([keyOf(6).address])
    await assertions.revertWithCustomError(claim(), channels, 'InvalidVoucherSignature')
  })

  it('voids accepted vouchers by delegating the account (EIP-7702)', async () => {
    const { channels, claim } = await ownChannel(keyOf(5).address, 5)
    await networkHelpers.setCode(keyOf(5).address, `0xef0100${zeroAddress.slice(2)}`)
    await assertions.revertWithCustomError(claim(), channels, 'InvalidVoucherSignature')
    await networkHelpers.setCode(keyOf(5).address, '0x')
    await claim()
  })
})

describe('a bad claim followed by a refund of everything', () => {
  async function calls() {
    const at = await networkHelpers.loadFixture(openHub)
    const { channels, config, channelId, voucherKey, domain } = at
    const voucher = { channelId, maxClaimableAmount: 600n }
    const signature = await signVoucher(voucherKey, domain, voucher)
    const bad = { config, max: 601n, totalClaimed: 600n, signature }
    const { abi } = channels
    const call = (data: Hex) => ({ target: channels.address, data })
    const claim = encodeFunctionData({ abi, functionName: 'claim', args: [claimRows(bad)] })
    const packed = encodeFunctionData({
      abi,
      functionName: 'claimPacked',
      args: packedArguments(config, packedRows(bad)),
    })
    const refund = encodeFunctionData({ abi, functionName: 'refund', args: [config, 1_000n] })
    return { ...at, claim: call(claim), packed: call(packed), refund: call(refund) }
  }

  it('does not happen with `claim`: nothing is refunded', async () => {
    const { hub, channels, operator, config, channelId, claim, refund } = await calls()
    const { account } = operator
    const call = hub.write.run([[claim, refund]], { account })
    await assertions.revertWithCustomErrorWithArgs(call, hub, 'CallFailed', [
      0n,
      encodeErrorResult({
        abi: channels.abi,
        errorName: 'InvalidVoucherSignature',
        args: [channelId, config.payerAuthorizer],
      }),
    ])
    assert.deepEqual(await channels.read.channels([channelId]), [1_000n, 0n])
  })

  it('happens with `claimPacked`, which is why it must not stand before a refund', async () => {
    const { hub, channels, operator, channelId, packed, refund } = await calls()
    await hub.write.run([[packed, refund]], { account: operator.account })
    assert.deepEqual(await channels.read.channels([channelId]), [0n, 0n])
  })
})

describe("a token's ERC-3009 against the vault", () => {
  async function authorization() {
    const at = await networkHelpers.loadFixture(openCreditedHub)
    const { token, vault, hub, chain } = at
    const nonce = toHex(1, { size: 32 })
    /** The operator's signature of a transfer to the operator. */
    const sign = async (from: Hex) =>
      keys.operator.signTypedData({
        domain: {
          name: 'Jandon Test Dollar',
          version: '1',
          chainId: await chain.getChainId(),
          verifyingContract: token.address,
        },
        types: {
          TransferWithAuthorization: [
            { name: 'from', type: 'address' },
            { name: 'to', type: 'address' },
            { name: 'value', type: 'uint256' },
            { name: 'validAfter', type: 'uint256' },
            { name: 'validBefore', type: 'uint256' },
            { name: 'nonce', type: 'bytes32' },
          ],
        },
        primaryType: 'TransferWithAuthorization',
        message: {
          from,
          to: keys.operator.address,
          value: 1n,
          validAfter: 0n,
          validBefore: 1n << 40n,
          nonce,
        },
      })
    const terms = [keys.operator.address, 1n, 0n, 1n << 40n, nonce] as const
    return { ...at, sign, terms, vault: vault.address, hub: hub.address }
  }

  it('takes nothing with a contract signature: the vault answers no ERC-1271', async () => {
    const { token, vault, sign, terms } = await authorization()
    const call = token.write.transferWithAuthorization([vault, ...terms, await sign(vault)])
    await assertions.revertWithCustomError(call, token, 'ERC3009InvalidSignature')
    assert.equal(await token.read.balanceOf([vault]), 600n)
  })

  it('takes nothing with an ECDSA signature', async () => {
    const { token, vault, sign, terms } = await authorization()
    const { r, s, yParity } = parseSignature(await sign(vault))
    const v = 27 + yParity
    const call = token.write.transferWithAuthorization([vault, ...terms, v, r, s])
    await assertions.revertWithCustomError(call, token, 'ERC3009InvalidSignature')
  })

  it("finds nothing in the hub's account, which does answer", async () => {
    const { token, hub, sign, terms } = await authorization()
    const call = token.write.transferWithAuthorization([hub, ...terms, await sign(hub)])
    await assertions.revertWithCustomErrorWithArgs(call, token, 'ERC20InsufficientBalance', [
      getAddress(hub),
      0n,
      1n,
    ])
  })
})

describe('a foreign channel that pays into the vault', () => {
  it('changes no account; its tokens wait to be credited', async () => {
    const at = await networkHelpers.loadFixture(openCreditedHub)
    const { channels, token, vault, stranger, config, domain, voucherKey, operator, hub } = at
    const foreign = { ...config, receiverAuthorizer: keyOf(3).address }
    const channelId = await channels.read.getChannelId([foreign])
    await channels.write.depositDirect([foreign, 70n])
    const voucher = { channelId, maxClaimableAmount: 70n }
    const signature = await signVoucher(voucherKey, domain, voucher)
    const rows = claimRows({ config: foreign, max: 70n, totalClaimed: 70n, signature })
    await channels.write.claim([rows], { account: stranger.account })
    await channels.write.settle([vault.address, token.address], { account: stranger.account })
    assert.equal(await token.read.balanceOf([vault.address]), 670n)
    assert.equal(await vault.read.owed([token.address]), 400n)
    assert.deepEqual(await vault.read.accounts([token.address, keys.creator.address]), [400n, 0n])
    const credit = encodeFunctionData({
      abi: vault.abi,
      functionName: 'credit',
      args: [token.address, [{ account: keys.fan.address, credited: 270n }], memo],
    })
    await hub.write.run([[{ target: vault.address, data: credit }]], { account: operator.account })
    assert.equal(await vault.read.owed([token.address]), 670n)
  })
})

describe('a celebrity named as payer', () => {
  it('gets the refund of what somebody else deposited', async () => {
    const at = await networkHelpers.loadFixture(openChannel)
    const { channels, token, authorizer, stranger, config } = at
    const celebrity = keyOf(9).address
    const named = { ...config, payer: celebrity }
    await token.write.mint([keyOf(3).address, 50n])
    await token.write.approve([channels.address, 50n], { account: stranger.account })
    await channels.write.depositDirect([named, 50n], { account: stranger.account })
    const before = await balances(token, celebrity, keyOf(3).address, channels.address)
    await channels.write.refund([named, 50n], { account: authorizer.account })
    const after = await balances(token, celebrity, keyOf(3).address, channels.address)
    assert.deepEqual(difference(before, after), [50n, 0n, -50n])
  })
})

describe('vouchers signed before a withdrawal', () => {
  async function withdrawn() {
    const at = await networkHelpers.loadFixture(openChannel)
    const { channels, config, channelId, voucherKey, domain } = at
    const voucher = { channelId, maxClaimableAmount: 600n }
    const signature = await signVoucher(voucherKey, domain, voucher)
    await channels.write.initiateWithdraw([config, 1_000n])
    await time.increase(day)
    await channels.write.finalizeWithdraw([config])
    const claim = { config, max: 600n, totalClaimed: 600n, signature }
    return { ...at, claim }
  }

  it('can be claimed again after a new deposit into the same channel', async () => {
    const { channels, authorizer, config, channelId, claim } = await withdrawn()
    await channels.write.depositDirect([config, 1_000n])
    await channels.write.claim([claimRows(claim)], { account: authorizer.account })
    assert.deepEqual(await channels.read.channels([channelId]), [1_000n, 600n])
  })

  it('cannot be claimed in a channel with a new salt', async () => {
    const { channels, authorizer, config, claim } = await withdrawn()
    const fresh = { ...config, salt: toHex(2, { size: 32 }) }
    await channels.write.depositDirect([fresh, 1_000n])
    const rows = claimRows({ ...claim, config: fresh })
    const call = channels.write.claim([rows], { account: authorizer.account })
    await assertions.revertWithCustomError(call, channels, 'InvalidVoucherSignature')
  })
})

describe('a stolen operator key', () => {
  it('takes nothing that is credited', async () => {
    const at = await networkHelpers.loadFixture(openCreditedHub)
    const { hub, vault, token, operator, payments, config } = at
    const run = (data: Hex) =>
      hub.write.run([[{ target: vault.address, data }]], { account: operator.account })
    const { abi } = vault
    const thief = keys.operator.address
    const held = await token.read.balanceOf([vault.address])
    const pay = encodeFunctionData({
      abi,
      functionName: 'pay',
      args: [config.token, thief, 1n, memo],
    })
    await assertions.revertWithCustomError(run(pay), hub, 'CallFailed')
    const credit = encodeFunctionData({
      abi,
      functionName: 'credit',
      args: [config.token, [{ account: thief, credited: 201n }], memo],
    })
    await assertions.revertWithCustomError(run(credit), hub, 'CallFailed')
    const payment = paymentOf(at, { to: thief })
    const signature = await signPayment(keys.operator, payments, payment)
    await assertions.revertWithCustomError(
      vault.write.payWithSignature(payArguments(payment, signature)),
      vault,
      'InvalidPaymentSignature',
    )
    assert.equal(await token.read.balanceOf([vault.address]), held)
    assert.deepEqual(await vault.read.accounts([config.token, keys.creator.address]), [400n, 0n])
  })

  it('keeps nobody from being paid', async () => {
    const { vault, token, creator, config } = await networkHelpers.loadFixture(openCreditedHub)
    await vault.write.pay([config.token, keys.creator.address, 400n, memo], {
      account: creator.account,
    })
    assert.equal(await token.read.balanceOf([keys.creator.address]), 400n)
  })
})

describe('a settlement by a stranger before the credit', () => {
  it('does the hub a favour', async () => {
    const at = await networkHelpers.loadFixture(openHub)
    const { hub, vault, channels, token, operator, stranger, config, channelId } = at
    const { voucherKey, domain } = at
    const voucher = { channelId, maxClaimableAmount: 600n }
    const signature = await signVoucher(voucherKey, domain, voucher)
    const rows = claimRows({ config, max: 600n, totalClaimed: 600n, signature })
    const claim = encodeFunctionData({ abi: channels.abi, functionName: 'claim', args: [rows] })
    const { account } = operator
    await hub.write.run([[{ target: channels.address, data: claim }]], { account })
    await channels.write.settle([vault.address, token.address], { account: stranger.account })
    const credit = encodeFunctionData({
      abi: vault.abi,
      functionName: 'credit',
      args: [token.address, [{ account: keys.creator.address, credited: 600n }], memo],
    })
    await hub.write.run([[{ target: vault.address, data: credit }]], { account })
    assert.equal(await vault.read.owed([token.address]), 600n)
  })
})
