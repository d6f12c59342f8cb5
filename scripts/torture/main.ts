// `npm run torture -- --only contracts|hub [--seed n] [--runs n] [--seeds n] [--plant <bug>|all]`: the long campaigns. Each
// says what it did, and fails when it did nothing. With a planted bug it must fail; with all of them it fails unless each was
// found. `--runs` is how much for the contracts, `--seeds` for the hub.

import { parseArgs } from 'node:util'
import { defaultRuns, type Findings, tortureContracts, torturePlanted } from './contracts.ts'
import { tortureHub, torturePlantedHub } from './hub/campaign.ts'
import { hubPlants } from './hub/plants.ts'
import { plants } from './plants.ts'

type Campaign = {
  plants: readonly string[]
  torture(): Promise<Findings>
  torturePlanted(plant: string): Promise<Findings>
}

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: 'contracts' },
    seed: { type: 'string' },
    seeds: { type: 'string', default: '10' },
    runs: { type: 'string', default: String(defaultRuns) },
    plant: { type: 'string' },
  },
})
const seed = wholeNumber(values.seed ?? String(Date.now() % 1_000_000_000), 'seed')
const runs = wholeNumber(values.runs, 'runs')
const seeds = wholeNumber(values.seeds, 'seeds')

const campaigns: { [name: string]: Campaign } = {
  contracts: {
    plants: Object.keys(plants),
    torture: () => tortureContracts({ seed, runs }),
    torturePlanted: (plant) => torturePlanted(plant, seed),
  },
  hub: {
    plants: Object.keys(hubPlants),
    torture: () => tortureHub({ seed, seeds }),
    torturePlanted: (plant) => torturePlantedHub(plant, seed),
  },
}
const chosen = campaigns[values.only]
if (!chosen) throw new Error(`there is no campaign named ${values.only}`)
const campaign = chosen

const began = Date.now()
const failed = values.plant === 'all' ? await findAll() : isRed(await torture(values.plant))
console.log(`${failed ? 'FAILED' : 'ok'} after ${((Date.now() - began) / 1_000).toFixed(0)} s`)
process.exitCode = failed ? 1 : 0

function torture(plant: string | undefined): Promise<Findings> {
  console.log(`${values.only}${plant ? ` with ${plant}` : ''}, seed ${seed}`)
  return plant ? campaign.torturePlanted(plant) : campaign.torture()
}

function isRed({ operations, isIdle, failures }: Findings): boolean {
  console.log(`  ${operations.toLocaleString('en')} operations, ${failures.length} failures`)
  for (const failure of failures) console.log(`  ${failure}`)
  if (isIdle) console.log('  a half of the campaign did nothing')
  return isIdle || failures.length > 0
}

async function findAll(): Promise<boolean> {
  const missed: string[] = []
  for (const plant of campaign.plants) {
    const { isIdle, failures } = await torture(plant)
    if (isIdle || failures.length === 0) missed.push(plant)
  }
  const count = campaign.plants.length
  console.log(`${count - missed.length} of ${count} planted bugs found`)
  if (missed.length > 0) console.log(`not found: ${missed.join(', ')}`)
  return count === 0 || missed.length > 0
}

function wholeNumber(text: string, name: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new Error(`${name} must be a whole number, not ${text}`)
  return Number(text)
}
