import assert from 'node:assert/strict'
import { getAddress, type Hex, maxUint128, toHex, zeroAddress } from 'viem'
import type { LocalAccount } from 'viem/accounts'
import type { ChannelConfig } from '#protocol/channel.ts'
import type { TickCommitment } from '#protocol/tick.ts'
import { createTickChain, tickCommitmentTypes } from '#protocol/tick.ts'
import {
  balances,
  claimRows,
  type Domain,
  day,
  difference,
  keyOf,
  networkHelpers,
  openChannel,
  signVoucher,
  viem,
} from './fixture.ts'

const { assertions } = viem
const seed: Hex = `0x${'5e'.repeat(32)}`
const creator = toHex(7, { size: 32 })

type Signer = Pick<LocalAccount, 'signTypedData'>

function signCommitment(signer: Signer, domain: Domain, message: TickCommitment): Promise<Hex> {
  return signer.signTypedData({
    domain,
    types: tickCommitmentTypes,
    primaryType: 'TickCommitment',
    message,
  })
}

/** A channel of 1,000 whose payer committed to 100 ticks of 3 from 200 on. */
async function committed(change: Partial<TickCommitment> = {}) {
  const at = await networkHelpers.loadFixture(openChannel)
  const { channels, config, channelId, domain, voucherKey } = at
  const terms = { channelId, to: creator, baseAmount: 200n, tickAmount: 3n, maxTicks: 100 }
  const chain = createTickChain(seed, { ...terms, ...change, maxTicks: 100 })
  const commitment: TickCommitment = { ...terms, root: chain.root, ...change }
  const sign = (message: TickCommitment, signer: Signer = voucherKey) =>
    signCommitment(signer, domain, message)
  const signature = await sign(commitment)
  const { account } = at.authorizer
  /** A claim of ten ticks, with whatever differs, by the receiver authorizer. */
  const claim = (other: Partial<Claim> = {}, of: TickCommitment = commitment) => {
    const ticks = other.ticks ?? 10
    const tickClaim = {
      channel: config,
      terms: of,
      signature,
      preimage: ticks <= 100 ? chain.preimage(ticks) : seed,
      ticks,
      totalClaimed: of.baseAmount + of.tickAmount * BigInt(ticks),
      ...other,
    }
    return channels.write.claimTicks([tickClaim], { account })
  }
  return { ...at, chain: at.chain, ticks: chain, commitment, signature, sign, claim }
}

type Claim = {
  channel: ChannelConfig
  signature: Hex
  preimage: Hex
  ticks: number
  totalClaimed: bigint
}

