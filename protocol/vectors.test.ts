// Holds protocol/ against vectors.json, which scripts/vectors.ts computed without it. contracts/test checks the same file.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import type { Hex } from 'viem'
import { bytesToHex, hashTypedData } from 'viem'
import { z } from 'zod'
import { channelId, channelsDomain, channelsDomainSeparator } from './channel.ts'
import { creatorDomain, creatorTypes } from './creator.ts'
import { depositNonce } from './deposit.ts'
import { concatBytes } from './keccak.ts'
import { merkleLevels, merklePath } from './merkle.ts'
import { basketReceipt, channelConfig } from './messages/tips.ts'
import { address, amount, hash, signature, uint64, uint256 } from './messages/wire.ts'
import { packClaims, unpackClaimed } from './packed-claim.ts'
import { unpackCredited } from './packed-credit.ts'
import { destinationHash, paymentTypes, quoteDigest, quoteHash, vaultDomain } from './payment.ts'
import { headerDigest, headerHash, hubDomainSeparator, leafHash, receiptFault } from './receipt.ts'
import { recoverSigner } from './signature.ts'
import { createTickChain, tickCommitmentDigest, tickCommitmentTypes } from './tick.ts'
import { basketId, messageRef, tipsHash, tipVoucherDigest, tipVoucherTypes } from './tip.ts'
import {
  claimBatchDigest,
  claimBatchTypes,
  refundDigest,
  refundTypes,
  voucherDigest,
  voucherTypes,
} from './voucher.ts'

const bytes = z.templateLiteral(['0x', z.string().regex(/^([0-9a-f]{2})*$/)])
const seal = { digest: hash, signer: address, signature }
const tip = z.strictObject({ to: hash, amount, ref: hash })
const claimedEntry = z.strictObject({ channelId: hash, totalClaimed: amount })
const receiptShape = basketReceipt.shape
const groupTip = z.strictObject({
  ...receiptShape.tips.element.shape,
  hash,
})
const group = { header: receiptShape.header, hash, ...seal }
const shape = z.strictObject({
  about: z.string(),
  mnemonic: z.string(),
  channelsContract: z.strictObject({ chainId: z.int(), address, separator: hash }),
  vaultContract: z.strictObject({ chainId: z.int(), address, separator: hash }),
  hub: z.strictObject({
    chainId: z.int(),
    hubAccount: address,
    receiptSigner: address,
    separator: hash,
  }),
  channels: z.array(z.strictObject({ config: channelConfig, channelId: hash })),
  vouchers: z.array(z.strictObject({ channelId: hash, maxClaimableAmount: amount, ...seal })),
  tipVouchers: z.array(
    z.strictObject({
      channelId: hash,
      maxClaimableAmount: amount,
      tips: z.array(tip),
      tipsHash: hash,
      basketId: hash,
      ...seal,
    }),
  ),
  tickCommitments: z.array(
    z.strictObject({
      channelId: hash,
      to: hash,
      baseAmount: amount,
      tickAmount: amount,
      maxTicks: z.int(),
      root: hash,
      seed: hash,
      preimages: z.array(hash),
      last: hash,
      ...seal,
    }),
  ),
  refunds: z.array(z.strictObject({ channelId: hash, nonce: uint256, amount, ...seal })),
  claimBatches: z.array(
    z.strictObject({
      claims: z.array(claimedEntry.extend({ maxClaimableAmount: amount })),
      ...seal,
    }),
  ),
  packedClaims: z.array(
    z.strictObject({
      receiver: address,
      receiverAuthorizer: address,
      token: address,
      withdrawDelay: z.int(),
      claims: z.array(
        z.strictObject({
          channelId: hash,
          payer: address,
          payerAuthorizer: address,
          maxClaimableAmount: amount,
          claim: amount,
          salt: hash,
          tipsHash: hash,
          signature,
        }),
      ),
      rows: bytes,
      entries: bytes,
    }),
  ),
  claimedEntries: z.array(z.strictObject({ list: z.array(claimedEntry), entries: bytes })),
  depositNonces: z.array(z.strictObject({ channelId: hash, salt: uint256, nonce: hash })),
  messageRefs: z.array(z.strictObject({ salt: hash, text: z.string(), ref: hash })),
  destinations: z.array(z.strictObject({ destination: z.record(z.string(), z.string()), hash })),
  quotes: z.array(
    z.strictObject({
      quoteId: hash,
      account: address,
      token: address,
      gross: amount,
      rail: z.string(),
      currency: z.string(),
      net: amount,
      destination: hash,
      expiresAt: uint64,
      hash,
      ...seal,
    }),
  ),
  payments: z.array(
    z.strictObject({
      account: address,
      token: address,
      to: address,
      amount,
      memo: hash,
      nonce: uint256,
      deadline: uint256,
      ...seal,
    }),
  ),
  creditedEntries: z.array(
    z.strictObject({
      list: z.array(z.strictObject({ account: address, credited: amount })),
      entries: bytes,
    }),
  ),
  creators: z.array(
    z.strictObject({ handle: z.string(), account: address, displayName: z.string(), ...seal }),
  ),
  headers: z.array(z.strictObject(group)),
  receipts: z.array(z.strictObject({ ...group, tips: z.array(groupTip) })),
})

