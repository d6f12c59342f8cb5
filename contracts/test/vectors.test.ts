// Holds the contract against protocol/vectors.json, which the tests of protocol/ check too: one file, both languages. The
// contract stands at the address and on the chain that the vectors are signed for.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { type Address, type Hex, toHex } from 'viem'
import { z } from 'zod'
import { channelConfig } from '#protocol/messages/tips.ts'
import { address, amount, hash, signature, uint256 } from '#protocol/messages/wire.ts'
import { networkHelpers, present, viem } from './fixture.ts'

const bytes = z.templateLiteral(['0x', z.string()])
const voucher = { channelId: hash, maxClaimableAmount: amount, digest: hash }
const vectors = z
  .object({
    channelsContract: z.object({ chainId: z.int(), address }),
    channels: z.array(z.object({ config: channelConfig, channelId: hash })),
    vouchers: z.array(z.object(voucher)),
    tipVouchers: z.array(z.object({ ...voucher, tipsHash: hash })),
    tickCommitments: z.array(
      z.object({
        channelId: hash,
        to: hash,
        baseAmount: amount,
        tickAmount: amount,
        maxTicks: z.int(),
        root: hash,
        digest: hash,
        signature,
        preimages: z.array(hash),
      }),
    ),
    refunds: z.array(z.object({ channelId: hash, nonce: uint256, amount, digest: hash })),
    claimBatches: z.array(
      z.object({
        claims: z.array(
          z.object({ channelId: hash, maxClaimableAmount: amount, totalClaimed: amount }),
        ),
        digest: hash,
        signature,
      }),
    ),
    packedClaims: z.array(
      z.object({
        receiver: address,
        receiverAuthorizer: address,
        token: address,
        withdrawDelay: z.int(),
        claims: z.array(z.object({ channelId: hash, maxClaimableAmount: amount, claim: amount })),
        rows: bytes,
        entries: bytes,
      }),
    ),
  })
  .parse(JSON.parse(readFileSync(new URL('../../protocol/vectors.json', import.meta.url), 'utf8')))

/** The contract at the address of the vectors. */
async function contractOfVectors() {
  const { address: place, chainId } = vectors.channelsContract
  const chain = await viem.getPublicClient()
  assert.equal(await chain.getChainId(), chainId)
  await copyCode(await viem.deployContract('PaymentChannels'), place)
  return viem.getContractAt('PaymentChannels', place)
}

/** The contract, with everything that a packed claim names deposited. */
async function fundedContract() {
  const channels = await contractOfVectors()
  const [payer] = await viem.getWalletClients()
  const { token: place } = present(vectors.packedClaims.at(-1))
  await copyCode(await viem.deployContract('TestToken'), place)
  const token = await viem.getContractAt('TestToken', place)
  await token.write.mint([present(payer).account.address, 2n ** 128n])
  await token.write.approve([channels.address, 2n ** 128n])
  for (const { channelId, maxClaimableAmount } of present(vectors.packedClaims.at(-1)).claims) {
    await channels.write.depositDirect([configOf(channelId), maxClaimableAmount])
  }
  return channels
}

async function copyCode(from: { address: Address }, to: Address): Promise<void> {
  const chain = await viem.getPublicClient()
  await networkHelpers.setCode(to, present(await chain.getCode(from)))
}

function configOf(channelId: Hex) {
  return present(vectors.channels.find((channel) => channel.channelId === channelId)).config
}

