import assert from 'node:assert/strict'
import type { Address, Hex } from 'viem'
import { hardhat } from 'viem/chains'
import { channelsDomainSeparator } from '#protocol/channel.ts'
import { HubError } from '#protocol/errors.ts'
import { claimPlan } from '#protocol/messages/claims.ts'
import { toJson } from '#protocol/messages/wire.ts'
import type { VoucherProof } from '../channels/channel.ts'
import { claimProof } from '../channels/claim-proof.ts'
import { createSignatureBackend } from '../channels/signature-backend.ts'
import type { Books } from '../testing/books.ts'
import { feeAccount, openBooks } from '../testing/books.ts'
import type { ChainFixture, FundedChannel } from '../testing/chain.ts'
import { fundChannel, mineOtherwise, onChannels, openChain } from '../testing/chain.ts'
import type { Disk } from '../testing/disk.ts'
import { openDisk, settleTurns } from '../testing/disk.ts'
import { commitTo } from '../testing/ticks.ts'
import type { ClaimDeps, Claims } from './claims.ts'
import { createClaims } from './claims.ts'
import type { SettlementPolicy } from './settlement-policy.ts'
import type { Transactions } from './transactions.ts'
import { createTransactions } from './transactions.ts'

/** Everything that can be settled is due at once. */
const policy: SettlementPolicy = {
  amountAtRisk: 1n,
  maxAgeMs: 0,
  gasShare: 0n,
  ether: 0n,
  creditAt: 0n,
  creditMaxAgeMs: 0,
  creditMinimum: 1n,
}

/** Nothing is due but what is beyond escrow or asked for. */
const patient: SettlementPolicy = {
  ...policy,
  amountAtRisk: 10n ** 18n,
  maxAgeMs: 10 ** 12,
  creditAt: 10n ** 18n,
  creditMaxAgeMs: 3_600_000,
}

