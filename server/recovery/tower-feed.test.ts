import assert from 'node:assert/strict'
import type { Address, Hex } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { channelsDomainSeparator } from '#protocol/channel.ts'
import { HubError } from '#protocol/errors.ts'
import { lowerCase } from '#protocol/signature.ts'
import { createTickChain, tickCommitmentDigest } from '#protocol/tick.ts'
import { tipVoucherDigest } from '#protocol/tip.ts'
import type { TicksProof } from '../channels/channel.ts'
import { newChannel } from '../channels/channel.ts'
import type { ChannelRegistry } from '../channels/registry.ts'
import { loadChannels } from '../channels/registry.ts'
import { createDigestSigner, createSignatureBackend } from '../channels/signature-backend.ts'
import { createLateRows } from '../store/late-rows.ts'
import type { Disk } from '../testing/disk.ts'
import { openDisk, owner, randomHash } from '../testing/disk.ts'
import { takeOverTowerRow } from './tower-feed.ts'

const key = randomHash()
const payer = lowerCase(privateKeyToAccount(key).address)
const token: Address = `0x${'dd'.repeat(20)}`
const [channelId, tipsHash] = [randomHash(), randomHash()]
const separatorOf = (address: Address) =>
  channelsDomainSeparator({ chainId: owner.chainId, address })

describe('takeOverTowerRow', () => {
  let disk: Disk
  let channels: ChannelRegistry

  beforeEach(async () => {
    disk = await openDisk()
    channels = await loadChannels(disk.db, createLateRows(1n))
    const config = {
      payer,
      payerAuthorizer: payer,
      receiver: owner.hubAccount,
      receiverAuthorizer: owner.hubAccount,
      token,
      withdrawDelay: 86_400,
      salt: randomHash(),
    }
    const terms = {
      contract: owner.channels,
      receiver: owner.hubAccount,
      receiverAuthorizer: owner.hubAccount,
      tokens: [token],
      withdrawDelay: { minimum: 900, maximum: 2_592_000 },
    }
    channels.update(newChannel(channelId, { config, contract: owner.channels, terms }))
  })
  afterEach(() => disk.remove())

  const backend = createSignatureBackend()
  const take = (charged: bigint, maxClaimableAmount = 100n, by: Hex = key) => {
    const digest = tipVoucherDigest(
      { channelId, maxClaimableAmount, tipsHash },
      separatorOf(owner.channels),
    )
    const proof = {
      kind: 'voucher' as const,
      maxClaimableAmount,
      tipsHash,
      signature: createDigestSigner(by)(digest),
    }
    const deps = { channels, backend, separatorOf, now: () => 0 }
    return takeOverTowerRow(deps, { channelId, proof, charged })
  }
  /** Takes `ticks` paid ticks of 10 over a base of 40, with what `changes` says instead. */
  const takeTicks = (ticks: number, changes: Partial<TicksProof> = {}) => {
    const base = { channelId, baseAmount: 40n, maxTicks: 8 }
    const chain = createTickChain(randomHash(), base)
    const commitment = { ...base, to: randomHash(), tickAmount: 10n, root: chain.root }
    const digest = tickCommitmentDigest(commitment, separatorOf(owner.channels))
    const proof = {
      kind: 'ticks' as const,
      maxClaimableAmount: 40n + 10n * BigInt(ticks),
      commitment,
      signature: createDigestSigner(key)(digest),
      ticks,
      preimage: chain.preimage(ticks),
      ...changes,
    }
    const deps = { channels, backend, separatorOf, now: () => 0 }
    return takeOverTowerRow(deps, { channelId, proof, charged: 60n })
  }
  const code = (expected: string) => (error: unknown) =>
    error instanceof HubError && error.code === expected

  it('raises ceiling and charged, and books the difference to suspense (R23)', () => {
    const { entries } = take(60n)
    const { proof, charged, unexplained } = channels.get(channelId)
    assert.deepEqual([proof?.maxClaimableAmount, charged, unexplained], [100n, 60n, 60n])
    assert.deepEqual(entries?.[0]?.legs, [
      { account: 'channels', currency: token, amount: 60n },
      { account: 'suspense', currency: token, amount: -60n },
    ])
  })

  it('takes ticks for a proof, with the preimage that pays them and none other (R21)', () => {
    const wrong = { preimage: randomHash() }
    assert.throws(() => takeTicks(2, wrong), code('bad_signature'))
    assert.throws(() => takeTicks(2, { maxClaimableAmount: 70n }), code('bad_signature'))
    assert.equal(channels.get(channelId).charged, 0n)
    takeTicks(2)
    const { proof, charged } = channels.get(channelId)
    assert.deepEqual([proof?.kind, proof?.maxClaimableAmount, charged], ['ticks', 60n, 60n])
  })

  it('adds nothing the second time, and never lowers (I3)', () => {
    take(60n)
    assert.equal(take(60n).entries, undefined)
    assert.equal(take(10n, 20n).entries, undefined)
    const { proof, charged } = channels.get(channelId)
    assert.deepEqual([proof?.maxClaimableAmount, charged], [100n, 60n])
  })

  it('refuses a proof of somebody else, and a charge above the proof', () => {
    assert.throws(() => take(60n, 100n, randomHash()), code('bad_signature'))
    assert.throws(() => take(101n), code('ceiling_too_low'))
    assert.equal(channels.get(channelId).charged, 0n)
  })
})