describe('PaymentChannels holds to protocol/vectors.json', () => {
  it('getChannelId names every channel', async () => {
    const channels = await networkHelpers.loadFixture(contractOfVectors)
    for (const { config, channelId } of vectors.channels) {
      assert.equal(await channels.read.getChannelId([config]), channelId)
    }
  })
  it('getVoucherDigest is that of every voucher', async () => {
    const channels = await networkHelpers.loadFixture(contractOfVectors)
    for (const { channelId, maxClaimableAmount, digest } of vectors.vouchers) {
      assert.equal(await channels.read.getVoucherDigest([channelId, maxClaimableAmount]), digest)
    }
  })
  it('getTipVoucherDigest is that of every tip voucher', async () => {
    const channels = await networkHelpers.loadFixture(contractOfVectors)
    for (const { channelId, maxClaimableAmount, tipsHash, digest } of vectors.tipVouchers) {
      const args = [channelId, maxClaimableAmount, tipsHash] as const
      assert.equal(await channels.read.getTipVoucherDigest(args), digest)
    }
  })
  it('getTickCommitmentDigest is that of every commitment', async () => {
    const channels = await networkHelpers.loadFixture(contractOfVectors)
    for (const { channelId, digest, ...terms } of vectors.tickCommitments) {
      assert.equal(await channels.read.getTickCommitmentDigest([channelId, terms]), digest)
    }
  })
  it('claimTicks takes the preimages of a commitment with its signature', async () => {
    const channels = await networkHelpers.loadFixture(fundedContract)
    const stream = present(vectors.tickCommitments[1])
    const { channelId, signature: signed, preimages, ...terms } = stream
    const channel = configOf(channelId)
    const { receiverAuthorizer: account } = channel
    await networkHelpers.impersonateAccount(account)
    await networkHelpers.setBalance(account, 10n ** 18n)
    await channels.write.depositDirect([channel, 60_000n])
    for (const [ticks, preimage] of preimages.entries()) {
      const totalClaimed = terms.baseAmount + terms.tickAmount * BigInt(ticks)
      const claim = { channel, terms, signature: signed, preimage, ticks, totalClaimed }
      await channels.write.claimTicks([claim], { account })
      assert.equal((await channels.read.channels([channelId]))[1], totalClaimed)
    }
  })
  it('getRefundDigest is that of every refund', async () => {
    const channels = await networkHelpers.loadFixture(contractOfVectors)
    for (const { channelId, nonce, amount: refunded, digest } of vectors.refunds) {
      assert.equal(await channels.read.getRefundDigest([channelId, nonce, refunded]), digest)
    }
  })
  it('getClaimBatchDigest is that of every batch', async () => {
    const channels = await networkHelpers.loadFixture(contractOfVectors)
    for (const { claims, digest } of vectors.claimBatches) {
      const rows = claims.map(({ channelId, maxClaimableAmount, totalClaimed }) => ({
        voucher: { channel: configOf(channelId), maxClaimableAmount },
        signature: '0x' as const,
        totalClaimed,
      }))
      assert.equal(await channels.read.getClaimBatchDigest([rows]), digest)
    }
  })
  for (const packed of vectors.packedClaims.filter(({ claims }) => claims.length > 0)) {
    it(`claimPacked takes ${packed.claims.length} rows with their signatures`, async () => {
      const channels = await networkHelpers.loadFixture(fundedContract)
      const { receiver, receiverAuthorizer: account, token, withdrawDelay, claims } = packed
      await networkHelpers.impersonateAccount(account)
      await networkHelpers.setBalance(account, 10n ** 18n)
      await channels.write.claimPacked([receiver, account, token, withdrawDelay, packed.rows], {
        account,
      })
      const [event] = await channels.getEvents.ClaimedPacked()
      assert.equal(present(event).args.entries, packed.entries)
      assert.deepEqual(await channels.getEvents.ClaimSkipped(), [])
      for (const { channelId, claim } of claims) {
        const [, totalClaimed] = await channels.read.channels([channelId])
        assert.equal(totalClaimed, claim)
      }
      const [totalClaimed] = await channels.read.receivers([receiver, token])
      assert.equal(
        totalClaimed,
        claims.reduce((total, { claim }) => total + claim, 0n),
      )
    })
  }
  it('claimPacked leaves out a row with one bit changed anywhere in its signed part', async () => {
    const channels = await networkHelpers.loadFixture(fundedContract)
    const {
      receiver,
      receiverAuthorizer: account,
      token,
      withdrawDelay,
      claims,
      rows,
    } = present(vectors.packedClaims[1])
    await networkHelpers.impersonateAccount(account)
    await networkHelpers.setBalance(account, 10n ** 18n)
    const claimed = async (tried: Hex) => {
      const args = [receiver, account, token, withdrawDelay, tried] as const
      return (await channels.simulate.claimPacked(args, { account })).result
    }
    assert.equal(await claimed(`0x${rows.slice(2)}`), claims[0]?.claim)
    // `claim`, at 56 to 71, is the hub's own choice and not signed.
    const signedBytes = [...Array(200).keys()].filter((at) => at < 56 || at > 71)
    for (const at of signedBytes) {
      const digits = 2 + 2 * at
      const byte = Number(`0x${rows.slice(digits, digits + 2)}`) ^ 1
      const other = toHex(byte, { size: 1 }).slice(2)
      const tampered: Hex = `0x${rows.slice(2, digits)}${other}${rows.slice(digits + 2)}`
      assert.equal(await claimed(tampered), 0n, `byte ${at}`)
    }
  })
})
