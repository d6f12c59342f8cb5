// The transactions of a hub under torture: sends that are killed, lost, dropped and priced out, and settlements with poison in
// them.

import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { ChainKind } from '../../world/chains.ts'
import type { Findings } from '../contracts.ts'
import { withSources } from '../planted-sources.ts'
import { projectRoot } from '../workshop.ts'
import { transactionPlants } from './plants.ts'
import type { PoisonEffort } from './poison.ts'
import type { ChainFindings } from './sending.ts'
import { tortureSending } from './sending.ts'

/** On which chain, and from which seed on. */
type Ground = { chainKind: ChainKind; seed: number }

/** How much of each is done for a seed. */
type Effort = { sends: number; kills: number; channels: number }

const longEffort: Effort = { sends: 1_000, kills: 20, channels: 100 }
const shortEffort: Effort = { sends: 60, kills: 2, channels: 14 }
const plantEffort: Effort = { sends: 80, kills: 3, channels: 14 }

/** A planted bug is looked for under so many seeds. */
const seedsForPlant = 5

/** What the poison needs beside the hub's sources: the contracts, and who deploys them. */
const forPoison = ['artifacts', 'scripts/world', 'scripts/deploy']

export async function tortureTransactions({
  chainKind,
  seed,
  seeds,
  isShort = false,
}: Ground & {
  seeds: number
  isShort?: boolean
}): Promise<Findings> {
  const { sends, kills, channels } = isShort ? shortEffort : longEffort
  const found: ChainFindings[] = []
  for (let index = 0; index < seeds; index += 1) {
    const own = { chainKind, seed: seed + index }
    const on = `on ${chainKind}, seed ${own.seed}`
    found.push(named(`sending ${on}`, await tortureSending({ ...own, sends, kills })))
    found.push(named(`poison ${on}`, await poison({ ...own, channels }, projectRoot)))
  }
  return total(found)
}

/** The part that must find a planted bug, on a copy of the sources with the bug in it. */
export async function torturePlantedTransactions(
  name: string,
  { chainKind, seed }: Ground,
): Promise<Findings> {
  const plant = transactionPlants[name]
  if (!plant) throw new Error(`there is no plant named ${name}`)
  const { sends, kills, channels } = plantEffort
  const find = (own: number, root: string) =>
    plant.part === 'sending'
      ? tortureSending({ chainKind, seed: own, sends, kills }, root)
      : poison({ chainKind, seed: own, channels }, root)
  const more = plant.part === 'poison' ? forPoison : []
  return withSources(plant, (root) => untilRed(seed, (own) => find(own, root)), more)
}

/** Some bugs need luck: a replacement that is lost while what it replaces is mined. */
async function untilRed(
  seed: number,
  find: (seed: number) => Promise<ChainFindings>,
): Promise<Findings> {
  const found: ChainFindings[] = []
  while (found.length < seedsForPlant && !found.some(({ failures }) => failures.length > 0))
    found.push(await find(seed + found.length))
  return total(found)
}

/** Runs the poison inside of the sources that are tested, because it puts the parts together itself. */
async function poison(effort: PoisonEffort, sources: string): Promise<ChainFindings> {
  const script = join(sources, 'scripts/torture/chain/poison-run.ts')
  const { stdout } = await promisify(execFile)(process.execPath, [script, JSON.stringify(effort)])
  const lines = stdout.trimEnd().split('\n')
  for (const line of lines.slice(0, -1)) console.log(line)
  return JSON.parse(lines.at(-1) ?? '') as ChainFindings
}

function named(name: string, found: ChainFindings): ChainFindings {
  return { ...found, failures: found.failures.map((failure) => `${name}: ${failure}`) }
}

/** A part that did nothing, or broke nothing, proves nothing. */
function total(found: readonly ChainFindings[]): Findings {
  return {
    operations: found.reduce((sum, { operations }) => sum + operations, 0),
    isIdle: found.some(({ operations, faults, failures }) => {
      const didNothing = operations === 0 || faults === 0
      return didNothing && failures.length === 0
    }),
    failures: found.flatMap(({ failures }) => failures),
  }
}
