import assert from 'node:assert/strict'
import fc from 'fast-check'
import {
  type Address,
  concatHex,
  encodeFunctionData,
  getAddress,
  type Hex,
  maxUint128,
  parseEventLogs,
  sliceHex,
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
  signVoucher,
  viem,
} from './fixture.ts'
import {
  claimData,
  creditData,
  creditedEntries,
  journal,
  keys,
  memo,
  openCreditedHub,
  openHub,
  payArguments,
  paymentOf,
  signPayment,
} from './hub-fixture.ts'

const { assertions } = viem
const creator = keys.creator.address
const fan = keys.fan.address

/** A hub that has claimed 600 and not settled it. */
async function openClaimedHub() {
  const at = await openHub()
  const { hub, channels, operator } = at
  await hub.write.run([[{ target: channels.address, data: await claimData(at, 600n) }]], {
    account: operator.account,
  })
  return at
}

/** The vault alone, with `credit` as the hub itself would call it. */
async function claimedVault() {
  const at = await networkHelpers.loadFixture(openClaimedHub)
  await networkHelpers.impersonateAccount(at.hub.address)
  await networkHelpers.setBalance(at.hub.address, 10n ** 18n)
  const token = at.config.token
  const credit = (...rows: { account: `0x${string}`; credited: bigint }[]) =>
    at.vault.write.credit([token, rows, journal], { account: at.hub.address })
  return { ...at, credit, asset: token }
}

const credited = () => networkHelpers.loadFixture(openCreditedHub)

