import assert from 'node:assert/strict'
import type { Address, Hex } from 'viem'
import {
  createPublicClient,
  custom,
  encodeFunctionData,
  http,
  serializeTransaction,
  TimeoutError,
  toHex,
} from 'viem'
import type { PrivateKeyAccount } from 'viem/accounts'
import { hardhat } from 'viem/chains'
import { creatorVaultAbi, paymentChannelsAbi, testTokenAbi } from '#protocol/abi.ts'
import { packClaims } from '#protocol/packed-claim.ts'
import { lowerCase } from '#protocol/signature.ts'
import type { Balances } from '../ledger/entry.ts'
import { ledgerEntries } from '../store/group-rows.ts'
import type { Books } from '../testing/books.ts'
import { feeAccount, openBooks } from '../testing/books.ts'
import type { ChainFixture, FundedChannel } from '../testing/chain.ts'
import {
  claimCall,
  creditCall,
  fundChannel,
  mineOtherwise,
  onChannels,
  openChain,
  topUp,
} from '../testing/chain.ts'
import type { Disk } from '../testing/disk.ts'
import { openDisk } from '../testing/disk.ts'
import type { Undone } from './booked-chain.ts'
import { createEndpoints } from './endpoints.ts'
import { DeepReorgError } from './follower.ts'

