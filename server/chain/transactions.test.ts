import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { Abi, Address, Hex, PublicClient } from 'viem'
import {
  BaseError,
  createPublicClient,
  encodeErrorResult,
  encodeFunctionData,
  HttpRequestError,
  http,
  keccak256,
  parseTransaction,
} from 'viem'
import type { PrivateKeyAccount } from 'viem/accounts'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import { hardhat } from 'viem/chains'
import { hubAccountAbi, testTokenAbi } from '#protocol/abi.ts'
import { HubError } from '#protocol/errors.ts'
import { connectChain } from '../../scripts/world/deploy.ts'
import type { Part } from '../../scripts/world/process.ts'
import { startPart } from '../../scripts/world/process.ts'
import { table } from '../store/table.ts'
import type { Disk } from '../testing/disk.ts'
import { heldDoor, openDisk, openLog, settleTurns, withDoor } from '../testing/disk.ts'
import { asRefusal, createTransactions, describeRevert } from './transactions.ts'

type Sent = { nonce: number; raw: Hex; hash: Hex; state: 'signed' | 'mined'; purpose: string }

const sentRows = table<Sent>('transaction')
const causes = table<Hex>('cause')
const chainScript = fileURLToPath(new URL('../../scripts/world/chain.ts', import.meta.url))
const artifact = new URL(
  '../../artifacts/contracts/test/TestToken.sol/TestToken.json',
  import.meta.url,
)
const someone: Address = `0x${'5e'.repeat(20)}`

function isCode(code: string) {
  return (error: unknown) => error instanceof HubError && error.code === code
}

/** A mint, or a transfer that nobody can pay for. */
function callOf(token: Address, { amount = 1n, fails = false } = {}) {
  const functionName = fails ? 'transfer' : 'mint'
  const data = encodeFunctionData({ abi: testTokenAbi, functionName, args: [someone, amount] })
  return { to: token, data, purpose: `${functionName} ${amount}` }
}

