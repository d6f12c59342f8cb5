// Tokens that break the assumptions of IPaymentChannels, and some that only look as if they did. What a bad token
// breaks, it breaks for itself. (A token that takes a fee and one that reenters: deposit.test.ts.)

import assert from 'node:assert/strict'
import { type Address, getAddress, type Hex, maxUint128, toHex, zeroAddress } from 'viem'
import type { ChannelConfig } from '#protocol/channel.ts'
import {
  authorizeDeposit,
  balances,
  claimRows,
  day,
  difference,
  keyOf,
  networkHelpers,
  signVoucher,
  viem,
} from './fixture.ts'
import { journal, keys, memo, openHub } from './hub-fixture.ts'

const { assertions } = viem

/** Works for every token here: what each of them offers beside its vices. */
const tokenAbi = [
  {
    type: 'function',
    name: 'balanceOf',
    stateMutability: 'view',
    inputs: [{ name: 'holder', type: 'address' }],
    outputs: [{ type: 'uint256' }],
  },
] as const

/** A hub with a channel of `deposit` in a token, whose payer signed for all of it. */
async function channelIn(token: Address, deposit: bigint) {
  const at = await openHub()
  const { channels, voucherKey, domain } = at
  const config: ChannelConfig = { ...at.config, token, salt: toHex(7, { size: 32 }) }
  const channelId = await channels.read.getChannelId([config])
  await networkHelpers.impersonateAccount(at.hub.address)
  await networkHelpers.setBalance(at.hub.address, 10n ** 18n)
  const hub = { account: at.hub.address }
  const voucher = { channelId, maxClaimableAmount: deposit }
  const signature = await signVoucher(voucherKey, domain, voucher)
  const claim = (totalClaimed: bigint) =>
    channels.write.claim([claimRows({ config, max: deposit, totalClaimed, signature })], hub)
  const credit = (credited: bigint) =>
    at.vault.write.credit([token, [{ account: keys.creator.address, credited }], journal], hub)
  const pay = (amount: bigint, to: Address = keys.creator.address) =>
    at.vault.write.pay([token, to, amount, memo], { account: at.creator.account })
  const held = async (holder: Address) =>
    at.chain.readContract({
      address: token,
      abi: tokenAbi,
      functionName: 'balanceOf',
      args: [holder],
    })
  return { ...at, asset: token, config, channelId, claim, credit, pay, held, by: hub }
}

/** The whole life of a channel of 1,000: 600 claimed and credited, 250 paid, 100 refunded, the rest withdrawn. */
async function live(at: Awaited<ReturnType<typeof channelIn>>): Promise<void> {
  const { channels, vault, config, channelId, claim, credit, pay, held, by } = at
  const payer = await held(config.payer)
  await channels.write.depositDirect([config, 1_000n])
  await claim(600n)
  await credit(600n)
  await pay(250n)
  await channels.write.refund([config, 100n], by)
  await channels.write.initiateWithdraw([config, 300n])
  await networkHelpers.time.increase(day)
  await channels.write.finalizeWithdraw([config])
  assert.deepEqual(await channels.read.channels([channelId]), [600n, 600n])
  assert.equal((await held(config.payer)) - payer, -600n)
  assert.equal(await held(channels.address), 0n)
  assert.equal(await held(vault.address), 350n)
  assert.equal(await held(keys.creator.address), 250n)
}

async function hostile(decimals = 6) {
  const token = await viem.deployContract('HostileToken', [decimals])
  const at = await channelIn(getAddress(token.address), 1_000n)
  await token.write.mint([at.config.payer, 1_000_000n])
  await token.write.approve([at.channels.address, maxUint128])
  return { ...at, hostileToken: token }
}

describe('a token that returns nothing', () => {
  it('is deposited, claimed, credited, paid, refunded and withdrawn', async () => {
    const token = await viem.deployContract('SilentToken')
    const at = await channelIn(getAddress(token.address), 1_000n)
    await token.write.mint([at.config.payer, 1_000n])
    await token.write.approve([at.channels.address, 1_000n])
    await live(at)
  })
})

for (const decimals of [0, 6, 24]) {
  describe(`a token of ${decimals} decimals`, () => {
    it('is deposited, claimed, credited, paid, refunded and withdrawn', async () => {
      await live(await hostile(decimals))
    })
  })
}

