import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

const root = new URL('../', import.meta.url)
const libraries = ['viem', 'viem/siwe', 'zod']

describe('client/index.ts', () => {
  it('reaches nothing that a browser does not have', async () => {
    const files = new Set<string>()
    const foreign = new Set<string>()
    await collect(new URL('client/index.ts', root), { files, foreign })
    assert.ok(files.size > 20, `${files.size} files`)
    assert.deepEqual([...foreign].sort(), libraries)
  })
})

async function collect(
  file: URL,
  { files, foreign }: { files: Set<string>; foreign: Set<string> },
): Promise<void> {
  const path = fileURLToPath(file)
  if (files.has(path)) return
  files.add(path)
  for (const name of importsOf(await readFile(file, 'utf8'))) {
    const target = localFile(name, file)
    if (target) await collect(target, { files, foreign })
    else foreign.add(name)
  }
}

/** What is imported for its values; types leave no trace in a browser. */
function importsOf(source: string): string[] {
  const statements = source.matchAll(/^(?:import|export) (?!type )[^'"]*from '([^']+)'/gm)
  return [...statements].flatMap(([, name]) => name ?? [])
}

function localFile(name: string, from: URL): URL | undefined {
  if (name.startsWith('#')) return new URL(name.slice(1), root)
  return name.startsWith('.') ? new URL(name, from) : undefined
}
