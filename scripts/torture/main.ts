// `npm run torture -- --only contracts [--seed n] [--runs n] [--plant <bug>|all]`, or `--only webhooks [--seed n]
// [--events n] [--kills n] [--dead n]`: the long campaigns. Each says what it did, and fails when it did nothing. With a
// planted bug it must fail; with all of them it fails unless each was found. `--only model` leaves the Solidity half of the
// contracts out; bugs are planted for both halves.

import { parseArgs } from 'node:util'
import {
  defaultRuns,
  type Findings,
  tortureContracts,
  tortureModel,
  torturePlanted,
} from './contracts.ts'
import { plants } from './plants.ts'
import { run as tortureWebhooks } from './webhooks.ts'

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: 'contracts' },
    seed: { type: 'string' },
    runs: { type: 'string', default: String(defaultRuns) },
    plant: { type: 'string' },
    events: { type: 'string', default: '100000' },
    kills: { type: 'string', default: '100' },
    dead: { type: 'string', default: '1000' },
  },
})
const seed = wholeNumber(values.seed ?? String(Date.now() % 1_000_000_000), 'seed')
const runs = wholeNumber(values.runs, 'runs')
if (values.only === 'model' && values.plant) throw new Error('bugs are planted for both halves')
const crowdTips = 600

const began = Date.now()
const failed = await runCampaign(values.only)
console.log(`${failed ? 'FAILED' : 'ok'} after ${((Date.now() - began) / 1_000).toFixed(0)} s`)
process.exitCode = failed ? 1 : 0

async function runCampaign(name: string): Promise<boolean> {
  switch (name) {
    case 'contracts':
    case 'model':
      return values.plant === 'all' ? findAll() : isRed(await torture(values.plant))
    case 'webhooks':
      return isRed(await deliver())
    default:
      throw new Error(`there is no campaign named ${name}`)
  }
}

function deliver(): Promise<Findings> {
  const [events, kills] = [wholeNumber(values.events, 'events'), wholeNumber(values.kills, 'kills')]
  const dead = wholeNumber(values.dead, 'dead')
  console.log(`webhooks, seed ${seed}: ${events} events, ${kills} kills, ${dead} dead endpoints`)
  return tortureWebhooks({ seed, events, kills, dead, crowdTips })
}

function torture(plant: string | undefined): Promise<Findings> {
  console.log(`${values.only}${plant ? ` with ${plant}` : ''}, seed ${seed}`)
  if (plant) return torturePlanted(plant, seed)
  return values.only === 'model' ? tortureModel({ seed, runs }) : tortureContracts({ seed, runs })
}

function isRed({ operations, isIdle, failures }: Findings): boolean {
  console.log(`  ${operations.toLocaleString('en')} operations, ${failures.length} failures`)
  for (const failure of failures) console.log(`  ${failure}`)
  if (isIdle) console.log('  a half of the campaign did nothing')
  return isIdle || failures.length > 0
}

async function findAll(): Promise<boolean> {
  const missed: string[] = []
  for (const plant of Object.keys(plants)) {
    const { isIdle, failures } = await torture(plant)
    if (isIdle || failures.length === 0) missed.push(plant)
  }
  const count = Object.keys(plants).length
  console.log(`${count - missed.length} of ${count} planted bugs found`)
  if (missed.length > 0) console.log(`not found: ${missed.join(', ')}`)
  return count === 0 || missed.length > 0
}

function wholeNumber(text: string, name: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new Error(`${name} must be a whole number, not ${text}`)
  return Number(text)
}