describe('createFollower, on a real chain', function () {
  this.timeout(60_000)
  let chain: ChainFixture
  let disk: Disk
  let books: Books
  let channel: FundedChannel
  let creator: { key: PrivateKeyAccount; account: Address }
  let stranger: PrivateKeyAccount

  before(async () => {
    chain = await openChain()
    disk = await openDiskOf(chain)
    books = await openBooks(chain, disk.db)
    stranger = await chain.party({ tokens: 100n })
    creator = await books.newCreator()
  })
  after(async () => {
    await disk?.remove()
    await chain?.stop()
  })

  /** Books what happened, and asserts that books and chain say the same, to the unit. */
  async function follow() {
    await books.follower.tick()
    const report = await books.reserves.check()
    assert.equal(
      report.verdict,
      'equal',
      JSON.stringify(report, (_, value) => String(value)),
    )
  }

  /** What an action changed in the ledger, by account. */
  async function changes(act: () => Promise<unknown>): Promise<{ [account: string]: bigint }> {
    const before = new Map(books.balances)
    await act()
    await follow()
    return Object.fromEntries(difference(before, books.balances, chain.token))
  }

  const known = (id: Hex) => books.channels.get(id)

  async function packedClaim({ id, config, contract }: FundedChannel) {
    const { proof, charged } = known(id)
    assert.ok(proof?.kind === 'voucher')
    const rows = packClaims([{ ...config, ...proof, claim: charged }])
    const { receiver, receiverAuthorizer, token, withdrawDelay } = config
    const data = encodeFunctionData({
      abi: paymentChannelsAbi,
      functionName: 'claimPacked',
      args: [receiver, receiverAuthorizer, token, withdrawDelay, rows],
    })
    return { target: contract, data }
  }

  describe('tick', () => {
    it('takes on a channel that pays the vault, with its deposits (R6)', async () => {
      channel = await fundChannel(chain, { deposit: 10_000_000n })
      assert.equal(books.channels.find(channel.id), undefined)
      await follow()
      assert.equal(known(channel.id).balance, 10_000_000n)
      assert.equal(known(channel.id).refusal, undefined)
      const more = await chain.party({ tokens: 5n })
      await topUp(chain, { ...channel, payer: more }, 5n)
      await follow()
      assert.equal(known(channel.id).balance, 10_000_005n)
    })

    it('knows nothing of a channel that pays somebody else', async () => {
      const other = await fundChannel(chain, { changes: { receiver: lowerCase(stranger.address) } })
      await follow()
      assert.equal(books.channels.find(other.id), undefined)
    })

    it('leaves tips, which no chain has seen, equal on both sides (I5)', async () => {
      const charged = await changes(() =>
        books.tip(channel, { to: creator.account, amount: 3_000_000n }),
      )
      assert.deepEqual(charged, {
        channels: 3_000_000n,
        [`creator:${creator.account}`]: -2_970_000n,
        fees: -30_000n,
      })
    })

    it('books a packed claim from its event (R11)', async () => {
      const call = await packedClaim(channel)
      const claimed = await changes(() => chain.runHub([call]))
      assert.deepEqual(claimed, { channels: -3_000_000n, claimed: 3_000_000n })
      assert.equal(known(channel.id).totalClaimed, 3_000_000n)
    })

    it('books nothing of a claim that is made again (R11)', async () => {
      const call = await packedClaim(channel)
      assert.deepEqual(await changes(() => chain.runHub([call])), {})
    })

    it('books a settlement by a stranger (R11)', async () => {
      const { deployment, token } = chain
      const settled = await changes(() =>
        onChannels(chain, stranger, {
          contract: deployment.channels,
          functionName: 'settle',
          args: [deployment.vault, token],
        }),
      )
      assert.deepEqual(settled, { claimed: -3_000_000n, vault: 3_000_000n })
    })

    it('books credits, the fees’ too, and what is theirs (R11, I6)', async () => {
      const rows = [
        { account: creator.account, credited: 2_000_000n },
        { account: feeAccount, credited: 30_000n },
      ]
      const credited = await changes(() => chain.runHub([creditCall(chain, rows)]))
      assert.deepEqual(credited, {
        [`creator:${creator.account}`]: 2_000_000n,
        fees: 30_000n,
        vault: -2_030_000n,
      })
      assert.equal(books.vaultAccounts.get(chain.token, creator.account).credited, 2_000_000n)
    })

    it('books claim, settlement and credit of one transaction in their order (R11)', async () => {
      await books.tip(channel, { to: creator.account, amount: 1_000_000n })
      const rows = [{ account: creator.account, credited: 3_960_000n }]
      const calls = [await packedClaim(channel), creditCall(chain, rows)]
      const all = await changes(() => chain.runHub(calls))
      assert.deepEqual(all, {
        channels: -1_000_000n,
        [`creator:${creator.account}`]: 1_960_000n,
        vault: -960_000n,
      })
    })

    it('books a standard x402 claim from the hub account, under a plain voucher (R11)', async () => {
      await books.tip(channel, { to: creator.account, amount: 500_000n })
      const call = await claimCall(channel, known(channel.id).charged)
      assert.deepEqual(await changes(() => chain.runHub([call])), {
        channels: -500_000n,
        claimed: 500_000n,
      })
    })

    it('books what a creator takes out, which changes no debt to anybody (R11, I6)', async () => {
      const { vault } = chain.deployment
      const args = [chain.token, stranger.address, 1_500_000n, `0x${'00'.repeat(32)}`]
      const paid = await changes(() =>
        chain.transact(creator.key, {
          address: vault,
          abi: creatorVaultAbi,
          functionName: 'pay',
          args,
        }),
      )
      assert.deepEqual(paid, {})
      const account = books.vaultAccounts.get(chain.token, creator.account)
      assert.deepEqual(account, { credited: 3_960_000n, paid: 1_500_000n })
    })

    it('books tokens that somebody sends to the vault to suspense (I5)', async () => {
      const args = [chain.deployment.vault, 77n]
      const sent = await changes(() =>
        chain.transact(stranger, {
          address: chain.token,
          abi: testTokenAbi,
          functionName: 'transfer',
          args,
        }),
      )
      assert.deepEqual(sent, { vault: 77n, suspense: -77n })
    })

    it('books what a foreign channel pays into the vault to suspense, and gives it no credit (R7, I5)', async () => {
      const receiverAuthorizer = lowerCase(stranger.address)
      const foreign = await fundChannel(chain, { changes: { receiverAuthorizer } })
      await follow()
      assert.equal(known(foreign.id).refusal, 'wrong_receiver_authorizer')
      const { rows } = await claimCall(foreign, 400_000n)
      const { contract } = foreign
      const claimed = await changes(() =>
        onChannels(chain, stranger, { contract, functionName: 'claim', args: [rows] }),
      )
      assert.deepEqual(claimed, { claimed: 400_000n, suspense: -400_000n })
      await assert.rejects(books.tip(foreign, { to: creator.account, amount: 1n }), {
        code: 'wrong_receiver_authorizer',
      })
    })

    it('books a claim on the other channels contract to suspense, and gives it no credit (R7, I5)', async () => {
      const contract = chain.deployment.canonicalChannels
      assert.ok(contract)
      const foreign = await fundChannel(chain, { contract })
      await follow()
      assert.equal(known(foreign.id).refusal, 'unknown_channel')
      const call = await claimCall(foreign, 9n)
      assert.deepEqual(await changes(() => chain.runHub([call])), { claimed: 9n, suspense: -9n })
    })

    it('books what is claimed above charged, with a stolen key, to suspense, and goes on (R4, I2, I5)', async () => {
      const before = known(channel.id).charged
      await books.tip(channel, { to: creator.account, amount: 100_000n })
      const call = await claimCall(channel, before + 100_000n + 250_000n)
      assert.deepEqual(await changes(() => chain.runHub([call])), {
        channels: -100_000n,
        claimed: 350_000n,
        suspense: -250_000n,
      })
      assert.equal(known(channel.id).charged, before + 350_000n)
      await books.tip(channel, { to: creator.account, amount: 10n })
      await follow()
      assert.equal(known(channel.id).charged, before + 350_010n)
    })

    it('sees a refund lower the balance (R6, R10)', async () => {
      const { balance } = known(channel.id)
      const data = encodeFunctionData({
        abi: paymentChannelsAbi,
        functionName: 'refund',
        args: [channel.config, 1_000_000n],
      })
      const refunded = await changes(() => chain.runHub([{ target: channel.contract, data }]))
      assert.deepEqual(refunded, {})
      assert.equal(known(channel.id).balance, balance - 1_000_000n)
      assert.equal(known(channel.id).refundNonce, 1n)
    })

    it('sees a withdrawal lower escrowCap when it begins, and the balance when it ends (R6)', async () => {
      const { contract, config, payer, id } = channel
      const { balance } = known(id)
      await onChannels(chain, payer, {
        contract,
        functionName: 'initiateWithdraw',
        args: [config, 2_000_000n],
      })
      await follow()
      assert.equal(known(id).pendingWithdrawal?.amount, 2_000_000n)
      assert.equal(books.channels.amounts(known(id)).escrowCap, balance - 2_000_000n)
      await chain.node.increaseTime({ seconds: config.withdrawDelay + 1 })
      await onChannels(chain, payer, { contract, functionName: 'finalizeWithdraw', args: [config] })
      await follow()
      assert.equal(known(id).pendingWithdrawal, undefined)
      assert.equal(known(id).balance, balance - 2_000_000n)
    })

    it('has written one entry per cause, each balanced and with an id of its own (I4)', async () => {
      const entries = (await ledgerEntries.list(disk.db)).map(({ value }) => value)
      assert.equal(new Set(entries.map(({ id }) => id)).size, entries.length)
      const sums = new Map<string, bigint>()
      for (const { account, currency, amount } of entries.flatMap(({ legs }) => legs)) {
        const key = `${currency}|${account}`
        sums.set(key, (sums.get(key) ?? 0n) + amount)
      }
      assert.deepEqual(plain(sums), plain(books.balances))
    })
  })

  describe('tick, after a restart', () => {
    it('books nothing twice, and finds the same books (R11, I5)', async () => {
      const before = plain(books.balances)
      const channels = [...books.channels.all()]
      const { number } = books.log.head()
      books = await openBooks(chain, await disk.reopen())
      await follow()
      assert.deepEqual(plain(books.balances), before)
      assert.deepEqual(
        new Set(
          [...books.channels.all()].map(({ id, charged, balance }) => `${id}${charged}${balance}`),
        ),
        new Set(channels.map(({ id, charged, balance }) => `${id}${charged}${balance}`)),
      )
      assert.equal(books.log.head().number, number)
    })

    it('with nothing left of its data calls every claim foreign, and is still equal (I5)', async () => {
      const empty = await openDiskOf(chain)
      const fresh = await openBooks(chain, empty.db)
      await fresh.follower.tick()
      assert.equal((await fresh.reserves.check()).verdict, 'equal')
      assert.ok(fresh.book('suspense') < 0n)
      await empty.remove()
    })
  })

  describe('tick, with blocks on top before money counts', () => {
    const confirmations = 3

    it('counts a deposit at policy depth, and a withdrawal at once (R6)', async () => {
      const late = await openDiskOf(chain)
      const cautious = await openBooks(chain, late.db, { confirmations })
      const opened = await fundChannel(chain, { deposit: 1_000n })
      await cautious.follower.tick()
      assert.equal(cautious.channels.find(opened.id), undefined)
      await chain.node.mine({ blocks: confirmations - 1 })
      await cautious.follower.tick()
      assert.equal(cautious.channels.find(opened.id), undefined)
      await chain.node.mine({ blocks: 1 })
      await cautious.follower.tick()
      const cap = () => cautious.channels.amounts(cautious.channels.get(opened.id)).escrowCap
      assert.equal(cap(), 1_000n)
      const { contract, config, payer } = opened
      const args = [config, 400n]
      await onChannels(chain, payer, { contract, functionName: 'initiateWithdraw', args })
      await cautious.follower.tick()
      assert.equal(cap(), 600n)
      assert.equal(cautious.channels.get(opened.id).pendingWithdrawal, undefined)
      await chain.node.mine({ blocks: confirmations })
      await cautious.follower.tick()
      assert.equal(cap(), 600n)
      assert.equal(cautious.channels.get(opened.id).pendingWithdrawal?.amount, 400n)
      assert.equal((await cautious.reserves.check()).verdict, 'equal')
      await late.remove()
    })
  })

  describe('reached', () => {
    it('resolves when the block is booked and on disk, and rejects when the hub stops', async () => {
      const block = (await chain.node.getBlockNumber({ cacheTime: 0 })) + 1n
      let reached = false
      const waiting = books.follower.reached(block).then(() => {
        reached = true
      })
      await books.follower.tick()
      assert.equal(reached, false)
      await chain.node.mine({ blocks: 1 })
      await books.follower.tick()
      await waiting
      const never = assert.rejects(books.follower.reached(block + 1_000n), /stopping/)
      books.follower.stop()
      await never
    })
  })

  describe('tick, when the chain took back what was booked', () => {
    let own: Disk
    let reorganised: Books
    let undone: Undone[]

    beforeEach(async () => {
      undone = []
      own = await openDiskOf(chain)
      reorganised = await openBooks(chain, own.db, { onUndone: (one) => undone.push(one) })
      await reorganised.follower.tick()
    })
    afterEach(() => own.remove())

    async function assertEqualBooks() {
      await reorganised.follower.tick()
      assert.equal((await reorganised.reserves.check()).verdict, 'equal')
    }

    it('undoes each booking by an entry of its own, and books it again under a new id (R29, I4, I5)', async () => {
      const before = plain(reorganised.balances)
      const snapshot = await chain.node.snapshot()
      const args = [chain.deployment.vault, 5n]
      const gift = { address: chain.token, abi: testTokenAbi, functionName: 'transfer', args }
      const hash = await chain.transact(stranger, gift)
      await assertEqualBooks()
      const after = plain(reorganised.balances)
      const serializedTransaction = await rawOf(chain, hash)
      await chain.node.revert({ id: snapshot })
      await mineOtherwise(chain, 1)
      await assertEqualBooks()
      assert.deepEqual(plain(reorganised.balances), before)
      await chain.node.sendRawTransaction({ serializedTransaction })
      await assertEqualBooks()
      assert.deepEqual(plain(reorganised.balances), after)
      const ids = (await ledgerEntries.list(own.db))
        .map(({ value }) => value.id)
        .filter((id) => id.includes(hash))
      assert.deepEqual(ids, [`${hash}:0`, `undo:${hash}:0`, `${hash}:0~1`])
      assert.deepEqual(
        undone.map(({ from, to, events }) => [from - to, events]),
        [[1n, 1]],
      )
    })

    it('keeps tips whose deposit is gone, and gives no credit until it is back (R6, R29)', async () => {
      const snapshot = await chain.node.snapshot()
      const opened = await fundChannel(chain, { deposit: 1_000n })
      await assertEqualBooks()
      const { account: to } = await reorganised.newCreator()
      await reorganised.tip(opened, { to, amount: 600n })
      await chain.node.revert({ id: snapshot })
      await mineOtherwise(chain, 4)
      await assertEqualBooks()
      const gone = reorganised.channels.get(opened.id)
      assert.deepEqual([gone.balance, gone.charged], [0n, 600n])
      assert.deepEqual(undone.at(-1)?.channels, [opened.id])
      assert.deepEqual(
        reorganised.channels.overcharged().map(({ id }) => id),
        [opened.id],
      )
      const report = await reorganised.reserves.check()
      assert.ok(report.verdict === 'equal')
      assert.deepEqual(report.uncovered, [{ token: chain.token, amount: 600n }])
      await assert.rejects(reorganised.tip(opened, { to, amount: 1n }), {
        code: 'deposit_exceeded',
      })
      const again = await chain.party({ tokens: 1_000n })
      await topUp(chain, { ...opened, payer: again }, 1_000n)
      await assertEqualBooks()
      assert.deepEqual(reorganised.channels.overcharged(), [])
      await reorganised.tip(opened, { to, amount: 400n })
    })

    it('undoes what an earlier start booked, and takes up tips once after the next (R5)', async () => {
      const opened = await fundChannel(chain, { deposit: 1_000n })
      await assertEqualBooks()
      const { account: to } = await reorganised.newCreator()
      await reorganised.tip(opened, { to, amount: 100n })
      const snapshot = await chain.node.snapshot()
      const { target, data } = await claimCall(opened, 300n)
      await chain.runHub([{ target, data }])
      await assertEqualBooks()
      await reorganised.tip(opened, { to, amount: 50n })
      assert.equal(reorganised.channels.get(opened.id).charged, 350n)
      reorganised = await openBooks(chain, await own.reopen())
      await chain.node.revert({ id: snapshot })
      await mineOtherwise(chain, 2)
      await assertEqualBooks()
      reorganised = await openBooks(chain, await own.reopen())
      await assertEqualBooks()
      const { charged, totalClaimed, unexplained } = reorganised.channels.get(opened.id)
      assert.deepEqual([charged, totalClaimed, unexplained], [150n, 0n, 0n])
    })
  })

  describe('tick, with more blocks for bigger deposits', () => {
    it('counts a deposit at the depth of its sum on the channel, across a restart (R6)', async () => {
      const depositDepths = [{ token: chain.token, from: 1_000n, confirmations: 3 }]
      const own = await openDiskOf(chain)
      let careful = await openBooks(chain, own.db, { depositDepths })
      const opened = await fundChannel(chain, { deposit: 600n })
      const cap = () => careful.channels.amounts(careful.channels.get(opened.id)).escrowCap
      await careful.follower.tick()
      assert.equal(cap(), 600n)
      const more = await chain.party({ tokens: 1_500n })
      await topUp(chain, { ...opened, payer: more }, 1_500n)
      const block = await chain.node.getBlockNumber({ cacheTime: 0 })
      let isCounted = false
      const counted = careful.follower.counted(opened.id, block).then(() => {
        isCounted = true
      })
      await careful.follower.tick()
      assert.equal(cap(), 600n)
      await chain.node.mine({ blocks: 2 })
      await careful.follower.tick()
      assert.deepEqual([cap(), isCounted], [600n, false])
      careful.follower.stop()
      await assert.rejects(counted, /stopping/)
      careful = await openBooks(chain, await own.reopen(), { depositDepths })
      await careful.follower.tick()
      assert.equal(cap(), 600n)
      await chain.node.mine({ blocks: 1 })
      await careful.follower.tick()
      assert.equal(cap(), 2_100n)
      await careful.follower.counted(opened.id, block)
      await own.remove()
    })
  })

  describe('tick, with several endpoints', () => {
    let own: Disk
    afterEach(() => own.remove())

    /** The chain over a line that answers as it is told to. */
    function endpointOf(name: string, change: (method: string, answer: unknown) => unknown) {
      const node = http(chain.rpcUrl, { retryCount: 0 })({ chain: hardhat })
      const request = async (call: Parameters<typeof node.request>[0]) =>
        change(call.method, await node.request(call))
      return {
        name,
        client: createPublicClient({ transport: custom({ request }, { retryCount: 0 }) }),
      }
    }
    const honest = (_: string, answer: unknown) => answer
    const down = () => {
      throw new TimeoutError({ body: {}, url: chain.rpcUrl })
    }

    async function booksThrough(...all: ReturnType<typeof endpointOf>[]) {
      own = await openDiskOf(chain)
      const aside: string[] = []
      const onAside = (endpoint: { name: string }, reason: string) =>
        aside.push(`${endpoint.name}: ${reason}`)
      const endpoints = createEndpoints(all, { now: () => 0, onAside })
      return { books: await openBooks(chain, own.db, { endpoints }), aside }
    }

    it('goes on with another when one does not answer', async () => {
      const { books: through, aside } = await booksThrough(
        endpointOf('first', down),
        endpointOf('second', honest),
      )
      await through.follower.tick()
      assert.equal(through.follower.cursor(), await chain.node.getBlockNumber({ cacheTime: 0 }))
      assert.match(aside.join(), /^first: /)
    })

    it('throws when none answers, and books nothing', async () => {
      const { books: through } = await booksThrough(endpointOf('only', down))
      const before = through.follower.cursor()
      await assert.rejects(through.follower.tick())
      assert.equal(through.follower.cursor(), before)
    })

    it('puts aside one that is behind another', async () => {
      const head = await chain.node.getBlock({ blockTag: 'latest' })
      const old = await raw(chain, 'eth_getBlockByNumber', [toHex(head.number - 9n), false])
      const stale = (method: string, answer: unknown) =>
        method === 'eth_getBlockByNumber' && (answer as { hash: Hex }).hash === head.hash
          ? old
          : answer
      const { books: through, aside } = await booksThrough(
        endpointOf('stale', stale),
        endpointOf('fresh', honest),
      )
      await through.follower.tick()
      assert.equal(through.follower.cursor(), head.number)
      assert.deepEqual(aside, [
        `stale: it is at block ${head.number - 9n}, another at ${head.number}`,
      ])
    })

    it('undoes nothing on the word of one that another contradicts (R29)', async () => {
      let isLying = false
      const hash = () => (isLying ? { hash: `0x${'bb'.repeat(32)}` } : {})
      // Without this field nobody can tell that the hash is not the header's.
      const lie = (method: string, answer: unknown) =>
        method === 'eth_getBlockByNumber'
          ? { ...(answer as object), mixHash: undefined, ...hash() }
          : answer
      const { books: through, aside } = await booksThrough(
        endpointOf('liar', lie),
        endpointOf('honest', honest),
      )
      await through.follower.tick()
      await mineOtherwise(chain, 1)
      isLying = true
      await through.follower.tick()
      assert.equal(through.follower.reorgs().count, 0)
      assert.equal(through.follower.cursor(), await chain.node.getBlockNumber({ cacheTime: 0 }))
      assert.match(
        aside.join(),
        /^liar: it says that block \d+ is gone, which is not so elsewhere$/,
      )
    })
  })

  describe('tick, when the chain took back more than is undone', () => {
    it('throws DeepReorgError that names the block and the bound, and books nothing (R29)', async () => {
      const disk3 = await openDiskOf(chain)
      const bound = 3
      const shallow = await openBooks(chain, disk3.db, { reorgLimit: bound })
      const snapshot = await chain.node.snapshot()
      await chain.node.mine({ blocks: bound + 1 })
      await shallow.follower.tick()
      const block = shallow.follower.cursor() - BigInt(bound)
      const hash = shallow.follower.hashOf(block)
      const { number } = shallow.log.head()
      await chain.node.revert({ id: snapshot })
      await mineOtherwise(chain, bound + 5)
      await assert.rejects(shallow.follower.tick(), (error: Error) => {
        assert.ok(error instanceof DeepReorgError)
        assert.match(error.message, new RegExp(`block ${block} was ${hash} .* the ${bound} blocks`))
        return true
      })
      assert.equal(shallow.log.head().number, number)
      await disk3.remove()
    })
  })
})

async function raw({ node }: ChainFixture, method: string, params: unknown[]): Promise<unknown> {
  return node.request({ method, params } as never)
}

/** The signed bytes of a transaction that is on the chain. */
async function rawOf({ node }: ChainFixture, hash: Hex): Promise<Hex> {
  const { r, s, yParity, ...transaction } = await node.getTransaction({ hash })
  return serializeTransaction(
    { ...transaction, data: transaction.input } as Parameters<typeof serializeTransaction>[0],
    { r, s, yParity: yParity ?? 0 },
  )
}

function openDiskOf({ deployment }: ChainFixture): Promise<Disk> {
  const { chainId, hubAccount, channels } = deployment
  return openDisk({ chainId, hubAccount, channels })
}

function plain(balances: Balances) {
  return [...balances].filter(([, amount]) => amount !== 0n).sort()
}

function difference(before: Balances, after: Balances, currency: Address): [string, bigint][] {
  return [...after].flatMap(([key, amount]): [string, bigint][] => {
    const change = amount - (before.get(key) ?? 0n)
    const [of, account = ''] = key.split('|')
    assert.equal(of, currency)
    return change === 0n ? [] : [[account, change]]
  })
}
