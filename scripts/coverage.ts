// `npm run coverage`: which lines of the contracts the contract tests reach, those of contracts/test/ left out. It works in
// a copy, because contracts with counters in them must not be mistaken for the real ones. Fails below 100%.

import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const leftOut = ['node_modules', '.git', '.jandon', 'artifacts', 'cache', 'coverage', 'dist']
const copy = mkdtempSync(join(tmpdir(), 'jandon-coverage-'))
try {
  cpSync(root, copy, {
    recursive: true,
    filter: (path) => !leftOut.some((name) => path === join(root, name)),
  })
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
  process.exitCode = measure() ? 0 : 1
} finally {
  rmSync(copy, { recursive: true })
}

function measure(): boolean {
  const mocha = join(root, 'node_modules', 'mocha', 'bin', 'mocha.js')
  const hook = './scripts/coverage-hook.ts'
  const options = ['--no-config', '--timeout', '120000', '--reporter', 'dot', '--require', hook]
  const { status } = spawnSync(process.execPath, [mocha, ...options, 'contracts/test/*.test.ts'], {
    cwd: copy,
    env: { ...process.env, HARDHAT_COVERAGE: 'true' },
    stdio: 'inherit',
  })
  if (status !== 0) return false

  const missing = uncovered(readFileSync(join(copy, 'coverage', 'lcov.info'), 'utf8'))
  for (const { file, lines } of missing) console.log(`${file}: not reached: ${lines.join(', ')}`)
  return missing.length === 0
}

/** The lines that no test reached, by file. */
function uncovered(report: string): { file: string; lines: string[] }[] {
  const files = report.split('end_of_record').flatMap((section) => {
    const file = /^SF:(.*)$/m.exec(section)?.[1]
    if (!file || file.startsWith(join('contracts', 'test'))) return []
    const lines = [...section.matchAll(/^DA:(\d+),0$/gm)].map(([, line]) => line ?? '')
    return [{ file, lines }]
  })
  if (files.length === 0) throw new Error(`${basename(copy)} reports on no file`)
  return files.filter(({ lines }) => lines.length > 0)
}
