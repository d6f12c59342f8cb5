import assert from 'node:assert/strict'
import { concatHex, type Hex, hexToBigInt, numberToHex, sliceHex, toHex, zeroAddress } from 'viem'
import type { ChannelConfig } from '#protocol/channel.ts'
import {
  anyTips,
  balances,
  claimRows,
  day,
  difference,
  keyOf,
  networkHelpers,
  openChannel,
  signBatch,
  signTipVoucher,
  signVoucher,
  viem,
} from './fixture.ts'

const { assertions } = viem
const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n

/** One channel whose payer signed a voucher over 600 of 1,000. */
async function signed() {
  const at = await networkHelpers.loadFixture(openChannel)
  const { voucherKey, domain, channelId, config } = at
  const signature = await signVoucher(voucherKey, domain, { channelId, maxClaimableAmount: 600n })
  return { ...at, signature, claim: { config, max: 600n, totalClaimed: 250n, signature } }
}

/** The same, and the batch of that one claim signed by the receiver authorizer. */
async function batchSigned() {
  const at = await signed()
  const { domain, channelId } = at
  const entry = { channelId, maxClaimableAmount: 600n, totalClaimed: 250n }
  const batch = await signBatch(keyOf(2), domain, [entry])
  return { ...at, entry, batch }
}

/** Every way to be another channel than the one that the voucher names. */
const otherChannels: Partial<ChannelConfig>[] = [
  { payer: keyOf(8).address },
  { receiver: keyOf(8).address },
  { receiverAuthorizer: keyOf(1).address },
  { withdrawDelay: day + 1 },
  { salt: toHex(9, { size: 32 }) },
]

