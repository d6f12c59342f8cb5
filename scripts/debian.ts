// Downloads Debian packages without installing them: as root and as a plain user, into a folder that the caller removes.

import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Downloads packages into `work` and unpacks them into `work`/root. Tries the machine's package lists first, then fresh ones
 * that live in `work` only. Returns what went wrong, if it did.
 */
export function obtainPackages(names: readonly string[], work: string): string | undefined {
  return download(names, work) ?? unpack(work)
}

function download(names: readonly string[], work: string): string | undefined {
  const get = ['download', ...names]
  if (run('apt-get', ['-qq', ...get], work) === undefined) return undefined
  const lists = join(work, 'lists')
  const cache = join(work, 'cache')
  for (const folder of [lists, cache]) mkdirSync(join(folder, 'partial'), { recursive: true })
  const own = ['-qq', '-o', `Dir::State::Lists=${lists}`, '-o', `Dir::Cache=${cache}`]
  return run('apt-get', [...own, 'update'], work) ?? run('apt-get', [...own, ...get], work)
}

function unpack(work: string): string | undefined {
  const packages = readdirSync(work).filter((name) => name.endsWith('.deb'))
  const failures = packages.map((name) => run('dpkg-deb', ['-x', name, 'root'], work))
  return failures.find((why) => why !== undefined)
}

/** Runs a program quietly. Returns what to tell when it could not be started or did not succeed. */
function run(program: string, args: string[], cwd: string): string | undefined {
  const { status, error, stderr } = spawnSync(program, args, { cwd, encoding: 'utf8' })
  if (error) return `${program} could not be started (${error.message})`
  return status === 0 ? undefined : `"${program} ${args.join(' ')}" failed: ${stderr.trim()}`
}
