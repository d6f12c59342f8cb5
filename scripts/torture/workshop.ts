// A copy of the contracts that may be broken, beside the one that may not.

import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Plant, planted } from './plants.ts'

export const projectRoot = fileURLToPath(new URL('../..', import.meta.url))

/**
 * Calls `work` with the root of a copy of the contracts, with a bug in it if one is given, and removes it afterwards. What is
 * compiled there does not take the place of what is compiled here.
 */
export async function withCopy<T>(
  plant: Plant | undefined,
  work: (root: string) => Promise<T>,
): Promise<T> {
  const root = mkdtempSync(join(tmpdir(), 'jandon-torture-'))
  try {
    for (const name of ['package.json', 'contracts']) {
      cpSync(join(projectRoot, name), join(root, name), { recursive: true })
    }
    symlinkSync(join(projectRoot, 'node_modules'), join(root, 'node_modules'))
    if (plant) {
      const path = join(root, 'contracts', plant.file)
      writeFileSync(path, planted(readFileSync(path, 'utf8'), plant))
    }
    return await work(root)
  } finally {
    rmSync(root, { recursive: true })
  }
}