describe('claim', () => {
  for (const side of ['receiver', 'authorizer'] as const) {
    it(`raises the claimed total for the ${side}`, async () => {
      const at = await signed()
      const { channels, token, config, channelId, claim } = at
      const before = await balances(token, config.payer, config.receiver, channels.address)
      const { account } = at[side]
      const tx = channels.write.claim([claimRows(claim)], { account })
      await assertions.emitWithArgs(tx, channels, 'Claimed', [
        channelId,
        side === 'receiver' ? config.receiver : config.receiverAuthorizer,
        250n,
        250n,
      ])
      assert.deepEqual(await channels.read.channels([channelId]), [1_000n, 250n])
      assert.deepEqual(await channels.read.receivers([config.receiver, config.token]), [250n, 0n])
      const after = await balances(token, config.payer, config.receiver, channels.address)
      assert.deepEqual(difference(before, after), [0n, 0n, 0n])
    })
  }

  it('adds what is new of a later voucher', async () => {
    const { channels, authorizer, config, channelId, claim, voucherKey, domain } = await signed()
    const { account } = authorizer
    await channels.write.claim([claimRows(claim)], { account })
    const signature = await signVoucher(voucherKey, domain, { channelId, maxClaimableAmount: 900n })
    const later = { config, max: 900n, totalClaimed: 900n, signature }
    const tx = channels.write.claim([claimRows(later)], { account })
    await assertions.emitWithArgs(tx, channels, 'Claimed', [
      channelId,
      config.receiverAuthorizer,
      650n,
      900n,
    ])
    assert.deepEqual(await channels.read.channels([channelId]), [1_000n, 900n])
    assert.deepEqual(await channels.read.receivers([config.receiver, config.token]), [900n, 0n])
  })

  it('claims on several channels, and twice on one', async () => {
    const { channels, authorizer, config, channelId, claim, voucherKey, domain } = await signed()
    const other = { ...config, salt: toHex(2, { size: 32 }) }
    const otherId = await channels.read.getChannelId([other])
    await channels.write.depositDirect([other, 70n])
    const voucher = { channelId: otherId, maxClaimableAmount: 70n }
    const signature = await signVoucher(voucherKey, domain, voucher)
    const rows = claimRows(
      claim,
      { config: other, max: 70n, totalClaimed: 70n, signature },
      { ...claim, totalClaimed: 600n },
    )
    await channels.write.claim([rows], { account: authorizer.account })
    assert.deepEqual(await channels.read.channels([channelId]), [1_000n, 600n])
    assert.deepEqual(await channels.read.channels([otherId]), [70n, 70n])
    assert.deepEqual(await channels.read.receivers([config.receiver, config.token]), [670n, 0n])
  })

  it('changes nothing when an applied claim is repeated', async () => {
    const { channels, authorizer, config, channelId, claim, chain } = await signed()
    const { account } = authorizer
    await channels.write.claim([claimRows(claim)], { account })
    for (const totalClaimed of [250n, 249n, 0n]) {
      const rows = claimRows({ ...claim, totalClaimed })
      const hash = await channels.write.claim([rows], { account })
      assert.equal((await chain.getTransactionReceipt({ hash })).logs.length, 0)
    }
    assert.deepEqual(await channels.read.channels([channelId]), [1_000n, 250n])
    assert.deepEqual(await channels.read.receivers([config.receiver, config.token]), [250n, 0n])
  })

  it('takes the signature of a payer without payer authorizer', async () => {
    const { channels, authorizer, config, domain } = await signed()
    const own = { ...config, payerAuthorizer: zeroAddress }
    const channelId = await channels.read.getChannelId([own])
    await channels.write.depositDirect([own, 10n])
    const signature = await signVoucher(keyOf(0), domain, { channelId, maxClaimableAmount: 10n })
    const rows = claimRows({ config: own, max: 10n, totalClaimed: 10n, signature })
    await channels.write.claim([rows], { account: authorizer.account })
    assert.deepEqual(await channels.read.channels([channelId]), [10n, 10n])
  })

  it('takes the ERC-1271 signature of a payer without payer authorizer', async () => {
    const { channels, authorizer, config, domain } = await signed()
    const wallet = await viem.deployContract('TestWallet', [keyOf(5).address])
    const own = { ...config, payer: wallet.address, payerAuthorizer: zeroAddress }
    const channelId = await channels.read.getChannelId([own])
    await channels.write.depositDirect([own, 10n])
    const signature = await signVoucher(keyOf(5), domain, { channelId, maxClaimableAmount: 10n })
    const rows = claimRows({ config: own, max: 10n, totalClaimed: 10n, signature })
    await channels.write.claim([rows], { account: authorizer.account })
    assert.deepEqual(await channels.read.channels([channelId]), [10n, 10n])
  })

  it('refuses no rows', async () => {
    const { channels, authorizer } = await signed()
    const call = channels.write.claim([[]], { account: authorizer.account })
    await assertions.revertWithCustomError(call, channels, 'EmptyBatch')
  })

  it('refuses a caller who is not on the receiver side', async () => {
    const { channels, stranger, config, claim } = await signed()
    const call = channels.write.claim([claimRows(claim)], { account: stranger.account })
    await assertions.revertWithCustomErrorWithArgs(call, channels, 'NotReceiverSide', [
      keyOf(3).address,
      config.receiver,
      config.receiverAuthorizer,
    ])
  })

  it('refuses more than the voucher allows', async () => {
    const { channels, authorizer, channelId, claim } = await signed()
    const rows = claimRows({ ...claim, totalClaimed: 601n })
    const call = channels.write.claim([rows], { account: authorizer.account })
    await assertions.revertWithCustomErrorWithArgs(call, channels, 'ClaimAboveMaximum', [
      channelId,
      601n,
      600n,
    ])
  })

  it('refuses more than the balance', async () => {
    const { channels, authorizer, config, channelId, voucherKey, domain } = await signed()
    const voucher = { channelId, maxClaimableAmount: 2_000n }
    const signature = await signVoucher(voucherKey, domain, voucher)
    const rows = claimRows({ config, max: 2_000n, totalClaimed: 1_001n, signature })
    const call = channels.write.claim([rows], { account: authorizer.account })
    await assertions.revertWithCustomErrorWithArgs(call, channels, 'ClaimAboveBalance', [
      channelId,
      1_001n,
      1_000n,
    ])
  })

  it('refuses all rows for one bad row', async () => {
    const { channels, authorizer, channelId, claim } = await signed()
    const rows = claimRows(claim, { ...claim, totalClaimed: 601n })
    const call = channels.write.claim([rows], { account: authorizer.account })
    await assertions.revertWithCustomError(call, channels, 'ClaimAboveMaximum')
    assert.deepEqual(await channels.read.channels([channelId]), [1_000n, 0n])
  })

  describe('refuses as signature', () => {
    /** Bytes in place of the payer authorizer's signature. */
    const malformed: [what: string, change: (signature: Hex) => Hex][] = [
      ['no bytes', () => '0x'],
      ['64 bytes', (signature) => sliceHex(signature, 0, 64)],
      ['66 bytes', (signature) => concatHex([signature, '0x00'])],
      ['zero r', (signature) => concatHex([toHex(0, { size: 32 }), sliceHex(signature, 32)])],
      ['zero s', (s) => concatHex([sliceHex(s, 0, 32), toHex(0, { size: 32 }), sliceHex(s, 64)])],
      ['s in the upper half of the order', flipped],
      ['v of 0 or 1', (signature) => withV(signature, vOf(signature) - 27)],
      ['v of 29 or 30', (signature) => withV(signature, vOf(signature) + 2)],
      ['the other v', (signature) => withV(signature, 55 - vOf(signature))],
      ['the ERC-2098 form', compact],
    ]
    for (const [what, change] of malformed) {
      it(what, async () => {
        const { channels, authorizer, config, channelId, claim } = await signed()
        const rows = claimRows({ ...claim, signature: change(claim.signature) })
        const call = channels.write.claim([rows], { account: authorizer.account })
        await assertions.revertWithCustomErrorWithArgs(call, channels, 'InvalidVoucherSignature', [
          channelId,
          config.payerAuthorizer,
        ])
      })
    }

    it("the payer's, where there is a payer authorizer", async () => {
      const { channels, authorizer, channelId, claim, domain } = await signed()
      const voucher = { channelId, maxClaimableAmount: 600n }
      const signature = await signVoucher(keyOf(0), domain, voucher)
      const rows = claimRows({ ...claim, signature })
      const call = channels.write.claim([rows], { account: authorizer.account })
      await assertions.revertWithCustomError(call, channels, 'InvalidVoucherSignature')
    })

    it("a stranger's, where there is no payer authorizer", async () => {
      const { channels, authorizer, config, domain } = await signed()
      const own = { ...config, payerAuthorizer: zeroAddress }
      const channelId = await channels.read.getChannelId([own])
      await channels.write.depositDirect([own, 10n])
      const signature = await signVoucher(keyOf(3), domain, { channelId, maxClaimableAmount: 10n })
      const rows = claimRows({ config: own, max: 10n, totalClaimed: 10n, signature })
      const call = channels.write.claim([rows], { account: authorizer.account })
      await assertions.revertWithCustomErrorWithArgs(call, channels, 'InvalidVoucherSignature', [
        channelId,
        config.payer,
      ])
    })

    it('an ERC-1271 signature of a payer authorizer', async () => {
      const { channels, authorizer, config, domain } = await signed()
      const wallet = await viem.deployContract('TestWallet', [keyOf(5).address])
      const own = { ...config, payerAuthorizer: wallet.address }
      const channelId = await channels.read.getChannelId([own])
      await channels.write.depositDirect([own, 10n])
      const signature = await signVoucher(keyOf(5), domain, { channelId, maxClaimableAmount: 10n })
      const rows = claimRows({ config: own, max: 10n, totalClaimed: 10n, signature })
      const call = channels.write.claim([rows], { account: authorizer.account })
      await assertions.revertWithCustomError(call, channels, 'InvalidVoucherSignature')
    })

    it('one over another maximum', async () => {
      const { channels, authorizer, claim } = await signed()
      const rows = claimRows({ ...claim, max: 601n })
      const call = channels.write.claim([rows], { account: authorizer.account })
      await assertions.revertWithCustomError(call, channels, 'InvalidVoucherSignature')
    })

    it('that of a tip voucher', async () => {
      const { channels, authorizer, channelId, claim, voucherKey, domain } = await signed()
      const voucher = { channelId, maxClaimableAmount: 600n, tips: anyTips }
      const signature = await signTipVoucher(voucherKey, domain, voucher)
      const rows = claimRows({ ...claim, signature })
      const call = channels.write.claim([rows], { account: authorizer.account })
      await assertions.revertWithCustomError(call, channels, 'InvalidVoucherSignature')
    })

    for (const change of otherChannels) {
      it(`one for a channel that differs in ${Object.keys(change)}`, async () => {
        const { channels, receiver, authorizer, config, claim } = await signed()
        const other = { ...config, ...change }
        await channels.write.depositDirect([other, 1_000n])
        const { account } = change.receiverAuthorizer ? receiver : authorizer
        const call = channels.write.claim([claimRows({ ...claim, config: other })], { account })
        await assertions.revertWithCustomError(call, channels, 'InvalidVoucherSignature')
      })
    }

    it('one for a channel of another payer authorizer, even when they signed it', async () => {
      const { channels, authorizer, config, channelId, claim, domain } = await signed()
      const other = { ...config, payerAuthorizer: keyOf(8).address }
      await channels.write.depositDirect([other, 1_000n])
      const voucher = { channelId, maxClaimableAmount: 600n }
      const signature = await signVoucher(keyOf(8), domain, voucher)
      const rows = claimRows({ ...claim, config: other, signature })
      const call = channels.write.claim([rows], { account: authorizer.account })
      await assertions.revertWithCustomError(call, channels, 'InvalidVoucherSignature')
    })

    it('one for a channel of another token', async () => {
      const { channels, authorizer, config, claim } = await signed()
      const token = await viem.deployContract('TestToken')
      await token.write.mint([config.payer, 1_000n])
      await token.write.approve([channels.address, 1_000n])
      const other = { ...config, token: token.address }
      await channels.write.depositDirect([other, 1_000n])
      const rows = claimRows({ ...claim, config: other })
      const call = channels.write.claim([rows], { account: authorizer.account })
      await assertions.revertWithCustomError(call, channels, 'InvalidVoucherSignature')
    })

    it('one for the same channel in another contract', async () => {
      const { channels, token, authorizer, config, claim } = await signed()
      const other = await viem.deployContract('PaymentChannels')
      assert.notEqual(other.address, channels.address)
      await token.write.approve([other.address, 1_000n])
      await other.write.depositDirect([config, 1_000n])
      const call = other.write.claim([claimRows(claim)], { account: authorizer.account })
      await assertions.revertWithCustomError(call, other, 'InvalidVoucherSignature')
    })

    for (const [field, change] of [
      ['chain', { chainId: 1 }],
      ['contract', { verifyingContract: keyOf(8).address }],
    ] as const) {
      it(`one in the domain of another ${field}`, async () => {
        const { channels, authorizer, channelId, claim, voucherKey, domain } = await signed()
        const voucher = { channelId, maxClaimableAmount: 600n }
        const signature = await signVoucher(voucherKey, { ...domain, ...change }, voucher)
        const rows = claimRows({ ...claim, signature })
        const call = channels.write.claim([rows], { account: authorizer.account })
        await assertions.revertWithCustomError(call, channels, 'InvalidVoucherSignature')
      })
    }
  })
})