describe('credit', () => {
  it('settles what was claimed and credits accounts', async () => {
    const { vault, channels, token, asset, credit } = await claimedVault()
    const before = await balances(token, vault.address, channels.address, creator)
    const tx = credit({ account: creator, credited: 400n }, { account: fan, credited: 150n })
    await assertions.emitWithArgs(tx, channels, 'Settled', [
      getAddress(vault.address),
      asset,
      getAddress(vault.address),
      600n,
    ])
    await assertions.emitWithArgs(tx, vault, 'CreditedPacked', [
      asset,
      creditedEntries([creator, 400n], [fan, 150n]),
    ])
    await assertions.emitWithArgs(tx, vault, 'Journal', [journal, asset, 550n, 550n])
    assert.deepEqual(await vault.read.accounts([asset, creator]), [400n, 0n])
    assert.deepEqual(await vault.read.accounts([asset, fan]), [150n, 0n])
    assert.equal(await vault.read.owed([asset]), 550n)
    const after = await balances(token, vault.address, channels.address, creator)
    assert.deepEqual(difference(before, after), [600n, -600n, 0n])
  })

  it('adds what a row exceeds the credited total by', async () => {
    const { vault, asset, credit } = await claimedVault()
    await credit({ account: creator, credited: 400n })
    const tx = credit({ account: creator, credited: 600n })
    await assertions.emitWithArgs(tx, vault, 'CreditedPacked', [
      asset,
      creditedEntries([creator, 600n]),
    ])
    await assertions.emitWithArgs(tx, vault, 'Journal', [journal, asset, 200n, 600n])
    assert.deepEqual(await vault.read.accounts([asset, creator]), [600n, 0n])
    assert.equal(await vault.read.owed([asset]), 600n)
  })

  it('changes nothing for a row not above the credited total: a credit never shrinks', async () => {
    const { vault, asset, credit, chain } = await claimedVault()
    await credit({ account: creator, credited: 400n })
    const hash = await credit(
      { account: creator, credited: 400n },
      { account: creator, credited: 399n },
      { account: fan, credited: 0n },
    )
    assert.equal((await chain.getTransactionReceipt({ hash })).logs.length, 1)
    await assertions.emitWithArgs(Promise.resolve(hash), vault, 'Journal', [
      journal,
      asset,
      0n,
      400n,
    ])
    assert.deepEqual(await vault.read.accounts([asset, creator]), [400n, 0n])
    assert.equal(await vault.read.owed([asset]), 400n)
  })

  it('counts an account once that stands in two rows', async () => {
    const { vault, asset, credit } = await claimedVault()
    const tx = credit({ account: creator, credited: 300n }, { account: creator, credited: 400n })
    await assertions.emitWithArgs(tx, vault, 'CreditedPacked', [
      asset,
      creditedEntries([creator, 300n], [creator, 400n]),
    ])
    assert.deepEqual(await vault.read.accounts([asset, creator]), [400n, 0n])
    assert.equal(await vault.read.owed([asset]), 400n)
  })

  it('names only the accounts whose rows added something', async () => {
    const { vault, asset, credit } = await claimedVault()
    await credit({ account: creator, credited: 100n })
    const stale = { account: creator, credited: 100n }
    const tx = credit(stale, { account: fan, credited: 7n }, stale, {
      account: creator,
      credited: 101n,
    })
    await assertions.emitWithArgs(tx, vault, 'CreditedPacked', [
      asset,
      creditedEntries([fan, 7n], [creator, 101n]),
    ])
    await assertions.emitWithArgs(tx, vault, 'Journal', [journal, asset, 8n, 108n])
  })

  it('anchors a journal without rows', async () => {
    const { vault, asset, credit } = await claimedVault()
    const tx = credit()
    await assertions.emitWithArgs(tx, vault, 'Journal', [journal, asset, 0n, 0n])
  })

  it('settles the canonical contract too', async () => {
    const at = await claimedVault()
    const { canonical, vault, token, config, asset, voucherKey, domain, credit } = at
    await token.write.approve([canonical.address, 50n])
    const theirs = { ...config, receiverAuthorizer: keyOf(2).address }
    const channelId = await canonical.read.getChannelId([theirs])
    await canonical.write.depositDirect([theirs, 50n])
    const signature = await signVoucher(
      voucherKey,
      { ...domain, verifyingContract: canonical.address },
      { channelId, maxClaimableAmount: 50n },
    )
    const rows = claimRows({ config: theirs, max: 50n, totalClaimed: 50n, signature })
    await canonical.write.claim([rows], { account: at.authorizer.account })
    await credit({ account: creator, credited: 650n })
    assert.deepEqual(await canonical.read.receivers([vault.address, asset]), [50n, 50n])
    assert.equal(await token.read.balanceOf([vault.address]), 650n)
  })

  for (const [what, canonicalChannels] of [
    ['no canonical contract', zeroAddress],
    ['a canonical contract that is not deployed', keyOf(8).address],
  ] as const) {
    it(`works where there is ${what}`, async () => {
      const { channels, token } = await claimedVault()
      const vault = await viem.deployContract('CreatorVault', [
        keyOf(0).address,
        channels.address,
        canonicalChannels,
      ])
      await token.write.mint([vault.address, 10n])
      await vault.write.credit([token.address, [{ account: creator, credited: 10n }], journal])
      assert.equal(await vault.read.owed([token.address]), 10n)
    })
  }

  it('works where the canonical contract is the own one', async () => {
    const { channels, token, chain } = await claimedVault()
    const vault = await viem.deployContract('CreatorVault', [
      keyOf(0).address,
      channels.address,
      channels.address,
    ])
    await token.write.mint([vault.address, 10n])
    const rows = [{ account: creator, credited: 10n }]
    const hash = await vault.write.credit([token.address, rows, journal])
    assert.equal((await chain.getTransactionReceipt({ hash })).logs.length, 2)
  })

  it('credits what a model says over random batches, and reports it entry by entry', async () => {
    const { vault, token, asset, hub, chain } = await claimedVault()
    await token.write.mint([vault.address, 10n ** 12n])
    const accounts = Array.from({ length: 5 }, (_, index) => keyOf(20 + index).address)
    const before = new Map<Address, bigint>()
    const batch = fc.array(
      fc.record({ account: fc.constantFrom(...accounts), credited: fc.bigInt(0n, 10n ** 9n) }),
      { maxLength: 12 },
    )
    for (const rows of fc.sample(batch, { numRuns: 40, seed: 20 })) {
      const raised = rows.filter(({ account, credited }) => {
        if (credited <= (before.get(account) ?? 0n)) return false
        before.set(account, credited)
        return true
      })
      const hash = await vault.write.credit([asset, rows, journal], { account: hub.address })
      const { logs } = await chain.getTransactionReceipt({ hash })
      const [event] = parseEventLogs({ abi: vault.abi, logs, eventName: 'CreditedPacked' })
      const expected = creditedEntries(
        ...raised.map(({ account, credited }) => [account, credited] as const),
      )
      assert.equal(event?.args.entries ?? '0x', expected)
    }
    for (const account of accounts) {
      assert.deepEqual(await vault.read.accounts([asset, account]), [before.get(account) ?? 0n, 0n])
    }
    const sum = [...before.values()].reduce((total, credited) => total + credited, 0n)
    assert.equal(await vault.read.owed([asset]), sum)
  })

  it('credits up to the largest total that fits and leaves what was paid as it was', async () => {
    const { vault, token, asset, creator: owner, credit } = await claimedVault()
    await credit({ account: creator, credited: 600n })
    await vault.write.pay([asset, fan, 500n, memo], { account: owner.account })
    await token.write.mint([vault.address, maxUint128])
    await credit({ account: creator, credited: maxUint128 })
    assert.deepEqual(await vault.read.accounts([asset, creator]), [maxUint128, 500n])
    assert.equal(await vault.read.owed([asset]), maxUint128 - 500n)
  })

  for (const [what, at] of [
    ['account', 0],
    ['total', 32],
  ] as const) {
    it(`refuses a row whose ${what} has a bit beyond its type`, async () => {
      const { vault, hub, asset } = await claimedVault()
      const row = { account: creator, credited: 1n }
      const data = creditData(vault, { token: asset, rows: [row] })
      // The row is the last of the words: selector, three words of arguments, the number of rows.
      const start = 4 + 32 * 4 + at
      const dirty = concatHex([sliceHex(data, 0, start), '0x01', sliceHex(data, start + 1)])
      const wallet = await viem.getWalletClient(hub.address)
      const send = (input: Hex) => wallet.sendTransaction({ to: vault.address, data: input })
      await assertions.revert(send(dirty))
      await send(data)
    })
  }

  for (const who of ['operator', 'admin', 'creator'] as const) {
    it(`refuses the ${who}`, async () => {
      const at = await claimedVault()
      const { vault, hub, asset } = at
      const call = vault.write.credit([asset, [], journal], { account: at[who].account })
      await assertions.revertWithCustomErrorWithArgs(call, vault, 'NotHub', [
        keys[who].address,
        getAddress(hub.address),
      ])
    })
  }

  it('refuses an account of zero', async () => {
    const { vault, credit } = await claimedVault()
    const call = credit({ account: creator, credited: 1n }, { account: zeroAddress, credited: 1n })
    await assertions.revertWithCustomErrorWithArgs(call, vault, 'AccountNotPayable', [
      1n,
      zeroAddress,
    ])
  })

  it('refuses itself as account', async () => {
    const { vault, credit } = await claimedVault()
    const call = credit({ account: vault.address, credited: 1n })
    await assertions.revertWithCustomErrorWithArgs(call, vault, 'AccountNotPayable', [
      0n,
      getAddress(vault.address),
    ])
  })

  it('refuses to owe more than is held', async () => {
    const { vault, asset, credit } = await claimedVault()
    const call = credit({ account: creator, credited: 400n }, { account: fan, credited: 201n })
    await assertions.revertWithCustomErrorWithArgs(call, vault, 'OwedAboveHeld', [
      asset,
      601n,
      600n,
    ])
    assert.equal(await vault.read.owed([asset]), 0n)
  })

  it('refuses to owe the same tokens again after they were paid out', async () => {
    const { vault, asset, creator: owner, credit } = await claimedVault()
    await credit({ account: creator, credited: 600n })
    await vault.write.pay([asset, fan, 600n, memo], { account: owner.account })
    const call = credit({ account: creator, credited: 601n })
    await assertions.revertWithCustomErrorWithArgs(call, vault, 'OwedAboveHeld', [asset, 1n, 0n])
  })

  it('does not owe one token for another', async () => {
    const { vault, hub } = await claimedVault()
    const other = await viem.deployContract('TestToken')
    const rows = [{ account: creator, credited: 1n }]
    const call = vault.write.credit([other.address, rows, journal], { account: hub.address })
    await assertions.revertWithCustomErrorWithArgs(call, vault, 'OwedAboveHeld', [
      getAddress(other.address),
      1n,
      0n,
    ])
  })
})