describe('amounts up to 128 bits', () => {
  it('are claimed, credited and paid: 340 billion tokens of 27 decimals', async () => {
    const token = await viem.deployContract('HostileToken', [27])
    const at = await channelIn(getAddress(token.address), maxUint128)
    await token.write.mint([at.config.payer, maxUint128])
    await token.write.approve([at.channels.address, maxUint128])
    await at.channels.write.depositDirect([at.config, maxUint128])
    await at.claim(maxUint128)
    await at.credit(maxUint128)
    await at.pay(maxUint128)
    assert.equal(await at.held(keys.creator.address), maxUint128)
    assert.equal(await at.vault.read.owed([at.asset]), 0n)
  })
})

describe('a token that answers false', () => {
  it('is not deposited', async () => {
    const { channels, config, hostileToken } = await hostile()
    await hostileToken.write.answerFalse([true])
    await assertions.revertWithCustomErrorWithArgs(
      channels.write.depositDirect([config, 1n]),
      channels,
      'SafeERC20FailedOperation',
      [config.token],
    )
  })

  it('keeps what is due: nothing counts as sent', async () => {
    const at = await hostile()
    const { channels, vault, config, channelId, asset, hostileToken } = at
    const { claim, credit, pay, held, by } = at
    await channels.write.depositDirect([config, 1_000n])
    await claim(600n)
    await channels.write.initiateWithdraw([config, 300n])
    await networkHelpers.time.increase(day)
    const settle = () => channels.write.settle([vault.address, asset])
    const exits = [
      settle,
      () => credit(600n),
      () => channels.write.refund([config, 100n], by),
      () => channels.write.finalizeWithdraw([config]),
    ]
    await hostileToken.write.answerFalse([true])
    for (const exit of exits) {
      await assertions.revertWithCustomError(exit(), channels, 'SafeERC20FailedOperation')
    }
    await hostileToken.write.answerFalse([false])
    for (const exit of exits) await exit()
    // The refund shrank the withdrawal of 300 to 200.
    assert.deepEqual(await channels.read.channels([channelId]), [700n, 600n])
    assert.equal(await held(channels.address), 100n)
    await hostileToken.write.answerFalse([true])
    await assertions.revertWithCustomError(pay(250n), vault, 'SafeERC20FailedOperation')
    assert.deepEqual(await vault.read.accounts([asset, keys.creator.address]), [600n, 0n])
    await hostileToken.write.answerFalse([false])
    await pay(250n)
    assert.equal(await held(keys.creator.address), 250n)
  })
})

describe('a token that blocks the vault', () => {
  async function blocked() {
    const at = await hostile()
    await at.channels.write.depositDirect([at.config, 1_000n])
    await at.claim(600n)
    await at.hostileToken.write.block_([at.vault.address, true])
    return at
  }

  it('holds up settlement and credit of that token, and nothing is lost', async () => {
    const { channels, vault, asset, hostileToken, credit, pay, held } = await blocked()
    const calls = [() => channels.write.settle([vault.address, asset]), () => credit(600n)]
    for (const call of calls) {
      await assertions.revertWithCustomErrorWithArgs(call(), hostileToken, 'Blocked', [
        getAddress(vault.address),
      ])
    }
    await hostileToken.write.block_([vault.address, false])
    await credit(600n)
    await pay(600n)
    assert.equal(await held(keys.creator.address), 600n)
  })

  it('does not hold up the payer', async () => {
    const { channels, config, held, by } = await blocked()
    const before = await held(config.payer)
    await channels.write.refund([config, 150n], by)
    await channels.write.initiateWithdraw([config, 250n])
    await networkHelpers.time.increase(day)
    await channels.write.finalizeWithdraw([config])
    assert.equal((await held(config.payer)) - before, 400n)
  })

  it('does not hold up other tokens', async () => {
    const { channels, vault, token, config, voucherKey, domain, by } = await blocked()
    const other = { ...config, token: getAddress(token.address) }
    const channelId = await channels.read.getChannelId([other])
    await channels.write.depositDirect([other, 10n])
    const voucher = { channelId, maxClaimableAmount: 10n }
    const signature = await signVoucher(voucherKey, domain, voucher)
    const rows = claimRows({ config: other, max: 10n, totalClaimed: 10n, signature })
    await channels.write.claim([rows], by)
    const credits = [{ account: keys.creator.address, credited: 10n }]
    await vault.write.credit([other.token, credits, journal], by)
    assert.equal(await vault.read.owed([other.token]), 10n)
  })
})

