// Compiles one contract with a bug in it, without the optimizer, in a second.

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, join } from 'node:path'
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

/** What is deployed with a source in it. */
const deployed: Readonly<Record<string, string>> = {
  'PaymentChannels.sol': 'PaymentChannels.sol',
  'ChannelHashes.sol': 'PaymentChannels.sol',
  'PackedClaims.sol': 'PaymentChannels.sol',
  'TickChains.sol': 'PaymentChannels.sol',
  'HubAccount.sol': 'HubAccount.sol',
  'CreatorVault.sol': 'HubAccount.sol',
  'PackedCredits.sol': 'HubAccount.sol',
  'collectors/Erc3009DepositCollector.sol': 'collectors/Erc3009DepositCollector.sol',
  'collectors/Permit2DepositCollector.sol': 'collectors/Permit2DepositCollector.sol',
}

/** The bytecode of the contract that is deployed when `plant` is in the sources: the account's, if it is in the vault. */
export function compilePlanted(plant: Plant): Bytecodes {
  const path = deployed[plant.file]
  if (!path) throw new Error(`nothing is deployed with ${plant.file} in it`)
  const name = basename(path, '.sol')
  const unit = `contracts/${path}`
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
