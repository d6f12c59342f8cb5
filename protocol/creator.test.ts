import assert from 'node:assert/strict'
import fc from 'fast-check'
import { hashTypedData, stringToBytes } from 'viem'
import { creatorDomain, creatorTypes, handlePattern } from './creator.ts'
import { keccak, layWords, typedDigest, typeHash } from './keccak.ts'
import { hubDomainSeparator } from './receipt.ts'
import { addresses, holds } from './testing/arbitrary.ts'

describe('handlePattern', () => {
  it('takes 2 to 30 letters, digits, _ and -', () => {
    for (const handle of ['ab', 'a1', '1a', '00', 'the_busker-2', 'a-', 'a_', 'a'.repeat(30)]) {
      assert.match(handle, handlePattern)
    }
  })
  const refused = [
    ...['', 'a', 'a'.repeat(31), '_a', '-a', 'A1', 'aB', 'a b', ' ab', 'ab ', 'ab\n', '\nab'],
    ...['a.b', 'a@b', '@ab', 'a/b', '../', 'ä1', 'аb', '거리', 'a\u200bb', 'a%20', 'a\0'],
  ]
  for (const handle of refused) {
    it(`refuses ${JSON.stringify(handle)}`, () => {
      assert.doesNotMatch(handle, handlePattern)
    })
  }
})

describe('creatorDomain', () => {
  const creators = fc.record({
    handle: fc.string(),
    account: addresses,
    displayName: fc.string({ unit: 'grapheme' }),
  })
  const hub = { chainId: 31_337, hubAccount: `0x${'0b'.repeat(20)}` } as const
  holds('is the domain of the hub’s own signatures', creators, (message) => {
    const typed = { types: creatorTypes, primaryType: 'Creator', message } as const
    const words = layWords([
      typeHash('Creator(string handle,address account,string displayName)'),
      keccak(stringToBytes(message.handle)),
      message.account,
      keccak(stringToBytes(message.displayName)),
    ])
    assert.equal(
      hashTypedData({ ...typed, domain: creatorDomain(hub) }),
      typedDigest(hubDomainSeparator(hub), keccak(words)),
    )
  })
})