describe('a token that blocks a creator', () => {
  it('lets them pay to another address', async () => {
    const at = await hostile()
    const { channels, config, asset, vault, hostileToken, claim, credit, pay, held } = at
    await channels.write.depositDirect([config, 1_000n])
    await claim(600n)
    const creator = keys.creator.address
    await hostileToken.write.block_([creator, true])
    await credit(600n)
    await assertions.revertWithCustomErrorWithArgs(pay(250n), hostileToken, 'Blocked', [creator])
    assert.deepEqual(await vault.read.accounts([asset, creator]), [600n, 0n])
    await pay(250n, keyOf(9).address)
    assert.equal(await held(keyOf(9).address), 250n)
  })
})

describe('a token that changes balances by itself', () => {
  it('leaves a surplus to nobody', async () => {
    const { channels, vault, config, channelId, asset, hostileToken, claim, credit } =
      await hostile()
    await channels.write.depositDirect([config, 1_000n])
    await hostileToken.write.rebase([channels.address, 5_000n])
    await channels.write.depositDirect([config, 10n])
    assert.deepEqual(await channels.read.channels([channelId]), [1_010n, 0n])
    await claim(600n)
    await channels.write.settle([vault.address, asset])
    assert.equal(await hostileToken.read.balanceOf([vault.address]), 600n)
    await credit(600n)
    await hostileToken.write.rebase([vault.address, 900n])
    assert.equal(await vault.read.owed([asset]), 600n)
  })

  it('harms its own channels when it takes: the last to leave finds too little', async () => {
    const { channels, token, config, hostileToken, by } = await hostile()
    const other = { ...config, salt: toHex(8, { size: 32 }) }
    for (const each of [config, other]) await channels.write.depositDirect([each, 100n])
    const before = await balances(token, channels.address)
    await hostileToken.write.rebase([channels.address, 150n])
    await channels.write.refund([config, 100n], by)
    await assertions.revertWithCustomErrorWithArgs(
      channels.write.refund([other, 100n], by),
      hostileToken,
      'ERC20InsufficientBalance',
      [getAddress(channels.address), 50n, 100n],
    )
    await channels.write.refund([other, 50n], by)
    assert.deepEqual(difference(before, await balances(token, channels.address)), [0n])
  })

  it('is not credited beyond what the vault holds', async () => {
    const { channels, vault, config, asset, hostileToken, claim, credit } = await hostile()
    await channels.write.depositDirect([config, 1_000n])
    await claim(600n)
    await channels.write.settle([vault.address, asset])
    await hostileToken.write.rebase([vault.address, 599n])
    await assertions.revertWithCustomErrorWithArgs(credit(600n), vault, 'OwedAboveHeld', [
      asset,
      600n,
      599n,
    ])
    await credit(599n)
  })
})

describe('a token whose ERC-3009 takes v, r, s only', () => {
  async function authorized() {
    const token = await viem.deployContract('OldErc3009Token')
    const at = await channelIn(getAddress(token.address), 300n)
    const { config, channelId, collector, chain } = at
    await token.write.mint([config.payer, 300n])
    const terms = {
      token: { address: token.address, chainId: await chain.getChainId() },
      from: config.payer,
      collector: collector.address,
      channelId,
      amount: 300n,
    }
    const data = await authorizeDeposit(keyOf(0), terms)
    const deposit = (bytes: Hex) =>
      at.channels.write.deposit([config, 300n, collector.address, bytes], {
        account: at.stranger.account,
      })
    return { ...at, oldToken: token, data, terms, deposit }
  }

  it('is deposited', async () => {
    const { channels, channelId, data, deposit } = await authorized()
    await deposit(data)
    assert.deepEqual(await channels.read.channels([channelId]), [300n, 0n])
  })

  it('is deposited by an account that delegated itself (EIP-7702)', async () => {
    const { channels, channelId, config, data, deposit } = await authorized()
    await networkHelpers.setCode(config.payer, `0xef0100${zeroAddress.slice(2)}`)
    await deposit(data)
    await networkHelpers.setCode(config.payer, '0x')
    assert.deepEqual(await channels.read.channels([channelId]), [300n, 0n])
  })

  it("says the token's own reason when the signature is not the payer's", async () => {
    const { oldToken, terms, deposit } = await authorized()
    const data = await authorizeDeposit(keyOf(3), terms)
    await assertions.revertWithCustomError(deposit(data), oldToken, 'ERC3009InvalidSignature')
  })

  it('is not deposited by a contract wallet, whose signature it cannot ask for', async () => {
    const { oldToken, ...at } = await authorized()
    const { wallet, channelId, deposit } = await withWallet(at, oldToken)
    await assertions.revert(deposit())
    assert.equal(await oldToken.read.balanceOf([wallet]), 300n)
    assert.deepEqual(await at.channels.read.channels([channelId]), [0n, 0n])
  })
})

