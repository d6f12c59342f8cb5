// `npm run check`: everything that can be said about the code without running it. All checks run; each says what mends it.

import { spawnSync } from 'node:child_process'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/** What is checked, by which command, and what to do when it fails. */
const checks: readonly { name: string; command: readonly [string, ...string[]]; mend: string }[] = [
  {
    name: 'contracts compile',
    command: ['hardhat', 'build', '--quiet', '--no-tests'],
    mend: 'see the compiler',
  },
  {
    name: 'format and lint',
    command: ['biome', 'ci', '--colors=off', '--error-on-warnings', '.'],
    mend: 'npx biome check --write',
  },
  {
    name: 'Solidity lint',
    command: ['solhint', '--max-warnings', '0', 'contracts/**/*.sol'],
    mend: 'see the rule',
  },
  {
    name: 'Solidity format',
    command: ['prettier', '--check', 'contracts/**/*.sol'],
    mend: "npx prettier --write 'contracts/**/*.sol'",
  },
  { name: 'types', command: ['tsc', '--noEmit'], mend: 'see the compiler' },
  { name: 'unused code', command: ['knip'], mend: 'remove it, or name its use in knip.json' },
  { name: 'generated ABI', command: ['node', 'scripts/abi.ts', '--check'], mend: 'npm run abi' },
  {
    name: 'storage layout',
    command: ['node', 'scripts/layout.ts', '--check'],
    mend: 'node scripts/layout.ts, if the change is meant',
  },
  {
    name: 'fixed vectors',
    command: ['node', 'scripts/vectors.ts', '--check'],
    mend: 'node scripts/vectors.ts',
  },
  {
    name: 'gas and code size',
    command: ['node', 'scripts/gas/main.ts', '--check'],
    mend: 'npm run gas -- --update, if the change is meant',
  },
  {
    name: 'rules named by tests',
    command: ['node', 'scripts/rules.ts'],
    mend: 'name the rule in the test that shows it',
  },
]

const env = {
  ...process.env,
  PATH: `${join(root, 'node_modules', '.bin')}${delimiter}${process.env['PATH']}`,
}

let failed = 0
for (const { name, command, mend } of checks) {
  const began = Date.now()
  const [program, ...args] = command
  const { status, stdout, stderr } = spawnSync(program, args, { cwd: root, env, encoding: 'utf8' })
  const seconds = ((Date.now() - began) / 1_000).toFixed(1)
  const verdict = status === 0 ? 'ok    ' : 'FAILED'
  process.stdout.write(`${verdict} ${name} (${seconds} s)\n`)
  if (status === 0) continue
  failed += 1
  process.stdout.write(`${stdout}${stderr}→ ${mend}\n`)
}
process.exitCode = failed === 0 ? 0 : 1
