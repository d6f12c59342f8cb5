// The hub is gone for good. What is left is a key, an RPC endpoint, and the file that says where the contracts are.

import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Address } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { testTokenAbi } from '#protocol/abi.ts'
import type { World } from '../../scripts/world/world.ts'
import { startWorld } from '../../scripts/world/world.ts'
import { createJandon, createMemoryStore } from '../index.ts'
import type { Jandon } from '../jandon.ts'
import type { Run } from '../testing/cli.ts'
import { jandon } from '../testing/cli.ts'

const unit = 1_000_000n
const daySeconds = 86_400

describe('leaving without the hub', function () {
  this.timeout(120_000)
  let folder: string
  let world: World
  let deployment: string

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'jandon-exit-'))
    world = await startWorld({
      folder: join(folder, 'world'),
      walletNames: ['fan', 'friend', 'busker'],
      withBank: false,
    })
    deployment = join(folder, 'world', 'deployment.json')
    await clientOf('busker').register({ handle: 'busker', displayName: 'Busker' })
    for (const name of ['fan', 'friend']) {
      await world.mint(addressOf(name), 10n * unit)
      const payer = clientOf(name)
      await payer.openChannel({ deposit: 5n * unit })
      await payer.tip({ to: '@busker', amount: unit })
    }
    const claimed = await fetch(new URL('/v1/claims', world.hub.url), {
      method: 'POST',
      headers: { authorization: `Bearer ${world.operatorToken}` },
    })
    assert.equal(claimed.status, 202)
    await world.hub.kill()
  })
  after(async () => {
    await world?.stop()
    await rm(folder, { recursive: true, force: true })
  })

  function clientOf(name: string): Jandon {
    const { privateKey = '0x' } = world.wallets[name] ?? {}
    const account = privateKeyToAccount(privateKey)
    return createJandon({ hubUrl: world.hub.url, account, store: createMemoryStore() })
  }

  const addressOf = (name: string): Address => world.wallets[name]?.address ?? '0x'

  const tokensOf = (name: string) =>
    world.chain.readContract({
      address: world.token.address,
      abi: testTokenAbi,
      functionName: 'balanceOf',
      args: [addressOf(name)],
    })

  /** A run in an empty folder: no store, no development hub. */
  async function alone(name: string, args: string[], interrupted?: Promise<void>): Promise<Run> {
    const home = await mkdtemp(join(folder, 'home-'))
    await writeFile(join(home, 'key'), world.wallets[name]?.privateKey ?? '')
    const shared = ['--deployment', deployment, '--rpc', world.rpcUrl, '--key-file', 'key']
    return jandon([...args, ...shared, '--home', home], {
      folder: home,
      ...(interrupted && { interrupted }),
    })
  }

  async function done(name: string, ...args: string[]) {
    const { code, stdout, stderr } = await alone(name, [...args, '--json'])
    assert.equal(code, 0, stderr + stdout)
    return JSON.parse(stdout)
  }

  /** Resolves when a transaction is mined: the local chain makes no block without one. */
  async function nextBlock() {
    const before = await world.chain.getBlockNumber({ cacheTime: 0 })
    while ((await world.chain.getBlockNumber({ cacheTime: 0 })) === before)
      await new Promise((resolve) => setTimeout(resolve, 20))
  }

  async function passDelay() {
    await world.chain.increaseTime({ seconds: daySeconds })
    await world.chain.mine({ blocks: 1 })
  }

  it('says how much gas is needed and at which address, before anything is sent', async () => {
    for (const args of [['withdraw'], ['pay', '--from-vault']]) {
      const name = args[0] === 'pay' ? 'busker' : 'fan'
      const { code, stdout } = await alone(name, [...args, '--json'])
      assert.equal(code, 1)
      const { error } = JSON.parse(stdout)
      assert.equal(error.code, 'gas_needed')
      assert.equal(String(error.values.address).toLowerCase(), addressOf(name))
      assert.ok(BigInt(error.values.needed) > 0n)
    }
    for (const name of ['fan', 'friend', 'busker']) await world.fundGas(addressOf(name))
  })

  it('withdraw begins, says how long and how much gas, and goes on from the chain alone after the delay', async () => {
    const begun = await done('fan', 'withdraw')
    assert.deepEqual([begun.state, begun.amount], ['waiting', '3950000'])
    assert.ok(begun.remainingSeconds > daySeconds - 60 && begun.remainingSeconds <= daySeconds)
    assert.equal(begun.gas.address.toLowerCase(), addressOf('fan'))
    assert.ok(BigInt(begun.gas.needed) > 0n && BigInt(begun.gas.held) > BigInt(begun.gas.needed))
    assert.equal((await done('fan', 'withdraw')).state, 'waiting')
    const { stdout } = await alone('fan', ['withdraw'])
    assert.match(stdout, /3\.95 JTD is on its way out/)
    assert.match(stdout, /The last step needs gas at 0x/)
    await passDelay()
    assert.equal((await done('fan', 'withdraw')).state, 'done')
    assert.equal(await tokensOf('fan'), 10n * unit - unit - unit / 20n)
    const { code, stdout: refused } = await alone('fan', ['withdraw', '--json'])
    assert.deepEqual([code, JSON.parse(refused).error.code], [1, 'no_channel'])
  })

  it('withdraw takes a part, survives Ctrl-C while it counts down, and finishes by itself with --wait', async () => {
    const over = await alone('friend', ['withdraw', '9', '--json'])
    assert.deepEqual([over.code, JSON.parse(over.stdout).error.code], [1, 'invalid_amount'])
    const interrupted = await alone('friend', ['withdraw', '1.5', '--wait'], nextBlock())
    assert.equal(interrupted.code, 130)
    await passDelay()
    const finished = await done('friend', 'withdraw', '--wait')
    assert.deepEqual([finished.state, finished.amount], ['done', '1500000'])
    assert.equal(await tokensOf('friend'), 5n * unit + 1_500_000n)
    const rest = await done('friend', 'withdraw')
    assert.deepEqual([rest.state, rest.amount], ['waiting', '2450000'])
  })

  it('pay takes out of the vault what is credited: a part to anybody, then all to oneself', async () => {
    const part = await done('busker', 'pay', addressOf('fan'), '0.5')
    assert.equal(part.amount, '500000')
    const rest = await done('busker', 'pay', '--from-vault')
    assert.equal(await tokensOf('busker'), BigInt(rest.amount))
    assert.equal(BigInt(rest.amount), 2n * (unit - unit / 100n) - 500_000n)
    const { code, stdout } = await alone('busker', ['pay', '--from-vault', '--json'])
    assert.deepEqual([code, JSON.parse(stdout).error.code], [1, 'nothing_to_withdraw'])
  })

  it('is wrong usage without a file of contracts, or with another one', async () => {
    const home = await mkdtemp(join(folder, 'home-'))
    await writeFile(join(home, 'key'), world.wallets['fan']?.privateKey ?? '')
    for (const file of ['none.json', 'key']) {
      const args = ['withdraw', '--deployment', file, '--rpc', world.rpcUrl, '--key-file', 'key']
      assert.equal((await jandon(args, { folder: home })).code, 2)
    }
    assert.equal((await alone('fan', ['pay'])).code, 2)
  })
})
