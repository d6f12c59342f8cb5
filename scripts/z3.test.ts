import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

describe('z3', () => {
  let root: string

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'jandon-z3-'))
    mkdirSync(join(root, 'scripts/prove'), { recursive: true })
    for (const name of ['z3.ts', 'debian.ts', 'prove/z3.ts']) {
      copyFileSync(fileURLToPath(new URL(name, import.meta.url)), join(root, 'scripts', name))
    }
    writeFileSync(join(root, 'package.json'), '{"type":"module"}')
  })

  afterEach(() => rmSync(root, { recursive: true }))

  it('exits 1 and says what to do when it cannot be had', () => {
    const { status, stderr } = spawnSync(process.execPath, [join(root, 'scripts/z3.ts')], {
      env: { PATH: join(root, 'nothing') },
      encoding: 'utf8',
    })
    assert.equal(status, 1)
    assert.match(stderr, /z3 could not be fetched: apt-get could not be started/)
    assert.match(stderr, /install z3 \(sudo apt-get install z3/)
    assert(!existsSync(join(root, '.jandon')))
  })
})
