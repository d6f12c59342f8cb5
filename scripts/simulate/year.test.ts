import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { Hex } from 'viem'
import { asClaimable, gasOfDraft } from '#server/chain/settlement-plan.ts'
import { channelAmounts, newChannel } from '#server/channels/channel.ts'
import { gasOfSettlement, readGas } from './gas.ts'
import { createGasPrice } from './gas-price.ts'
import { policies, settingsOf } from './policies.ts'
import { spreadOf } from './quantiles.ts'
import { createTipping } from './tipping.ts'
import type { Scenario } from './year.ts'
import { simulateYear } from './year.ts'

const seed = Number(process.env['JANDON_SEED'] ?? randomInt(1_000_000_000))
const small: Scenario = {
  seed,
  fans: 1_000,
  creators: 100,
  days: 15,
  medianGasPrice: 1e9,
  ether: 3_000,
}
const [first] = policies
const settings = first ? settingsOf(first, small) : {}

describe(`simulateYear, seed ${seed}`, () => {
  it('gives the same figures for the same seed, and others for another', () => {
    const year = simulateYear(small, settings)
    assert.deepEqual(simulateYear(small, settings), year)
    assert.notDeepEqual(simulateYear({ ...small, seed: seed + 1 }, settings), year)
  })

  for (const policy of policies) {
    it(`loses and makes no money under ${policy.name}: what was tipped is claimed or at risk, and credited or owed`, () => {
      const year = simulateYear(small, settingsOf(policy, small))
      assert.ok(year.tipped > 0n && year.claimed > 0n && year.credited > 0n)
      assert.equal(year.claimed + year.unclaimed, year.tipped)
      assert.equal(year.credited + year.owed, year.tipped)
      assert.equal(year.difference, 0n)
      const waited = year.untilYours.reduce((sum, { tips }) => sum + tips, 0)
      assert.equal(waited, year.tips)
    })
  }

  it('has the same tips under every policy', () => {
    const years = policies.map((policy) => simulateYear(small, settingsOf(policy, small)))
    assert.equal(new Set(years.map(({ tips, tipped }) => `${tips} ${tipped}`)).size, 1)
  })

  it('lets nothing wait for longer than the settings allow, but for the look that ends it', () => {
    const hours = (count: number) => String(count * 3_600_000)
    const age = { JANDON_CLAIM_MAX_AGE_MS: hours(5), JANDON_CREDIT_MAX_AGE_MS: hours(30) }
    const { untilYours } = simulateYear(small, { ...settings, ...age })
    for (const { max } of untilYours) assert.ok(max <= 30, `${max} hours`)
  })

  it('puts less at risk where the policy allows less', () => {
    const risk = (units: string) =>
      simulateYear(small, { ...settings, JANDON_ETHER_PRICE: '0', JANDON_CLAIM_AT_RISK: units })
        .atRisk.max
    assert.ok(risk('20') < risk('100000'))
  })
})

