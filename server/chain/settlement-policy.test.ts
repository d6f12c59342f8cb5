import assert from 'node:assert/strict'
import type { Hex } from 'viem'
import type { Claimable, Moment, Owed, SettlementPolicy } from './settlement-policy.ts'
import { coverCredits, decideClaims, decideCredits, gasCost } from './settlement-policy.ts'

const hour = 3_600_000
const unit = 1_000_000n

const policy: SettlementPolicy = {
  amountAtRisk: 100n * unit,
  maxAgeMs: hour,
  gasShare: 100n,
  ether: 0n,
  creditAt: unit,
  creditMaxAgeMs: 24 * hour,
  creditMinimum: unit / 10n,
}

const moment: Moment = {
  policy,
  now: 100 * hour,
  gasPrice: 10_000_000_000n,
  overhead: 90_000n,
  isAsked: false,
  isDear: false,
}

/** Ether at 3,000 units: a row of 13,700 gas at 10 gwei costs 0.411 units. */
const priced = {
  ...moment,
  policy: { ...policy, amountAtRisk: 10_000n * unit, ether: 3_000n * unit },
}

let made = 0
function claimable(amount: bigint, changes: Partial<Claimable> = {}): Claimable {
  made += 1
  const channelId: Hex = `0x${made.toString(16).padStart(64, '0')}`
  const since = moment.now - 60_000
  return { channelId, amount, since, isBeyondEscrow: false, gas: 13_700n, ...changes }
}

function owed(amount: bigint, changes: Partial<Owed> = {}): Owed {
  made += 1
  const account: Hex = `0x${made.toString(16).padStart(40, '0')}`
  return { account, amount, since: moment.now - hour, isRequested: false, ...changes }
}

const reasons = (claims: readonly Claimable[], at: Moment = moment) =>
  decideClaims(claims, at).map(({ amount, reason }) => [amount, reason])

describe('decideClaims', () => {
  it('lets what is young, small and safe wait', () => {
    assert.deepEqual(reasons([claimable(5n * unit)]), [[5n * unit, 'waits']])
  })

  it('claims everything when it is asked for, the largest first', () => {
    assert.deepEqual(reasons([claimable(1n), claimable(2n)], { ...moment, isAsked: true }), [
      [2n, 'asked'],
      [1n, 'asked'],
    ])
  })

  it('claims what is beyond escrow at once, also while gas is dear', () => {
    const leaving = claimable(1n, { isBeyondEscrow: true })
    assert.deepEqual(reasons([leaving]), [[1n, 'beyond-escrow']])
    assert.deepEqual(reasons([leaving], { ...moment, isDear: true }), [[1n, 'beyond-escrow']])
  })

  it('claims what is as old as it may become, and not a moment before', () => {
    const since = moment.now - hour
    assert.deepEqual(reasons([claimable(1n, { since })]), [[1n, 'age']])
    assert.deepEqual(reasons([claimable(1n, { since: since + 1 })]), [[1n, 'waits']])
  })

  it('takes along what is half as old as it may become', () => {
    const old = claimable(3n, { since: moment.now - hour })
    const half = claimable(2n, { since: moment.now - hour / 2 })
    const young = claimable(1n, { since: moment.now - hour / 2 + 1 })
    assert.deepEqual(reasons([old, half, young]), [
      [3n, 'age'],
      [2n, 'rides-along'],
      [1n, 'waits'],
    ])
  })

  it('claims the largest until less than the amount at risk is left', () => {
    const claims = [claimable(30n * unit), claimable(50n * unit), claimable(40n * unit)]
    assert.deepEqual(reasons(claims), [
      [50n * unit, 'at-risk'],
      [40n * unit, 'waits'],
      [30n * unit, 'waits'],
    ])
    assert.deepEqual(
      reasons([claimable(100n * unit - 1n)]),
      [[100n * unit - 1n, 'waits']],
      'one below the amount',
    )
    assert.deepEqual(reasons([claimable(100n * unit)]), [[100n * unit, 'at-risk']])
  })

  it('waits with age and amount while gas is dear', () => {
    const dear = { ...moment, isDear: true }
    assert.deepEqual(reasons([claimable(200n * unit, { since: 0 })], dear), [
      [200n * unit, 'waits'],
    ])
  })

  it('claims what is worth its gas together with the settlement', () => {
    const row = gasCost(13_700n, priced) * 100n
    const alone = [claimable(row)]
    assert.deepEqual(reasons(alone, priced), [[row, 'waits']], 'the settlement itself costs too')
    const many = Array.from({ length: 8 }, () => claimable(2n * row))
    assert.ok(reasons(many, priced).every(([, reason]) => reason === 'gas-share'))
  })

  it('takes along what is worth its own row when a settlement is made anyway', () => {
    const row = gasCost(13_700n, priced) * 100n
    const leaving = claimable(1n, { isBeyondEscrow: true })
    assert.deepEqual(reasons([leaving, claimable(row), claimable(row - 1n)], priced), [
      [row, 'gas-share'],
      [1n, 'beyond-escrow'],
      [row - 1n, 'waits'],
    ])
  })
})

describe('decideCredits', () => {
  const reasonOf = (one: Owed, at: Moment = moment) => decideCredits([one], at)[0]?.reason

  it('credits from the threshold on, with a settlement', () => {
    assert.equal(reasonOf(owed(unit)), 'threshold')
    assert.equal(reasonOf(owed(unit - 1n)), 'waits')
  })

  it('credits what is as old as it may become', () => {
    const since = moment.now - 24 * hour
    assert.equal(reasonOf(owed(1n, { since })), 'age')
    assert.equal(reasonOf(owed(1n, { since: since + 1 })), 'waits')
  })

  it('credits whoever asks, from the minimum on', () => {
    assert.equal(reasonOf(owed(unit / 10n, { isRequested: true })), 'asked')
    assert.equal(reasonOf(owed(unit / 10n - 1n, { isRequested: true })), 'waits')
  })

  it('credits everybody when the operator asks', () => {
    assert.equal(reasonOf(owed(1n), { ...moment, isAsked: true }), 'asked')
  })
})

describe('coverCredits', () => {
  it('claims the largest that waits until pressing credits are covered', () => {
    const claims = decideClaims([claimable(3n), claimable(7n), claimable(5n)], moment)
    const credits = decideCredits([owed(10n, { since: 0 }), owed(unit)], moment)
    const covered = (free: bigint) =>
      coverCredits(claims, { credits, free }).map(({ amount, reason }) => [amount, reason])
    assert.deepEqual(covered(0n), [
      [7n, 'for-credits'],
      [5n, 'for-credits'],
      [3n, 'waits'],
    ])
    assert.deepEqual(covered(3n), [
      [7n, 'for-credits'],
      [5n, 'waits'],
      [3n, 'waits'],
    ])
    assert.ok(covered(10n).every(([, reason]) => reason === 'waits'))
  })
})