describe('claimTicks', () => {
  it('raises the claimed total by what the ticks are worth', async () => {
    const { channels, token, config, channelId, claim } = await committed()
    const before = await balances(token, config.payer, config.receiver, channels.address)
    const { receiverAuthorizer } = config
    await assertions.emitWithArgs(claim(), channels, 'Claimed', [
      channelId,
      receiverAuthorizer,
      230n,
      230n,
    ])
    assert.deepEqual(await channels.read.channels([channelId]), [1_000n, 230n])
    assert.deepEqual(await channels.read.receivers([config.receiver, config.token]), [230n, 0n])
    const after = await balances(token, config.payer, config.receiver, channels.address)
    assert.deepEqual(difference(before, after), [0n, 0n, 0n])
  })

  it('follows one step, jumps, and claims less than the ticks are worth', async () => {
    const { channels, channelId, claim } = await committed()
    const claimed = async () => (await channels.read.channels([channelId]))[1]
    await claim({ ticks: 1 })
    assert.equal(await claimed(), 203n)
    await claim({ ticks: 2, totalClaimed: 204n })
    assert.equal(await claimed(), 204n)
    await claim({ ticks: 100 })
    assert.equal(await claimed(), 500n)
  })

  it('is worth the base without any tick', async () => {
    const { channels, channelId, claim } = await committed()
    await claim({ ticks: 0 })
    assert.deepEqual(await channels.read.channels([channelId]), [1_000n, 200n])
  })

  it('follows chains of every length around the unrolled loop, and the longest', async () => {
    const at = await committed()
    const { channels, config, channelId, token, sign } = at
    await token.write.mint([config.payer, 10_000n])
    await channels.write.depositDirect([config, 10_000n])
    const base = { channelId, baseAmount: 200n }
    const long = createTickChain(seed, { ...base, maxTicks: 1024 })
    const commitment = { ...at.commitment, maxTicks: 1024, root: long.root }
    const signature = await sign(commitment)
    const counts = [...Array.from({ length: 50 }, (_, index) => index + 1), 1008, 1023, 1024]
    for (const ticks of counts) {
      await at.claim({ ticks, preimage: long.preimage(ticks), signature }, commitment)
      const [, totalClaimed] = await channels.read.channels([channelId])
      assert.equal(totalClaimed, 200n + 3n * BigInt(ticks))
    }
  })

  it('changes and reports nothing when nothing new is claimed', async () => {
    const { claim, chain } = await committed()
    await claim()
    for (const totalClaimed of [230n, 229n, 0n]) {
      const hash = await claim({ totalClaimed, signature: '0x', preimage: seed })
      assert.equal((await chain.getTransactionReceipt({ hash })).logs.length, 0)
    }
  })

  it('goes on where a voucher stopped', async () => {
    const at = await committed()
    const { channels, authorizer, config, channelId, voucherKey, domain, claim } = at
    const voucher = { channelId, maxClaimableAmount: 200n }
    const signature = await signVoucher(voucherKey, domain, voucher)
    const rows = claimRows({ config, max: 200n, totalClaimed: 200n, signature })
    await channels.write.claim([rows], { account: authorizer.account })
    await assertions.emitWithArgs(claim(), channels, 'Claimed', [
      channelId,
      config.receiverAuthorizer,
      30n,
      230n,
    ])
  })

  it('takes the commitment of a payer without payer authorizer', async () => {
    const at = await committed()
    const { channels, sign, claim, commitment } = at
    const own = { ...at.config, payerAuthorizer: zeroAddress }
    const channelId = await channels.read.getChannelId([own])
    await channels.write.depositDirect([own, 1_000n])
    const theirs = createTickChain(seed, { ...commitment, channelId })
    const other = { ...commitment, channelId, root: theirs.root }
    const signature = await sign(other, keyOf(0))
    await claim({ channel: own, signature, preimage: theirs.preimage(10) }, other)
    assert.deepEqual(await channels.read.channels([channelId]), [1_000n, 230n])
  })

  it('refuses a caller who is not on the receiver side', async () => {
    const { channels, commitment, config, signature, stranger } = await committed()
    const rest = { signature, preimage: seed, ticks: 100, totalClaimed: 500n }
    const call = channels.write.claimTicks([{ channel: config, terms: commitment, ...rest }], {
      account: stranger.account,
    })
    await assertions.revertWithCustomErrorWithArgs(call, channels, 'NotReceiverSide', [
      getAddress(stranger.account.address),
      config.receiver,
      config.receiverAuthorizer,
    ])
  })

  it('refuses a commitment to more than 1,024 ticks', async () => {
    const { channels, claim, commitment } = await committed()
    const call = claim({}, { ...commitment, maxTicks: 1025 })
    await assertions.revertWithCustomErrorWithArgs(call, channels, 'TooManyTicks', [1025])
  })

  it('refuses a jump past the commitment', async () => {
    const { channels, claim } = await committed()
    const call = claim({ ticks: 101 })
    await assertions.revertWithCustomErrorWithArgs(call, channels, 'TicksAboveMaximum', [101, 100])
  })

  it('refuses more than the ticks are worth', async () => {
    const { channels, channelId, claim } = await committed()
    const call = claim({ totalClaimed: 231n })
    await assertions.revertWithCustomErrorWithArgs(call, channels, 'ClaimAboveMaximum', [
      channelId,
      231n,
      230n,
    ])
  })

  it('refuses more than the balance, also where ticks are worth more than 128 bits', async () => {
    const { channels, channelId, claim, sign, commitment } = await committed()
    const rich = { ...commitment, tickAmount: maxUint128 }
    const signature = await sign(rich)
    for (const totalClaimed of [1_001n, maxUint128]) {
      await assertions.revertWithCustomErrorWithArgs(
        claim({ signature, totalClaimed }, rich),
        channels,
        'ClaimAboveBalance',
        [channelId, totalClaimed, 1_000n],
      )
    }
    await claim({ signature, totalClaimed: 1_000n }, rich)
    assert.deepEqual(await channels.read.channels([channelId]), [1_000n, 1_000n])
  })

  for (const [field, change] of [
    ['to', { to: toHex(8, { size: 32 }) }],
    ['baseAmount', { baseAmount: 201n }],
    ['tickAmount', { tickAmount: 4n }],
    ['maxTicks', { maxTicks: 101 }],
    ['root', { root: toHex(8, { size: 32 }) }],
  ] as const) {
    it(`refuses a commitment whose ${field} was changed after signing`, async () => {
      const { channels, config, channelId, claim, commitment } = await committed()
      const call = claim({}, { ...commitment, ...change })
      await assertions.revertWithCustomErrorWithArgs(call, channels, 'InvalidVoucherSignature', [
        channelId,
        config.payerAuthorizer,
      ])
    })
  }

  for (const [field, change] of [
    ['chain', { chainId: 1 }],
    ['contract', { verifyingContract: keyOf(8).address }],
  ] as const) {
    it(`refuses a commitment signed in the domain of another ${field}`, async () => {
      const { channels, domain, voucherKey, commitment, claim } = await committed()
      const elsewhere = { ...domain, ...change }
      const signature = await signCommitment(voucherKey, elsewhere, commitment)
      const call = claim({ signature })
      await assertions.revertWithCustomError(call, channels, 'InvalidVoucherSignature')
    })
  }

  for (const [field, change] of [
    ['salt', { salt: toHex(9, { size: 32 }) }],
    ['withdraw delay', { withdrawDelay: day + 1 }],
  ] as const) {
    it(`refuses the commitment of a channel with another ${field}`, async () => {
      const { channels, config, claim } = await committed()
      const other = { ...config, ...change }
      await channels.write.depositDirect([other, 1_000n])
      const call = claim({ channel: other })
      await assertions.revertWithCustomError(call, channels, 'InvalidVoucherSignature')
    })
  }

  it("refuses a stranger's commitment", async () => {
    const { channels, claim, sign, commitment } = await committed()
    const call = claim({ signature: await sign(commitment, keyOf(3)) })
    await assertions.revertWithCustomError(call, channels, 'InvalidVoucherSignature')
  })

  it('refuses junk, and the preimage of another tick', async () => {
    const { channels, ticks, claim } = await committed()
    for (const preimage of [ticks.root, ticks.preimage(9), ticks.preimage(11), seed]) {
      await assertions.revertWithCustomError(claim({ preimage }), channels, 'WrongPreimage')
    }
  })
})

