import assert from 'node:assert/strict'
import { concatHex, type Hex, parseEventLogs, size, sliceHex, toHex, zeroAddress } from 'viem'
import type { ChannelConfig } from '#protocol/channel.ts'
import type { Tip } from '#protocol/tip.ts'
import {
  anyTips,
  balances,
  claimRows,
  day,
  difference,
  keyOf,
  networkHelpers,
  openChannel,
  packedArguments,
  packedEntries,
  packedRows,
  present,
  signTipVoucher,
  signVoucher,
  viem,
} from './fixture.ts'

const { assertions } = viem
const skipped = { noAuthorizer: 0, aboveMaximum: 1, noBalance: 2, badSignature: 3 }

/** One channel whose payer signed a tip voucher over 600 of 1,000. */
async function tipped() {
  const at = await networkHelpers.loadFixture(openChannel)
  const { voucherKey, domain, channelId, config } = at
  const voucher = { channelId, maxClaimableAmount: 600n, tips: anyTips }
  const signature = await signTipVoucher(voucherKey, domain, voucher)
  const claim = { config, max: 600n, totalClaimed: 250n, signature, tips: anyTips }
  const { account } = at.authorizer
  /** Claims in the name of the receiver authorizer. */
  const claimPacked = (rows: Hex) =>
    at.channels.write.claimPacked(packedArguments(config, rows), { account })
  return { ...at, claim, claimPacked }
}

type Tipped = Awaited<ReturnType<typeof tipped>>

/** A second channel that differs in its salt, with a tip voucher over all of it. */
async function another(
  { channels, config, voucherKey, domain }: Tipped,
  { salt, deposit }: { salt: bigint; deposit: bigint },
) {
  const other = { ...config, salt: toHex(salt, { size: 32 }) }
  const channelId = await channels.read.getChannelId([other])
  await channels.write.depositDirect([other, deposit])
  const voucher = { channelId, maxClaimableAmount: deposit, tips: anyTips }
  const signature = await signTipVoucher(voucherKey, domain, voucher)
  const claim = { config: other, max: deposit, totalClaimed: deposit, signature, tips: anyTips }
  return { channelId, claim }
}

/** Claims rows of which the first is left out and the second is good; checks what is reported and applied. */
async function assertSkipped(
  at: Tipped,
  bad: { row: Hex; channelId: Hex; reason: number },
): Promise<void> {
  const { channels, config, claimPacked } = at
  const good = await another(at, { salt: 77n, deposit: 70n })
  const before = await channels.read.channels([bad.channelId])
  const tx = claimPacked(concatHex([bad.row, packedRows(good.claim)]))
  await assertions.emitWithArgs(tx, channels, 'ClaimSkipped', [bad.channelId, 0n, bad.reason])
  await assertions.emitWithArgs(tx, channels, 'ClaimedPacked', [
    config.receiver,
    config.token,
    config.receiverAuthorizer,
    packedEntries([good.channelId, 70n]),
  ])
  assert.deepEqual(await channels.read.channels([bad.channelId]), before)
  assert.deepEqual(await channels.read.channels([good.channelId]), [70n, 70n])
  assert.deepEqual(await channels.read.receivers([config.receiver, config.token]), [70n, 0n])
}

