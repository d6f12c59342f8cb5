import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const programs = ['schemas.ts', 'debian.ts']
const schemas = fileURLToPath(new URL('../.jandon/xsd/', import.meta.url))

describe('schemas', () => {
  let root: string

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'jandon-schemas-'))
    mkdirSync(join(root, 'scripts'))
    for (const name of programs) {
      copyFileSync(fileURLToPath(new URL(name, import.meta.url)), join(root, 'scripts', name))
    }
    writeFileSync(join(root, 'package.json'), '{"type":"module"}')
  })

  afterEach(() => rmSync(root, { recursive: true }))

  /** Runs the script where no program can be found, so that it cannot fetch anything. */
  function runWithoutPrograms() {
    const env = { PATH: join(root, 'nothing') }
    return spawnSync(process.execPath, [join(root, 'scripts/schemas.ts')], {
      env,
      encoding: 'utf8',
    })
  }

  it('does nothing when every file is there and right', () => {
    cpSync(schemas, join(root, '.jandon/xsd'), { recursive: true })
    const { status, stderr } = runWithoutPrograms()
    assert.deepEqual([status, stderr], [0, ''])
  })

  it('does not take a file that was changed', () => {
    cpSync(schemas, join(root, '.jandon/xsd'), { recursive: true })
    writeFileSync(join(root, '.jandon/xsd/pain.001.001.09.xsd'), '<schema/>')
    assert.equal(runWithoutPrograms().status, 1)
  })

  it('exits 1 and says what to do when the files cannot be had', () => {
    const { status, stderr } = runWithoutPrograms()
    assert.equal(status, 1)
    assert.match(stderr, /could not be fetched: apt-get could not be started/)
    assert.match(stderr, /On Debian or Ubuntu, check the network/)
    assert.match(stderr, /pain\.001\.001\.09\.xsd\n/)
    assert(!existsSync(join(root, '.jandon')))
  })
})
