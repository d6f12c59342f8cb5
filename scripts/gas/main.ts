// `npm run gas`: what the contracts cost, measured on whole transactions, and whether that is still what the snapshot says.

import { readFile, writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { z } from 'zod'
import type { Breakdown } from './breakdown.ts'
import { explain } from './breakdown.ts'
import { createGasChain } from './chain.ts'
import type { Scenario } from './scenarios.ts'
import { beside, promised, warmUp } from './scenarios.ts'

const help = `usage: npm run gas -- [--json | --explain | --check | --update]

Measures gas per operation: whole transactions on a local chain (prague), a token with 6 decimals, addresses and salts
that look random, an escrow that holds other channels' tokens, a receiver that was paid before.
  --json     print one JSON object with the promised figures
  --explain  print what each figure consists of
  --check    compare with gas-snapshot.json: fail on a change above 2%, a figure above its limit, or code above 24,576 bytes
  --update   write gas-snapshot.json
`

const root = new URL('../../', import.meta.url)
const snapshotFile = new URL('gas-snapshot.json', root)
const codeBytesLimit = 24_576
const tolerance = 0.02

/** The contracts that go on public chains. */
const deployed = [
  'PaymentChannels.sol/PaymentChannels',
  'HubAccount.sol/HubAccount',
  'CreatorVault.sol/CreatorVault',
  'collectors/Erc3009DepositCollector.sol/Erc3009DepositCollector',
  'collectors/Permit2DepositCollector.sol/Permit2DepositCollector',
]

const figures = z.record(z.string(), z.number())
const snapshot = z.strictObject({ gas: figures, beside: figures, codeBytes: figures })

type Snapshot = z.output<typeof snapshot>
type Measured = { scenario: Scenario; gas: number; parts: Breakdown }

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    explain: { type: 'boolean', default: false },
    check: { type: 'boolean', default: false },
    update: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

if (values.help) process.stdout.write(help)
else await main()

async function main() {
  const main = await measure(promised)
  if (values.json) {
    process.stdout.write(`${JSON.stringify(byKey(main))}\n`)
    return
  }
  const others = await measure(beside)
  if (values.explain) {
    printParts([...main, ...others])
    return
  }
  const now = { gas: byKey(main), beside: byKey(others), codeBytes: await codeBytes() }
  if (values.update) await writeFile(snapshotFile, `${JSON.stringify(now, null, 2)}\n`)
  if (values.check) process.exitCode = report(await faults(now, main))
  else printTable([...main, ...others], now)
}

/** Each scenario begins from the same state, so that their order does not matter. */
async function measure(scenarios: readonly Scenario[]): Promise<Measured[]> {
  const at = await createGasChain()
  await warmUp(at)
  const start = await at.networkHelpers.takeSnapshot()
  const measured: Measured[] = []
  for (const scenario of scenarios) {
    await start.restore()
    progress(scenario.key)
    const hash = await scenario.send(at)
    const { gasUsed, status } = await at.chain.getTransactionReceipt({ hash })
    if (status !== 'success') throw new Error(`${scenario.key}: the transaction reverted`)
    const gas = Math.ceil(Number(gasUsed) / scenario.per)
    measured.push({ scenario, gas, parts: await explain(at, hash) })
  }
  progress('')
  return measured
}

function progress(key: string) {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${key && `measuring ${key}`}`)
}

function byKey(measured: readonly Measured[]): Record<string, number> {
  return Object.fromEntries(measured.map(({ scenario, gas }) => [scenario.key, gas]))
}

async function codeBytes(): Promise<Record<string, number>> {
  const sizes = deployed.map(async (path) => {
    const text = await readFile(new URL(`artifacts/contracts/${path}.json`, root), 'utf8')
    const { deployedBytecode } = z.object({ deployedBytecode: z.string() }).parse(JSON.parse(text))
    return [path.split('/').at(-1), (deployedBytecode.length - 2) / 2]
  })
  return Object.fromEntries(await Promise.all(sizes))
}

async function faults(now: Snapshot, measured: readonly Measured[]): Promise<string[]> {
  const old = snapshot.parse(JSON.parse(await readFile(snapshotFile, 'utf8')))
  const changed = [
    ...changes({ old: old.gas, now: now.gas }),
    ...changes({ old: old.beside, now: now.beside }),
  ]
  const above = measured
    .filter(({ scenario: { atMost }, gas }) => atMost !== undefined && gas > atMost)
    .map(({ scenario, gas }) => `${scenario.key} is ${gas} gas, above its limit ${scenario.atMost}`)
  const large = Object.entries(now.codeBytes)
    .filter(([, bytes]) => bytes > codeBytesLimit)
    .map(([name, bytes]) => `${name} has ${bytes} bytes of code, above ${codeBytesLimit}`)
  return [...changed, ...above, ...large]
}

function changes({ old, now }: Record<'old' | 'now', Record<string, number>>): string[] {
  const keys = [...new Set([...Object.keys(old), ...Object.keys(now)])]
  return keys.flatMap((key) => {
    const [before, after] = [old[key], now[key]]
    if (before === undefined || after === undefined) {
      return [`${key} is in one of snapshot and measurement only`]
    }
    const change = after / before - 1
    if (Math.abs(change) <= tolerance) return []
    return [`${key} went from ${before} to ${after} gas (${(change * 100).toFixed(1)}%)`]
  })
}

function report(found: readonly string[]): number {
  for (const fault of found) process.stderr.write(`${fault}\n`)
  if (found.length === 0) process.stdout.write('gas and code size are as in gas-snapshot.json\n')
  return found.length === 0 ? 0 : 1
}

function printTable(measured: readonly Measured[], { codeBytes: sizes }: Snapshot) {
  for (const { scenario, gas } of measured) {
    const limit = scenario.atMost === undefined ? '' : `≤ ${scenario.atMost.toLocaleString('en')}`
    const line = [scenario.key.padEnd(27), gas.toLocaleString('en').padStart(8), limit.padEnd(10)]
    process.stdout.write(`${line.join('  ')}${scenario.what}\n`)
  }
  for (const [name, bytes] of Object.entries(sizes)) {
    const line = [`code of ${name}`.padEnd(33), bytes.toLocaleString('en').padStart(8)]
    process.stdout.write(`${line.join('  ')} bytes\n`)
  }
}

function printParts(measured: readonly Measured[]) {
  const parts = Object.keys(measured[0]?.parts ?? {}) as (keyof Breakdown)[]
  process.stdout.write(`| figure | ${parts.join(' | ')} | sum |\n`)
  process.stdout.write(`|---${'|---:'.repeat(parts.length + 1)}|\n`)
  for (const { scenario, gas, parts: found } of measured) {
    const cells = parts.map((part) => Math.round(found[part] / scenario.per).toLocaleString('en'))
    process.stdout.write(
      `| \`${scenario.key}\` | ${cells.join(' | ')} | ${gas.toLocaleString('en')} |\n`,
    )
  }
}
