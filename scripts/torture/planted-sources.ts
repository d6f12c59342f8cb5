// A copy of the sources with a bug in it, beside those that are right.

import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Plant } from './plants.ts'
import { planted } from './plants.ts'
import { projectRoot } from './workshop.ts'

const copied = ['package.json', 'protocol', 'server', 'scripts/torture']

/**
 * Calls `work` with the root of a copy of the hub's sources, and of the campaigns that run inside of it, with a bug in it, and
 * removes it afterwards. `more` are further files and folders that the work needs.
 */
export async function withSources<T>(
  plant: Plant,
  work: (root: string) => Promise<T>,
  more: readonly string[] = [],
): Promise<T> {
  const root = mkdtempSync(join(tmpdir(), 'jandon-planted-'))
  try {
    for (const name of [...copied, ...more])
      cpSync(join(projectRoot, name), join(root, name), { recursive: true })
    symlinkSync(join(projectRoot, 'node_modules'), join(root, 'node_modules'))
    const path = join(root, plant.file)
    writeFileSync(path, planted(readFileSync(path, 'utf8'), plant))
    return await work(root)
  } finally {
    rmSync(root, { recursive: true })
  }
}
