import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { network } from 'hardhat'
import type { Address, Hex } from 'viem'
import { concatHex, getContractAddress, keccak256, sliceHex, stringToHex, toHex } from 'viem'
import { hubAccountAbi } from '#protocol/abi.ts'
import { readDeployment } from '#server/chain/deployment.ts'
import { canonical, DeployError, deployContracts } from './contracts.ts'
import { isCodeOf, plan, proxy, readArtifact } from './create2.ts'

const salt = keccak256(stringToHex('test'))
const admin: Address = `0x${'a1'.repeat(20)}`
const operator: Address = `0x${'a2'.repeat(20)}`

/** An empty chain, with the deployment proxy unless told otherwise. */
async function emptyChain({ proxyCode = proxy.code }: { proxyCode?: Hex } = {}) {
  const { viem, networkHelpers } = await network.create()
  const [wallet, other] = await viem.getWalletClients()
  assert.ok(wallet && other)
  const chain = await viem.getPublicClient()
  if (proxyCode !== '0x') await networkHelpers.setCode(proxy.address, proxyCode)
  const lines: string[] = []
  const deps = { chain, wallet, report: (line: string) => lines.push(line) }
  const sent = () => chain.getTransactionCount({ address: wallet.account.address })
  return { chain, networkHelpers, other, deps, lines, sent }
}

function refused(pattern: RegExp) {
  return (error: unknown) => error instanceof DeployError && pattern.test(error.message)
}

