// Proves what the step contracts assert. The SMTChecker of solc turns each assertion into a query; z3 answers it.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Plant, planted } from '../torture/plants.ts'
import { readable, typesOf } from './reading.ts'

/** The contracts with steps. */
export const subjects = ['CreatorVault', 'PaymentChannels'] as const
export type Subject = (typeof subjects)[number]

/** `reached` is the wanted answer for the end of a step: an end that nothing reaches would prove everything. */
export type Verdict = 'proved' | 'reached' | 'violated' | 'unreached' | 'unknown'
export type Proof = { subject: Subject; name: string; verdict: Verdict; milliseconds: number }

export type Job = {
  subject: Subject
  z3: string
  secondsPerQuery: number
  plant?: Plant
  onAnswer?: (answered: number) => void
}

type Diagnosis = {
  severity: string
  errorCode?: string
  formattedMessage: string
  sourceLocation?: { file: string; start: number }
}

type Solver = (query: string) => { contents: string }
type Compiler = {
  compile(
    input: string,
    callbacks: { import: (path: string) => { contents: string }; smtSolver: Solver },
  ): string
}

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Codes of solc's answers to an assertion; anything else about it (no answer in time, an error of the solver) is unknown. */
const codes = { safe: '2961', violated: '4661' }

/** Answers each assertion of the subject's steps, in their order. Throws when there are none or the sources do not compile. */
export function prove(job: Job): Proof[] {
  const unit = `scripts/prove/steps/${job.subject}Steps.sol`
  const steps = readFileSync(join(root, unit), 'utf8')
  const claims = assertionsOf(steps)
  const milliseconds: number[] = []
  const diagnoses = check(unit, job, (duration) => {
    milliseconds.push(duration)
    job.onAnswer?.(milliseconds.length)
  })
  const errors = diagnoses.filter(({ severity }) => severity === 'error')
  if (errors.length > 0) throw new Error(errors.map((one) => one.formattedMessage).join('\n'))
  if (claims.length === 0 || milliseconds.length !== claims.length) {
    throw new Error(`${unit} has ${claims.length} assertions but ${milliseconds.length} queries`)
  }
  return claims.map(({ name, start }, index) => {
    const found = diagnoses.filter(
      ({ sourceLocation }) => sourceLocation?.file === unit && sourceLocation.start === start,
    )
    const verdict = verdictOf(
      name,
      found.map(({ errorCode }) => errorCode),
    )
    return { subject: job.subject, name, verdict, milliseconds: milliseconds[index] ?? 0 }
  })
}

/** Whether nothing is left open by these answers. */
export function isProved({ verdict }: Proof): boolean {
  return verdict === 'proved' || verdict === 'reached'
}

/** An assertion is named by the line above it. `start` counts bytes, as solc does. */
function assertionsOf(source: string): { name: string; start: number }[] {
  const named = source.matchAll(/\/\/ ([^\n]+)\n *(?=assert\()/g)
  return [...named].map(([text, name = ''], index, all) => {
    const at = (all[index]?.index ?? 0) + text.length
    return { name, start: Buffer.byteLength(source.slice(0, at)) }
  })
}

function verdictOf(name: string, found: readonly (string | undefined)[]): Verdict {
  const isEnd = name.endsWith(': reached')
  if (found.includes(codes.violated)) return isEnd ? 'reached' : 'violated'
  if (found.includes(codes.safe)) return isEnd ? 'unreached' : 'proved'
  return 'unknown'
}

function check(unit: string, job: Job, onAnswer: (milliseconds: number) => void): Diagnosis[] {
  const solc: Compiler = createRequire(import.meta.url)('solc')
  const input = {
    language: 'Solidity',
    sources: { [unit]: { content: readFileSync(join(root, unit), 'utf8') } },
    settings: {
      evmVersion: 'prague',
      modelChecker: {
        contracts: { [unit]: [`${job.subject}Steps`] },
        engine: 'bmc',
        targets: ['assert'],
        solvers: ['smtlib2'],
        showProvedSafe: true,
        showUnproved: true,
      },
    },
  }
  const work = mkdtempSync(join(tmpdir(), 'jandon-prove-'))
  try {
    const output = solc.compile(JSON.stringify(input), {
      import: (path) => ({ contents: read(path, job) }),
      smtSolver: (query) => {
        const began = performance.now()
        const contents = answer(query, work, job)
        onAnswer(Math.round(performance.now() - began))
        return { contents }
      },
    })
    const { errors }: { errors?: Diagnosis[] } = JSON.parse(output)
    return errors ?? []
  } finally {
    rmSync(work, { recursive: true })
  }
}

function answer(query: string, work: string, { z3, secondsPerQuery }: Job): string {
  const path = join(work, 'query.smt2')
  writeFileSync(path, query)
  const { error, stdout } = spawnSync(z3, ['-smt2', `-T:${secondsPerQuery}`, path], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  })
  if (error) throw error
  return stdout
}

/** What the checker reads at an import path: the real source made readable, or what stands for what it cannot read. */
function read(path: string, { subject, plant }: Job): string {
  const unknown = join(root, 'scripts/prove/unknown', basename(path))
  if (path.startsWith('scripts/')) return readFileSync(join(root, path), 'utf8')
  const source = readFileSync(join(root, path.startsWith('@') ? 'node_modules' : '', path), 'utf8')
  if (path === `contracts/${subject}.sol`) {
    return readable(plant?.file === `${subject}.sol` ? planted(source, plant) : source)
  }
  if (path === `contracts/interfaces/I${subject}.sol`) return typesOf(source)
  if (path.startsWith('@') && path.includes('/interfaces/')) return source
  return standIns.has(basename(path)) ? readFileSync(unknown, 'utf8') : source
}

const standIns: ReadonlySet<string> = new Set([
  'ChannelHashes.sol',
  'ECDSA.sol',
  'EIP712.sol',
  'MessageHashUtils.sol',
  'Multicall.sol',
  'PackedClaims.sol',
  'PackedCredits.sol',
  'ReentrancyGuardTransient.sol',
  'SafeERC20.sol',
  'SignatureChecker.sol',
  'TickChains.sol',
])
