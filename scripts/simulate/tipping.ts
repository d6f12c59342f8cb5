// Who tips whom, when and how much, in a simulated year. Nothing here is measured: the shapes are what purchases and popularity on the
// web are usually found to have (a log-normal, a Zipf distribution), the numbers are assumptions, and `--help` prints them.

import type { Chance } from './chance.ts'
import { createChance, createPicker } from './chance.ts'

/** Amounts in units of the token. `sigma` is the standard deviation of the logarithm of what is log-normal. */
export const assumptions = {
  /** Visits of a fan in a year: log-normal over fans, so that a tenth of them makes more than half of the visits. */
  visits: { mean: 26, sigma: 1.5 },
  /** Tips in a visit: one, and geometrically many more. */
  tipsPerVisit: 3,
  /** Of an amount: log-normal, in hundredths, within the limits. */
  amount: { median: 0.1, sigma: 1.25, least: 0.01, most: 50 },
  /** How popular the creator of rank r is: r to the power of −`zipf`. */
  zipf: 1,
  /** Most tips go to the creators that a fan follows, who are drawn by popularity too. */
  followed: { count: 4, share: 0.8 },
  /** Visits come in waves: so much more at the peak of a day (UTC), and at weekends. */
  season: { peakHour: 12, daily: 0.6, weekend: 0.2 },
  /** How often in a year a fan demands the whole escrow back, tips included; then only a claim in time saves them. */
  demands: 0.005,
  /** What is deposited, again and again. */
  deposit: 10,
} as const

export type Audience = { fans: number; creators: number }

/** A tip in hundredths of a unit. */
export type Tip = { fan: number; creator: number; cents: number }

export type Tipping = {
  /** What a creator is expected to get of all tips; the shares add up to one. */
  shareOf(creator: number): number
  /** Calls `onTip` with each tip of the next hour. */
  hour(onTip: (tip: Tip) => void): void
  /** The fans who demand everything back in this hour. */
  demands(): number[]
}

const hoursPerYear = 8_760

/** The same seed and audience make the same tips, whatever is asked for in between. */
export function createTipping({ fans, creators }: Audience, seed: number): Tipping {
  const chance = createChance(seed, 'tips')
  const leaving = createChance(seed, 'demands')
  const { visits, zipf, followed, tipsPerVisit, demands } = assumptions
  const activity = new Float64Array(fans).map(() => Math.exp(visits.sigma * chance.normal()))
  const popularity = new Float64Array(creators).map((_, place) => (place + 1) ** -zipf)
  const pickFan = createPicker(activity)
  const pickCreator = createPicker(popularity)
  const follows = new Uint16Array(fans * followed.count).map(() => pickCreator(chance))
  const popularityOfAll = popularity.reduce((sum, one) => sum + one, 0)
  const visitsPerHour = (fans * visits.mean) / hoursPerYear
  let hours = 0

  return {
    shareOf: (creator) => (popularity[creator] ?? 0) / popularityOfAll,
    hour(onTip) {
      const expected = visitsPerHour * seasonAt(hours)
      hours += 1
      for (let left = chance.poisson(expected); left > 0; left -= 1) {
        const fan = pickFan(chance)
        const more = Math.floor(chance.exponential(1 / Math.log(tipsPerVisit / (tipsPerVisit - 1))))
        for (let tips = 1 + more; tips > 0; tips -= 1)
          onTip({ fan, creator: creatorFor(fan), cents: drawCents(chance) })
      }
    },
    demands: () =>
      Array.from({ length: leaving.poisson((fans * demands) / hoursPerYear) }, () =>
        leaving.below(fans),
      ),
  }

  function creatorFor(fan: number): number {
    if (chance.uniform() >= followed.share) return pickCreator(chance)
    return follows[fan * followed.count + chance.below(followed.count)] ?? 0
  }
}

/** What a unit of all tips is expected to be, in units of the token in a year. */
export function expectedPerYear({ fans }: Audience): number {
  const { visits, tipsPerVisit, amount } = assumptions
  return fans * visits.mean * tipsPerVisit * amount.median * Math.exp(amount.sigma ** 2 / 2)
}

function drawCents(chance: Chance): number {
  const { median, sigma, least, most } = assumptions.amount
  const amount = median * Math.exp(sigma * chance.normal())
  return Math.round(100 * Math.min(most, Math.max(least, amount)))
}

/** The first hour is that of a Monday. */
function seasonAt(hour: number): number {
  const { peakHour, daily, weekend } = assumptions.season
  const wave = 1 + daily * Math.cos((2 * Math.PI * (hour - peakHour)) / 24)
  return Math.floor(hour / 24) % 7 >= 5 ? wave * (1 + weekend) : wave
}
