// The contracts under torture: invariants after random calls in Solidity, and random calls against the model.

import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { numberToHex } from 'viem'
import { compilePlanted } from './compile.ts'
import { type Differences, differ } from './differential.ts'
import type { FuzzJob, FuzzResult } from './fuzz.ts'
import { type Plant, plants } from './plants.ts'
import { withCopy } from './workshop.ts'

/** How much: `runs` of 100 calls for each invariant, and six times as many sequences against the model. */
export type Effort = { seed: number; runs: number }

/** What a campaign did and what it found. One of which a half did nothing proves nothing. */
export type Findings = { operations: number; isIdle: boolean; failures: string[] }

type Half = Omit<Findings, 'isIdle'>

const callsPerRun = 100
const sequencesPerRun = 6
const effortForPlants = { runs: 20 }

/** Over a million calls in Solidity and ten thousand sequences against the model take some ten minutes. */
export const defaultRuns = 1_700

/** Tortures the contracts as they are, on one core by each of the two ways. */
export async function tortureContracts({ seed, runs }: Effort): Promise<Findings> {
  return combine(
    withCopy(undefined, (root) => fuzz({ root, seed, runs, compile: 'as deployed' })),
    differ({ seed, sequences: runs * sequencesPerRun }),
  )
}

/** Compares the contracts as they are with the model, and leaves the Solidity half out. */
export async function tortureModel({ seed, runs }: Effort): Promise<Findings> {
  const half = compare(await differ({ seed, sequences: runs * sequencesPerRun }))
  return { ...half, isIdle: isIdle(half) }
}

/** Tortures the contracts with one bug in them. */
export async function torturePlanted(name: string, seed: number): Promise<Findings> {
  return combine(
    withCopy(plantOf(name), (root) => fuzz({ root, seed, compile: 'draft', ...effortForPlants })),
    differPlanted(name, seed),
  )
}

/** Compares the contracts with one bug in them with the model. */
export function differPlanted(name: string, seed: number): Promise<Differences> {
  const sequences = effortForPlants.runs * sequencesPerRun
  return differ({ seed, sequences }, compilePlanted(plantOf(name)))
}

/** Runs the Solidity campaign in a process of its own. */
export function fuzz({
  root,
  seed,
  runs,
  compile,
}: Pick<FuzzJob, 'root' | 'compile'> & Effort): Promise<FuzzResult[]> {
  const job: FuzzJob = {
    root,
    seed: numberToHex(seed, { size: 32 }),
    runs,
    depth: callsPerRun,
    compile,
  }
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

async function combine(
  fuzzing: Promise<FuzzResult[]>,
  comparing: Promise<Differences>,
): Promise<Findings> {
  const [fuzzed, compared] = await Promise.all([fuzzing, comparing])
  const [first, second] = [summarize(fuzzed), compare(compared)]
  return {
    operations: first.operations + second.operations,
    isIdle: isIdle(first) || isIdle(second),
    failures: [...first.failures, ...second.failures],
  }
}

/** Calls before the first failure are not counted, so that a failure is proof of calls too. */
function isIdle({ operations, failures }: Half): boolean {
  return operations === 0 && failures.length === 0
}

function summarize(results: FuzzResult[]): Half {
  for (const { name, calls, failure } of results) {
    console.log(`  ${name}: ${calls.toLocaleString('en')} calls${failure ? `, ${failure}` : ''}`)
  }
  return {
    operations: results.reduce((sum, { calls }) => sum + calls, 0),
    failures: results.flatMap(({ name, failure }) => (failure ? [`${name}: ${failure}`] : [])),
  }
}

function compare({ sequences, calls, answers, difference }: Differences): Half {
  console.log(
    `  model: ${sequences.toLocaleString('en')} sequences, ${calls.toLocaleString('en')} calls` +
      `${difference ? `, ${difference}` : ''}`,
  )
  if (difference) return { operations: calls, failures: [`model: ${difference}`] }
  for (const [kind, times] of Object.entries(answers).sort(byText)) {
    const list = Object.entries(times).sort(byText)
    console.log(`    ${kind}: ${list.map(([answer, count]) => `${answer} ${count}`).join(', ')}`)
  }
  return { operations: calls, failures: [] }
}

function byText([a]: [string, unknown], [b]: [string, unknown]): number {
  return a < b ? -1 : 1
}