describe('deployContracts', () => {
  it('puts the contracts where code, salt and arguments say, whoever pays', async () => {
    const [first, second] = [await emptyChain(), await emptyChain()]
    const deployed = await deployContracts(first.deps, { admin, operator, salt })
    const again = { ...second.deps, wallet: second.other }
    assert.deepEqual(await deployContracts(again, { admin, operator, salt }), deployed)
    const planned = await plan('PaymentChannels.sol/PaymentChannels', { args: [], salt })
    const expected = getContractAddress({
      opcode: 'CREATE2',
      from: proxy.address,
      salt,
      bytecode: planned.initCode,
    })
    assert.equal(deployed.channels, expected.toLowerCase())
    assert.deepEqual(deployed.found, [])
  })

  it('binds the account to its keys, its targets and its vault', async () => {
    const { deps, chain } = await emptyChain()
    const deployed = await deployContracts(deps, { admin, operator, salt })
    const read = (
      functionName: 'admin' | 'operator' | 'channels' | 'canonicalChannels' | 'vault',
    ) => chain.readContract({ address: deployed.hubAccount, abi: hubAccountAbi, functionName })
    assert.equal((await read('admin')).toLowerCase(), admin)
    assert.equal((await read('operator')).toLowerCase(), operator)
    assert.equal((await read('channels')).toLowerCase(), deployed.channels)
    assert.equal(await read('canonicalChannels'), canonical.channels)
    assert.equal((await read('vault')).toLowerCase(), deployed.vault)
  })

  it('finds and verifies what is there, and sends nothing', async () => {
    const { deps, lines, sent } = await emptyChain()
    const { found: _, ...addresses } = await deployContracts(deps, { admin, operator, salt })
    const before = await sent()
    const { found, ...same } = await deployContracts(deps, { admin, operator, salt })
    assert.deepEqual(same, addresses)
    assert.equal(await sent(), before)
    assert.deepEqual(found, [
      'PaymentChannels',
      'Erc3009DepositCollector',
      'Permit2DepositCollector',
      'HubAccount',
    ])
    assert.equal(lines.filter((line) => line.includes('found and verified')).length, 4)
  })

  it('shares the channels contract between operators, each with an account and a vault', async () => {
    const { deps } = await emptyChain()
    const mine = await deployContracts(deps, { admin, operator, salt })
    const theirs = await deployContracts(deps, { admin: operator, operator: admin, salt })
    assert.equal(theirs.channels, mine.channels)
    assert.notEqual(theirs.hubAccount, mine.hubAccount)
    assert.notEqual(theirs.vault, mine.vault)
  })

  it('refuses a chain without transient storage', async () => {
    const { viem } = await network.create({
      override: { hardfork: 'shanghai' },
    })
    const [wallet] = await viem.getWalletClients()
    assert.ok(wallet)
    const deps = { chain: await viem.getPublicClient(), wallet, report: () => {} }
    const call = deployContracts(deps, { admin, operator, salt })
    await assert.rejects(call, refused(/no transient storage/))
  })

  it('refuses a chain without the deployment proxy', async () => {
    const { deps } = await emptyChain({ proxyCode: '0x' })
    const call = deployContracts(deps, { admin, operator, salt })
    await assert.rejects(call, refused(/no deterministic deployment proxy/))
  })

  it('refuses other code where the proxy should be', async () => {
    const { deps } = await emptyChain({ proxyCode: '0x6000' })
    const call = deployContracts(deps, { admin, operator, salt })
    await assert.rejects(call, refused(/other code than the deployment proxy's/))
  })

  for (const name of [
    'channels',
    'erc3009Collector',
    'permit2Collector',
    'hubAccount',
    'vault',
  ] as const) {
    it(`refuses ${name} with one byte of other code`, async () => {
      const { deps, chain, networkHelpers } = await emptyChain()
      const deployed = await deployContracts(deps, { admin, operator, salt })
      const address = deployed[name]
      const code = (await chain.getCode({ address })) ?? '0x'
      const byte = toHex(Number(sliceHex(code, 10, 11)) ^ 1, { size: 1 })
      const changed = concatHex([sliceHex(code, 0, 10), byte, sliceHex(code, 11)])
      await networkHelpers.setCode(address, changed)
      const call = deployContracts(deps, { admin, operator, salt })
      await assert.rejects(call, refused(new RegExp(`other code stands at ${address}`)))
    })
  }

  it('refuses a vault that is bound to another account', async () => {
    const { deps, chain, networkHelpers } = await emptyChain()
    const mine = await deployContracts(deps, { admin, operator, salt })
    const theirs = await deployContracts(deps, { admin: operator, operator: admin, salt })
    const code = (await chain.getCode({ address: theirs.vault })) ?? '0x'
    await networkHelpers.setCode(mine.vault, code)
    const call = deployContracts(deps, { admin, operator, salt })
    await assert.rejects(call, refused(/hub is /))
  })
})

describe('isCodeOf', () => {
  it('ignores immutables and nothing else', async () => {
    const { runtime } = await readArtifact('HubAccount.sol/HubAccount')
    const [immutable] = runtime.immutables
    assert.ok(immutable)
    const flip = (at: number) => {
      const byte = toHex(Number(sliceHex(runtime.code, at, at + 1)) ^ 1, { size: 1 })
      const [head, tail] = [sliceHex(runtime.code, 0, at), sliceHex(runtime.code, at + 1)]
      return concatHex([head, byte, tail])
    }
    assert.ok(isCodeOf(runtime, runtime.code))
    assert.ok(isCodeOf(runtime, flip(immutable.start)))
    assert.ok(isCodeOf(runtime, flip(immutable.start + immutable.length - 1)))
    assert.ok(!isCodeOf(runtime, flip(immutable.start - 1)))
    assert.ok(!isCodeOf(runtime, flip(immutable.start + immutable.length)))
    assert.ok(!isCodeOf(runtime, concatHex([runtime.code, '0x00'])))
  })
})

describe('npm run deploy', () => {
  let out: string
  let url: string
  let server: Awaited<ReturnType<typeof network.createServer>>
  before(async () => {
    out = await mkdtemp(join(tmpdir(), 'jandon-deploy-'))
    server = await network.createServer('default', '127.0.0.1', 0)
    const { address, port } = await server.listen()
    url = `http://${address}:${port}`
  })
  after(async () => {
    await server.close()
    await rm(out, { recursive: true })
  })

  function run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
    const file = new URL('./main.ts', import.meta.url).pathname
    return new Promise((done) => {
      execFile(process.execPath, [file, ...args], (error, stdout, stderr) => {
        done({ code: Number(error?.code ?? 0), stdout, stderr })
      })
    })
  }

  it('writes a file that the hub reads, and the same file again', async () => {
    const first = await run('--network', url, '--out', out, '--json')
    assert.equal(first.code, 0, first.stderr)
    const file = join(out, '31337.json')
    const deployment = await readDeployment(file)
    assert.deepEqual(JSON.parse(first.stdout), deployment)
    assert.deepEqual(
      deployment.tokens.map(({ symbol, decimals, version }) => [symbol, decimals, version]),
      [['JTD', 6, '1']],
    )
    const second = await run('--network', url, '--out', out, '--json')
    assert.equal(second.stdout, first.stdout)
    assert.match(second.stderr, /HubAccount: found and verified/)
  })

  it('refuses to guess since when contracts were there', async () => {
    const elsewhere = join(out, 'elsewhere')
    const { code, stderr } = await run('--network', url, '--out', elsewhere)
    assert.equal(code, 1)
    assert.match(stderr, /give --start-block/)
    const told = await run('--network', url, '--out', elsewhere, '--start-block', '7')
    assert.equal(told.code, 0, told.stderr)
    assert.equal((await readDeployment(join(elsewhere, '31337.json'))).startBlock, 7)
  })

  it('refuses a token that is none', async () => {
    const args = ['--network', url, '--out', out, '--token', admin]
    const { code, stderr } = await run(...args)
    assert.equal(code, 1)
    assert.match(stderr, /does not answer as a token/)
  })

  it('says that no chain answers', async () => {
    const { code, stderr } = await run('--network', 'http://127.0.0.1:9', '--out', out)
    assert.deepEqual([code, stderr], [1, 'no chain answers at http://127.0.0.1:9\n'])
  })

  it('shows its help', async () => {
    const { code, stdout, stderr } = await run('--help')
    assert.deepEqual([code, stderr], [0, ''])
    assert.match(stdout, /usage: npm run deploy/)
  })

  const usage: [what: string, args: string[], message: RegExp][] = [
    ['no network', [], /--network is missing/],
    ['an unknown network', ['--network', 'nowhere'], /neither a known name nor a URL/],
    ['an unknown option', ['--networks', 'base'], /Unknown option/],
    ['an address that is none', ['--network', 'base', '--admin', '0x12'], /not an address/],
    ['a block that is none', ['--network', 'base', '--start-block', '-1'], /start-block/],
  ]
  for (const [what, args, message] of usage) {
    it(`refuses ${what} as wrong usage`, async () => {
      const { code, stderr } = await run(...args)
      assert.equal(code, 2)
      assert.match(stderr, message)
    })
  }
})
