// A year under one policy, hour by hour: tips come in, the hub looks, and what it settles is counted.

import type { SettlementPolicy } from '#server/chain/settlement-policy.ts'
import { readSettlementTerms } from '#server/config.ts'
import { gasOfSettlement, readGas } from './gas.ts'
import { createGasPrice } from './gas-price.ts'
import type { Settled, SimulatedHub } from './hub.ts'
import { createSimulatedHub } from './hub.ts'
import type { Waits } from './quantiles.ts'
import { createWaits, spreadOf } from './quantiles.ts'
import type { Tipping } from './tipping.ts'
import { assumptions, createTipping, expectedPerYear } from './tipping.ts'

/** What is the same for all policies. `medianGasPrice` is wei, `ether` what one ether is worth in units of the token. */
export type Scenario = {
  seed: number
  fans: number
  creators: number
  days: number
  medianGasPrice: number
  ether: number
}

/** Creators by what they are expected to be tipped in a month, in units of the token: from `from` on. */
export const sizes = [
  { name: '1,000 and more a month', from: 1_000 },
  { name: '100 to 1,000', from: 100 },
  { name: '10 to 100', from: 10 },
  { name: 'less than 10', from: 0 },
] as const

/** Amounts are base units, gas is units of gas, waits are hours from the tip on. */
export type Year = {
  settings: NodeJS.ProcessEnv
  tips: number
  tipped: bigint
  claimed: bigint
  credited: bigint
  /** At the end: charged and not claimed; owed to creators and the hub and not credited. */
  unclaimed: bigint
  owed: bigint
  /** What debits and credits of all accounts add up to: zero. */
  difference: bigint
  transactions: number
  claims: number
  credits: number
  reasons: { [reason: string]: number }
  gas: bigint
  /** In wei. */
  fee: bigint
  gasPerUnit: number
  /** What gas costs of what was tipped, at the price of ether of the scenario. */
  gasShare: number
  /** In units of the token, before each look. */
  atRisk: Spread
  notYours: Spread
  untilYours: {
    size: string
    creators: number
    tips: number
    p50: number
    p95: number
    max: number
  }[]
  /** One figure a day: the largest at risk (units), gas paid so far over tipped so far, the mean price of gas (gwei). */
  byDay: { atRisk: number[]; gasShare: number[]; gasPrice: number[] }
}

type Spread = { p50: number; p95: number; max: number }

const decimals = 6
const unit = 10 ** decimals
const baseUnitsPerCent = BigInt(unit / 100)
const hourMs = 3_600_000
/** A tip comes in the middle of its hour, and the hub looks at the end of it. */
const halfHourMs = hourMs / 2

/** `onDay` hears of each day that is over. */
export function simulateYear(
  scenario: Scenario,
  settings: NodeJS.ProcessEnv,
  onDay: (day: number) => void = () => undefined,
): Year {
  const { seed, fans, creators, days } = scenario
  const terms = readSettlementTerms(settings, decimals)
  const deposit = BigInt(assumptions.deposit * unit)
  const hub = createSimulatedHub({ fans, deposit, ...terms })
  const tipping = createTipping({ fans, creators }, seed)
  const gasPriceOf = createGasPrice({ seed, median: scenario.medianGasPrice })
  const count = createCount({ scenario, settings, tipping, hub })
  for (let hour = 0; hour < days * 24; hour += 1) {
    tipping.hour(({ fan, creator, cents }) => {
      const amount = BigInt(cents) * baseUnitsPerCent
      hub.tip({ fan, creator, amount, at: hour * hourMs + halfHourMs })
      count.tip({ hour, creator, amount })
    })
    for (const fan of tipping.demands()) hub.demand(fan)
    const gasPrice = gasPriceOf()
    count.look(gasPrice)
    const moment = momentOf({ hour, gasPrice }, terms)
    for (const settled of hub.settle(moment)) count.settled(settled, { hour, gasPrice })
    if (hour % 24 !== 23) continue
    count.day()
    onDay((hour + 1) / 24)
  }
  return count.year(days * 24)
}

function momentOf(
  { hour, gasPrice }: { hour: number; gasPrice: bigint },
  { policy, budgetPerGas }: { policy: SettlementPolicy; budgetPerGas: bigint },
) {
  const now = (hour + 1) * hourMs
  return { policy, now, gasPrice, isAsked: false, isDear: gasPrice > budgetPerGas }
}

