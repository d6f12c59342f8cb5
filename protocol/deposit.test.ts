import assert from 'node:assert/strict'
import fc from 'fast-check'
import {
  decodeAbiParameters,
  encodeAbiParameters,
  keccak256,
  parseAbiParameters,
  recoverTypedDataAddress,
} from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import {
  collectorData,
  depositNonce,
  permit2CollectorData,
  receiveWithAuthorizationTypes,
  tokenDomain,
} from './deposit.ts'
import { hashes, hexOf, holds, uintOf } from './testing/arbitrary.ts'

describe('depositNonce', () => {
  const deposits = fc.record({ channelId: hashes, salt: uintOf(256) })
  holds('is keccak256(abi.encode(channelId, salt))', deposits, ({ channelId, salt }) => {
    const encoded = encodeAbiParameters(parseAbiParameters('bytes32, uint256'), [channelId, salt])
    assert.equal(depositNonce(channelId, salt), keccak256(encoded))
  })
})

describe('collectorData', () => {
  const authorizations = fc.record({
    validAfter: uintOf(64),
    validBefore: uintOf(64),
    salt: uintOf(256),
    signature: fc.integer({ min: 0, max: 200 }).chain(hexOf),
  })
  holds('is read back by the ABI', authorizations, (authorization) => {
    const types = parseAbiParameters('uint256, uint256, uint256, bytes')
    const { validAfter, validBefore, salt, signature } = authorization
    assert.deepEqual(decodeAbiParameters(types, collectorData(authorization)), [
      validAfter,
      validBefore,
      salt,
      signature,
    ])
  })
})

describe('permit2CollectorData', () => {
  const account = privateKeyToAccount(`0x${'11'.repeat(32)}`)
  const authorizations = fc.record({
    nonce: uintOf(256),
    deadline: uintOf(256),
    signature: fc.integer({ min: 0, max: 200 }).chain(hexOf),
  })
  const types = parseAbiParameters('uint256, uint256, bytes, bytes')
  holds('is read back by the ABI, without a permit', authorizations, (authorization) => {
    const { nonce, deadline, signature } = authorization
    const read = decodeAbiParameters(types, permit2CollectorData(authorization))
    assert.deepEqual(read, [nonce, deadline, signature, '0x'])
  })
  holds(
    'is read back by the ABI, with a permit whose signature is split',
    fc.tuple(authorizations, fc.record({ value: uintOf(256), deadline: uintOf(256) }), hashes),
    async ([authorization, terms, hash]) => {
      const signature = await account.sign({ hash })
      const data = permit2CollectorData(authorization, { ...terms, signature })
      const [, , , permit] = decodeAbiParameters(types, data)
      const read = decodeAbiParameters(
        parseAbiParameters('uint256, uint256, uint8, bytes32, bytes32'),
        permit,
      )
      assert.deepEqual(read, [
        terms.value,
        terms.deadline,
        Number(`0x${signature.slice(130)}`),
        signature.slice(0, 66),
        `0x${signature.slice(66, 130)}`,
      ])
    },
    50,
  )
})

describe('receiveWithAuthorizationTypes', () => {
  it('are those of ERC-3009, in its order', () => {
    const members = receiveWithAuthorizationTypes.ReceiveWithAuthorization
    assert.equal(
      members.map(({ name, type }) => `${type} ${name}`).join(','),
      'address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce',
    )
  })
  it('are signed in the domain of the token', async () => {
    const account = privateKeyToAccount(`0x${'22'.repeat(32)}`)
    const token = { name: 'Dollar', version: '2', address: account.address }
    const typed = {
      domain: tokenDomain(token, 31_337),
      types: receiveWithAuthorizationTypes,
      primaryType: 'ReceiveWithAuthorization',
      message: {
        from: account.address,
        to: account.address,
        value: 1n,
        validAfter: 0n,
        validBefore: 2n,
        nonce: depositNonce(`0x${'33'.repeat(32)}`, 1n),
      },
    } as const
    const signature = await account.signTypedData(typed)
    assert.equal(await recoverTypedDataAddress({ ...typed, signature }), account.address)
    const domain = tokenDomain(token, 1)
    const other = await recoverTypedDataAddress({ ...typed, domain, signature })
    assert.notEqual(other, account.address)
  })
})
