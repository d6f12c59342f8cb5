// The contracts under torture: invariants after random calls in Solidity, and random calls against the model.

import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { numberToHex } from 'viem'
import { compilePlanted } from './compile.ts'
import { type Differences, differ } from './differential.ts'
import type { FuzzJob, FuzzResult } from './fuzz.ts'
import { type Plant, plants } from './plants.ts'
import { projectRoot, withPlanted } from './workshop.ts'

/** How much: `runs` of 100 calls for each invariant, and six times as many sequences against the model. */
export type Effort = { seed: number; runs: number }

/** What a campaign did and what it found. */
export type Findings = { operations: number; failures: string[] }

const callsPerRun = 100
const sequencesPerRun = 6
const effortForPlants = { runs: 20 }

/** Over a million calls in Solidity and ten thousand sequences against the model take some ten minutes. */
export const defaultRuns = 1_700

/** Tortures the contracts as they are. */
export async function tortureContracts({ seed, runs }: Effort): Promise<Findings> {
  const fuzzed = summarize(await fuzz({ root: projectRoot, seed, runs }))
  const compared = compare(await differ({ seed, sequences: runs * sequencesPerRun }))
  return {
    operations:
      Math.min(fuzzed.operations, compared.operations) && fuzzed.operations + compared.operations,
    failures: [...fuzzed.failures, ...compared.failures],
  }
}

/** Tortures the contracts with one bug in them, by both ways, and returns what each of them found. */
export async function torturePlanted(name: string, seed: number): Promise<Findings> {
  const plant = plantOf(name)
  const fuzzed = await withPlanted(plant, (root) => fuzz({ root, seed, ...effortForPlants }))
  const compared = await differPlanted(name, seed)
  const results = [summarize(fuzzed), compare(compared)]
  return {
    operations: results.reduce((sum, { operations }) => sum + operations, 0),
    failures: results.flatMap(({ failures }) => failures),
  }
}

/** Compares the contracts with one bug in them with the model. */
export function differPlanted(name: string, seed: number): Promise<Differences> {
  const sequences = effortForPlants.runs * sequencesPerRun
  return differ({ seed, sequences }, compilePlanted(plantOf(name)))
}

/** Runs the Solidity campaign in a process of its own. */
export function fuzz({ root, seed, runs }: { root: string } & Effort): Promise<FuzzResult[]> {
  const job: FuzzJob = { root, seed: numberToHex(seed, { size: 32 }), runs, depth: callsPerRun }
  const script = fileURLToPath(new URL('fuzz.ts', import.meta.url))
  return new Promise((resolve, reject) => {
    const child = fork(script, [JSON.stringify(job)], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    })
    let output = ''
    let results: FuzzResult[] | undefined
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        output += chunk.toString()
      })
    }
    child.on('message', (message: FuzzResult[]) => {
      results = message
    })
    child.on('error', reject)
    child.on('exit', (code) => {
      if (results) resolve(results)
      else reject(new Error(`the fuzzing process ended with ${code}:\n${output}`))
    })
  })
}

function plantOf(name: string): Plant {
  const plant = plants[name]
  if (!plant)
    throw new Error(`no bug is named ${name}; there are ${Object.keys(plants).join(', ')}`)
  return plant
}

function summarize(results: FuzzResult[]): Findings {
  for (const { name, calls, failure } of results) {
    console.log(`  ${name}: ${calls.toLocaleString('en')} calls${failure ? `, ${failure}` : ''}`)
  }
  return {
    operations: results.reduce((sum, { calls }) => sum + calls, 0),
    failures: results.flatMap(({ name, failure }) => (failure ? [`${name}: ${failure}`] : [])),
  }
}

function compare({ sequences, calls, refusals, difference }: Differences): Findings {
  const refused = Object.values(refusals).reduce((sum, times) => sum + times, 0)
  console.log(
    `  model: ${sequences.toLocaleString('en')} sequences, ${calls.toLocaleString('en')} calls, ` +
      `${refused.toLocaleString('en')} of them refused with ${Object.keys(refusals).length} different errors` +
      `${difference ? `, ${difference}` : ''}`,
  )
  return { operations: calls, failures: difference ? [`model: ${difference}`] : [] }
}
