// `npm run torture -- --only <campaign> [--seed n] [--plant <bug>|all]`: the long campaigns. Each says what it did, and fails
// when it did nothing. With a planted bug it must fail; with all of them it fails unless each was found.

import { parseArgs } from 'node:util'
import type { ChainKind } from '../world/chains.ts'
import { chainKinds } from '../world/chains.ts'
import { chainParts, chainPlants, tortureChain, tortureChainPlanted } from './chain/campaign.ts'
import {
  defaultRuns,
  type Findings,
  tortureContracts,
  tortureModel,
  torturePlanted,
} from './contracts.ts'
import { tortureHub, torturePlantedHub } from './hub/campaign.ts'
import { hubPlants } from './hub/plants.ts'
import { tortureLoad } from './load/campaign.ts'
import { plants } from './plants.ts'
import { defaultRounds, restorePlants, tortureRestores } from './restores.ts'
import { run as tortureWebhooks } from './webhooks.ts'

const help = `usage: npm run torture -- [options]

  --only <name>    contracts (default): the contracts in Solidity and against the model; model: the second half alone;
                   hub: histories with crashes, a failing disk, damage; restores: hubs lost and restored;
                    webhooks: deliveries with crashes; load: honest fans beside attacks, overload, thousands of viewers;
                    chain: reorgs, endpoints that lie, transactions that are lost, dropped, killed and priced out,
                    settlements with poison in them, withdrawal windows with hub and tower dying and dear gas
  --seed <n>       where randomness begins; printed, so that a run can be repeated
  --runs <n>       contracts: hundreds of calls for each invariant (default ${defaultRuns})
  --rounds <n>     restores: in each the hub is lost three times (default ${defaultRounds})
  --seeds <n>      hub, chain: how many seeds (default 10)
  --events <n>     webhooks: events to deliver (default 100000)
  --kills <n>      webhooks: kills of the hub (default 100)
  --dead <n>       webhooks: endpoints that never answer (default 1000)
  --part <name>    load: one of forgers, loris, bodies, flooders, overload, one, crowd, revoked; chain: one of
                    ${chainParts.join(', ')}
  --chain <name>   chain: on edr (Hardhat's), anvil (Foundry's) or both (default); planted bugs are looked for on the first
  --seconds <n>    load: length of a phase (default 5)
  --phases <n>     load: how often each phase is measured; medians are judged (default 3)
  --connections <n>  load: slow connections (default 10000)
  --viewers <n>    load: viewers of one creator (default 5000)
  --plant <bug>    puts a named bug in, or all of them in turn; the campaign must find it (contracts, hub, restores, chain)
  --help           print this
`

type Campaign = {
  plants: readonly string[]
  torture(): Promise<Findings>
  torturePlanted?(plant: string): Promise<Findings>
}

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: 'contracts' },
    seed: { type: 'string' },
    seeds: { type: 'string', default: '10' },
    runs: { type: 'string', default: String(defaultRuns) },
    rounds: { type: 'string', default: String(defaultRounds) },
    plant: { type: 'string' },
    events: { type: 'string', default: '100000' },
    kills: { type: 'string', default: '100' },
    dead: { type: 'string', default: '1000' },
    part: { type: 'string' },
    chain: { type: 'string', default: 'both' },
    seconds: { type: 'string', default: '5' },
    phases: { type: 'string', default: '3' },
    connections: { type: 'string', default: '10000' },
    viewers: { type: 'string', default: '5000' },
    help: { type: 'boolean', default: false },
  },
})
const seed = wholeNumber(values.seed ?? String(Date.now() % 1_000_000_000), 'seed')
const runs = wholeNumber(values.runs, 'runs')
const rounds = wholeNumber(values.rounds, 'rounds')
const seeds = wholeNumber(values.seeds, 'seeds')
const crowdTips = 600
const loadChannels = 200

