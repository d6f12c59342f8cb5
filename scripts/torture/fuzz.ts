// A process that compiles one copy of the contracts, runs the Solidity tests of contracts/test/fuzz in it, and tells its
// parent how that went. It is a process of its own because a run of Hardhat writes to the standard output.

import { createHardhatRuntimeEnvironment } from 'hardhat/hre'
import config from '../../hardhat.config.ts'

/**
 * Where the contracts are and how long to call them. `seed` is 32 bytes of hex. As a draft the contracts are compiled
 * without the optimizer, in a third of the time.
 */
export type FuzzJob = {
  root: string
  seed: string
  runs: number
  depth: number
  compile: 'as deployed' | 'draft'
}

/** How one invariant fared: calls made, and why it failed if it did. */
export type FuzzResult = { name: string; calls: number; failure?: string }

const deployed = config.solidity ?? '0.8.37'
const draft = Object.assign({}, config.solidity, { settings: { evmVersion: 'prague' } })

if (process.send) process.send(await fuzz(JSON.parse(process.argv[2] ?? '')))

async function fuzz({ root, seed, runs, depth, compile }: FuzzJob): Promise<FuzzResult[]> {
  const { networks } = config
  const hre = await createHardhatRuntimeEnvironment(
    {
      solidity: compile === 'draft' ? draft : deployed,
      ...(networks && { networks }),
      test: {
        solidity: {
          fsPermissions: { readFile: ['contracts/test/permit2.json'] },
          fuzz: { runs, seed },
          invariant: {
            runs,
            depth,
            failOnRevert: true,
            failurePersistDir: `${root}/cache/${seed}`,
          },
        },
      },
    },
    {},
    root,
  )
  const ran = await hre.tasks.getTask(['test', 'solidity']).run({})
  const { suiteResults }: { suiteResults: { testResults: TestResult[] }[] } =
    'value' in ran ? ran.value : ran.error
  return suiteResults.flatMap(({ testResults }) => testResults.map(readResult))
}

/** The part of Hardhat's answer that is read here. */
type TestResult = { name: string; status: string; reason?: string; kind: { calls?: bigint } }

function readResult({ name, status, reason, kind }: TestResult): FuzzResult {
  return {
    name: name.replace(/^invariant_(.*)\(\)$/, '$1'),
    calls: Number(kind.calls ?? 0n),
    ...(status !== 'Success' && { failure: reason ?? status }),
  }
}
