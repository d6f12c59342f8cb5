import assert from 'node:assert/strict'
import type { Address } from 'viem'
import { nobody } from '#protocol/audit.ts'
import type { Balances } from '../ledger/entry.ts'
import { captureBooks, collectLiabilities } from './liabilities.ts'

const token: Address = `0x${'70'.repeat(20)}`
const other: Address = `0x${'71'.repeat(20)}`
const feeAccount: Address = `0x${'fe'.repeat(20)}`
const [ann, ben, stranger] = ['a1', 'b1', 'c1'].map((byte): Address => `0x${byte.repeat(20)}`)
assert.ok(ann && ben && stranger)

/** What is owed by the books and the vault, as account → [owed, yours]. */
async function collect(
  books: { [account: string]: bigint },
  vault: { account: Address; credited: bigint; paid: bigint }[] = [],
) {
  const balances: Balances = new Map(
    Object.entries(books).map(([account, amount]) => [`${token}|${account}`, amount]),
  )
  balances.set(`${other}|creator:${ann}`, -999n)
  const credited = vault.map(({ account, ...totals }): [string, typeof totals] => [
    `${token}/${account}`,
    totals,
  ])
  const elsewhere: [string, { credited: bigint; paid: bigint }] = [
    `${other}/${ann}`,
    { credited: 7n, paid: 0n },
  ]
  const captured = captureBooks({
    balances,
    creators: { all: () => creators },
    vaultAccounts: { all: () => [elsewhere, ...credited] },
  })
  balances.clear()
  const { liabilities, lost } = await collectLiabilities(captured, { token, feeAccount })
  const found = Object.fromEntries(
    liabilities.map(({ account, owed, yours }) => [account, [owed, yours]]),
  )
  return { found, lost }
}

const creators = [ann, ben].map((account) => ({ account, handle: 'x', displayName: 'x' }))
const nothing = [0n, 0n]

describe('collectLiabilities', () => {
  it('counts every creator, who is owed nothing too, the fee account and nobody, in one token (R31)', async () => {
    assert.deepEqual((await collect({})).found, {
      [ann]: nothing,
      [ben]: nothing,
      [feeAccount]: nothing,
      [nobody]: nothing,
    })
  })

  it('counts what is accepted and what the vault keeps, of who is not registered too (R31)', async () => {
    const { found, lost } = await collect(
      { [`creator:${ann}`]: -5n, [`creator:${stranger}`]: -7n, fees: -2n },
      [
        { account: ann, credited: 100n, paid: 60n },
        { account: feeAccount, credited: 9n, paid: 9n },
      ],
    )
    assert.deepEqual(found[ann], [5n, 40n])
    assert.deepEqual(found[stranger], [7n, 0n])
    assert.deepEqual(found[feeAccount], [2n, 0n])
    assert.equal(lost, 0n)
  })

  it('counts the fee account once when it is a creator too (R31)', async () => {
    const { found } = await collect({ [`creator:${feeAccount}`]: -3n, fees: -2n })
    assert.deepEqual(found[feeAccount], [5n, 0n])
  })

  it('counts foreign money as owed to nobody, less what was credited for lost tips out of it (R31)', async () => {
    const { found, lost } = await collect({ suspense: -10n, [`suspense:${ann}`]: 4n })
    assert.deepEqual(found[nobody], [6n, 0n])
    assert.equal(lost, 0n)
  })

  it('tells what was credited for lost tips and nothing stands for, and owes nobody less than nothing (R31)', async () => {
    const { found, lost } = await collect({ suspense: -1n, [`suspense:${ann}`]: 4n }, [
      { account: ann, credited: 4n, paid: 0n },
    ])
    assert.deepEqual(found[nobody], nothing)
    assert.deepEqual(found[ann], [0n, 4n])
    assert.equal(lost, 3n)
  })
})