describe('claimWithSignature', () => {
  it('raises the claimed total for anyone with the signed batch', async () => {
    const { channels, stranger, config, channelId, claim, batch } = await batchSigned()
    const { account } = stranger
    const tx = channels.write.claimWithSignature([claimRows(claim), batch], { account })
    await assertions.emitWithArgs(tx, channels, 'Claimed', [
      channelId,
      keyOf(3).address,
      250n,
      250n,
    ])
    assert.deepEqual(await channels.read.channels([channelId]), [1_000n, 250n])
    assert.deepEqual(await channels.read.receivers([config.receiver, config.token]), [250n, 0n])
  })

  it('changes nothing when the batch is repeated', async () => {
    const { channels, config, channelId, claim, batch } = await batchSigned()
    await channels.write.claimWithSignature([claimRows(claim), batch])
    await channels.write.claimWithSignature([claimRows(claim), batch])
    assert.deepEqual(await channels.read.channels([channelId]), [1_000n, 250n])
    assert.deepEqual(await channels.read.receivers([config.receiver, config.token]), [250n, 0n])
  })

  it('takes the ERC-1271 signature of a receiver authorizer', async () => {
    const { channels, config, voucherKey, domain } = await batchSigned()
    const wallet = await viem.deployContract('TestWallet', [keyOf(5).address])
    const other = { ...config, receiverAuthorizer: wallet.address }
    const channelId = await channels.read.getChannelId([other])
    await channels.write.depositDirect([other, 10n])
    const voucher = { channelId, maxClaimableAmount: 10n }
    const signature = await signVoucher(voucherKey, domain, voucher)
    const batch = await signBatch(keyOf(5), domain, [{ ...voucher, totalClaimed: 10n }])
    const rows = claimRows({ config: other, max: 10n, totalClaimed: 10n, signature })
    await channels.write.claimWithSignature([rows, batch])
    assert.deepEqual(await channels.read.channels([channelId]), [10n, 10n])
  })

  it('refuses no rows', async () => {
    const { channels, batch } = await batchSigned()
    const call = channels.write.claimWithSignature([[], batch])
    await assertions.revertWithCustomError(call, channels, 'EmptyBatch')
  })

  it('refuses rows of several receiver authorizers', async () => {
    const { channels, config, claim, batch } = await batchSigned()
    const other = { ...config, receiverAuthorizer: keyOf(8).address }
    const rows = claimRows(claim, { ...claim, config: other })
    const call = channels.write.claimWithSignature([rows, batch])
    await assertions.revertWithCustomErrorWithArgs(call, channels, 'MixedAuthorizers', [
      1n,
      config.receiverAuthorizer,
      keyOf(8).address,
    ])
  })

  it("refuses the receiver's signature", async () => {
    const { channels, config, claim, domain, entry } = await batchSigned()
    const batch = await signBatch(keyOf(1), domain, [entry])
    const digest = await channels.read.getClaimBatchDigest([claimRows(claim)])
    const call = channels.write.claimWithSignature([claimRows(claim), batch])
    await assertions.revertWithCustomErrorWithArgs(call, channels, 'InvalidAuthorizerSignature', [
      config.receiverAuthorizer,
      digest,
    ])
  })

  for (const [field, change] of [
    ['totalClaimed', { totalClaimed: 251n }],
    ['maxClaimableAmount', { max: 601n }],
  ] as const) {
    it(`refuses a batch with another ${field} than was signed`, async () => {
      const { channels, claim, batch } = await batchSigned()
      const call = channels.write.claimWithSignature([claimRows({ ...claim, ...change }), batch])
      await assertions.revertWithCustomError(call, channels, 'InvalidAuthorizerSignature')
    })
  }

  it('refuses a batch with another channel than was signed', async () => {
    const { channels, config, claim, batch } = await batchSigned()
    const other = { ...config, salt: toHex(9, { size: 32 }) }
    const call = channels.write.claimWithSignature([claimRows({ ...claim, config: other }), batch])
    await assertions.revertWithCustomError(call, channels, 'InvalidAuthorizerSignature')
  })

  it('refuses a batch with a row more than was signed', async () => {
    const { channels, claim, batch } = await batchSigned()
    const call = channels.write.claimWithSignature([claimRows(claim, claim), batch])
    await assertions.revertWithCustomError(call, channels, 'InvalidAuthorizerSignature')
  })

  for (const [field, change] of [
    ['chain', { chainId: 1 }],
    ['contract', { verifyingContract: keyOf(8).address }],
  ] as const) {
    it(`refuses a batch signed in the domain of another ${field}`, async () => {
      const { channels, claim, domain, entry } = await batchSigned()
      const batch = await signBatch(keyOf(2), { ...domain, ...change }, [entry])
      const call = channels.write.claimWithSignature([claimRows(claim), batch])
      await assertions.revertWithCustomError(call, channels, 'InvalidAuthorizerSignature')
    })
  }

  it('refuses a signed batch whose voucher is not signed', async () => {
    const { channels, config, channelId, claim, batch } = await batchSigned()
    const rows = claimRows({ ...claim, signature: batch })
    const call = channels.write.claimWithSignature([rows, batch])
    await assertions.revertWithCustomErrorWithArgs(call, channels, 'InvalidVoucherSignature', [
      channelId,
      config.payerAuthorizer,
    ])
  })
})

