import assert from 'node:assert/strict'
import fc from 'fast-check'
import { hashTypedData } from 'viem'
import { channelsDomain, channelsDomainSeparator } from './channel.ts'
import { amounts, hashes, holds, uintOf } from './testing/arbitrary.ts'
import {
  claimBatchDigest,
  claimBatchTypes,
  refundDigest,
  refundTypes,
  voucherDigest,
  voucherTypes,
} from './voucher.ts'

const contract = { chainId: 31_337, address: '0x4020074e9dF2ce1deE5A9C1b5c3f541D02a10003' } as const
const domain = channelsDomain(contract)
const separator = channelsDomainSeparator(contract)
const elsewhere = channelsDomainSeparator({ ...contract, chainId: 1 })

describe('voucherDigest', () => {
  const vouchers = fc.record({ channelId: hashes, maxClaimableAmount: amounts })
  holds("equals viem's typed-data hash", vouchers, (message) => {
    const typed = { domain, types: voucherTypes, primaryType: 'Voucher', message } as const
    assert.equal(voucherDigest(message, separator), hashTypedData(typed))
  })
  holds('differs by domain', vouchers, (voucher) => {
    assert.notEqual(voucherDigest(voucher, elsewhere), voucherDigest(voucher, separator))
  })
})

describe('refundDigest', () => {
  const refunds = fc.record({ channelId: hashes, nonce: uintOf(256), amount: amounts })
  holds("equals viem's typed-data hash", refunds, (message) => {
    const typed = { domain, types: refundTypes, primaryType: 'Refund', message } as const
    assert.equal(refundDigest(message, separator), hashTypedData(typed))
  })
  holds('differs by domain', refunds, (refund) => {
    assert.notEqual(refundDigest(refund, elsewhere), refundDigest(refund, separator))
  })
})

describe('claimBatchDigest', () => {
  const entries = fc.record({
    channelId: hashes,
    maxClaimableAmount: amounts,
    totalClaimed: amounts,
  })
  const batches = fc.array(entries, { maxLength: 20 })
  holds("equals viem's typed-data hash", batches, (claims) => {
    const typed = {
      domain,
      types: claimBatchTypes,
      primaryType: 'ClaimBatch',
      message: { claims },
    } as const
    assert.equal(claimBatchDigest(claims, separator), hashTypedData(typed))
  })
  holds('differs by domain', batches, (claims) => {
    assert.notEqual(claimBatchDigest(claims, elsewhere), claimBatchDigest(claims, separator))
  })
})
