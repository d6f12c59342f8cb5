import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { XmlDocument } from 'libxml2-wasm'
import { withSources } from '../torture/planted-sources.ts'
import type { Plant } from '../torture/plants.ts'
import { projectRoot } from '../torture/workshop.ts'
import { policies } from './policies.ts'

const small = ['--fans', '600', '--creators', '60', '--days', '9', '--seed', '5']

/** What the simulation of some sources prints. */
async function simulate(args: readonly string[], root = projectRoot): Promise<string> {
  const script = join(root, 'scripts/simulate/main.ts')
  return (await promisify(execFile)(process.execPath, [script, ...args])).stdout
}

/** Each changes what is settled when, without breaking any other rule. */
const changes: { [name: string]: Plant } = {
  'whose policy takes nothing along': {
    file: 'server/chain/settlement-policy.ts',
    find: /policy\.maxAgeMs \/ 2/,
    put: 'policy.maxAgeMs',
  },
  'whose policy credits late': {
    file: 'server/chain/settlement-policy.ts',
    find: /amount >= policy\.creditAt/,
    put: 'amount >= policy.creditAt * 50n',
  },
  'whose plan counts four times the gas for a claim': {
    file: 'server/chain/settlement-plan.ts',
    find: /voucher: 13_700n/,
    put: 'voucher: 54_800n',
  },
  'with other defaults': {
    file: 'server/config.ts',
    find: /(?<=JANDON_CREDIT_AT: decimal\()'\d+'/,
    put: "'77'",
  },
}

describe('npm run simulate', function () {
  this.timeout(120_000)
  let folder: string

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'jandon-simulate-'))
  })
  after(() => rm(folder, { recursive: true }))

  it('prints a table with a column for each policy', async () => {
    const lines = (await simulate(small)).split('\n')
    const head = lines[2]?.split('|').map((cell) => cell.trim())
    assert.deepEqual(head, ['', '', ...policies.map(({ name }) => name), ''])
    for (const line of lines.slice(2, -1)) assert.equal(line.length, lines[2]?.length)
    assert.match(lines[0] ?? '', /^Seed 5: 600 fans, 60 creators, 9 days/)
  })

  it('prints the same for the same seed, one JSON line for each policy', async () => {
    const printed = await simulate([...small, '--json'])
    assert.equal(await simulate([...small, '--json']), printed)
    const years = printed
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    assert.deepEqual(
      years.map(({ name }) => name),
      policies.map(({ name }) => name),
    )
  })

  for (const [name, plant] of Object.entries(changes)) {
    it(`comes to other figures with a hub ${name}`, async () => {
      const here = await simulate([...small, '--json'])
      const more = ['scripts/simulate', 'gas-snapshot.json']
      const there = await withSources(plant, (root) => simulate([...small, '--json'], root), more)
      assert.notEqual(there, here)
    })
  }

  it('plots to an SVG that names every policy', async () => {
    const file = join(folder, 'year.svg')
    await simulate([...small, '--svg', file])
    const svg = await readFile(file, 'utf8')
    XmlDocument.fromString(svg).dispose()
    for (const { name } of policies) assert.ok(svg.includes(`>${name}</text>`), name)
    assert.ok(!svg.includes('NaN'))
  })

  it('explains itself with --help', async () => {
    const help = await simulate(['--help'])
    for (const { name } of policies) assert.ok(help.includes(name))
    assert.match(help, /made up/)
  })

  it('says which number is wrong, with exit code 2', async () => {
    await assert.rejects(simulate(['--fans', 'many']), { code: 2, stderr: /--fans must be/ })
  })

  it('ends on SIGINT with exit code 130, and has written nothing', async () => {
    const file = join(folder, 'stopped.svg')
    const script = join(projectRoot, 'scripts/simulate/main.ts')
    const args = [script, '--fans', '2000', '--svg', file]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    const ended = once(child, 'exit')
    const [progress] = await once(child.stderr, 'data')
    assert.match(String(progress), /day \d+ of 365/)
    child.kill('SIGINT')
    assert.deepEqual(await ended, [130, null])
    assert.equal(await text(child.stdout), '')
    assert.ok(!existsSync(file))
  })
})
