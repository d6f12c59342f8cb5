// The follower under torture. Every part says what it did, how many faults it met, and how many events the
// books missed or doubled.

import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { ChainKind } from '../../world/chains.ts'
import type { Findings } from '../contracts.ts'
import { withSources } from '../planted-sources.ts'
import { projectRoot } from '../workshop.ts'
import type { FollowingPlant } from './plants.ts'
import { followingPlants } from './plants.ts'
import type { Play } from './play.ts'
import { allReorgs } from './reorgs.ts'
import type { Tally } from './truth.ts'
import { newTally } from './truth.ts'

/** How much of each part belongs to one seed. */
export type FollowingEffort = { reorgs: number; blocks: number; events: number }

/** On which chain, and from which seed on. */
type Ground = Pick<Play, 'chainKind' | 'seed'>

/**
 * Every step at every depth, and what reliability asks for; and what runs with every `npm test`. anvil makes each of many blocks more
 * slowly than the one before, so that there are fewer.
 */
export const longEffort: Readonly<Record<ChainKind, FollowingEffort>> = {
  edr: { reorgs: allReorgs, blocks: 100_000, events: 400 },
  anvil: { reorgs: allReorgs, blocks: 10_000, events: 400 },
}
export const shortEffort: FollowingEffort = { reorgs: 16, blocks: 1_200, events: 30 }

/** On one set of books: their comparison with the chain takes longer the more they hold. */
const reorgsAtOnce = 24
/** So many seeds may pass before a planted bug must be found. */
const seedsForPlants = 4

/** Follows a chain that goes back, on every seed, and a long one through endpoints that lie, on the first. */
export async function tortureFollowing({
  chainKind,
  seed,
  seeds,
  effort,
}: Ground & {
  seeds: number
  effort: FollowingEffort
}): Promise<Findings> {
  const sum = newTally()
  for (let index = 0; index < seeds; index += 1) {
    for (const play of reorgPlays({ chainKind, seed: seed + index }, effort.reorgs))
      add(sum, await run(play))
  }
  const { blocks, events } = effort
  add(sum, await run({ part: 'faults', chainKind, seed, blocks, events }))
  return findings(sum)
}

/** What the parts need beside the hub's sources: the contracts, and all that deploys and asks them. */
const forPlays = ['artifacts', 'scripts/world', 'scripts/deploy']

/** Puts a bug in and plays the part that must find it, until it does. */
export async function tortureFollowingPlanted(
  name: string,
  { chainKind, seed }: Ground,
): Promise<Findings> {
  const plant = followingPlants[name]
  if (!plant)
    throw new Error(`no bug is named ${name}; there are ${Object.keys(followingPlants).join(', ')}`)
  const find = async (sources: string) => {
    const sum = newTally()
    for (let index = 0; index < seedsForPlants; index += 1)
      for (const play of playsFor(plant, { chainKind, seed: seed + index }))
        if (sum.failures.length === 0) add(sum, await run(play, sources))
    return findings(sum)
  }
  return withSources(plant, find, forPlays)
}

function playsFor({ part }: FollowingPlant, ground: Ground): Play[] {
  if (part === 'faults') return [{ part, ...ground, blocks: 2_000, events: 60 }]
  return reorgPlays(ground, 3 * reorgsAtOnce)
}

function reorgPlays(ground: Ground, reorgs: number): Play[] {
  const plays: Play[] = []
  for (let first = 0; first < reorgs; first += reorgsAtOnce) {
    const count = Math.min(reorgsAtOnce, reorgs - first)
    plays.push({ part: 'reorgs', ...ground, first, reorgs: count })
  }
  return plays
}

async function run(play: Play, sources = projectRoot): Promise<Tally> {
  const script = join(sources, 'scripts/torture/chain/play.ts')
  const { stdout } = await promisify(execFile)(process.execPath, [script, JSON.stringify(play)], {
    maxBuffer: 64 * 1024 * 1024,
  })
  const tally = JSON.parse(stdout) as Tally
  const { operations, faults, missed, doubled, failures } = tally
  console.log(
    `  ${play.part} on ${play.chainKind}, seed ${play.seed}: ${operations} operations, ${faults} faults, missed ${missed}, doubled ${doubled}${failures.length > 0 ? ', FAILED' : ''}`,
  )
  if (operations === 0 || faults === 0) failures.push('nothing was done')
  return {
    ...tally,
    failures: failures.map(
      (text) => `${play.part} on ${play.chainKind}, seed ${play.seed}: ${text}`,
    ),
  }
}

function findings(sum: Tally): Findings {
  const { operations, faults, missed, doubled, failures } = sum
  console.log(`  ${faults.toLocaleString('en')} faults, missed ${missed}, doubled ${doubled}`)
  const isIdle = failures.length === 0 && (operations === 0 || faults === 0)
  return { operations, isIdle, failures }
}

function add(sum: Tally, one: Tally) {
  sum.operations += one.operations
  sum.faults += one.faults
  sum.missed += one.missed
  sum.doubled += one.doubled
  sum.failures.push(...one.failures)
}
