import assert from 'node:assert/strict'
import type { Address, Hex } from 'viem'
import { hardhat } from 'viem/chains'
import { channelsDomainSeparator } from '#protocol/channel.ts'
import { claimProof } from '../channels/claim-proof.ts'
import { createSignatureBackend } from '../channels/signature-backend.ts'
import type { Books } from '../testing/books.ts'
import { feeAccount, openBooks } from '../testing/books.ts'
import type { ChainFixture, FundedChannel } from '../testing/chain.ts'
import { fundChannel, openChain } from '../testing/chain.ts'
import type { Disk } from '../testing/disk.ts'
import { openDisk } from '../testing/disk.ts'
import { commitTo } from '../testing/ticks.ts'
import type { ClaimDeps } from './claims.ts'
import { createClaims } from './claims.ts'
import type { SettlementPolicy } from './settlement-policy.ts'
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

describe('createClaims, on a real chain', function () {
  this.timeout(120_000)
  let chain: ChainFixture
  let disk: Disk
  let books: Books
  let creator: Address

  before(async () => {
    chain = await openChain()
    const { chainId, hubAccount, channels } = chain.deployment
    disk = await openDisk({ chainId, hubAccount, channels })
    books = await openBooks(chain, disk.db)
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
    return createClaims({
      db: disk.db,
      log,
      chain: client,
      deployment,
      channels,
      vaultAccounts,
      balances,
      proofOf: (channel) => claimProof(channel, { backend, separatorOf }),
      transactions: createTransactions({
        db: disk.db,
        log,
        chain: client,
        account: operator,
        chainId: hardhat.id,
      }),
      follower,
      feeAccount,
      policy,
      limits: { gasPerTransaction: 7_000_000n, budgetPerGas: 10n ** 12n },
      mayCredit: () => true,
      now: Date.now,
      background: (_name, work) => void work(),
      ...changes,
    })
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

  const settleAll = () => following(startClaims().settle())
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

  function withOtherV(signature: Hex): Hex {
    return `0x${signature.slice(2, -2)}${signature.endsWith('1b') ? '1c' : '1b'}`
  }
})
