// The hub between its books and the chain under torture: what it follows, what it sends, and what its
// watchtower does without it.

import type { ChainKind } from '../../world/chains.ts'
import type { Findings } from '../contracts.ts'
import { longEffort, tortureFollowing, tortureFollowingPlanted } from './following.ts'
import { followingPlants, transactionPlants } from './plants.ts'
import { torturePlantedTransactions, tortureTransactions } from './transactions.ts'
import { tortureWindows, windowPlants } from './windows.ts'

/** On which chain, and from which seed on. */
type Ground = { chainKind: ChainKind; seed: number }

type Part = {
  plants: readonly string[]
  torture(plan: Ground & { seeds: number }): Promise<Findings>
  torturePlanted(plant: string, ground: Ground): Promise<Findings>
}

const parts: { [name: string]: Part } = {
  following: {
    plants: Object.keys(followingPlants),
    torture: (plan) => tortureFollowing({ ...plan, effort: longEffort[plan.chainKind] }),
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
    torturePlanted: (plant, ground) => tortureWindows({ ...ground, seeds: 1, plant }),
  },
}

export const chainParts = Object.keys(parts)
export const chainPlants = Object.values(parts).flatMap(({ plants }) => plants)

/** All parts in turn, or one of them, on each of the chains. */
export async function tortureChain({
  only,
  chainKinds,
  ...plan
}: {
  chainKinds: readonly ChainKind[]
  seed: number
  seeds: number
  only: string | undefined
}): Promise<Findings> {
  if (only !== undefined && !parts[only]) throw new Error(`there is no part named ${only}`)
  const sum: Findings = { operations: 0, isIdle: false, failures: [] }
  for (const [name, part] of Object.entries(parts)) {
    if (only !== undefined && only !== name) continue
    for (const chainKind of chainKinds) {
      console.log(` ${name} on ${chainKind}`)
      const { operations, isIdle, failures } = await part.torture({ ...plan, chainKind })
      sum.operations += operations
      sum.isIdle ||= isIdle
      sum.failures.push(...failures.map((failure) => `${name} on ${chainKind}: ${failure}`))
    }
  }
  return sum
}

/** The part that must find a planted bug, on one chain. */
export function tortureChainPlanted(plant: string, ground: Ground): Promise<Findings> {
  const part = Object.values(parts).find(({ plants }) => plants.includes(plant))
  if (!part) throw new Error(`there is no bug named ${plant}`)
  return part.torturePlanted(plant, ground)
}
