// `npm run torture -- --only contracts|restores [--seed n] [--runs n] [--plant <bug>|all]`: the long campaigns. Each says what it
// did, and fails when it did nothing. With a planted bug it must fail; with all of them it fails unless each was found.

import { parseArgs } from 'node:util'
import { defaultRuns, type Findings, tortureContracts, torturePlanted } from './contracts.ts'
import { plants } from './plants.ts'
import { defaultRounds, restorePlants, tortureRestores } from './restores.ts'

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: 'contracts' },
    seed: { type: 'string' },
    runs: { type: 'string' },
    plant: { type: 'string' },
  },
})
const seed = wholeNumber(values.seed ?? String(Date.now() % 1_000_000_000), 'seed')
const runs = wholeNumber(values.runs ?? String(defaultRuns), 'runs')
if (!['contracts', 'restores'].includes(values.only)) {
  throw new Error(`there is no campaign named ${values.only}`)
}
const isRestores = values.only === 'restores'

const began = Date.now()
const failed = values.plant === 'all' ? await findAll() : isRed(await torture(values.plant))
console.log(`${failed ? 'FAILED' : 'ok'} after ${((Date.now() - began) / 1_000).toFixed(0)} s`)
process.exitCode = failed ? 1 : 0

function torture(plant: string | undefined): Promise<Findings> {
  console.log(`${values.only}${plant ? ` with ${plant}` : ''}, seed ${seed}`)
  if (isRestores) {
    const rounds = values.runs === undefined ? defaultRounds : runs
    return tortureRestores(plant ? { seed, runs: 1, plant } : { seed, runs: rounds })
  }
  return plant ? torturePlanted(plant, seed) : tortureContracts({ seed, runs })
}

function isRed({ operations, isIdle, failures }: Findings): boolean {
  console.log(`  ${operations.toLocaleString('en')} operations, ${failures.length} failures`)
  for (const failure of failures) console.log(`  ${failure}`)
  if (isIdle) console.log('  a half of the campaign did nothing')
  return isIdle || failures.length > 0
}

async function findAll(): Promise<boolean> {
  const missed: string[] = []
  const names = Object.keys(isRestores ? restorePlants : plants)
  for (const plant of names) {
    const { isIdle, failures } = await torture(plant)
    if (isIdle || failures.length === 0) missed.push(plant)
  }
  const count = names.length
  console.log(`${count - missed.length} of ${count} planted bugs found`)
  if (missed.length > 0) console.log(`not found: ${missed.join(', ')}`)
  return count === 0 || missed.length > 0
}

function wholeNumber(text: string, name: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new Error(`${name} must be a whole number, not ${text}`)
  return Number(text)
}