/** The tips of a creator that are not theirs yet: hours, each with how many came in it. */
type Pending = { hour: number; tips: number }[]

function createCount({
  scenario,
  settings,
  tipping,
  hub,
}: {
  scenario: Scenario
  settings: NodeJS.ProcessEnv
  tipping: Tipping
  hub: SimulatedHub
}) {
  const { creators, days, ether } = scenario
  const gas = readGas()
  const sizeOf = sizesOf(scenario, tipping)
  const pending: Pending[] = Array.from({ length: creators }, () => [])
  const waits = sizes.map(() => createWaits(days * 24))
  const total = { tips: 0, transactions: 0, claims: 0, credits: 0 }
  const sum = { tipped: 0n, claimed: 0n, gas: 0n, fee: 0n }
  const reasons: { [reason: string]: number } = {}
  const looks = { atRisk: [] as number[], notYours: [] as number[], gasPrice: [] as number[] }
  const byDay = { atRisk: [] as number[], gasShare: [] as number[], gasPrice: [] as number[] }
  const gasShare = () => ((Number(sum.fee) / 1e18) * ether) / (Number(sum.tipped) / unit)

  return {
    tip({ hour, creator, amount }: { hour: number; creator: number; amount: bigint }) {
      total.tips += 1
      sum.tipped += amount
      const last = pending[creator]?.at(-1)
      if (last?.hour === hour) last.tips += 1
      else pending[creator]?.push({ hour, tips: 1 })
    },
    look(gasPrice: bigint) {
      looks.atRisk.push(Number(hub.atRisk()) / unit)
      looks.notYours.push(Number(hub.notYours()) / unit)
      looks.gasPrice.push(Number(gasPrice) / 1e9)
    },
    settled(settled: Settled, at: { hour: number; gasPrice: bigint }) {
      const used = gasOfSettlement(gas, settled)
      total.transactions += 1
      total.claims += settled.claims
      total.credits += settled.newCredits + settled.knownCredits
      sum.claimed += settled.claimed
      sum.gas += used
      sum.fee += used * at.gasPrice
      for (const [reason, count] of Object.entries(settled.reasons))
        reasons[reason] = (reasons[reason] ?? 0) + count
      for (const creator of settled.creators) endWaits(creator, at.hour)
    },
    day() {
      byDay.atRisk.push(Math.max(...looks.atRisk.slice(-24)))
      byDay.gasPrice.push(looks.gasPrice.slice(-24).reduce((all, one) => all + one, 0) / 24)
      byDay.gasShare.push(gasShare())
    },
    year(hours: number): Year {
      for (const creator of pending.keys()) endWaits(creator, hours)
      return {
        settings,
        ...total,
        ...sum,
        credited: hub.credited(),
        unclaimed: hub.unclaimed(),
        owed: hub.owed(),
        difference: [...hub.balances.values()].reduce((all, one) => all + one, 0n),
        reasons,
        gasPerUnit: Number(sum.gas) / (Number(sum.tipped) / unit),
        gasShare: gasShare(),
        atRisk: spreadOf(looks.atRisk),
        notYours: spreadOf(looks.notYours),
        untilYours: sizes.map(({ name }, size) => ({
          size: name,
          creators: sizeOf.filter((one) => one === size).length,
          ...waitsOf(waits[size]),
        })),
        byDay,
      }
    },
  }

  /** Of all tips of a creator so far, because a credit is of all that is owed. What is not credited at the end waited until then. */
  function endWaits(creator: number, hour: number) {
    const counted = waits[sizeOf[creator] ?? 0]
    for (const { hour: since, tips } of pending[creator] ?? []) counted?.add(hour - since, tips)
    pending[creator] = []
  }
}

function waitsOf(waits: Waits | undefined) {
  if (!waits) return { tips: 0, p50: 0, p95: 0, max: 0 }
  const [p50, p95, max] = [0.5, 0.95, 1].map(waits.quantile)
  return { tips: waits.count(), p50: p50 ?? 0, p95: p95 ?? 0, max: max ?? 0 }
}

/** The place of each creator's size. */
function sizesOf(scenario: Scenario, { shareOf }: Tipping): number[] {
  const perMonth = expectedPerYear(scenario) / 12
  return Array.from({ length: scenario.creators }, (_, creator) =>
    sizes.findIndex(({ from }) => shareOf(creator) * perMonth >= from),
  )
}
