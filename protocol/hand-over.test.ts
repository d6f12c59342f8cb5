import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { Hex, PrivateKeyAccount } from 'viem'
import { hashTypedData } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import type { HandOver } from './hand-over.ts'
import { followHandOvers, handOverDigest } from './hand-over.ts'
import { hubDomainSeparator, mayHaveSigned } from './receipt.ts'
import { lowerCase } from './signature.ts'
import { addresses, holds, uintOf } from './testing/arbitrary.ts'

const hub = { chainId: 31_337, hubAccount: `0x${'c1'.repeat(20)}` } as const
const domain = { name: 'jandon', version: '1', chainId: 31_337, verifyingContract: hub.hubAccount }
const types = {
  ReceiptSigner: [
    { name: 'former', type: 'address' },
    { name: 'next', type: 'address' },
    { name: 'lastGroup', type: 'uint64' },
  ],
} as const

const keyOf = (byte: string) => privateKeyToAccount(`0x${byte.repeat(32)}`)
const addressOf = ({ address }: PrivateKeyAccount) => lowerCase(address)
const [first, second, third, thief] = [keyOf('11'), keyOf('22'), keyOf('33'), keyOf('44')]

async function handOver(
  former: PrivateKeyAccount,
  next: PrivateKeyAccount,
  { lastGroup = 5n, by = former }: { lastGroup?: bigint; by?: PrivateKeyAccount } = {},
): Promise<HandOver> {
  const change = { former: addressOf(former), next: addressOf(next), lastGroup }
  const hash = handOverDigest(change, hubDomainSeparator(hub))
  return { ...change, signature: await by.sign({ hash }) }
}

const follow = (trusted: PrivateKeyAccount, handOvers: readonly HandOver[]) =>
  followHandOvers(trusted.address, { hub, handOvers })

describe('handOverDigest', () => {
  const changes = fc.record({ former: addresses, next: addresses, lastGroup: uintOf(64) })
  holds('is the EIP-712 digest of the hand-over in the hub’s domain (R33)', changes, (message) => {
    assert.equal(
      handOverDigest(message, hubDomainSeparator(hub)),
      hashTypedData({ domain, types, primaryType: 'ReceiptSigner', message }),
    )
  })
})

describe('followHandOvers', () => {
  it('leads from the trusted key to the newest, with the last group of each before it (R33)', async () => {
    const list = [await handOver(first, second), await handOver(second, third, { lastGroup: 9n })]
    assert.deepEqual(await follow(first, list), {
      receiptSigner: addressOf(third),
      formerSigners: [
        { address: addressOf(first), lastGroup: 5n },
        { address: addressOf(second), lastGroup: 9n },
      ],
    })
  })

  it('takes nobody’s word on keys before the trusted one (R33)', async () => {
    const list = [await handOver(thief, second, { lastGroup: 99n }), await handOver(second, third)]
    assert.deepEqual(await follow(second, list), {
      receiptSigner: addressOf(third),
      formerSigners: [{ address: addressOf(second), lastGroup: 5n }],
    })
  })

  it('stays with the trusted key when nothing leads on (R33)', async () => {
    const stays = { receiptSigner: addressOf(first), formerSigners: [] }
    assert.deepEqual(await follow(first, []), stays)
    assert.deepEqual(await follow(first, [await handOver(second, third)]), stays)
  })

  it('refuses a change that the former key did not sign, or of which a field was changed (R33)', async () => {
    const good = await handOver(first, second)
    const signature: Hex | null = null
    const bad: HandOver[] = [
      await handOver(first, second, { by: thief }),
      await handOver(first, second, { by: second }),
      { ...good, next: addressOf(thief) },
      { ...good, lastGroup: good.lastGroup + 1n },
      { ...good, signature },
    ]
    for (const change of bad) assert.equal(await follow(first, [change]), undefined)
    const elsewhere = { hub: { ...hub, chainId: 1 }, handOvers: [good] }
    assert.equal(await followHandOvers(first.address, elsewhere), undefined)
  })
})

describe('mayHaveSigned', () => {
  const by = {
    receiptSigner: second.address,
    formerSigners: [{ address: first.address, lastGroup: 5n }],
  }

  it('counts the key of now for every group, and a former one up to its last (R33)', () => {
    for (const group of [0n, 5n, 6n, 99n])
      assert.equal(mayHaveSigned(second.address, { group, by }), true)
    assert.equal(mayHaveSigned(first.address, { group: 5n, by }), true)
    assert.equal(mayHaveSigned(first.address, { group: 6n, by }), false)
  })

  it('counts nobody else, and not even nobody (R33)', () => {
    assert.equal(mayHaveSigned(third.address, { group: 1n, by }), false)
    assert.equal(mayHaveSigned(undefined, { group: 1n, by }), false)
  })
})
