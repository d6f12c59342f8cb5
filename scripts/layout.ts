// Writes contracts/storage-layout.json (with --check: compares it): which variable stands in which slot. The addresses are
// final and nothing is upgraded, but tools and proofs read slots, and a slot more is 20,000 gas for somebody.

import { readFile, writeFile } from 'node:fs/promises'
import { z } from 'zod'

const contracts = [
  'PaymentChannels.sol/PaymentChannels',
  'HubAccount.sol/HubAccount',
  'CreatorVault.sol/CreatorVault',
  'collectors/Erc3009DepositCollector.sol/Erc3009DepositCollector',
  'collectors/Permit2DepositCollector.sol/Permit2DepositCollector',
]

const artifact = z.object({
  contractName: z.string(),
  inputSourceName: z.string(),
  buildInfoId: z.string(),
})
const member = z.object({ label: z.string(), slot: z.string(), offset: z.int(), type: z.string() })
const layout = z.object({
  storage: z.array(member),
  types: z
    .record(
      z.string(),
      z.object({
        label: z.string(),
        numberOfBytes: z.string(),
        members: z.array(member).optional(),
      }),
    )
    .nullable(),
})

type Layout = z.output<typeof layout>

const root = new URL('../', import.meta.url)
const target = new URL('contracts/storage-layout.json', root)
const json = `${JSON.stringify(await layouts(), null, 2)}\n`

if (process.argv.includes('--check')) await check()
else await writeFile(target, json)

async function layouts() {
  const all = await Promise.all(contracts.map(layoutOf))
  return Object.fromEntries(all)
}

async function layoutOf(path: string): Promise<[string, object]> {
  const { contractName, inputSourceName, buildInfoId } = artifact.parse(
    await readJson(`artifacts/contracts/${path}.json`),
  )
  const { output } = z
    .object({
      output: z.object({
        contracts: z.record(
          z.string(),
          z.record(z.string(), z.object({ storageLayout: layout.optional() })),
        ),
      }),
    })
    .parse(await readJson(`artifacts/build-info/${buildInfoId}.output.json`))
  const found = output.contracts[inputSourceName]?.[contractName]?.storageLayout
  if (!found) throw new Error(`the compiler gave no storage layout for ${contractName}`)
  return [contractName, readable(found)]
}

/** Variables by slot and byte, structs with their members; names of types as in the source. */
function readable({ storage, types }: Layout) {
  const typeOf = (type: string) => types?.[type]?.label ?? type
  const line = ({ label, slot, offset, type }: z.output<typeof member>) =>
    `slot ${slot}, byte ${offset}: ${typeOf(type)} ${label}`
  const structs = Object.values(types ?? {})
    .filter(({ members }) => members !== undefined)
    .map(({ label, members = [] }) => [label, members.map(line)])
  return { variables: storage.map(line), structs: Object.fromEntries(structs) }
}

async function readJson(path: string): Promise<unknown> {
  return JSON.parse(await readFile(new URL(path, root), 'utf8'))
}

async function check() {
  const committed = JSON.stringify(JSON.parse(await readFile(target, 'utf8').catch(() => 'null')))
  if (committed === JSON.stringify(JSON.parse(json))) return
  console.error('contracts/storage-layout.json is not what the compiler says')
  process.exitCode = 1
}