describe('settle', () => {
  it('sends the receiver what was claimed, whoever calls', async () => {
    const { channels, token, authorizer, stranger, config, claim } = await signed()
    await channels.write.claim([claimRows(claim)], { account: authorizer.account })
    const before = await balances(token, config.payer, config.receiver, channels.address)
    const tx = channels.write.settle([config.receiver, config.token], { account: stranger.account })
    await assertions.emitWithArgs(tx, channels, 'Settled', [
      config.receiver,
      config.token,
      keyOf(3).address,
      250n,
    ])
    assert.deepEqual(await channels.read.receivers([config.receiver, config.token]), [250n, 250n])
    const after = await balances(token, config.payer, config.receiver, channels.address)
    assert.deepEqual(difference(before, after), [0n, 250n, -250n])
  })

  it('sends only what was claimed since', async () => {
    const { channels, token, authorizer, config, claim } = await signed()
    const { account } = authorizer
    await channels.write.claim([claimRows(claim)], { account })
    await channels.write.settle([config.receiver, config.token])
    await channels.write.claim([claimRows({ ...claim, totalClaimed: 600n })], { account })
    await channels.write.settle([config.receiver, config.token])
    assert.deepEqual(await channels.read.receivers([config.receiver, config.token]), [600n, 600n])
    assert.equal(await token.read.balanceOf([config.receiver]), 600n)
    assert.equal(await token.read.balanceOf([channels.address]), 400n)
  })

  it('changes nothing when there is nothing to send', async () => {
    const { channels, token, config, chain } = await signed()
    const hash = await channels.write.settle([config.receiver, config.token])
    assert.equal((await chain.getTransactionReceipt({ hash })).logs.length, 0)
    assert.equal(await token.read.balanceOf([channels.address]), 1_000n)
  })
})

function vOf(signature: Hex): number {
  return Number(sliceHex(signature, 64))
}

function withV(signature: Hex, v: number): Hex {
  return concatHex([sliceHex(signature, 0, 64), numberToHex(v, { size: 1 })])
}

/** The other signature that recovers to the same key. */
function flipped(signature: Hex): Hex {
  const s = order - hexToBigInt(sliceHex(signature, 32, 64))
  const twin = concatHex([sliceHex(signature, 0, 32), numberToHex(s, { size: 32 }), '0x00'])
  return withV(twin, 55 - vOf(signature))
}

function compact(signature: Hex): Hex {
  const parity = BigInt(vOf(signature) - 27) << 255n
  const vs = hexToBigInt(sliceHex(signature, 32, 64)) | parity
  return concatHex([sliceHex(signature, 0, 32), numberToHex(vs, { size: 32 })])
}