describe('a token whose ERC-3009 takes bytes only', () => {
  async function authorized() {
    const token = await viem.deployContract('BytesErc3009Token')
    const at = await channelIn(getAddress(token.address), 300n)
    return { ...at, bytesToken: token, chainId: await at.chain.getChainId() }
  }

  it('is deposited by a contract wallet', async () => {
    const { bytesToken, ...at } = await authorized()
    const { wallet, channelId, deposit } = await withWallet(at, bytesToken)
    await deposit()
    assert.equal(await bytesToken.read.balanceOf([wallet]), 0n)
    assert.deepEqual(await at.channels.read.channels([channelId]), [300n, 0n])
  })

  it('is deposited by an account that delegated itself to a wallet (EIP-7702)', async () => {
    const { bytesToken, ...at } = await authorized()
    const { channels, config, channelId, collector, chainId } = at
    await bytesToken.write.mint([config.payer, 300n])
    const template = await viem.deployContract('TestWallet', [zeroAddress])
    await networkHelpers.setCode(config.payer, `0xef0100${template.address.slice(2)}`)
    const delegated = await viem.getContractAt('TestWallet', config.payer)
    await delegated.write.setOwner([keyOf(3).address], { account: at.stranger.account })
    const data = await authorizeDeposit(keyOf(3), {
      token: { address: bytesToken.address, chainId },
      from: config.payer,
      collector: collector.address,
      channelId,
      amount: 300n,
    })
    const { account } = at.stranger
    await channels.write.deposit([config, 300n, collector.address, data], { account })
    await networkHelpers.setCode(config.payer, '0x')
    assert.deepEqual(await channels.read.channels([channelId]), [300n, 0n])
  })

  it('is not deposited by a key, which signs v, r, s', async () => {
    const { bytesToken, ...at } = await authorized()
    const { channels, config, channelId, collector, chainId } = at
    await bytesToken.write.mint([config.payer, 300n])
    const data = await authorizeDeposit(keyOf(0), {
      token: { address: bytesToken.address, chainId },
      from: config.payer,
      collector: collector.address,
      channelId,
      amount: 300n,
    })
    const call = channels.write.deposit([config, 300n, collector.address, data])
    await assertions.revert(call)
    assert.equal(await bytesToken.read.balanceOf([config.payer]), 300n)
  })
})

/** A contract wallet with 300 of the token, and its deposit of them into a channel of its own. */
async function withWallet(
  at: Pick<Awaited<ReturnType<typeof channelIn>>, 'channels' | 'collector' | 'config' | 'chain'>,
  token: { address: Address; write: { mint: (args: readonly [Address, bigint]) => Promise<Hex> } },
) {
  const { channels, collector } = at
  const { address: wallet } = await viem.deployContract('TestWallet', [keyOf(3).address])
  await token.write.mint([wallet, 300n])
  const config: ChannelConfig = { ...at.config, payer: wallet }
  const channelId = await channels.read.getChannelId([config])
  const data = await authorizeDeposit(keyOf(3), {
    token: { address: token.address, chainId: await at.chain.getChainId() },
    from: wallet,
    collector: collector.address,
    channelId,
    amount: 300n,
  })
  const deposit = () => channels.write.deposit([config, 300n, collector.address, data])
  return { wallet, channelId, deposit }
}
