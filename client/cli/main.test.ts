import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Run } from '../testing/cli.ts'
import { jandon } from '../testing/cli.ts'

const key = `0x${'51'.repeat(32)}`

describe('jandon', () => {
  let folder: string
  let closedHub: string

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'jandon-cli-'))
    closedHub = `http://127.0.0.1:${await closedPort()}`
    await writeFile(join(folder, 'key'), `${key}\n`)
    await writeFile(join(folder, 'not-a-key'), '0x1234')
  })

  after(() => rm(folder, { recursive: true, force: true }))

  it('shows its help and is done', async () => {
    for (const args of [[], ['--help'], ['tip', '--help']]) {
      const { code, stdout, stderr } = await jandon(args, { folder })
      assert.deepEqual([code, stderr], [0, ''])
      assert.match(stdout, /Usage: jandon/)
    }
  })

  describe('wrong usage', () => {
    const cases: { [name: string]: string[] } = {
      'an unknown command': ['tipp', '@busker', '1'],
      'an unknown option': ['history', '--all'],
      'a missing argument': ['tip', '@busker'],
      'an argument too many': ['tip', '@busker', '1', '2'],
      'a deposit without an amount': ['open'],
      'a limit that is no number': ['history', '--limit', 'many'],
      'no hub': ['balance'],
      'a hub that is no address': ['balance', '--hub', 'here'],
      'no wallet': ['balance', '--hub', 'http://127.0.0.1:1'],
      'a wallet without a development hub': [
        'balance',
        '--hub',
        'http://127.0.0.1:1',
        '--as',
        'fan',
      ],
      'a key file that is not there': [
        'balance',
        '--hub',
        'http://127.0.0.1:1',
        '--key-file',
        'none',
      ],
      'a key file without a key': [
        'balance',
        '--hub',
        'http://127.0.0.1:1',
        '--key-file',
        'not-a-key',
      ],
      'two wallets': ['balance', '--hub', 'http://127.0.0.1:1', '--as', 'fan', '--key-file', 'key'],
      'a receipt key that is no address': [
        ...['balance', '--hub', 'http://127.0.0.1:1', '--key-file', 'key', '--hub-key', 'x'],
      ],
    }
    for (const [name, args] of Object.entries(cases)) {
      it(`ends with 2 on ${name}, says what to do, and tells a script in one line`, async () => {
        const [run, scripted] = await Promise.all([
          jandon(args, { folder }),
          jandon([...args, '--json'], { folder }),
        ])
        assert.deepEqual([run.code, run.stdout], [2, ''], run.stderr)
        assertSpoken(run)
        assert.deepEqual([scripted.code, scripted.stderr], [2, ''])
        const { error, exitCode } = oneLine(scripted)
        assert.deepEqual([error.code, exitCode], ['usage', 2])
      })
    }

    it('never repeats what should have been a key', async () => {
      const args = ['balance', '--hub', closedHub]
      const environment = { JANDON_KEY: `${key}0` }
      const { code, stdout, stderr } = await jandon(args, { folder, environment })
      assert.equal(code, 2)
      assert.ok(!`${stdout}${stderr}`.includes('5151'))
    })

    it('refuses a development file that is damaged', async () => {
      const damaged = join(folder, 'damaged')
      await mkdir(join(damaged, '.jandon', 'dev'), { recursive: true })
      await writeFile(join(damaged, '.jandon', 'dev', 'current'), '{"hubUrl"')
      const run = await jandon(['status'], { folder: damaged })
      assert.equal(run.code, 2)
      assert.match(run.stderr, /npm start/)
    })
  })

  describe('without a hub that answers', () => {
    const commands = [
      ['open', '--deposit', '5'],
      ['top-up', '1'],
      ['tip', '@busker', '0.05', '-m', 'great song'],
      ['basket', '@busker', '0.05', '@painter', '0.10'],
      ['balance'],
      ['refund'],
      ['withdraw'],
      ['verify', '0x1234'],
      ['register', 'busker'],
      ['statement'],
      ['quote', '1', '--currency', 'KRW'],
      ['payouts'],
      ['status'],
    ]
    for (const command of commands) {
      it(`ends "${command[0]}" with 1: nothing was done`, async () => {
        const args = [...command, '--hub', closedHub, '--key-file', 'key', '--home', 'home']
        const run = await jandon(args, { folder })
        assert.equal(run.code, 1, run.stderr)
        assert.equal(run.stdout, '')
        assertSpoken(run)
        assert.match(run.stderr, /npm start/)
      })
    }

    it('shows an empty history, which needs no hub', async () => {
      const args = ['history', '--hub', closedHub, '--key-file', 'key', '--home', 'home', '--json']
      const run = await jandon(args, { folder })
      assert.deepEqual([run.code, oneLine(run)], [0, { baskets: [] }])
    })

    it('takes the hub and the wallet from a development file above, or from the environment', async () => {
      const project = join(folder, 'project')
      const below = join(project, 'a', 'b')
      await mkdir(below, { recursive: true })
      await mkdir(join(project, '.jandon', 'dev'), { recursive: true })
      const wallets = { you: { address: `0x${'00'.repeat(20)}`, privateKey: key } }
      const development = { hubUrl: closedHub, rpcUrl: closedHub, home: project, wallets }
      await writeFile(join(project, '.jandon', 'dev', 'current'), JSON.stringify(development))
      const environment = { JANDON_HUB: closedHub, JANDON_KEY: key }
      for (const run of [
        await jandon(['status', '--json'], { folder: below }),
        await jandon(['status', '--json'], { folder, environment }),
      ]) {
        assert.deepEqual([run.code, oneLine(run).error.code], [1, 'hub_unreachable'])
      }
    })
  })
})

/** What went wrong and what to do, in two lines without a stack trace. */
function assertSpoken({ stderr }: Run) {
  const lines = stderr.trimEnd().split('\n')
  assert.equal(lines.length, 2, stderr)
  assert.ok(
    lines.every((line) => /^[A-Z"-].*[.!?")]$/.test(line)),
    stderr,
  )
}

function oneLine({ stdout }: Run) {
  assert.match(stdout, /^[^\n]+\n$/)
  return JSON.parse(stdout)
}

async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  assert.ok(typeof address === 'object' && address !== null)
  return address.port
}