describe('pay', () => {
  it("sends the caller's tokens", async () => {
    const { vault, token, config, creator: owner } = await credited()
    const before = await balances(token, vault.address, creator, fan)
    const tx = vault.write.pay([config.token, fan, 150n, memo], { account: owner.account })
    await assertions.emitWithArgs(tx, vault, 'Paid', [config.token, creator, fan, 150n, 150n, memo])
    assert.deepEqual(await vault.read.accounts([config.token, creator]), [400n, 150n])
    assert.equal(await vault.read.owed([config.token]), 250n)
    const after = await balances(token, vault.address, creator, fan)
    assert.deepEqual(difference(before, after), [-150n, 0n, 150n])
  })

  it('sends all of it in parts', async () => {
    const { vault, token, config, creator: owner } = await credited()
    const { account } = owner
    await vault.write.pay([config.token, creator, 1n, memo], { account })
    const tx = vault.write.pay([config.token, creator, 399n, memo], { account })
    await assertions.emitWithArgs(tx, vault, 'Paid', [
      config.token,
      creator,
      creator,
      399n,
      400n,
      memo,
    ])
    assert.deepEqual(await vault.read.accounts([config.token, creator]), [400n, 400n])
    assert.equal(await vault.read.owed([config.token]), 0n)
    assert.equal(await token.read.balanceOf([creator]), 400n)
  })

  it('works when the hub does nothing any more', async () => {
    const { vault, hub, token, config, admin, creator: owner } = await credited()
    await hub.write.setOperator([zeroAddress], { account: admin.account })
    await networkHelpers.time.increase(1_000 * day)
    await vault.write.pay([config.token, creator, 400n, memo], { account: owner.account })
    assert.equal(await token.read.balanceOf([creator]), 400n)
  })

  it('refuses an amount of zero', async () => {
    const { vault, config, creator: owner } = await credited()
    const call = vault.write.pay([config.token, fan, 0n, memo], { account: owner.account })
    await assertions.revertWithCustomError(call, vault, 'ZeroAmount')
  })

  it('refuses zero and itself as recipient', async () => {
    const { vault, config, creator: owner } = await credited()
    for (const to of [zeroAddress, getAddress(vault.address)]) {
      const call = vault.write.pay([config.token, to, 1n, memo], { account: owner.account })
      await assertions.revertWithCustomErrorWithArgs(call, vault, 'InvalidRecipient', [to])
    }
  })

  it('refuses more than the account has', async () => {
    const { vault, config, creator: owner } = await credited()
    const { account } = owner
    await vault.write.pay([config.token, fan, 150n, memo], { account })
    const call = vault.write.pay([config.token, fan, 251n, memo], { account })
    await assertions.revertWithCustomErrorWithArgs(call, vault, 'InsufficientCredit', [
      config.token,
      creator,
      251n,
      250n,
    ])
  })

  for (const who of ['stranger', 'operator', 'admin'] as const) {
    it(`gives the ${who} nothing`, async () => {
      const at = await credited()
      const { vault, config } = at
      const { account } = at[who]
      const call = vault.write.pay([config.token, fan, 1n, memo], { account })
      await assertions.revertWithCustomErrorWithArgs(call, vault, 'InsufficientCredit', [
        config.token,
        getAddress(account.address),
        1n,
        0n,
      ])
    })
  }
})

