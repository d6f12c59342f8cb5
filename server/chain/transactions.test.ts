import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { Abi, Address, Hex, PublicClient } from 'viem'
import {
  BaseError,
  createPublicClient,
  encodeAbiParameters,
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
import type { ChainEvent } from './logs.ts'
import { asRefusal, describeRevert } from './revert.ts'
import type { TransactionDeps } from './transactions.ts'
import { createTransactions, defaultFees } from './transactions.ts'

type Sent = {
  nonce: number
  attempts: { raw: Hex; hash: Hex; kind: string; maxFeePerGas: bigint }[]
  outcome?: { status: string }
}

const openRows = table<Sent>('transaction-open')
const endedRows = table<Sent>('transaction')
const causes = table<Hex>('cause')
const chainScript = fileURLToPath(new URL('../../scripts/world/chain.ts', import.meta.url))
const artifact = new URL(
  '../../artifacts/contracts/test/TestToken.sol/TestToken.json',
  import.meta.url,
)
const someone: Address = `0x${'5e'.repeat(20)}`

/** What the follower hands on of an event that it takes back. */
function creditedBy(transaction: Hex): ChainEvent {
  const [token, account] = [someone, someone]
  const place = { block: 1n, logIndex: 0, transaction, contract: someone }
  return { ...place, kind: 'credited', token, account, credited: 1n }
}

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
  async function start(
    chain: PublicClient = clientWith(),
    db = disk.db,
    changes: Partial<TransactionDeps> = {},
  ) {
    const { log } = await openLog(db)
    return createTransactions({ db, log, chain, account, chainId: hardhat.id, ...changes })
  }

  const cut = () => Promise.reject(new HttpRequestError({ url: part.url, details: 'cut off' }))
  /** Every nonce that was given away, with its first signature and its end if it has one. */
  const stored = async () => {
    const rows = [...(await endedRows.list(disk.db)), ...(await openRows.list(disk.db))]
    return rows.map(({ value: { nonce, attempts, outcome } }) => {
      const [first] = attempts
      assert.ok(first)
      return { nonce, attempts, raw: first.raw, hash: first.hash, state: outcome?.status ?? 'open' }
    })
  }
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
        assert.equal(row.state, 'open')
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
        ['success'],
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
      await transactions.tick()
      for (const hash of [first, second]) await transactions.mined(hash)
      assert.equal(await countOf('latest'), 2)
      assert.equal(await minted(), before + 30n)
    })
  })

  describe('tick', () => {
    it('sends the same bytes after a restart, with one effect (R12)', async () => {
      const before = await minted()
      const hash = await (await start(clientWith(cut))).send(callOf(token, { amount: 50n }))
      const [row] = await stored()
      assert.deepEqual([row?.hash, row?.state], [hash, 'open'])
      assert.equal(await countOf('pending'), 0)

      const resent: Hex[] = []
      const client = clientWith((raw, pass) => {
        resent.push(raw)
        return pass()
      })
      const again = await start(client, await disk.reopen())
      await again.tick()
      assert.deepEqual(resent, [row?.raw])
      assert.equal((await again.mined(hash)).status, 'success')

      const third = await start(client, await disk.reopen())
      await third.tick()
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
        ['open'],
      )
      const resent: Hex[] = []
      const client = clientWith((raw, pass) => {
        resent.push(raw)
        return pass()
      })
      await (await start(client, await disk.reopen())).tick()
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
      await Promise.all([transactions.tick(), transactions.tick()])
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
      await transactions.tick()
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
      const transactions = await start(client, disk.db, {
        fees: { ...defaultFees, patienceMs: 200 },
      })
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

  describe('a price that rises', () => {
    /** What offers more at once, so that no test waits. */
    const eager = { ...defaultFees, patienceMs: 0, deadlineMs: 1_000_000, passedOver: 1n }

    beforeEach(() => world.setAutomine(false))
    afterEach(async () => {
      await world.setAutomine(true)
      await world.mine({ blocks: 1 })
      await world.setNextBlockBaseFeePerGas({ baseFeePerGas: 1_000_000_000n })
      await world.mine({ blocks: 1 })
    })

    /** Blocks of a price, so that what offers less is left out. */
    async function blocksAt(baseFeePerGas: bigint, count = 1) {
      for (let mined = 0; mined < count; mined += 1) {
        await world.setNextBlockBaseFeePerGas({ baseFeePerGas })
        await world.mine({ blocks: 1 })
      }
    }

    it('is followed under the same nonce, by an eighth at least, with every signature on disk (R12)', async () => {
      let time = 1_000_000
      const before = await minted()
      const transactions = await start(clientWith(), disk.db, { fees: eager, now: () => time })
      const hash = await transactions.send(callOf(token, { amount: 5n }))
      const [sent] = await stored()
      assert.ok(sent)
      const [{ maxFeePerGas: first } = { maxFeePerGas: 0n }] = sent.attempts
      await transactions.tick()
      await blocksAt(first * 20n)
      assert.equal(await countOf('latest'), 0)
      time += 500_000
      await transactions.tick()
      const [replaced] = await stored()
      assert.equal(replaced?.attempts.length, 2)
      const second = replaced?.attempts[1]?.maxFeePerGas ?? 0n
      assert.ok(second * 8n >= first * 9n, `${second} after ${first}`)
      assert.deepEqual(transactions.waiting().replacements, 1)
      await blocksAt(first * 20n)
      const outcome = await transactions.mined(hash)
      assert.equal(outcome.status, 'success')
      assert.equal(outcome.hash, replaced?.attempts[1]?.hash)
      assert.ok(transactions.isOurs(outcome.hash))
      assert.equal(transactions.firstHash(outcome.hash), hash)
      assert.deepEqual(await transactions.mined(outcome.hash), outcome)
      assert.equal(await countOf('latest'), 1)
      assert.equal(await minted(), before + 5n)
    })

    it('is followed for all that wait in one look, where a node refuses what offers less than its base fee (R12)', async () => {
      let time = 1_000_000
      const least = 20_000_000_000n
      const picky = clientWith((raw, pass) => {
        const { maxFeePerGas = 0n } = parseTransaction(raw)
        return maxFeePerGas < least ? cut() : pass()
      })
      const transactions = await start(picky, disk.db, { fees: eager, now: () => time })
      await blocksAt(1_000_000_000n)
      const hashes: Hex[] = []
      for (const amount of [1n, 2n, 3n])
        hashes.push(await transactions.send(callOf(token, { amount })))
      await blocksAt(least)
      time += 500_000
      await transactions.tick()
      assert.equal(await countOf('pending'), 3)
      await blocksAt(least)
      assert.equal(await countOf('latest'), 3)
      for (const hash of hashes) {
        const { status } = await transactions.mined(hash)
        assert.equal(status, 'success')
      }
    })

    it('is followed to the budget and no further, and reaches it by the deadline (R12)', async () => {
      let time = 1_000_000
      const budgetPerGas = 30_000_000_000n
      const fees = { ...eager, budgetPerGas }
      const transactions = await start(clientWith(), disk.db, { fees, now: () => time })
      await transactions.send(callOf(token))
      await transactions.tick()
      for (let block = 1; block <= 12; block += 1) {
        await blocksAt(budgetPerGas * 10n)
        time += 100_000
        await transactions.tick()
      }
      const [sent] = await stored()
      const bids = sent?.attempts.map(({ maxFeePerGas }) => maxFeePerGas) ?? []
      assert.ok(bids.length > 3, `${bids}`)
      assert.equal(bids.at(-1), budgetPerGas)
      for (const [index, bid] of bids.entries()) {
        const last = bids[index - 1]
        if (last !== undefined) assert.ok(bid * 8n >= last * 9n, `${bid} after ${last}`)
      }
      await blocksAt(budgetPerGas / 2n)
      assert.equal(await countOf('latest'), 1)
    })

    it('is followed from where a crash left off (R12)', async () => {
      let time = 1_000_000
      const changes = { fees: eager, now: () => time }
      const first = await start(clientWith(), disk.db, changes)
      const hash = await first.send(callOf(token))
      await first.tick()
      const [sent] = await stored()
      const bid = sent?.attempts[0]?.maxFeePerGas ?? 0n
      await blocksAt(bid * 4n)
      time += 200_000
      await first.tick()
      const again = await start(clientWith(), await disk.reopen(), changes)
      await again.tick()
      await again.tick()
      await blocksAt(bid * 8n)
      time += 200_000
      await again.tick()
      const [replaced] = await stored()
      const bids = replaced?.attempts.map(({ maxFeePerGas }) => maxFeePerGas) ?? []
      assert.equal(bids.length, 3)
      assert.deepEqual(
        bids,
        bids.toSorted((a, b) => Number(a - b)),
      )
      await blocksAt(bid)
      assert.equal((await again.mined(hash)).status, 'success')
      assert.equal(await countOf('latest'), 1)
    })

    it('ends in a cancellation when the call would revert by now (R12)', async () => {
      let time = 1_000_000
      await world.setAutomine(true)
      const mint = { functionName: 'mint', args: [account.address, 9n] } as const
      await world.mine({ blocks: 1 })
      const funded = await start()
      const data = encodeFunctionData({ abi: testTokenAbi, ...mint })
      await funded.mined(await funded.send({ to: token, data, purpose: 'mint' }))
      await world.setAutomine(false)
      const changes = { fees: eager, now: () => time }
      const transactions = await start(clientWith(), await disk.reopen(), changes)
      const hash = await transactions.send(callOf(token, { amount: 9n, fails: true }))
      await transactions.tick()
      const [, sent] = await stored()
      const bid = sent?.attempts[0]?.maxFeePerGas ?? 0n
      await emptyAccount()
      await blocksAt(bid * 4n)
      time += 500_000
      await transactions.tick()
      const [, replaced] = await stored()
      assert.deepEqual(
        replaced?.attempts.map(({ kind }) => kind),
        ['call', 'cancel'],
      )
      await blocksAt(bid)
      assert.equal((await transactions.mined(hash)).status, 'cancelled')
      assert.equal(await countOf('latest'), 2)
    })

    /** Takes the account's tokens away, as a payer's other spending would. */
    async function emptyAccount() {
      const slot = keccak256(
        encodeAbiParameters([{ type: 'address' }, { type: 'uint256' }], [account.address, 0n]),
      )
      const value: Hex = `0x${'00'.repeat(32)}`
      await world.setStorageAt({ address: token, index: slot, value })
    }

    it('does not hold a cancellation up that is asked for (R12)', async () => {
      const before = await minted()
      const transactions = await start(clientWith(), disk.db, { fees: eager })
      const hash = await transactions.send(callOf(token, { amount: 5n }))
      await Promise.all([transactions.cancel(hash), transactions.cancel(hash)])
      const [sent] = await stored()
      assert.equal(sent?.attempts.length, 2)
      await world.mine({ blocks: 1 })
      assert.equal((await transactions.mined(hash)).status, 'cancelled')
      assert.equal(await minted(), before)
      await transactions.cancel(hash)
      assert.equal((await transactions.mined(hash)).status, 'cancelled')
    })
  })

  describe('the chain', () => {
    afterEach(() => world.setAutomine(true))

    it('may forget a transaction and gets it again (R12)', async () => {
      const fees = { ...defaultFees, patienceMs: 0 }
      const transactions = await start(clientWith(), disk.db, { fees })
      await world.setAutomine(false)
      const before = await minted()
      const hash = await transactions.send(callOf(token))
      await transactions.tick()
      await world.dropTransaction({ hash })
      await transactions.tick()
      await world.mine({ blocks: 1 })
      assert.equal((await transactions.mined(hash)).status, 'success')
      assert.equal(await minted(), before + 1n)
    })

    it('may take a transaction back, which is not final before policy depth (R12)', async () => {
      const changes = { confirmations: 2, fees: { ...defaultFees, patienceMs: 0 } }
      const transactions = await start(clientWith(), disk.db, changes)
      const before = await minted()
      const snapshot = await world.snapshot()
      const hash = await transactions.send(callOf(token))
      await world.mine({ blocks: 1 })
      await transactions.tick()
      await world.revert({ id: snapshot })
      assert.equal(await minted(), before)
      await world.mine({ blocks: 1 })
      await transactions.tick()
      await transactions.tick()
      assert.equal(await minted(), before + 1n)
      assert.equal(transactions.waiting().count, 1)
      await world.mine({ blocks: 2 })
      assert.equal((await transactions.mined(hash)).status, 'success')
      assert.equal(transactions.waiting().count, 0)
    })
  })

  describe('a reorg beyond policy depth', () => {
    for (const isTold of [true, false]) {
      const how = isTold ? 'as the follower tells' : 'as its nonce tells'
      it(`takes a transaction back, ${how}: it is sent again, and has one effect (R12, R29)`, async () => {
        const transactions = await start(clientWith(), disk.db)
        const before = await minted()
        const snapshot = await world.snapshot()
        const [first, second] = [
          await transactions.send(callOf(token, { amount: 2n })),
          await transactions.send(callOf(token, { amount: 3n })),
        ]
        for (const hash of [first, second])
          assert.equal((await transactions.mined(hash)).status, 'success')
        assert.equal(transactions.waiting().count, 0)
        await world.revert({ id: snapshot })
        assert.equal(await minted(), before)
        if (isTold) {
          const { rows } = transactions.reversal(creditedBy(second), '')
          assert.equal(rows?.length, 2)
          assert.equal(transactions.waiting().count, 1)
          assert.deepEqual(transactions.reversal(creditedBy(second), ''), { rows: [] })
        }
        await transactions.tick()
        for (const hash of [first, second])
          assert.equal((await transactions.mined(hash)).status, 'success')
        assert.equal(await minted(), before + 5n)
        assert.equal(transactions.waiting().count, 0)
      })
    }

    it('does not concern what was sent by others', async () => {
      const transactions = await start(clientWith(), disk.db)
      await transactions.tick()
      assert.deepEqual(transactions.reversal(creditedBy(`0x${'0a'.repeat(32)}`), ''), {})
    })
  })

  describe('another hand on the key', () => {
    /** Sends from the key behind the back of this data directory. */
    async function sendElsewhere(nonce: number) {
      const fees = await world.estimateFeesPerGas()
      const raw = await account.signTransaction({
        ...fees,
        chainId: hardhat.id,
        type: 'eip1559',
        nonce,
        to: someone,
        gas: 21_000n,
      })
      return world.sendRawTransaction({ serializedTransaction: raw })
    }

    /** As the hub: the first trace locks, and a lock makes further traces expected. */
    function lock() {
      const traces: number[] = []
      return {
        traces,
        isLocked: false,
        isSuspected: () => lockOf.isLocked,
        isExpected: () => lockOf.isLocked,
        async onForeignNonce(nonce: number) {
          traces.push(nonce)
          lockOf.isLocked = true
        },
      }
    }
    let lockOf = lock()
    beforeEach(() => {
      lockOf = lock()
    })

    it('is noticed by its nonce, with nothing sent from here any more until the operator says so (R12, R25)', async () => {
      const transactions = await start(clientWith(), disk.db, { otherHand: lockOf })
      await transactions.mined(await transactions.send(callOf(token)))
      await sendElsewhere(1)
      await assert.rejects(transactions.send(callOf(token)), isCode('money_out_locked'))
      assert.deepEqual(lockOf.traces, [1])
      await assert.rejects(transactions.send(callOf(token)), isCode('money_out_locked'))
      await transactions.tick()
      assert.deepEqual(lockOf.traces, [1])
      lockOf.isLocked = false
      const again = await start(clientWith(), await disk.reopen(), { otherHand: lockOf })
      const hash = await again.send(callOf(token))
      assert.equal((await again.mined(hash)).status, 'success')
      assert.deepEqual(
        (await stored()).map(({ nonce }) => nonce),
        [0, 2],
      )
    })

    it('is noticed while nothing is sent (R25)', async () => {
      const transactions = await start(clientWith(), disk.db, { otherHand: lockOf })
      await transactions.mined(await transactions.send(callOf(token)))
      await transactions.tick()
      assert.deepEqual(lockOf.traces, [])
      await sendElsewhere(1)
      await transactions.tick()
      assert.deepEqual(lockOf.traces, [1])
    })

    it('that takes the place of a transaction ends it without an effect, and with an alarm (R12, R25)', async () => {
      const before = await minted()
      const transactions = await start(clientWith(cut), disk.db, { otherHand: lockOf })
      const hash = await transactions.send(callOf(token))
      await sendElsewhere(0)
      assert.equal((await transactions.mined(hash)).status, 'displaced')
      assert.deepEqual(lockOf.traces, [0])
      assert.equal(await minted(), before)
    })

    it('is not suspected of what the key did before this data directory', async () => {
      await sendElsewhere(0)
      const transactions = await start(clientWith(), disk.db, { otherHand: lockOf })
      await transactions.mined(await transactions.send(callOf(token)))
      assert.deepEqual(lockOf.traces, [])
      assert.equal(await countOf('latest'), 2)
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
