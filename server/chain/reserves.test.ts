import assert from 'node:assert/strict'
import type { Address } from 'viem'
import { encodeAbiParameters, keccak256, numberToHex } from 'viem'
import { HubError } from '#protocol/errors.ts'
import { packBasket } from '#protocol/packed-tips.ts'
import { balanceKey } from '../ledger/entry.ts'
import type { Books } from '../testing/books.ts'
import { openBooks } from '../testing/books.ts'
import type { ChainFixture, FundedChannel } from '../testing/chain.ts'
import { claimCall, fundChannel, openChain, signTip } from '../testing/chain.ts'
import type { Disk } from '../testing/disk.ts'
import { heldDoor, openDisk, withDoor } from '../testing/disk.ts'
import { createReserves } from './reserves.ts'

describe('createReserves, on a real chain', function () {
  this.timeout(60_000)
  let chain: ChainFixture
  let disk: Disk
  let books: Books
  let channel: FundedChannel
  let creator: Address

  before(async () => {
    chain = await openChain()
    const { chainId, hubAccount, channels } = chain.deployment
    disk = await openDisk({ chainId, hubAccount, channels })
    books = await openBooks(chain, disk.db)
    creator = (await books.newCreator()).account
    channel = await fundChannel(chain)
    await books.follower.tick()
    await books.tip(channel, { to: creator, amount: 1_000_000n })
    await chain.runHub([await claimCall(channel, 400_000n)])
    await books.follower.tick()
    assert.equal((await books.reserves.check()).verdict, 'equal')
  })
  after(async () => {
    await disk?.remove()
    await chain?.stop()
  })

  const tip = () => books.tip(channel, { to: creator, amount: 1n })

  function isUnequal(line?: string) {
    return (error: unknown) =>
      error instanceof HubError &&
      error.code === 'reserves_unequal' &&
      error.message.includes(line ?? '')
  }

  /** Changes one balance by some units while `work` runs. */
  async function off(account: string, units: bigint, work: () => Promise<void>) {
    const key = balanceKey(account, chain.token)
    const right = books.balances.get(key) ?? 0n
    books.balances.set(key, right + units)
    try {
      await work()
    } finally {
      books.balances.set(key, right)
      await books.reserves.check()
    }
  }

  const lines = {
    channels: 'charged, not claimed',
    claimed: 'claimed, not settled',
    vault: 'in the vault, not credited',
    fees: 'owed',
    suspense: 'owed',
    creator: 'owed',
  }
  for (const [account, line] of Object.entries(lines)) {
    for (const units of [1n, -1n]) {
      it(`stops tips and names the line when ${account} is off by ${units} (R14, I5)`, async () => {
        await tip()
        await off(account === 'creator' ? `creator:${creator}` : account, units, async () => {
          const report = await books.reserves.check()
          assert.equal(report.verdict, 'unequal')
          await assert.rejects(tip(), isUnequal(line))
        })
        await tip()
      })
    }
  }

  it('stops tips when the sum of the channels is off by one, whatever the books say (R14, I5)', async () => {
    const right = books.channels.get(channel.id)
    books.channels.update({ ...right, charged: right.charged + 1n })
    assert.equal((await books.reserves.check()).verdict, 'unequal')
    await assert.rejects(tip(), isUnequal('charged, not claimed'))
    books.channels.update(right)
    assert.equal((await books.reserves.check()).verdict, 'equal')
    await tip()
  })

  it('stops tips when the vault holds one unit that no event told of (R14, I5)', async () => {
    const { node, token, deployment } = chain
    const { value, restore } = await shiftBalance(deployment.vault)
    assert.ok(value >= 0n)
    assert.equal((await books.reserves.check()).verdict, 'unequal')
    await assert.rejects(tip(), isUnequal('in the vault, not credited'))
    await restore()
    assert.equal((await books.reserves.check()).verdict, 'equal')

    /** Writes one unit more into the token's own storage, which no transfer did. */
    async function shiftBalance(holder: Address) {
      const types = [{ type: 'address' }, { type: 'uint256' }] as const
      const index = keccak256(encodeAbiParameters(types, [holder, 0n]))
      const before = BigInt((await node.getStorageAt({ address: token, slot: index })) ?? 0)
      const write = (units: bigint) =>
        node.setStorageAt({ address: token, index, value: numberToHex(units, { size: 32 }) })
      await write(before + 1n)
      await node.mine({ blocks: 1 })
      await books.follower.tick()
      return {
        value: before,
        async restore() {
          await write(before)
          await node.mine({ blocks: 1 })
          await books.follower.tick()
        },
      }
    }
  })

  it('names the token, the accounts and the contract beside both sums (R14)', async () => {
    const { vault } = chain.deployment
    await off('vault', 1n, async () => {
      await books.reserves.check()
      const right = books.book('vault') - 1n
      const where = `account vault against vault ${vault}`
      await assert.rejects(
        tip(),
        isUnequal(
          `in the vault, not credited of ${chain.token}: ${right + 1n} in the books, ${right} in truth (${where})`,
        ),
      )
    })
  })

  it('does not let a slow check that found no difference speak over a newer one that did (R14)', async () => {
    const { client, deployment } = chain
    const held: (() => void)[] = []
    let isSlow = true
    const slow = new Proxy(client, {
      get(target, name) {
        if (name !== 'readContract') return Reflect.get(target, name, target)
        return async (...args: Parameters<typeof target.readContract>) => {
          if (isSlow) await new Promise<void>((resolve) => held.push(resolve))
          return target.readContract(...args)
        }
      },
    })
    const { channels, balances, follower } = books
    const reserves = createReserves({
      ...{ chain: slow, deployment, channels, balances },
      ...{ block: follower.taken, hashOf: follower.hashOf },
    })
    const first = reserves.check()
    isSlow = false
    await off('fees', 1n, async () => {
      assert.equal((await reserves.check()).verdict, 'unequal')
      for (const go of held) go()
      assert.equal((await first).verdict, 'equal')
      assert.equal(reserves.newest().verdict, 'unequal')
      assert.throws(() => reserves.assertEqual(), isUnequal('owed'))
    })
  })

  it('says unknown when the chain does not answer, and lets equal books go on (R14)', async () => {
    chain.line.cut = true
    assert.equal((await books.reserves.check()).verdict, 'unknown')
    chain.line.cut = false
    await tip()
  })

  it('keeps tips stopped while the chain that could clear them does not answer (R14)', async () => {
    await off('fees', 1n, async () => {
      assert.equal((await books.reserves.check()).verdict, 'unequal')
      chain.line.cut = true
      assert.equal((await books.reserves.check()).verdict, 'unknown')
      chain.line.cut = false
      await assert.rejects(tip(), isUnequal())
    })
    await tip()
  })

  it('compares the books that are being written with the block that they are of (R14, I5)', async () => {
    const { door, letGo, isHolding } = heldDoor()
    const slow = await openBooks(chain, withDoor(disk.db, door))
    await chain.runHub([await claimCall(channel, 900_000n)])
    const ticking = slow.follower.tick()
    while (!isHolding()) await new Promise((resolve) => setImmediate(resolve))
    const report = await slow.reserves.check()
    assert.equal(
      report.verdict,
      'equal',
      JSON.stringify(report, (_, value) => String(value)),
    )
    letGo()
    await ticking
    assert.equal((await slow.reserves.check()).verdict, 'equal')
  })

  it('is equal in the middle of 100 tips (R14, I5)', async () => {
    const { charged } = books.channels.get(channel.id)
    const baskets = await Promise.all(
      Array.from({ length: 100 }, (_, index) =>
        signTip(channel, { to: creator, amount: 1n, maximum: charged + 100n + BigInt(index) }),
      ),
    )
    const accepted = baskets.map((basket) => books.baskets.accept(packBasket(basket)))
    for (let check = 0; check < 5; check += 1)
      assert.equal((await books.reserves.check()).verdict, 'equal')
    await Promise.all(accepted)
    assert.equal((await books.reserves.check()).verdict, 'equal')
  })
})
