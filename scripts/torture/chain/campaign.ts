// The hub between its books and the chain under torture: what it follows, what it sends, and what its
// watchtower does without it.

import type { Findings } from '../contracts.ts'
import { longEffort, tortureFollowing, tortureFollowingPlanted } from './following.ts'
import { followingPlants, transactionPlants } from './plants.ts'
import { torturePlantedTransactions, tortureTransactions } from './transactions.ts'
import { tortureWindows, windowPlants } from './windows.ts'

type Part = {
  plants: readonly string[]
  torture(plan: { seed: number; seeds: number }): Promise<Findings>
  torturePlanted(plant: string, seed: number): Promise<Findings>
}

const parts: { [name: string]: Part } = {
  following: {
    plants: Object.keys(followingPlants),
    torture: (plan) => tortureFollowing({ ...plan, effort: longEffort }),
    torturePlanted: tortureFollowingPlanted,
  },
  transactions: {
    plants: Object.keys(transactionPlants),
    torture: tortureTransactions,
    torturePlanted: torturePlantedTransactions,
  },
  windows: {
    plants: Object.keys(windowPlants),
    torture: tortureWindows,
    torturePlanted: (plant, seed) => tortureWindows({ seed, seeds: 1, plant }),
  },
}

export const chainParts = Object.keys(parts)
export const chainPlants = Object.values(parts).flatMap(({ plants }) => plants)

/** All parts in turn, or one of them. */
export async function tortureChain({
  only,
  ...plan
}: {
  seed: number
  seeds: number
  only: string | undefined
}): Promise<Findings> {
  if (only !== undefined && !parts[only]) throw new Error(`there is no part named ${only}`)
  const sum: Findings = { operations: 0, isIdle: false, failures: [] }
  for (const [name, part] of Object.entries(parts)) {
    if (only !== undefined && only !== name) continue
    console.log(` ${name}`)
    const { operations, isIdle, failures } = await part.torture(plan)
    sum.operations += operations
    sum.isIdle ||= isIdle
    sum.failures.push(...failures)
  }
  return sum
}

/** The part that must find a planted bug. */
export function tortureChainPlanted(plant: string, seed: number): Promise<Findings> {
  const part = Object.values(parts).find(({ plants }) => plants.includes(plant))
  if (!part) throw new Error(`there is no bug named ${plant}`)
  return part.torturePlanted(plant, seed)
}