describe('claimPacked', () => {
  for (const side of ['receiver', 'authorizer'] as const) {
    it(`raises the claimed total for the ${side} by a tip voucher`, async () => {
      const at = await tipped()
      const { channels, token, config, channelId, claim } = at
      const before = await balances(token, config.payer, config.receiver, channels.address)
      const { account } = at[side]
      const input = packedArguments(config, packedRows(claim))
      const { result } = await channels.simulate.claimPacked(input, {
        account: account.address,
      })
      assert.equal(result, 250n)
      const tx = channels.write.claimPacked(input, { account })
      await assertions.emitWithArgs(tx, channels, 'ClaimedPacked', [
        config.receiver,
        config.token,
        side === 'receiver' ? config.receiver : config.receiverAuthorizer,
        packedEntries([channelId, 250n]),
      ])
      assert.deepEqual(await channels.read.channels([channelId]), [1_000n, 250n])
      assert.deepEqual(await channels.read.receivers([config.receiver, config.token]), [250n, 0n])
      const after = await balances(token, config.payer, config.receiver, channels.address)
      assert.deepEqual(difference(before, after), [0n, 0n, 0n])
    })
  }

  it('takes a plain voucher where the hash of the tips is zero', async () => {
    const { channels, config, channelId, voucherKey, domain, claimPacked } = await tipped()
    const voucher = { channelId, maxClaimableAmount: 600n }
    const signature = await signVoucher(voucherKey, domain, voucher)
    await claimPacked(packedRows({ config, max: 600n, totalClaimed: 600n, signature }))
    assert.deepEqual(await channels.read.channels([channelId]), [1_000n, 600n])
  })

  it('claims on several channels and adds up the receiver once', async () => {
    const at = await tipped()
    const { channels, config, channelId, claim, claimPacked } = at
    const second = await another(at, { salt: 2n, deposit: 70n })
    const third = await another(at, { salt: 3n, deposit: 5n })
    const tx = claimPacked(packedRows(claim, second.claim, third.claim))
    await assertions.emitWithArgs(tx, channels, 'ClaimedPacked', [
      config.receiver,
      config.token,
      config.receiverAuthorizer,
      packedEntries([channelId, 250n], [second.channelId, 70n], [third.channelId, 5n]),
    ])
    assert.deepEqual(await channels.read.channels([channelId]), [1_000n, 250n])
    assert.deepEqual(await channels.read.channels([second.channelId]), [70n, 70n])
    assert.deepEqual(await channels.read.channels([third.channelId]), [5n, 5n])
    assert.deepEqual(await channels.read.receivers([config.receiver, config.token]), [325n, 0n])
  })

  it('claims on one channel twice in a batch', async () => {
    const { channels, config, channelId, claim, claimPacked } = await tipped()
    const rows = packedRows(claim, { ...claim, totalClaimed: 400n })
    await assertions.emitWithArgs(claimPacked(rows), channels, 'ClaimedPacked', [
      config.receiver,
      config.token,
      config.receiverAuthorizer,
      packedEntries([channelId, 250n], [channelId, 400n]),
    ])
    assert.deepEqual(await channels.read.receivers([config.receiver, config.token]), [400n, 0n])
  })

  it('cuts the claim to the balance', async () => {
    const { channels, config, channelId, voucherKey, domain, claimPacked } = await tipped()
    const voucher = { channelId, maxClaimableAmount: 2_000n, tips: anyTips }
    const signature = await signTipVoucher(voucherKey, domain, voucher)
    const claim = { config, max: 2_000n, totalClaimed: 1_500n, signature, tips: anyTips }
    await assertions.emitWithArgs(claimPacked(packedRows(claim)), channels, 'ClaimedPacked', [
      config.receiver,
      config.token,
      config.receiverAuthorizer,
      packedEntries([channelId, 1_000n]),
    ])
    assert.deepEqual(await channels.read.channels([channelId]), [1_000n, 1_000n])
  })

  it('changes and reports nothing when an applied claim is repeated', async () => {
    const { channels, config, channelId, claim, claimPacked, chain } = await tipped()
    await claimPacked(packedRows(claim))
    for (const totalClaimed of [250n, 249n, 0n]) {
      const hash = await claimPacked(packedRows({ ...claim, totalClaimed }))
      assert.equal((await chain.getTransactionReceipt({ hash })).logs.length, 0)
    }
    assert.deepEqual(await channels.read.channels([channelId]), [1_000n, 250n])
    assert.deepEqual(await channels.read.receivers([config.receiver, config.token]), [250n, 0n])
  })

  it('goes on where a standard claim stopped', async () => {
    const { channels, authorizer, config, channelId, voucherKey, domain, claim, claimPacked } =
      await tipped()
    const voucher = { channelId, maxClaimableAmount: 200n }
    const signature = await signVoucher(voucherKey, domain, voucher)
    const rows = claimRows({ config, max: 200n, totalClaimed: 200n, signature })
    await channels.write.claim([rows], { account: authorizer.account })
    await claimPacked(packedRows(claim))
    assert.deepEqual(await channels.read.channels([channelId]), [1_000n, 250n])
    assert.deepEqual(await channels.read.receivers([config.receiver, config.token]), [250n, 0n])
  })

  it('claims on 100 channels', async () => {
    const at = await tipped()
    const { channels, config, claimPacked } = at
    const salts = Array.from({ length: 100 }, (_, index) => BigInt(index) + 1_000n)
    const others = await Promise.all(salts.map((salt) => another(at, { salt, deposit: 3n })))
    const tx = claimPacked(packedRows(...others.map(({ claim }) => claim)))
    await assertions.emitWithArgs(tx, channels, 'ClaimedPacked', [
      config.receiver,
      config.token,
      config.receiverAuthorizer,
      packedEntries(...others.map(({ channelId }): [Hex, bigint] => [channelId, 3n])),
    ])
    assert.deepEqual(await channels.read.receivers([config.receiver, config.token]), [300n, 0n])
  })

  it('refuses a caller who is not on the receiver side', async () => {
    const { channels, stranger, config, claim } = await tipped()
    const input = packedArguments(config, packedRows(claim))
    const call = channels.write.claimPacked(input, { account: stranger.account })
    await assertions.revertWithCustomErrorWithArgs(call, channels, 'NotReceiverSide', [
      keyOf(3).address,
      config.receiver,
      config.receiverAuthorizer,
    ])
  })

  it('refuses no rows', async () => {
    const { channels, claimPacked } = await tipped()
    await assertions.revertWithCustomError(claimPacked('0x'), channels, 'EmptyBatch')
  })

  for (const change of [-1, 1]) {
    it(`refuses ${200 + change} bytes`, async () => {
      const { channels, claim, claimPacked } = await tipped()
      const rows = concatHex([packedRows(claim), '0x00'])
      const call = claimPacked(sliceHex(rows, 0, 200 + change))
      await assertions.revertWithCustomErrorWithArgs(call, channels, 'MalformedRows', [
        BigInt(200 + change),
      ])
    })
  }

  describe('leaves out and reports', () => {
    it('a row without payer authorizer', async () => {
      const at = await tipped()
      const { channels, domain, config } = at
      const own = { ...config, payerAuthorizer: zeroAddress }
      const channelId = await channels.read.getChannelId([own])
      await channels.write.depositDirect([own, 10n])
      const voucher = { channelId, maxClaimableAmount: 10n, tips: anyTips }
      const signature = await signTipVoucher(keyOf(0), domain, voucher)
      const claim = { config: own, max: 10n, totalClaimed: 10n, signature, tips: anyTips }
      const row = packedRows(claim)
      await assertSkipped(at, { row, channelId, reason: skipped.noAuthorizer })
    })

    it('a row without payer authorizer whose signature recovers to nobody', async () => {
      const at = await tipped()
      const { channels, config, claim } = at
      const own = { ...config, payerAuthorizer: zeroAddress }
      const channelId = await channels.read.getChannelId([own])
      await channels.write.depositDirect([own, 1_000n])
      const row = concatHex([
        sliceHex(packedRows({ ...claim, config: own }), 0, 136),
        toHex(0, { size: 64 }),
      ])
      await assertSkipped(at, { row, channelId, reason: skipped.noAuthorizer })
    })

    it('a claim above its maximum', async () => {
      const at = await tipped()
      const { channelId, claim } = at
      const row = packedRows({ ...claim, totalClaimed: 601n })
      await assertSkipped(at, { row, channelId, reason: skipped.aboveMaximum })
    })

    it('a channel without balance', async () => {
      const at = await tipped()
      const { channels, config, claim } = at
      const other = { ...config, salt: toHex(9, { size: 32 }) }
      const channelId = await channels.read.getChannelId([other])
      const row = packedRows({ ...claim, config: other })
      await assertSkipped(at, { row, channelId, reason: skipped.noBalance })
    })

    it('a row whose maximum was raised after signing', async () => {
      const at = await tipped()
      const { channelId, claim } = at
      const row = packedRows({ ...claim, max: 601n })
      await assertSkipped(at, { row, channelId, reason: skipped.badSignature })
    })

    it("a payer's signature, where there is a payer authorizer", async () => {
      const at = await tipped()
      const { channelId, claim, domain } = at
      const voucher = { channelId, maxClaimableAmount: 600n, tips: anyTips }
      const signature = await signTipVoucher(keyOf(0), domain, voucher)
      const row = packedRows({ ...claim, signature })
      await assertSkipped(at, { row, channelId, reason: skipped.badSignature })
    })

    it('the signature of a plain voucher on a tip voucher', async () => {
      const at = await tipped()
      const { channelId, claim, voucherKey, domain } = at
      const voucher = { channelId, maxClaimableAmount: 600n }
      const signature = await signVoucher(voucherKey, domain, voucher)
      const row = packedRows({ ...claim, signature })
      await assertSkipped(at, { row, channelId, reason: skipped.badSignature })
    })

    it('the signature of a tip voucher on a plain voucher', async () => {
      const at = await tipped()
      const { channelId, config, claim } = at
      const { signature } = claim
      const row = packedRows({ config, max: 600n, totalClaimed: 250n, signature })
      await assertSkipped(at, { row, channelId, reason: skipped.badSignature })
    })

    const first = present(anyTips[0])
    const second = present(anyTips[1])
    const changedTips: [what: string, tips: readonly Tip[]][] = [
      ['another creator', [{ ...first, to: second.to }, second]],
      ['another amount', [{ ...first, amount: 31n }, second]],
      ['another ref', [{ ...first, ref: second.ref }, second]],
      ['another order', [second, first]],
      ['one tip less', [first]],
      ['one tip more', [first, second, second]],
      ['no tips', []],
    ]
    for (const [what, tips] of changedTips) {
      it(`tips with ${what} than were signed`, async () => {
        const at = await tipped()
        const row = packedRows({ ...at.claim, tips })
        await assertSkipped(at, { row, channelId: at.channelId, reason: skipped.badSignature })
      })
    }

    const changedRows: [field: string, offset: number, bytes: Hex][] = [
      ['r', 136, toHex(0, { size: 32 })],
      ['s', 168, toHex(0, { size: 32 })],
      ['s in the upper half of the order', 168, `0x7${'f'.repeat(63)}`],
    ]
    for (const [field, offset, bytes] of changedRows) {
      it(`a signature with another ${field}`, async () => {
        const at = await tipped()
        const { channelId } = at
        const row = overwrite(packedRows(at.claim), offset, bytes)
        await assertSkipped(at, { row, channelId, reason: skipped.badSignature })
      })
    }

    it('a signature with the other parity', async () => {
      const at = await tipped()
      const { channelId, claim } = at
      const row = packedRows(claim)
      const parity = Number(sliceHex(row, 168, 169)) ^ 0x80
      const changed = overwrite(row, 168, toHex(parity, { size: 1 }))
      await assertSkipped(at, { row: changed, channelId, reason: skipped.badSignature })
    })

    for (const [field, change] of [
      ['payer', { payer: keyOf(8).address }],
      ['payer authorizer', { payerAuthorizer: keyOf(8).address }],
      ['salt', { salt: toHex(9, { size: 32 }) }],
    ] as const) {
      it(`the voucher of a channel with another ${field}`, async () => {
        const at = await tipped()
        const { channels, config, claim } = at
        const other: ChannelConfig = { ...config, ...change }
        const channelId = await channels.read.getChannelId([other])
        await channels.write.depositDirect([other, 1_000n])
        const row = packedRows({ ...claim, config: other })
        await assertSkipped(at, { row, channelId, reason: skipped.badSignature })
      })
    }

    for (const [field, change] of [
      ['receiver', { receiver: keyOf(8).address }],
      ['receiver authorizer', { receiverAuthorizer: keyOf(8).address }],
      ['withdraw delay', { withdrawDelay: day + 1 }],
    ] as const) {
      it(`the voucher of a channel with another ${field}`, async () => {
        const { channels, receiver, authorizer, config, claim } = await tipped()
        const other: ChannelConfig = { ...config, ...change }
        const channelId = await channels.read.getChannelId([other])
        await channels.write.depositDirect([other, 1_000n])
        const { account } = field === 'receiver authorizer' ? receiver : authorizer
        const input = packedArguments(other, packedRows(claim))
        const tx = channels.write.claimPacked(input, { account })
        await assertions.emitWithArgs(tx, channels, 'ClaimSkipped', [
          channelId,
          0n,
          skipped.badSignature,
        ])
        assert.deepEqual(await channels.read.channels([channelId]), [1_000n, 0n])
      })
    }

    it('the voucher of a channel of another token', async () => {
      const { channels, authorizer, config, claim } = await tipped()
      const token = await viem.deployContract('TestToken')
      await token.write.mint([config.payer, 1_000n])
      await token.write.approve([channels.address, 1_000n])
      const other = { ...config, token: token.address }
      const channelId = await channels.read.getChannelId([other])
      await channels.write.depositDirect([other, 1_000n])
      const input = packedArguments(other, packedRows(claim))
      const tx = channels.write.claimPacked(input, { account: authorizer.account })
      await assertions.emitWithArgs(tx, channels, 'ClaimSkipped', [
        channelId,
        0n,
        skipped.badSignature,
      ])
    })

    for (const [field, change] of [
      ['chain', { chainId: 1 }],
      ['contract', { verifyingContract: keyOf(8).address }],
    ] as const) {
      it(`a voucher signed in the domain of another ${field}`, async () => {
        const at = await tipped()
        const { channelId, claim, voucherKey, domain } = at
        const voucher = { channelId, maxClaimableAmount: 600n, tips: anyTips }
        const signature = await signTipVoucher(voucherKey, { ...domain, ...change }, voucher)
        const row = packedRows({ ...claim, signature })
        await assertSkipped(at, { row, channelId, reason: skipped.badSignature })
      })
    }

    it('each bad row among good ones, at its index', async () => {
      const at = await tipped()
      const { channels, config, channelId, claim, claimPacked, chain } = at
      const second = await another(at, { salt: 2n, deposit: 70n })
      const bad = { ...claim, max: 601n, totalClaimed: 400n }
      const tx = claimPacked(packedRows(bad, claim, bad, second.claim, bad))
      const { logs } = await chain.getTransactionReceipt({ hash: await tx })
      const skips = parseEventLogs({ abi: channels.abi, logs, eventName: 'ClaimSkipped' })
      assert.deepEqual(
        skips.map(({ args }) => args),
        [0n, 2n, 4n].map((row) => ({ channelId, row, reason: skipped.badSignature })),
      )
      await assertions.emitWithArgs(tx, channels, 'ClaimedPacked', [
        config.receiver,
        config.token,
        config.receiverAuthorizer,
        packedEntries([channelId, 250n], [second.channelId, 70n]),
      ])
      assert.deepEqual(await channels.read.receivers([config.receiver, config.token]), [320n, 0n])
    })
  })

  it('reports no claim when every row is left out', async () => {
    const { channels, claim, claimPacked, chain } = await tipped()
    const hash = await claimPacked(packedRows({ ...claim, max: 601n }, { ...claim, max: 602n }))
    const { logs } = await chain.getTransactionReceipt({ hash })
    assert.equal(logs.length, 2)
    await assertions.emit(Promise.resolve(hash), channels, 'ClaimSkipped')
  })
})

function overwrite(row: Hex, offset: number, bytes: Hex): Hex {
  const parts: Hex[] = [sliceHex(row, 0, offset), bytes]
  const end = offset + size(bytes)
  if (end < size(row)) parts.push(sliceHex(row, end))
  return concatHex(parts)
}
