// Compiles one contract with a bug in it, without the optimizer, in a second.

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { Hex } from 'viem'
import type { Bytecodes } from './chain.ts'
import { type Plant, planted } from './plants.ts'
import { projectRoot } from './workshop.ts'

type Compiler = {
  compile(input: string, options: { import: (path: string) => { contents: string } }): string
}

type Output = {
  errors?: { severity: string; formattedMessage: string }[]
  contracts?: Record<string, Record<string, { evm: { bytecode: { object: string } } }>>
}

/** The bytecode of the contract that is deployed when `plant` is in the sources: the account's, if it is in the vault. */
export function compilePlanted(plant: Plant): Bytecodes {
  const name = plant.file === 'PaymentChannels.sol' ? 'PaymentChannels' : 'HubAccount'
  const unit = `contracts/${name}.sol`
  const solc: Compiler = createRequire(import.meta.url)('solc')
  const input = {
    language: 'Solidity',
    sources: { [unit]: { content: readSource(unit, plant) } },
    settings: {
      evmVersion: 'prague',
      outputSelection: { [unit]: { [name]: ['evm.bytecode.object'] } },
    },
  }
  const options = { import: (path: string) => ({ contents: readSource(path, plant) }) }
  const output: Output = JSON.parse(solc.compile(JSON.stringify(input), options))
  const failures = output.errors?.filter(({ severity }) => severity === 'error') ?? []
  const bytecode = output.contracts?.[unit]?.[name]?.evm.bytecode.object
  if (failures.length > 0 || !bytecode) {
    throw new Error(failures.map(({ formattedMessage }) => formattedMessage).join('\n'))
  }
  return { [name]: `0x${bytecode}` as Hex }
}

function readSource(path: string, plant: Plant): string {
  const file = path.startsWith('@') ? join('node_modules', path) : path
  const source = readFileSync(join(projectRoot, file), 'utf8')
  return path === `contracts/${plant.file}` ? planted(source, plant) : source
}