const text = readFileSync(new URL('./vectors.json', import.meta.url), 'utf8')
const vectors = shape.parse(JSON.parse(text))
const { channelsContract, vaultContract, hub } = vectors
const separator = channelsDomainSeparator(channelsContract)
const domain = channelsDomain(channelsContract)

type Seal = { digest: Hex; signer: Hex; signature: Hex }

/** The digest is the vector's, and the vector's signature is its signer's. */
async function assertSealed(vector: Seal, digest: Hex): Promise<void> {
  assert.equal(digest, vector.digest)
  assert.equal(await recoverSigner(digest, vector.signature), vector.signer)
}

describe('vectors.json', () => {
  it('fixes the domains', () => {
    assert.equal(separator, channelsContract.separator)
    assert.equal(hubDomainSeparator(hub), hub.separator)
    assert.equal(channelsContract.address, '0x4020074e9df2ce1dee5a9c1b5c3f541d02a10003')
    assert.equal(channelsContract.chainId, 31_337)
  })
  it('fixes channel ids', () => {
    assert.ok(vectors.channels.length >= 7)
    for (const vector of vectors.channels) {
      assert.equal(channelId(vector.config, separator), vector.channelId)
    }
  })
  it('fixes vouchers', async () => {
    assert.ok(vectors.vouchers.length >= 4)
    for (const vector of vectors.vouchers) {
      await assertSealed(vector, voucherDigest(vector, separator))
      const typed = { domain, types: voucherTypes, primaryType: 'Voucher' } as const
      assert.equal(hashTypedData({ ...typed, message: vector }), vector.digest)
    }
  })
  it('fixes tip vouchers of 1, 2 and 256 tips with their basket ids (R2)', async () => {
    assert.deepEqual(
      vectors.tipVouchers.map(({ tips }) => tips.length),
      [1, 2, 256],
    )
    for (const vector of vectors.tipVouchers) {
      assert.equal(tipsHash(vector.tips), vector.tipsHash)
      assert.equal(basketId(vector.channelId, vector.tipsHash), vector.basketId)
      await assertSealed(vector, tipVoucherDigest(vector, separator))
      const typed = { domain, types: tipVoucherTypes, primaryType: 'TipVoucher' } as const
      assert.equal(hashTypedData({ ...typed, message: vector }), vector.digest)
    }
  })
  it('fixes tick commitments and their chains', async () => {
    assert.deepEqual(
      vectors.tickCommitments.map(({ maxTicks }) => maxTicks),
      [1, 10, 10, 1024, 2],
    )
    for (const vector of vectors.tickCommitments) {
      await assertSealed(vector, tickCommitmentDigest(vector, separator))
      const typed = { domain, types: tickCommitmentTypes, primaryType: 'TickCommitment' } as const
      assert.equal(hashTypedData({ ...typed, message: vector }), vector.digest)
      const chain = createTickChain(vector.seed, vector)
      assert.equal(chain.root, vector.root)
      assert.equal(chain.preimage(vector.maxTicks), vector.last)
      for (const [ticks, preimage] of vector.preimages.entries()) {
        assert.equal(chain.preimage(ticks), preimage)
      }
    }
  })
  it('fixes refunds', async () => {
    assert.ok(vectors.refunds.length >= 3)
    for (const vector of vectors.refunds) {
      await assertSealed(vector, refundDigest(vector, separator))
      const typed = { domain, types: refundTypes, primaryType: 'Refund' } as const
      assert.equal(hashTypedData({ ...typed, message: vector }), vector.digest)
    }
  })
  it('fixes claim batches of 0, 1 and 3 entries', async () => {
    assert.deepEqual(
      vectors.claimBatches.map(({ claims }) => claims.length),
      [0, 1, 3],
    )
    for (const vector of vectors.claimBatches) {
      await assertSealed(vector, claimBatchDigest(vector.claims, separator))
      const typed = { domain, types: claimBatchTypes, primaryType: 'ClaimBatch' } as const
      assert.equal(hashTypedData({ ...typed, message: vector }), vector.digest)
    }
  })
  it('fixes the rows of packed claims, and signatures that the chain takes', async () => {
    assert.deepEqual(
      vectors.packedClaims.map(({ claims }) => claims.length),
      [0, 1, 3],
    )
    for (const { claims, rows, entries, ...shared } of vectors.packedClaims) {
      assert.equal(packClaims(claims), rows)
      for (const claim of claims) {
        const { payer, payerAuthorizer, salt } = claim
        const { receiver, receiverAuthorizer, token, withdrawDelay } = shared
        const config = {
          payer,
          payerAuthorizer,
          receiver,
          receiverAuthorizer,
          token,
          withdrawDelay,
          salt,
        }
        assert.equal(channelId(config, separator), claim.channelId)
        const plain = BigInt(claim.tipsHash) === 0n
        const digest = plain ? voucherDigest(claim, separator) : tipVoucherDigest(claim, separator)
        assert.equal(await recoverSigner(digest, claim.signature), payerAuthorizer)
      }
      const list = claims.map(({ channelId, claim }) => ({ channelId, totalClaimed: claim }))
      assert.deepEqual(unpackClaimed(entries), list)
    }
  })
  it('fixes the entries of ClaimedPacked', () => {
    assert.deepEqual(
      vectors.claimedEntries.map(({ list }) => list.length),
      [0, 1, 3],
    )
    for (const { list, entries } of vectors.claimedEntries) {
      assert.deepEqual(unpackClaimed(entries), list)
    }
  })
  it('fixes the entries of CreditedPacked', () => {
    assert.deepEqual(
      vectors.creditedEntries.map(({ list }) => list.length),
      [0, 1, 3],
    )
    for (const { list, entries } of vectors.creditedEntries) {
      assert.deepEqual(unpackCredited(entries), list)
    }
  })
  it('fixes deposit nonces', () => {
    assert.ok(vectors.depositNonces.length >= 3)
    for (const vector of vectors.depositNonces) {
      assert.equal(depositNonce(vector.channelId, vector.salt), vector.nonce)
    }
  })
  it('fixes the refs of messages (R9)', () => {
    assert.ok(vectors.messageRefs.length >= 3)
    for (const vector of vectors.messageRefs) assert.equal(messageRef(vector), vector.ref)
  })
  it('fixes destinations', () => {
    assert.ok(vectors.destinations.length >= 2)
    for (const vector of vectors.destinations) {
      assert.equal(destinationHash(vector.destination), vector.hash)
    }
  })
  it('fixes quotes, whose hash is the memo of the payment (R19)', async () => {
    assert.ok(vectors.quotes.length >= 2)
    for (const vector of vectors.quotes) {
      assert.equal(quoteHash(vector), vector.hash)
      await assertSealed(vector, quoteDigest(vector, hub.separator))
    }
    assert.equal(vectors.payments[0]?.memo, vectors.quotes[0]?.hash)
  })
  it('fixes payments out of the vault', async () => {
    assert.ok(vectors.payments.length >= 2)
    for (const message of vectors.payments) {
      const { chainId, address: vault } = vaultContract
      const typed = { domain: vaultDomain({ chainId, vault }), types: paymentTypes } as const
      await assertSealed(message, hashTypedData({ ...typed, primaryType: 'Payment', message }))
    }
  })
  it('fixes registrations of creators', async () => {
    assert.ok(vectors.creators.length >= 2)
    for (const message of vectors.creators) {
      const typed = { domain: creatorDomain(hub), types: creatorTypes } as const
      await assertSealed(message, hashTypedData({ ...typed, primaryType: 'Creator', message }))
    }
  })
  it('fixes the headers of groups', async () => {
    assert.ok(vectors.headers.length >= 2)
    for (const vector of [...vectors.headers, ...vectors.receipts]) {
      assert.equal(headerHash(vector.header), vector.hash)
      await assertSealed(vector, headerDigest(vector.header, hub.separator))
    }
  })
  it('fixes receipts over 1, 2, 3, 5 and 8 leaves', async () => {
    assert.deepEqual(
      vectors.receipts.map(({ tips }) => tips.length),
      [1, 2, 3, 5, 8],
    )
    for (const { header, signature: headerSignature, tips } of vectors.receipts) {
      const levels = merkleLevels(concatBytes(tips.map(({ leaf }) => leafHash(leaf))))
      assert.equal(bytesToHex(levels.at(-1) ?? new Uint8Array()), header.tipsRoot)
      for (const { leaf, hash: expected, path } of tips) {
        assert.equal(bytesToHex(leafHash(leaf)), expected)
        assert.deepEqual(
          merklePath(levels, leaf.index).map((node) => bytesToHex(node)),
          path,
        )
      }
      for (const id of new Set(tips.map(({ leaf }) => leaf.basketId))) {
        const ofBasket = tips.filter(({ leaf }) => leaf.basketId === id)
        const receipt = { basketId: id, header, headerSignature, tips: ofBasket }
        assert.equal(
          await receiptFault(receipt, { hub, receiptSigner: hub.receiptSigner }),
          undefined,
        )
      }
    }
  })
})