describe('a root that is committed to again', () => {
  it('pays nothing in another channel: the link names the channel', async () => {
    const { channels, config, sign, claim, commitment, ticks } = await committed()
    const other = { ...config, salt: toHex(9, { size: 32 }) }
    const channelId = await channels.read.getChannelId([other])
    await channels.write.depositDirect([other, 1_000n])
    const again = { ...commitment, channelId }
    const signature = await sign(again)
    assert.equal(again.root, ticks.root)
    const call = claim({ channel: other, signature }, again)
    await assertions.revertWithCustomError(call, channels, 'WrongPreimage')
  })

  it('pays nothing from another base: the link names the base', async () => {
    const { channels, sign, claim, commitment } = await committed()
    const again = { ...commitment, baseAmount: 500n }
    const call = claim({ signature: await sign(again) }, again)
    await assertions.revertWithCustomError(call, channels, 'WrongPreimage')
  })
})

describe('two commitments on one base', () => {
  it('are worth the higher of the two and never their sum (R21)', async () => {
    const { channels, channelId, sign, claim, commitment } = await committed()
    const second = createTickChain(toHex(1, { size: 32 }), commitment)
    const other = { ...commitment, root: second.root, tickAmount: 5n }
    const signature = await sign(other)
    const theirs = (ticks: number) =>
      claim({ ticks, signature, preimage: second.preimage(ticks) }, other)
    await claim({ ticks: 10 })
    await theirs(4)
    assert.deepEqual(await channels.read.channels([channelId]), [1_000n, 230n])
    await theirs(8)
    assert.deepEqual(await channels.read.channels([channelId]), [1_000n, 240n])
    await claim({ ticks: 11 })
    assert.deepEqual(await channels.read.channels([channelId]), [1_000n, 240n])
  })
})