const campaigns: { [name: string]: Campaign } = {
  contracts: {
    plants: Object.keys(plants),
    torture: () => tortureContracts({ seed, runs }),
    torturePlanted: (plant) => torturePlanted(plant, seed),
  },
  model: { plants: [], torture: () => tortureModel({ seed, runs }) },
  hub: {
    plants: Object.keys(hubPlants),
    torture: () => tortureHub({ seed, seeds }),
    torturePlanted: (plant) => torturePlantedHub(plant, seed),
  },
  restores: {
    plants: Object.keys(restorePlants),
    torture: () => tortureRestores({ seed, runs: rounds }),
    torturePlanted: (plant) => tortureRestores({ seed, runs: 1, plant }),
  },
  load: {
    plants: [],
    torture: () =>
      tortureLoad({
        seed,
        phaseSeconds: wholeNumber(values.seconds, 'seconds'),
        rounds: wholeNumber(values.phases, 'phases'),
        channels: loadChannels,
        connections: wholeNumber(values.connections, 'connections'),
        viewers: wholeNumber(values.viewers, 'viewers'),
        judge: true,
        only: values.part,
      }),
  },
  chain: {
    plants: chainPlants,
    torture: () => tortureChain({ chainKinds: chosenChains(), seed, seeds, only: values.part }),
    torturePlanted: (plant) => tortureChainPlanted(plant, { chainKind: firstChain(), seed }),
  },
  webhooks: {
    plants: [],
    torture: () =>
      tortureWebhooks({
        seed,
        events: wholeNumber(values.events, 'events'),
        kills: wholeNumber(values.kills, 'kills'),
        dead: wholeNumber(values.dead, 'dead'),
        crowdTips,
      }),
  },
}

if (values.help) {
  process.stdout.write(help)
} else {
  const chosen = campaigns[values.only]
  if (!chosen) throw new Error(`there is no campaign named ${values.only}`)
  const began = Date.now()
  const failed =
    values.plant === 'all' ? await findAll(chosen) : isRed(await torture(chosen, values.plant))
  console.log(`${failed ? 'FAILED' : 'ok'} after ${((Date.now() - began) / 1_000).toFixed(0)} s`)
  process.exitCode = failed ? 1 : 0
}

function torture(campaign: Campaign, plant: string | undefined): Promise<Findings> {
  console.log(`${values.only}${plant ? ` with ${plant}` : ''}, seed ${seed}`)
  if (plant === undefined) return campaign.torture()
  if (!campaign.torturePlanted) throw new Error(`no bugs are planted for ${values.only}`)
  return campaign.torturePlanted(plant)
}

function isRed({ operations, isIdle, failures }: Findings): boolean {
  console.log(`  ${operations.toLocaleString('en')} operations, ${failures.length} failures`)
  for (const failure of failures) console.log(`  ${failure}`)
  if (isIdle) console.log('  a half of the campaign did nothing')
  return isIdle || failures.length > 0
}

async function findAll(campaign: Campaign): Promise<boolean> {
  const missed: string[] = []
  for (const plant of campaign.plants) {
    const { isIdle, failures } = await torture(campaign, plant)
    if (isIdle || failures.length === 0) missed.push(plant)
  }
  const count = campaign.plants.length
  console.log(`${count - missed.length} of ${count} planted bugs found`)
  if (missed.length > 0) console.log(`not found: ${missed.join(', ')}`)
  return count === 0 || missed.length > 0
}

/** The chains that `--chain` names. */
function chosenChains(): readonly ChainKind[] {
  const chosen = chainKinds.filter((kind) => values.chain === 'both' || values.chain === kind)
  if (chosen.length === 0) throw new Error(`there is no chain named ${values.chain}`)
  return chosen
}

function firstChain(): ChainKind {
  return chosenChains()[0] ?? 'edr'
}

function wholeNumber(text: string, name: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new Error(`${name} must be a whole number, not ${text}`)
  return Number(text)
}
