// Where z3 is.

import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** Where `scripts/z3.ts` puts it. */
export const localZ3 = fileURLToPath(new URL('../../.jandon/z3/z3', import.meta.url))

export const z3Advice =
  'Run "node scripts/z3.ts" (Debian or Ubuntu, no root needed), or install z3 (sudo apt-get install z3, brew install z3).'

/** The machine's z3, else the one that was fetched: its path and version; undefined when neither runs. */
export function findZ3(): { path: string; version: string } | undefined {
  for (const path of ['z3', localZ3]) {
    const { status, stdout } = spawnSync(path, ['--version'], { encoding: 'utf8' })
    const version = /version (\S+)/.exec(stdout ?? '')?.[1]
    if (status === 0 && version) return { path, version }
  }
  return undefined
}

/** As `findZ3`. Throws with what to do when there is none. */
export function requireZ3(): { path: string; version: string } {
  const z3 = findZ3()
  if (!z3) throw new Error(`z3 is missing. ${z3Advice}`)
  return z3
}
