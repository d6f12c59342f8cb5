import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { World } from '../../scripts/world/world.ts'
import { startWorld } from '../../scripts/world/world.ts'
import type { Run } from '../testing/cli.ts'
import { jandon } from '../testing/cli.ts'
import type { FaultyLine } from '../testing/proxy.ts'
import { openFaultyLine } from '../testing/proxy.ts'

const units = 1_000_000

describe('jandon against a real hub', function () {
  this.timeout(120_000)
  let world: World
  let line: FaultyLine
  let folder: string

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'jandon-round-'))
    line = await openFaultyLine()
    world = await startWorld({
      folder: join(folder, 'world'),
      walletNames: ['you', 'busker', 'painter'],
      withBank: true,
      hubSettings: { JANDON_PUBLIC_URL: line.url },
    })
    line.target = world.hub.url
    const { rpcUrl, wallets } = world
    await world.mint(wallets['you']?.address ?? '0x', 100n * BigInt(units))
    const home = join(folder, 'wallets')
    const current = { hubUrl: line.url, rpcUrl, home, wallets }
    await mkdir(join(folder, '.jandon', 'dev'), { recursive: true })
    await writeFile(join(folder, '.jandon', 'dev', 'current'), JSON.stringify(current))
  })

  after(async () => {
    line.close()
    await world.stop()
    await rm(folder, { recursive: true, force: true })
  })

  it('serves a newcomer from the first deposit to the last refund', async () => {
    await done('--as', 'busker', 'register', 'busker', 'The Busker')
    await done('--as', 'painter', 'register', 'painter')
    const opened = await done('open', '--deposit', '5')
    assert.deepEqual([opened.deposit, opened.relayFee], ['5000000', '50000'])
    const tipped = await done('tip', '@busker', '0.05', '-m', 'great song')
    assert.deepEqual([tipped.total, tipped.resumed], ['50000', false])
    const both = await done('basket', '@busker', '0.05', '@painter', '0.10')
    assert.equal(both.tips.length, 2)
    const { baskets } = await done('history')
    assert.deepEqual(
      baskets.map(({ total }: { total: string }) => total),
      ['150000', '50000', '50000'],
    )
    assert.equal((await done('verify', tipped.basketId.slice(0, 12))).valid, true)
    const { channels, wallet } = await done('balance')
    assert.deepEqual([channels[0].unspent, wallet], ['4750000', '95000000'])
    const refunded = await done('refund', '1')
    assert.deepEqual([refunded.amount, refunded.state], ['1000000', 'done'])
    assert.equal((await done('top-up', '2')).deposit, '2000000')
    assert.equal((await done('status')).channels[0].unspent, '5700000')
  })

  it('speaks to people on stdout', async () => {
    const { code, stdout } = await jandon(['history'], { folder })
    assert.equal(code, 0)
    assert.match(stdout, /@busker +0\.05 JTD +accepted +great song/)
  })

  it('refuses a receipt that was tampered with, with 1', async () => {
    const { baskets } = await done('history', '--limit', '1')
    const { receipt } = baskets[0]
    await writeFile(join(folder, 'receipt.json'), JSON.stringify(receipt))
    assert.equal((await done('verify', 'receipt.json')).valid, true)
    receipt.tips[0].leaf.amount = '9'
    await writeFile(join(folder, 'receipt.json'), JSON.stringify(receipt))
    const run = await jandon(['verify', 'receipt.json', '--json'], { folder })
    assert.deepEqual([run.code, oneLine(run).valid], [1, false])
  })

  it('passes refusals on with 1, in units of the token, and says what to do', async () => {
    const { code, stderr } = await jandon(['tip', '@busker', '100'], { folder })
    assert.equal(code, 1)
    assert.match(stderr, /100 JTD .* 5\.7 JTD available/)
    assert.match(stderr, /top-up/)
  })

  it('refuses amounts that the token cannot carry with 2', async () => {
    for (const amount of ['0', '1e3', '0.0000001', 'all']) {
      const run = await jandon(['tip', '@busker', amount, '--json'], { folder })
      assert.deepEqual([run.code, oneLine(run).error.code], [2, 'usage'], amount)
    }
  })

  it('ends with 3 when the answer is lost; the same command again finishes it, once', async () => {
    const command = ['tip', '@busker', '0.2', '-m', 'encore']
    line.fault = 'lost'
    const cut = await jandon([...command, '--json'], { folder })
    assert.deepEqual([cut.code, oneLine(cut).error.code], [3, 'basket_kept'])
    line.fault = 'none'
    const again = await done(...command)
    assert.deepEqual([again.resumed, again.total], [true, '200000'])
    assert.equal((await done('balance')).channels[0].unspent, '5500000')
    assert.equal((await done(...command)).resumed, false)
    assert.equal((await done('balance')).channels[0].unspent, '5300000')
  })

  it('loses and doubles nothing when it is stopped in the middle', async () => {
    line.fault = 'late'
    const run = await jandon(['tip', '@painter', '0.3'], { folder, interrupted: line.reached() })
    assert.equal(run.code, 130)
    assert.match(run.stderr, /kept/)
    line.fault = 'none'
    const { resumed } = await done('status')
    assert.equal(resumed.total, '300000')
    assert.equal((await done('balance')).channels[0].unspent, '5000000')
    assert.equal((await done('status')).resumed, null)
  })

  it('brings a creator from tips to a bank account', async () => {
    await done('tip', '@busker', '4')
    await settle()
    const bank = ['--currency', 'KRW', '--bank', '004', '--account', '1234567890']
    const busker = ['--as', 'busker']
    const quoted = await done(...busker, 'quote', '2', ...bank, '--name', '김거리')
    const payout = await done(...busker, 'cashout', quoted.quoteId)
    assert.deepEqual([payout.state, payout.net], ['SETTLED', quoted.net])
    const all = [...busker, 'cashout', '1', ...bank, '--name', '김거리']
    const unconfirmed = await jandon([...all, '--json'], { folder })
    assert.deepEqual([unconfirmed.code, oneLine(unconfirmed).error.code], [2, 'usage'])
    assert.equal((await done(...all, '--yes')).state, 'SETTLED')
    assert.equal((await done(...busker, 'payouts')).payouts.length, 2)
    assert.equal((await done(...busker, 'balance')).creator.amounts[0].paid, '3000000')
  })

  it('begins a withdrawal when there is gas for it, and says how long it takes', async () => {
    const broke = await jandon(['withdraw', '--json'], { folder })
    assert.deepEqual([broke.code, oneLine(broke).error.code], [1, 'gas_needed'])
    await world.fundGas(world.wallets['you']?.address ?? '0x')
    const begun = await done('withdraw')
    assert.deepEqual([begun.state, begun.amount], ['waiting', '1000000'])
    const { code, stdout } = await jandon(['withdraw'], { folder })
    assert.equal(code, 0)
    assert.match(stdout, /1 JTD is on its way.*\n.*again after/)
  })

  /** Runs a command that has to be done, and answers its line of JSON. */
  async function done(...args: string[]) {
    const run = await jandon([...args, '--json'], { folder })
    assert.equal(run.code, 0, `jandon ${args.join(' ')}: ${run.stdout}${run.stderr}`)
    return oneLine(run)
  }

  async function settle() {
    const headers = { authorization: `Bearer ${world.operatorToken}` }
    const response = await fetch(`${world.hub.url}/v1/claims`, { method: 'POST', headers })
    assert.ok(response.ok, await response.text())
  }
})

function oneLine({ stdout }: Run) {
  assert.match(stdout, /^[^\n]+\n$/)
  return JSON.parse(stdout)
}