describe('payWithSignature', () => {
  async function signed() {
    const at = await credited()
    const payment = paymentOf(at)
    const signature = await signPayment(keys.creator, at.payments, payment)
    return { ...at, payment, signature }
  }

  it("sends the account's tokens for anyone with its signature", async () => {
    const { vault, token, config, stranger, payment, signature } = await signed()
    const before = await balances(token, vault.address, creator, fan, keyOf(3).address)
    const tx = vault.write.payWithSignature(payArguments(payment, signature), {
      account: stranger.account,
    })
    await assertions.emitWithArgs(tx, vault, 'Paid', [config.token, creator, fan, 100n, 100n, memo])
    assert.deepEqual(await vault.read.accounts([config.token, creator]), [400n, 100n])
    assert.equal(await vault.read.owed([config.token]), 300n)
    assert.equal(await vault.read.nonceUsed([creator, 5n]), true)
    const after = await balances(token, vault.address, creator, fan, keyOf(3).address)
    assert.deepEqual(difference(before, after), [-100n, 0n, 100n, 0n])
  })

  it('takes nonces in any order', async () => {
    const at = await signed()
    const { vault, config, payments, payment, signature } = at
    await vault.write.payWithSignature(payArguments(payment, signature))
    for (const nonce of [2n ** 256n - 1n, 0n, 6n]) {
      const other = paymentOf(at, { nonce })
      const theirs = await signPayment(keys.creator, payments, other)
      await vault.write.payWithSignature(payArguments(other, theirs))
    }
    assert.deepEqual(await vault.read.accounts([config.token, creator]), [400n, 400n])
  })

  it('takes the ERC-1271 signature of a contract wallet', async () => {
    const at = await signed()
    const { hub, vault, token, operator, payments } = at
    const wallet = await viem.deployContract('TestWallet', [keyOf(5).address])
    const rows = [{ account: wallet.address, credited: 100n }]
    const data = creditData(vault, { token: token.address, rows })
    await hub.write.run([[{ target: vault.address, data }]], { account: operator.account })
    const payment = paymentOf(at, { account: wallet.address })
    const signature = await signPayment(keyOf(5), payments, payment)
    await vault.write.payWithSignature(payArguments(payment, signature))
    assert.equal(await token.read.balanceOf([fan]), 100n)
  })

  it('is valid in the last second and expired one later', async () => {
    const at = await signed()
    const { vault, payments } = at
    const deadline = BigInt(await networkHelpers.time.latest()) + 10n
    const [first, second] = [paymentOf(at, { deadline }), paymentOf(at, { deadline, nonce: 6n })]
    await networkHelpers.time.setNextBlockTimestamp(deadline)
    await vault.write.payWithSignature(
      payArguments(first, await signPayment(keys.creator, payments, first)),
      { gas: 300_000n },
    )
    await networkHelpers.time.setNextBlockTimestamp(deadline + 1n)
    const late = await signPayment(keys.creator, payments, second)
    const call = vault.write.payWithSignature(payArguments(second, late), { gas: 300_000n })
    await assertions.revertWithCustomErrorWithArgs(call, vault, 'PaymentExpired', [
      deadline,
      deadline + 1n,
    ])
  })

  it('refuses an amount of zero', async () => {
    const { vault, payment, signature } = await signed()
    const call = vault.write.payWithSignature(payArguments({ ...payment, amount: 0n }, signature))
    await assertions.revertWithCustomError(call, vault, 'ZeroAmount')
  })

  it('refuses zero and itself as recipient', async () => {
    const { vault, payment, signature } = await signed()
    for (const to of [zeroAddress, getAddress(vault.address)]) {
      const call = vault.write.payWithSignature(payArguments({ ...payment, to }, signature))
      await assertions.revertWithCustomErrorWithArgs(call, vault, 'InvalidRecipient', [to])
    }
  })

  it('refuses the same payment twice', async () => {
    const { vault, payment, signature } = await signed()
    await vault.write.payWithSignature(payArguments(payment, signature))
    const call = vault.write.payWithSignature(payArguments(payment, signature))
    await assertions.revertWithCustomErrorWithArgs(call, vault, 'NonceAlreadyUsed', [creator, 5n])
  })

  it('refuses more than the account has, and leaves the nonce unused', async () => {
    const at = await signed()
    const { vault, config, payments } = at
    const payment = paymentOf(at, { amount: 401n })
    const signature = await signPayment(keys.creator, payments, payment)
    const call = vault.write.payWithSignature(payArguments(payment, signature))
    await assertions.revertWithCustomErrorWithArgs(call, vault, 'InsufficientCredit', [
      config.token,
      creator,
      401n,
      400n,
    ])
    assert.equal(await vault.read.nonceUsed([creator, 5n]), false)
  })

  it("refuses somebody else's signature", async () => {
    const { vault, payments, payment } = await signed()
    const signature = await signPayment(keys.operator, payments, payment)
    const digest = await vault.read.getPaymentDigest([
      creator,
      payment.token,
      fan,
      100n,
      memo,
      5n,
      payment.deadline,
    ])
    const call = vault.write.payWithSignature(payArguments(payment, signature))
    await assertions.revertWithCustomErrorWithArgs(call, vault, 'InvalidPaymentSignature', [
      creator,
      digest,
    ])
  })

  for (const change of [
    { account: fan },
    { token: keyOf(8).address },
    { to: keyOf(8).address },
    { amount: 101n },
    { memo: toHex(1, { size: 32 }) },
    { nonce: 6n },
    { deadline: (1n << 40n) + 1n },
  ]) {
    it(`refuses another ${Object.keys(change)} than was signed`, async () => {
      const { vault, payment, signature } = await signed()
      const call = vault.write.payWithSignature(payArguments({ ...payment, ...change }, signature))
      await assertions.revertWithCustomError(call, vault, 'InvalidPaymentSignature')
    })
  }

  for (const [field, change] of [
    ['chain', { chainId: 1 }],
    ['vault', { verifyingContract: keyOf(8).address }],
  ] as const) {
    it(`refuses a payment signed in the domain of another ${field}`, async () => {
      const { vault, payments, payment } = await signed()
      const signature = await signPayment(keys.creator, { ...payments, ...change }, payment)
      const call = vault.write.payWithSignature(payArguments(payment, signature))
      await assertions.revertWithCustomError(call, vault, 'InvalidPaymentSignature')
    })
  }

  it('refuses a token that reenters with the same signature', async () => {
    const at = await signed()
    const { hub, vault, operator, payments } = at
    const token = await viem.deployContract('ReentrantToken')
    await token.write.mint([vault.address, 300n])
    const rows = [{ account: creator, credited: 200n }]
    const data = creditData(vault, { token: token.address, rows })
    await hub.write.run([[{ target: vault.address, data }]], { account: operator.account })
    const payment = paymentOf(at, { token: token.address })
    const input = payArguments(payment, await signPayment(keys.creator, payments, payment))
    await token.write.reenter([
      vault.address,
      encodeFunctionData({ abi: vault.abi, functionName: 'payWithSignature', args: input }),
    ])
    const call = vault.write.payWithSignature(input)
    await assertions.revertWithCustomErrorWithArgs(call, vault, 'NonceAlreadyUsed', [creator, 5n])
  })
})

