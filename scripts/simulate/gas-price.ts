// A synthetic price of gas: the logarithm goes back to its mean, with seasons of a day and a week, and spikes on top. It is no
// record of any chain; its parameters are assumptions and are printed with every result.

import { createChance } from './chance.ts'

/** Hours, and shares of the logarithm. */
export const gasPriceAssumptions = {
  /** How long the price remembers: after so many hours, e⁻¹ of a deviation is left. */
  memoryHours: 36,
  /** The standard deviation of the logarithm, in the long run. */
  sigma: 0.6,
  season: { peakHour: 15, daily: 0.3, weekend: -0.25 },
  /** Spikes begin so often in a year, are so many times the price on average (at least threefold), and halve in so many hours. */
  spikes: { perYear: 40, mean: 8, least: 3, halfLifeHours: 2 },
} as const

const hoursPerYear = 8_760

/** Wei for a unit of gas, hour by hour. `median` (wei) is that of the price without its seasons and spikes. */
export function createGasPrice({ seed, median }: { seed: number; median: number }): () => bigint {
  const chance = createChance(seed, 'gas price')
  const { memoryHours, sigma, season, spikes } = gasPriceAssumptions
  const kept = Math.exp(-1 / memoryHours)
  const step = sigma * Math.sqrt(1 - kept ** 2)
  let deviation = sigma * chance.normal()
  let spike = 0
  let hour = 0
  return () => {
    deviation = kept * deviation + step * chance.normal()
    spike *= 0.5 ** (1 / spikes.halfLifeHours)
    if (chance.uniform() < spikes.perYear / hoursPerYear)
      spike += Math.log(spikes.least + chance.exponential(spikes.mean - spikes.least))
    const wave = season.daily * Math.cos((2 * Math.PI * (hour - season.peakHour)) / 24)
    const weekend = Math.floor(hour / 24) % 7 >= 5 ? season.weekend : 0
    hour += 1
    return BigInt(Math.round(median * Math.exp(deviation + spike + wave + weekend)))
  }
}
