// `npm run prove`: what solc's SMTChecker and z3 prove about the contracts, assertion by assertion.

import { parseArgs } from 'node:util'
import { type Plant, plants } from '../torture/plants.ts'
import { isProved, type Proof, prove, type Subject, subjects } from './prove.ts'
import { requireZ3 } from './z3.ts'

const help = `usage: npm run prove -- [--only <contract>] [--plant <bug>] [--seconds <n>] [--json]

Proves what scripts/prove/steps/ asserts about each call of the contracts; docs/contracts-tests.md says what that means.
Fails unless every assertion is proved and the end of each step is reached. Needs z3: "npm run setup -- --prove" gets it.
  --only     ${subjects.join(' or ')}
  --plant    put a bug of scripts/torture/plants.ts into the contract that has its place, and no other: must fail
  --seconds  limit for each assertion, default 30; one that z3 does not answer in time is unknown
  --json     print one JSON object
`

try {
  main()
} catch (error) {
  if (!(error instanceof Error)) throw error
  process.stderr.write(`prove: ${error.message}\n`)
  process.exitCode = 2
}

function main(): void {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      plant: { type: 'string' },
      seconds: { type: 'string', default: '30' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    process.stdout.write(help)
    return
  }
  if (!/^[1-9]\d{0,3}$/.test(values.seconds)) throw new Error('--seconds takes 1 to 9999')
  const plant = values.plant === undefined ? undefined : plantNamed(values.plant)
  const z3 = requireZ3()
  const proofs: Proof[] = []
  for (const subject of chosen(values.only, plant)) {
    const done = prove({
      subject,
      z3: z3.path,
      secondsPerQuery: Number(values.seconds),
      ...(plant && { plant }),
      onAnswer: (answered) => process.stderr.write(`\r${subject}: ${answered} answers `),
    })
    process.stderr.write('\r')
    if (!values.json) for (const proof of done) process.stdout.write(`${line(proof)}\n`)
    proofs.push(...done)
  }
  const open = proofs.filter((proof) => !isProved(proof))
  const summary = `${proofs.length - open.length} of ${proofs.length} as wanted, z3 ${z3.version}`
  process.stdout.write(
    values.json ? `${JSON.stringify({ z3: z3.version, proofs })}\n` : `${summary}\n`,
  )
  process.exitCode = open.length === 0 ? 0 : 1
}

function line({ subject, name, verdict, milliseconds }: Proof): string {
  return `${verdict.padEnd(9)} ${subject} ${name} (${milliseconds} ms)`
}

function plantNamed(name: string): Plant {
  const plant = plants[name]
  if (!plant)
    throw new Error(`no bug is named ${name}; there are ${Object.keys(plants).join(', ')}`)
  return plant
}

function chosen(only: string | undefined, plant: Plant | undefined): readonly Subject[] {
  const asked = only ?? plant?.file.replace(/\.sol$/, '')
  const found = subjects.filter((subject) => asked === undefined || subject === asked)
  if (found.length === 0) throw new Error(`nothing is proved about ${asked}`)
  return found
}