describe('gasOfSettlement', () => {
  const gas = readGas()

  it('comes to what gas-snapshot.json has for whole transactions', async () => {
    const snapshot = new URL('../../gas-snapshot.json', import.meta.url)
    const { gas: measured } = JSON.parse(await readFile(snapshot, 'utf8'))
    for (const claims of [10, 100]) {
      const used = Number(gasOfSettlement(gas, { claims, knownCredits: 0, newCredits: 0 }))
      assert.ok(Math.abs(used - claims * measured[`claimPacked.perChannel.${claims}`]) <= 1)
    }
    const credited = gasOfSettlement(gas, { claims: 100, knownCredits: 200, newCredits: 100 })
    const claimed = gasOfSettlement(gas, { claims: 100, knownCredits: 0, newCredits: 0 })
    const credits =
      200 * measured['vault.credit.known.300'] + 100 * measured['vault.credit.new.300']
    // What every transaction pays is in both.
    assert.ok(Math.abs(Number(credited - claimed) - (credits - 21_000)) <= 2)
  })

  it('is what the hub expects of its own settlements, to a tenth', () => {
    const address = `0x${'01'.repeat(20)}` as const
    const terms = {
      contract: address,
      receiver: address,
      receiverAuthorizer: address,
      tokens: [address],
      withdrawDelay: { minimum: 0, maximum: 0 },
    }
    const salt: Hex = `0x${'00'.repeat(32)}`
    const config = { payer: address, payerAuthorizer: address, receiver: address, salt }
    const all = { ...config, receiverAuthorizer: address, token: address, withdrawDelay: 0 }
    const channel = newChannel(salt, { config: all, contract: address, terms })
    const claim = asClaimable({ channels: { amounts: channelAmounts } }, channel, 0)
    const row = { amount: 1n, since: 0, isRequested: false, reason: 'threshold' } as const
    const expected = (claims: number, credits: number, credited: bigint) =>
      gasOfDraft(
        { vaultAccounts: { get: () => ({ credited, paid: 0n }) } },
        {
          token: address,
          claims: Array.from({ length: claims }, () => ({ ...claim, reason: 'age' as const })),
          credits: Array.from({ length: credits }, () => ({ ...row, account: address })),
        },
      )
    const cases = [
      { claims: 400, knownCredits: 100, newCredits: 0 },
      { claims: 300, knownCredits: 0, newCredits: 100 },
    ]
    for (const { claims, knownCredits, newCredits } of cases) {
      const used = gasOfSettlement(gas, { claims, knownCredits, newCredits })
      const estimate = expected(claims, knownCredits + newCredits, knownCredits > 0 ? 1n : 0n)
      assert.ok(estimate >= used && estimate <= (used * 11n) / 10n, `${estimate} for ${used}`)
    }
  })
})

describe('createGasPrice', () => {
  const year = (median: number) => {
    const next = createGasPrice({ seed, median })
    return Array.from({ length: 8_760 }, () => Number(next()))
  }

  it('stays around its middle, and has spikes', () => {
    const { p50, max } = spreadOf(year(1e9))
    assert.ok(p50 > 0.6e9 && p50 < 1.6e9, `${p50}`)
    assert.ok(max > 5 * p50, `${max}`)
  })

  it('is the same shape around another middle', () => {
    const [low, high] = [year(1e9), year(1e11)]
    for (const [hour, price] of low.entries())
      assert.ok(Math.abs((high[hour] ?? 0) / 100 - price) < 1)
  })
})

describe('createTipping', () => {
  it('gives a few creators most, and nobody more than everything', () => {
    const { shareOf } = createTipping({ fans: 10, creators: 10_000 }, seed)
    const shares = Array.from({ length: 10_000 }, (_, creator) => shareOf(creator))
    const sum = (of: number[]) => of.reduce((all, one) => all + one, 0)
    assert.ok(Math.abs(sum(shares) - 1) < 1e-9)
    assert.ok(sum(shares.slice(0, 100)) > 0.5)
  })

  it('tips whole hundredths within the limits, to creators and from fans that there are', () => {
    const { hour } = createTipping({ fans: 100, creators: 7 }, seed)
    const tipsOf = new Array<number>(100).fill(0)
    for (let hours = 0; hours < 2_000; hours += 1)
      hour(({ fan, creator, cents }) => {
        assert.ok(Number.isInteger(cents) && cents >= 1 && cents <= 5_000)
        assert.ok(creator >= 0 && creator < 7)
        tipsOf[fan] = (tipsOf[fan] ?? 0) + 1
      })
    assert.equal(tipsOf.length, 100)
    const sorted = tipsOf.toSorted((a, b) => b - a)
    const all = sorted.reduce((sum, one) => sum + one, 0)
    const busiest = sorted.slice(0, 10).reduce((sum, one) => sum + one, 0)
    assert.ok(busiest > all / 4, `the busiest ten made ${busiest} of ${all} tips`)
  })
})