describe('cancel', () => {
  it('makes a signed payment worthless', async () => {
    const at = await credited()
    const { vault, token, payments, creator: owner } = at
    const payment = paymentOf(at)
    const signature = await signPayment(keys.creator, payments, payment)
    const tx = vault.write.cancel([5n], { account: owner.account })
    await assertions.emitWithArgs(tx, vault, 'NonceCancelled', [creator, 5n])
    assert.equal(await vault.read.nonceUsed([creator, 5n]), true)
    const call = vault.write.payWithSignature(payArguments(payment, signature))
    await assertions.revertWithCustomErrorWithArgs(call, vault, 'NonceAlreadyUsed', [creator, 5n])
    assert.equal(await token.read.balanceOf([fan]), 0n)
  })

  it("leaves everyone else's nonces alone", async () => {
    const at = await credited()
    const { vault, token, stranger, payments } = at
    await vault.write.cancel([5n], { account: stranger.account })
    const payment = paymentOf(at)
    const signature = await signPayment(keys.creator, payments, payment)
    await vault.write.payWithSignature(payArguments(payment, signature))
    assert.equal(await token.read.balanceOf([fan]), 100n)
  })

  it('refuses a nonce twice', async () => {
    const { vault, creator: owner } = await credited()
    await vault.write.cancel([maxUint128], { account: owner.account })
    const call = vault.write.cancel([maxUint128], { account: owner.account })
    await assertions.revertWithCustomErrorWithArgs(call, vault, 'NonceAlreadyUsed', [
      creator,
      maxUint128,
    ])
  })
})