describe('createClaims, on a real chain', function () {
  this.timeout(120_000)
  let chain: ChainFixture
  let disk: Disk
  let books: Books
  let creator: Address
  /** What the books tell of reorgs: the claims that were started last. */
  let newest: { transactions: Transactions; claims: Claims } | undefined

  before(async () => {
    chain = await openChain()
    const { chainId, hubAccount, channels } = chain.deployment
    disk = await openDisk({ chainId, hubAccount, channels })
    books = await openBooks(chain, disk.db, {
      reversals: [
        (event, again) => newest?.transactions.reversal(event, again) ?? {},
        (event, again) => newest?.claims.reversal(event, again) ?? {},
      ],
    })
    creator = (await books.newCreator()).account
  })
  after(async () => {
    await books?.checks.stop()
    await disk?.remove()
    await chain?.stop()
  })

  /** The claims of a hub that was just started. */
  function startClaims(changes: Partial<ClaimDeps> = {}) {
    const { log, channels, vaultAccounts, balances, follower } = books
    const { client, deployment, operator } = chain
    const backend = createSignatureBackend()
    const separatorOf = (address: Address) =>
      channelsDomainSeparator({ chainId: hardhat.id, address })
    const transactions = createTransactions({
      db: disk.db,
      log,
      chain: client,
      account: operator,
      chainId: hardhat.id,
    })
    const claims = createClaims({
      db: disk.db,
      log,
      chain: client,
      deployment,
      channels,
      vaultAccounts,
      balances,
      proofOf: (channel) => claimProof(channel, { backend, separatorOf }),
      transactions,
      follower,
      feeAccount,
      policy,
      limits: { gasPerTransaction: 7_000_000n, budgetPerGas: 10n ** 12n },
      mayCredit: () => true,
      now: Date.now,
      background: (_name, work) => void work(),
      ...changes,
    })
    newest = { transactions, claims }
    return claims
  }

  /** Does work, with the books following the chain until it is done. */
  async function following<T>(work: Promise<T>): Promise<T> {
    let isDone = false
    const done = work.finally(() => {
      isDone = true
    })
    const followed = (async () => {
      while (!isDone) await books.follower.tick()
    })()
    await Promise.allSettled([done, followed])
    await followed
    return done
  }

  const settleAll = (changes: Partial<ClaimDeps> = {}) => following(startClaims(changes).settle())
  const settle = async () => (await settleAll()).settlements

  async function newChannel(): Promise<FundedChannel> {
    const channel = await fundChannel(chain, { deposit: 1_000n })
    await books.follower.tick()
    return channel
  }

  /** A stream that the hub ended after so many ticks of 10 units. */
  async function tick(channel: FundedChannel, ticks: number, { otherV = false } = {}) {
    const { charged } = known(channel)
    const stream = await commitTo(channel, { to: creator, baseAmount: charged })
    const signature = otherV ? withOtherV(stream.signature) : stream.signature
    const { commitment, paying } = stream
    const { number } = await books.streams.open({ commitment, signature, session: 's' })
    await books.streams.reveal(number, 's', paying(ticks))
    await books.streams.end(number)
  }

  const known = ({ id }: FundedChannel) => books.channels.get(id)

  async function assertClaimed(channel: FundedChannel, total: bigint) {
    assert.equal(known(channel).totalClaimed, total)
    assert.equal(known(channel).charged, total)
    assert.equal((await books.reserves.check()).verdict, 'equal')
  }

  it('claims what was ticked by the commitment and its preimage, to the unit (R4, R28)', async () => {
    const channel = await newChannel()
    await tick(channel, 7)
    const done = await settle()
    assert.deepEqual(
      done.map(({ state, channels, claimed }) => ({ state, channels, claimed })),
      [{ state: 'done', channels: 1, claimed: 70n }],
    )
    await assertClaimed(channel, 70n)
    assert.deepEqual(await settle(), [])
  })

  it('claims ticks whose commitment came with the other v (R7)', async () => {
    const channel = await newChannel()
    await tick(channel, 3, { otherV: true })
    await settle()
    await assertClaimed(channel, 30n)
  })

  it('claims by the higher of voucher and ticks, whichever came last, in one transaction (R21)', async () => {
    const [ticked, tipped] = [await newChannel(), await newChannel()]
    await books.tip(ticked, { to: creator, amount: 5n })
    await tick(ticked, 2)
    await tick(tipped, 2)
    await books.tip(tipped, { to: creator, amount: 5n })
    const done = await settle()
    assert.equal(known(ticked).proof?.kind, 'ticks')
    assert.equal(known(tipped).proof?.kind, 'voucher')
    assert.deepEqual(
      done.map(({ channels, claimed }) => ({ channels, claimed })),
      [{ channels: 2, claimed: 50n }],
    )
    await assertClaimed(ticked, 25n)
    await assertClaimed(tipped, 25n)
  })

  it('claims one stream after another on one channel', async () => {
    const channel = await newChannel()
    await tick(channel, 2)
    await settle()
    await tick(channel, 3)
    await settle()
    await assertClaimed(channel, 50n)
  })

  it('claims many streams in one transaction', async () => {
    const channels: FundedChannel[] = []
    for (let opened = 0; opened < 3; opened += 1) channels.push(await newChannel())
    for (const channel of channels) await tick(channel, 1)
    const done = await settle()
    assert.deepEqual(
      done.map((settlement) => settlement.channels),
      [3],
    )
    for (const channel of channels) await assertClaimed(channel, 10n)
  })

  it('claims the others when the chain refuses the ticks of one, and tells of it', async () => {
    const channels = [await newChannel(), await newChannel(), await newChannel()]
    for (const channel of channels) await tick(channel, 1)
    const [poison, ...good] = channels
    assert.ok(poison)
    const right = known(poison)
    assert.ok(right.proof?.kind === 'ticks')
    const proof = { ...right.proof, preimage: `0x${'07'.repeat(32)}` as Hex }
    books.channels.update({ ...right, proof })
    const { setAside } = await settleAll()
    assert.deepEqual(
      setAside.map(({ channelId, reason }) => ({ channelId, reason: reason.split('(')[0] })),
      [{ channelId: poison.id, reason: 'WrongPreimage' }],
    )
    for (const channel of good) await assertClaimed(channel, 10n)
    assert.equal(known(poison).totalClaimed, 0n)
    books.channels.update({ ...known(poison), proof: right.proof })
    await settle()
    await assertClaimed(poison, 10n)
  })

  it('claims the good ones among vouchers that the chain would leave out, and tells of each bad one (R4)', async () => {
    const channels: FundedChannel[] = []
    for (let opened = 0; opened < 6; opened += 1) {
      const channel = await newChannel()
      await books.tip(channel, { to: creator, amount: 20n })
      channels.push(channel)
    }
    const [unsigned, raised, ...good] = channels
    assert.ok(unsigned && raised)
    const right = [known(unsigned), known(raised)]
    poison(unsigned, { signature: `0x${'11'.repeat(64)}1b` })
    poison(raised, { maxClaimableAmount: 10n })
    const { settlements, setAside } = await settleAll({ proofOf: ({ proof }) => proof })
    assert.deepEqual(
      settlements.map((settlement) => [settlement.channels, settlement.skipped]),
      [[4, []]],
    )
    assert.deepEqual(
      setAside.map(({ channelId }) => channelId).sort(),
      [unsigned.id, raised.id].sort(),
    )
    for (const channel of good) await assertClaimed(channel, 20n)
    for (const channel of right) books.channels.update(channel)
    assert.deepEqual((await settleAll()).setAside, [])
    await assertClaimed(unsigned, 20n)
  })

  it('sets a channel aside whose stored proof is not signed by its payer', async () => {
    const channel = await newChannel()
    await books.tip(channel, { to: creator, amount: 20n })
    const right = known(channel)
    poison(channel, { signature: `0x${'11'.repeat(64)}1b` })
    const { settlements, setAside } = await settleAll()
    assert.deepEqual([settlements, setAside.length], [[], 1])
    assert.match(setAside[0]?.reason ?? '', /not signed by its payer/)
    books.channels.update(right)
    await settle()
    await assertClaimed(channel, 20n)
  })

  it('splits what does not fit into one transaction, and sends several at once', async () => {
    const channels: FundedChannel[] = []
    for (let opened = 0; opened < 5; opened += 1) channels.push(await newChannel())
    for (const channel of channels) await books.tip(channel, { to: creator, amount: 3n })
    const limits = { gasPerTransaction: 160_000n, budgetPerGas: 10n ** 12n }
    const { settlements } = await settleAll({ limits })
    assert.ok(settlements.length > 1, `${settlements.length}`)
    assert.equal(
      settlements.reduce((sum, settlement) => sum + settlement.channels, 0),
      5,
    )
    for (const channel of channels) await assertClaimed(channel, 3n)
    const left = await settleAll()
    assert.ok(left.settlements.every(({ state }) => state === 'done'))
    assert.equal(books.book(`creator:${creator}`), 0n)
  })

  it('ends a settlement that a crash interrupted, and claims nothing twice (R12)', async () => {
    const channel = await newChannel()
    await books.tip(channel, { to: creator, amount: 8n })
    const { node } = chain
    await node.setAutomine(false)
    const crashed = startClaims({ background: () => undefined })
    await crashed.settleDue()
    assert.deepEqual(
      (await crashed.list(1)).map(({ state, channels }) => [state, channels]),
      [['sent', 1]],
    )
    await node.setAutomine(true)
    await node.mine({ blocks: 1 })
    const again = startClaims()
    const { settlements } = await following(again.settle())
    assert.deepEqual(
      settlements.map(({ state, channels, claimed }) => [state, channels, claimed]),
      [['done', 1, 8n]],
    )
    const [newest] = await again.list(1)
    assert.equal(newest?.state, 'done')
    assert.ok((newest?.gasUsed ?? 0n) > 21_000n)
    await assertClaimed(channel, 8n)
  })

  it('is on its way again when a reorg takes it back, and nobody is claimed from or credited twice (R12, R29)', async () => {
    const channel = await newChannel()
    const paid = await books.newCreator()
    await books.tip(channel, { to: paid.account, amount: 100n })
    const { node } = chain
    const snapshot = await node.snapshot()
    const claims = startClaims()
    const { settlements } = await following(claims.settle())
    assert.deepEqual(
      settlements.map(({ state, claimed }) => [state, claimed]),
      [['done', 100n]],
    )
    const credited = () => books.vaultAccounts.get(chain.token, paid.account).credited
    assert.equal(credited(), 99n)

    await node.revert({ id: snapshot })
    await node.setAutomine(false)
    await mineOtherwise(chain, 2)
    await books.follower.tick()
    assert.deepEqual([known(channel).totalClaimed, credited()], [0n, 0n])
    assert.equal((await claims.list(1))[0]?.state, 'sent')
    assert.deepEqual((await claims.plan('all')).tokens[0]?.transactions, [])

    await node.setAutomine(true)
    await node.mine({ blocks: 1 })
    const again = startClaims()
    await following(again.settle())
    assert.deepEqual(
      (await again.list(1)).map(({ transaction, state }) => [transaction, state]),
      [[settlements[0]?.transaction, 'done']],
    )
    assert.equal(credited(), 99n)
    await assertClaimed(channel, 100n)
  })

  it('claims at once what is charged beyond escrow, and lets the rest wait (R6)', async () => {
    const [leaving, staying] = [await newChannel(), await newChannel()]
    for (const channel of [leaving, staying]) await books.tip(channel, { to: creator, amount: 9n })
    const claims = startClaims({ policy: patient })
    await claims.settleDue()
    assert.equal((await claims.plan('due')).tokens[0]?.transactions.length, 0)
    await onChannels(chain, leaving.payer, {
      contract: leaving.contract,
      functionName: 'initiateWithdraw',
      args: [leaving.config, 995n],
    })
    await books.follower.tick()
    const plan = await claims.plan('due')
    assert.deepEqual(
      plan.tokens[0]?.transactions.map((sent) => sent.claims.map((claim) => claim.reason)),
      [['beyond-escrow']],
    )
    await claims.settleDue()
    await following(waitForNone(claims))
    await assertClaimed(leaving, 9n)
    assert.equal(known(staying).totalClaimed, 0n)
    await settle()
    await assertClaimed(staying, 9n)
  })

  it('credits small creators when they ask, are owed enough, or wait long enough', async () => {
    const channel = await newChannel()
    const small = await books.newCreator()
    await books.tip(channel, { to: small.account, amount: 20n })
    let time = Date.now()
    const claims = startClaims({ policy: patient, now: () => time })
    const credited = () => books.vaultAccounts.get(chain.token, small.account).credited
    await claims.settleDue()
    assert.equal(credited(), 0n)
    await assert.rejects(
      startClaims({ policy: { ...patient, creditMinimum: 1_000n } }).request(small.account),
      (error) => error instanceof HubError && error.code === 'credit_too_small',
    )
    await claims.request(small.account)
    await claims.settleDue()
    await following(waitForNone(claims))
    const first = credited()
    assert.equal(first, -ledgerBefore(20n))
    await books.tip(channel, { to: small.account, amount: 5n })
    await claims.settleDue()
    assert.equal(credited(), first)
    time += patient.creditMaxAgeMs
    await claims.settleDue()
    await following(waitForNone(claims))
    assert.ok(credited() > first)
    await settle()
  })

  it('shows what it would do and why, and does it', async () => {
    const channels = [await newChannel(), await newChannel()]
    for (const channel of channels) await books.tip(channel, { to: creator, amount: 50n })
    const claims = startClaims()
    const plan = claimPlan.parse(JSON.parse(toJson(await claims.plan('all'))))
    const [planned] = plan.tokens[0]?.transactions ?? []
    assert.ok(planned)
    assert.equal(planned.fee, planned.gas * plan.gasPrice)
    assert.deepEqual(plan.tokens[0]?.claims, { asked: { count: 2, amount: 100n } })
    assert.deepEqual((await claims.list(1))[0]?.state === 'sent', false)
    const { settlements } = await following(claims.settle())
    const [done] = settlements
    assert.deepEqual(
      [done?.channels, done?.claimed, done?.credited.length, done?.reasons],
      [planned.channels, planned.claimed, planned.accounts, { asked: 2 }],
    )
    const gasUsed = done?.gasUsed ?? 0n
    const difference = Number(planned.gas - gasUsed) / Number(gasUsed)
    assert.ok(Math.abs(difference) < 0.25, `planned ${planned.gas}, used ${gasUsed}`)
    assert.deepEqual((await claims.plan('all')).tokens[0]?.transactions, [])
  })

  /** The books' proof of a channel made worthless. */
  function poison(channel: FundedChannel, change: Partial<VoucherProof>) {
    const right = known(channel)
    assert.ok(right.proof?.kind === 'voucher')
    books.channels.update({ ...right, proof: { ...right.proof, ...change } })
  }

  /** What is left of a tip after the fee of 1%, as the books owe it. */
  const ledgerBefore = (amount: bigint) => -(amount - amount / 100n)

  async function waitForNone(claims: Claims) {
    while ((await claims.plan('due')).inFlight > 0) await settleTurns()
  }

  function withOtherV(signature: Hex): Hex {
    return `0x${signature.slice(2, -2)}${signature.endsWith('1b') ? '1c' : '1b'}`
  }
})
