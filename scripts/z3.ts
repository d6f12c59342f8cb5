// Brings z3, which proves things for `npm run prove` and its test, into `.jandon/z3` when the machine has none. It comes from
// the Debian package of that name; nothing is installed, so that root and a plain user can do it.

import { copyFileSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { obtainPackages } from './debian.ts'
import { findZ3, localZ3, z3Advice } from './prove/z3.ts'

if (!findZ3()) {
  process.stderr.write('jandon: fetching z3 from its Debian package (once) …\n')
  const why = fetchZ3() ?? (findZ3() ? undefined : 'what the package holds does not run here')
  if (why !== undefined) {
    process.stderr.write(`jandon: z3 could not be fetched: ${why}.\n${z3Advice}\n`)
    process.exitCode = 1
  }
}

/** Returns what went wrong, if it did. The program appears whole or not at all. */
function fetchZ3(): string | undefined {
  const work = mkdtempSync(join(tmpdir(), 'jandon-z3-'))
  try {
    const why = obtainPackages(['z3'], work)
    if (why !== undefined) return why
    const program = join(work, 'root/usr/bin/z3')
    if (!existsSync(program)) return 'the package holds no usr/bin/z3'
    mkdirSync(dirname(localZ3), { recursive: true })
    const temporary = `${localZ3}.${process.pid}`
    copyFileSync(program, temporary)
    renameSync(temporary, localZ3)
    return undefined
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}
