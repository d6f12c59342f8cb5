import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { Hex } from 'viem'
import { getAddress, hashDomain, hashTypedData } from 'viem'
import {
  type ChannelConfig,
  channelConfigTypes,
  channelId,
  channelsDomain,
  channelsDomainSeparator,
} from './channel.ts'
import { addresses, hashes, holds } from './testing/arbitrary.ts'

const contract = { chainId: 31_337, address: '0x4020074e9dF2ce1deE5A9C1b5c3f541D02a10003' } as const
const separator = channelsDomainSeparator(contract)
const configs = fc.record<ChannelConfig>({
  payer: addresses,
  payerAuthorizer: addresses,
  receiver: addresses,
  receiverAuthorizer: addresses,
  token: addresses,
  withdrawDelay: fc.integer({ min: 0, max: 2 ** 31 - 1 }).map((delay) => delay * 512 + 511),
  salt: hashes,
})
const config: ChannelConfig = {
  payer: `0x${'a1'.repeat(20)}`,
  payerAuthorizer: `0x${'a2'.repeat(20)}`,
  receiver: `0x${'a3'.repeat(20)}`,
  receiverAuthorizer: `0x${'a4'.repeat(20)}`,
  token: `0x${'a5'.repeat(20)}`,
  withdrawDelay: 86_400,
  salt: `0x${'a6'.repeat(32)}`,
}

describe('channelsDomainSeparator', () => {
  const contracts = fc.record({ chainId: fc.nat(), address: addresses })
  holds("equals viem's hash of the x402 domain", contracts, (place) => {
    const expected = hashDomain({
      domain: {
        name: 'x402 Batch Settlement',
        version: '1',
        chainId: BigInt(place.chainId),
        verifyingContract: place.address,
      },
      types: {
        EIP712Domain: [
          { name: 'name', type: 'string' },
          { name: 'version', type: 'string' },
          { name: 'chainId', type: 'uint256' },
          { name: 'verifyingContract', type: 'address' },
        ],
      },
    })
    assert.equal(channelsDomainSeparator(place), expected)
  })
  it('differs by chain and by contract', () => {
    assert.notEqual(channelsDomainSeparator({ ...contract, chainId: 1 }), separator)
    const address: Hex = `0x${'11'.repeat(20)}`
    assert.notEqual(channelsDomainSeparator({ ...contract, address }), separator)
  })
})

describe('channelId', () => {
  holds("equals viem's typed-data hash", configs, (message) => {
    const domain = channelsDomain(contract)
    const types = channelConfigTypes
    const expected = hashTypedData({ domain, types, primaryType: 'ChannelConfig', message })
    assert.equal(channelId(message, separator), expected)
  })
  it('is the same for addresses in checksum case', () => {
    const checksummed = { ...config, payer: getAddress(config.payer) }
    assert.notEqual(checksummed.payer, config.payer)
    assert.equal(channelId(checksummed, separator), channelId(config, separator))
  })
  const others: { [Field in keyof ChannelConfig]: ChannelConfig[Field] } = {
    payer: `0x${'b1'.repeat(20)}`,
    payerAuthorizer: `0x${'b2'.repeat(20)}`,
    receiver: `0x${'b3'.repeat(20)}`,
    receiverAuthorizer: `0x${'b4'.repeat(20)}`,
    token: `0x${'b5'.repeat(20)}`,
    withdrawDelay: 86_401,
    salt: `0x${'b6'.repeat(32)}`,
  }
  for (const [field, value] of Object.entries(others)) {
    it(`differs for another ${field}`, () => {
      const other = { ...config, [field]: value }
      assert.notEqual(channelId(other, separator), channelId(config, separator))
    })
  }
  it('differs by chain', () => {
    const elsewhere = channelsDomainSeparator({ ...contract, chainId: 1 })
    assert.notEqual(channelId(config, elsewhere), channelId(config, separator))
  })
})