describe('createTransactions', () => {
  let part: Part
  let world: ReturnType<typeof connectChain>
  let token: Address
  let account: PrivateKeyAccount
  let disk: Disk

  before(async () => {
    part = await startPart('chain', [chainScript])
    world = connectChain(part.url)
    const { abi, bytecode } = JSON.parse(await readFile(artifact, 'utf8')) as {
      abi: Abi
      bytecode: Hex
    }
    assert.ok(abi.length > 0)
    const deployer = await newAccount()
    const fees = await world.estimateFeesPerGas()
    const raw = await deployer.signTransaction({
      ...fees,
      chainId: hardhat.id,
      type: 'eip1559',
      nonce: 0,
      gas: 5_000_000n,
      data: bytecode,
    })
    const hash = await world.sendRawTransaction({ serializedTransaction: raw })
    const { contractAddress } = await world.waitForTransactionReceipt({ hash })
    assert.ok(contractAddress)
    token = contractAddress
  })
  after(() => part.stop())

  beforeEach(async () => {
    account = await newAccount()
    disk = await openDisk()
  })
  afterEach(() => disk.remove())

  async function newAccount() {
    const made = privateKeyToAccount(generatePrivateKey())
    await world.setBalance({ address: made.address, value: 10n ** 20n })
    return made
  }

  /** A client whose broadcasts go through `broadcast`; everything else goes to the real chain. */
  function clientWith(broadcast?: (raw: Hex, pass: () => Promise<Hex>) => Promise<Hex>) {
    const client: PublicClient = createPublicClient({
      chain: hardhat,
      transport: http(part.url, { retryCount: 0 }),
      pollingInterval: 20,
    })
    if (!broadcast) return client
    const real = client.sendRawTransaction
    const sendRawTransaction: typeof real = (args) =>
      broadcast(args.serializedTransaction as Hex, () => real(args))
    return { ...client, sendRawTransaction }
  }

  /** As after a start: a log and transactions over what is on disk. */
  async function start(chain: PublicClient = clientWith(), db = disk.db, patienceMs = 30_000) {
    const { log } = await openLog(db)
    return createTransactions({ db, log, chain, account, chainId: hardhat.id, patienceMs })
  }

  const cut = () => Promise.reject(new HttpRequestError({ url: part.url, details: 'cut off' }))
  const stored = async () => (await sentRows.list(disk.db)).map(({ value }) => value)
  const countOf = (blockTag: 'latest' | 'pending') =>
    world.getTransactionCount({ address: account.address, blockTag })
  const minted = () =>
    world.readContract({
      address: token,
      abi: testTokenAbi,
      functionName: 'balanceOf',
      args: [someone],
    })

  describe('send', () => {
    it('has nonce, bytes and the rows of who asked on disk before it broadcasts (R12)', async () => {
      const seen: Hex[] = []
      const client = clientWith(async (raw, pass) => {
        const [row] = await stored()
        assert.ok(row)
        assert.equal(row.raw, raw)
        assert.equal(row.state, 'signed')
        assert.equal(row.nonce, parseTransaction(raw).nonce)
        assert.equal(causes.get(disk.db, 'why'), row.hash)
        seen.push(raw)
        return pass()
      })
      const transactions = await start(client)
      const hash = await transactions.send(callOf(token), (known) => [causes.put('why', known)])
      assert.deepEqual(
        seen.map((raw) => keccak256(raw)),
        [hash],
      )
      assert.equal((await transactions.mined(hash)).status, 'success')
      assert.deepEqual(
        (await stored()).map(({ state }) => state),
        ['mined'],
      )
    })

    it('broadcasts nothing while the disk is busy (R12)', async () => {
      const { door, letGo, isHolding } = heldDoor()
      let broadcasts = 0
      const client = clientWith((_, pass) => {
        broadcasts += 1
        return pass()
      })
      let reached = () => undefined as unknown
      const atTheDoor = new Promise((resolve) => {
        reached = () => resolve(undefined)
      })
      const db = withDoor(disk.db, (write, options) => {
        reached()
        return door(write, options)
      })
      const sent = (await start(client, db)).send(callOf(token))
      await atTheDoor
      await settleTurns()
      assert.ok(isHolding())
      assert.equal(broadcasts, 0)
      letGo()
      await sent
      assert.equal(broadcasts, 1)
    })

    it('broadcasts nothing when the disk fails (R12)', async () => {
      let broadcasts = 0
      const client = clientWith((_, pass) => {
        broadcasts += 1
        return pass()
      })
      const db = withDoor(disk.db, () => Promise.reject(new Error('input/output error')))
      const sent = (await start(client, db)).send(callOf(token))
      await assert.rejects(sent, isCode('storage_failed'))
      assert.equal(broadcasts, 0)
      assert.equal(await countOf('pending'), 0)
    })

    it('refuses a call that reverts as chain_refused with its reason, and stores nothing (R12)', async () => {
      const transactions = await start()
      await assert.rejects(
        transactions.send(callOf(token, { amount: 7n, fails: true }), (hash) => [
          causes.put('why', hash),
        ]),
        (error) => {
          assert.ok(isCode('chain_refused')(error))
          const reason = `ERC20InsufficientBalance(${account.address}, 0, 7)`
          assert.equal((error as HubError).values['reason'], reason)
          return true
        },
      )
      assert.deepEqual(await stored(), [])
      assert.equal(causes.get(disk.db, 'why'), undefined)
      assert.equal(await countOf('pending'), 0)
    })

    it('refuses as chain_unavailable when nobody answers, and stores nothing (R12)', async () => {
      const transport = http('http://127.0.0.1:1', { retryCount: 0 })
      const nobody: PublicClient = createPublicClient({ chain: hardhat, transport })
      const sent = (await start(nobody)).send(callOf(token))
      await assert.rejects(sent, isCode('chain_unavailable'))
      assert.deepEqual(await stored(), [])
    })

    it('leaves no hole in the nonces when 20 are sent at once and some are refused (R12)', async () => {
      const before = await minted()
      const transactions = await start()
      const outcomes = await Promise.allSettled(
        Array.from({ length: 20 }, (_, index) =>
          transactions.send(callOf(token, { amount: 100n, fails: index % 3 === 1 })),
        ),
      )
      const refused = outcomes.filter(({ status }) => status === 'rejected').length
      const hashes = outcomes.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
      assert.deepEqual([refused, hashes.length], [7, 13])
      for (const hash of hashes) {
        assert.equal((await transactions.mined(hash)).status, 'success')
      }
      const rows = await stored()
      assert.deepEqual(
        rows.map(({ nonce }) => nonce),
        Array.from({ length: 13 }, (_, at) => at),
      )
      assert.deepEqual(
        rows.map(({ hash }) => hash),
        hashes,
      )
      assert.equal(await countOf('latest'), 13)
      assert.equal(await minted(), before + 1_300n)
    })

    it('gives the next nonce to what follows a broadcast that was lost (R12)', async () => {
      const before = await minted()
      const first = await (await start(clientWith(cut))).send(callOf(token, { amount: 10n }))
      const transactions = await start()
      const second = await transactions.send(callOf(token, { amount: 20n }))
      assert.deepEqual(
        (await stored()).map(({ nonce }) => nonce),
        [0, 1],
      )
      await transactions.resume()
      for (const hash of [first, second]) await transactions.mined(hash)
      assert.equal(await countOf('latest'), 2)
      assert.equal(await minted(), before + 30n)
    })
  })

  describe('resume', () => {
    it('sends the same bytes after a restart, with one effect (R12)', async () => {
      const before = await minted()
      const hash = await (await start(clientWith(cut))).send(callOf(token, { amount: 50n }))
      const [row] = await stored()
      assert.deepEqual([row?.hash, row?.state], [hash, 'signed'])
      assert.equal(await countOf('pending'), 0)

      const resent: Hex[] = []
      const client = clientWith((raw, pass) => {
        resent.push(raw)
        return pass()
      })
      const again = await start(client, await disk.reopen())
      await again.resume()
      assert.deepEqual(resent, [row?.raw])
      assert.equal((await again.mined(hash)).status, 'success')

      const third = await start(client, await disk.reopen())
      await third.resume()
      assert.equal(resent.length, 1, 'what was seen mined is not sent again')
      assert.equal(await countOf('latest'), 1)
      assert.equal(await minted(), before + 50n)
    })

    it('sends nothing again that was mined without being seen, and has one effect (R12)', async () => {
      const before = await minted()
      const hash = await (await start()).send(callOf(token, { amount: 50n }))
      await world.waitForTransactionReceipt({ hash })
      assert.deepEqual(
        (await stored()).map(({ state }) => state),
        ['signed'],
      )
      const resent: Hex[] = []
      const client = clientWith((raw, pass) => {
        resent.push(raw)
        return pass()
      })
      await (await start(client, await disk.reopen())).resume()
      assert.deepEqual(resent, [])
      assert.equal(await minted(), before + 50n)
    })

    it('has one effect when an answer was lost and the bytes are sent twice (R12)', async () => {
      const before = await minted()
      const lost = clientWith(async (_, pass) => {
        await pass()
        return cut()
      })
      const hash = await (await start(lost)).send(callOf(token, { amount: 50n }))
      const transactions = await start(clientWith(), await disk.reopen())
      await Promise.all([transactions.resume(), transactions.resume()])
      assert.equal((await transactions.mined(hash)).status, 'success')
      assert.equal(await countOf('latest'), 1)
      assert.equal(await minted(), before + 50n)
    })

    it('sends several in the order of their nonces (R12)', async () => {
      const offline = await start(clientWith(cut))
      const hashes: Hex[] = []
      for (const amount of [1n, 2n, 3n]) hashes.push(await offline.send(callOf(token, { amount })))
      const resent: Hex[] = []
      const client = clientWith((raw, pass) => {
        resent.push(keccak256(raw))
        return pass()
      })
      const transactions = await start(client, await disk.reopen())
      await transactions.resume()
      assert.deepEqual(resent, hashes)
      for (const hash of hashes) await transactions.mined(hash)
      assert.equal(await countOf('latest'), 3)
    })
  })

  describe('mined', () => {
    it('sends again what never arrived, while the hub goes on, and has one effect (R12)', async () => {
      let isCut = true
      let attempts = 0
      const client = clientWith((_raw, pass) => {
        attempts += 1
        return isCut ? cut() : pass()
      })
      const transactions = await start(client, disk.db, 200)
      const before = await minted()
      const hash = await transactions.send(callOf(token))
      const waiting = transactions.mined(hash)
      while (attempts < 3) await settleTurns()
      assert.equal(await countOf('pending'), 0)
      isCut = false
      assert.equal((await waiting).status, 'success')
      assert.equal(await minted(), before + 1n)
      assert.equal(await countOf('pending'), 1)
    })

    it('rejects when the hub stops, and not before', async () => {
      const transactions = await start(clientWith(cut))
      const hash = await transactions.send(callOf(token))
      let isOver = false
      const over = assert.rejects(transactions.mined(hash), /the hub is stopping/).then(() => {
        isOver = true
      })
      await settleTurns()
      assert.equal(isOver, false)
      transactions.stop()
      await over
      await assert.rejects(transactions.mined(hash), /the hub is stopping/)
    })
  })
})

describe('describeRevert', () => {
  const inner = encodeErrorResult({
    abi: testTokenAbi,
    errorName: 'ERC20InsufficientBalance',
    args: [someone, 0n, 7n],
  })

  it('names the error with its values', () => {
    assert.match(describeRevert(inner), /^ERC20InsufficientBalance\(0x5[eE]/)
  })

  it('follows the error that the hub account wraps', () => {
    const data = encodeErrorResult({
      abi: hubAccountAbi,
      errorName: 'CallFailed',
      args: [0n, inner],
    })
    assert.equal(describeRevert(data), describeRevert(inner))
  })

  it('gives back data that it does not know', () => {
    assert.equal(describeRevert('0xdeadbeef'), '0xdeadbeef')
  })
})

describe('asRefusal', () => {
  it('leaves what is no chain error as it is', () => {
    const bug = new TypeError('a bug')
    assert.equal(asRefusal(bug), bug)
  })

  it('is chain_unavailable for an error that says nothing of a revert', () => {
    assert.ok(isCode('chain_unavailable')(asRefusal(new BaseError('no route to host'))))
  })
})
