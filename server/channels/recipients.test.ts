import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { Address, Hex } from 'viem'
import { packTips } from '#protocol/packed-tips.ts'
import { addresses, hashes, holds } from '#protocol/testing/arbitrary.ts'
import { tipTo } from '#protocol/tip.ts'
import type { Creators } from '../creators/creators.ts'
import { createRecipients, isRecipient, recipientOf } from './recipients.ts'

const fees = { basisPoints: 100n, account: `0x${'fe'.repeat(20)}` as const }

/** Some creators; of a creator nothing but the address is looked at. */
function joined(accounts: readonly Address[]): Pick<Creators, 'byAccount'> {
  const creators = new Set(accounts)
  return {
    byAccount: (account) =>
      creators.has(account) ? { handle: 'one', account, displayName: 'One' } : undefined,
  }
}

function packed(all: readonly Hex[]) {
  return packTips(all.map((to) => ({ to, amount: 1n, ref: to })))
}

/** Addresses that end alike, and so have the same place among those that are known. */
const alike = fc
  .array(fc.tuple(addresses, fc.constantFrom('00000000', 'deadbeef', 'ffffffff')), {
    minLength: 1,
    maxLength: 12,
  })
  .map((some) => some.map(([address, end]): Address => `0x${address.slice(2, 34)}${end}`))

describe('createRecipients', () => {
  holds(
    'finds whoever has joined and nobody else, however alike their addresses are (R8)',
    fc.tuple(alike, alike, fc.array(hashes, { maxLength: 4 })),
    ([creators, strangers, noAddresses]) => {
      const deps = { creators: joined(creators), fees }
      const recipients = createRecipients(deps)
      const named = [...creators, ...strangers, fees.account, ...creators].map((one) => tipTo(one))
      const all = [...named, ...noAddresses]
      const tips = packed(all)
      for (const [index, to] of all.entries()) {
        const expected = isRecipient(deps, to) ? recipientOf(to, fees) : undefined
        assert.deepEqual(recipients.of(tips, index), expected)
      }
    },
  )

  it('finds nobody by the last four bytes of somebody else', () => {
    const creator: Address = `0x${'11'.repeat(16)}deadbeef`
    const stranger: Address = `0x${'22'.repeat(16)}deadbeef`
    const recipients = createRecipients({ creators: joined([creator]), fees })
    const tips = packed([tipTo(creator), tipTo(stranger)])
    assert.equal(recipients.of(tips, 0)?.account, creator)
    assert.equal(recipients.of(tips, 1), undefined)
  })

  it('finds a creator who has joined since', () => {
    const creator: Address = `0x${'11'.repeat(20)}`
    const accounts: Address[] = []
    const creators = { byAccount: (account: Address) => joined(accounts).byAccount(account) }
    const recipients = createRecipients({ creators, fees })
    const tips = packed([tipTo(creator)])
    assert.equal(recipients.of(tips, 0), undefined)
    accounts.push(creator)
    assert.equal(recipients.of(tips, 0)?.account, creator)
  })

  it('takes tips to the fee account, and no fee of them (R8)', () => {
    const recipients = createRecipients({ creators: joined([]), fees })
    const found = recipients.of(packed([tipTo(fees.account)]), 0)
    assert.deepEqual([found?.ledgerAccount, found?.paysFees], ['fees', false])
  })
})
