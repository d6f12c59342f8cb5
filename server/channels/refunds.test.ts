import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { hardhat } from 'viem/chains'
import { createTransactions } from '../chain/transactions.ts'
import { openBooks } from '../testing/books.ts'
import type { ChainFixture } from '../testing/chain.ts'
import { fundChannel, mineOtherwise, openChain } from '../testing/chain.ts'
import type { Disk } from '../testing/disk.ts'
import { openDisk, settleTurns } from '../testing/disk.ts'
import type { Refunds } from './refunds.ts'
import { loadRefunds } from './refunds.ts'

describe('loadRefunds, on a real chain', function () {
  this.timeout(60_000)
  let chain: ChainFixture
  let disk: Disk
  const working = new Set<Promise<void>>()
  before(async () => {
    chain = await openChain()
    const { chainId, hubAccount, channels } = chain.deployment
    disk = await openDisk({ chainId, hubAccount, channels })
  })
  after(async () => {
    await disk?.remove()
    await chain?.stop()
  })

  async function open(confirmations: number) {
    const books = await openBooks(chain, disk.db, {
      confirmations,
      consequences: [(event, again) => refunds.consequence(event, again)],
      reversals: [
        (event, again) => transactions.reversal(event, again),
        (event, again) => refunds.reversal(event, again),
      ],
      isHeldFor: (refund) => refunds.isHeldFor(refund),
    })
    const { db } = disk
    const { log, channels, follower } = books
    const { client, operator, deployment } = chain
    const sender = { account: operator, chainId: hardhat.id, patienceMs: 50 }
    const transactions = createTransactions({ db, log, chain: client, ...sender })
    const refunds: Refunds = await loadRefunds({
      db,
      log,
      channels,
      transactions,
      hubAccount: deployment.hubAccount,
      randomBytes,
      assertMoneyMayLeave: () => undefined,
      follower: () => follower,
      background: (_, work) => working.add(work()),
    })
    return { ...books, refunds }
  }

  it('reserves again what a reorg gave back, until its transaction is mined once more (R10, R29)', async () => {
    const { follower, channels, refunds, reserves } = await open(1)
    const opened = await fundChannel(chain, { deposit: 1_000n })
    await mineOtherwise(chain, 1)
    await follower.tick()
    const amounts = () => {
      const { available, held } = channels.amounts(channels.get(opened.id))
      return { balance: channels.get(opened.id).balance, available, held }
    }
    const snapshot = await chain.node.snapshot()
    const { refundId } = await refunds.start(opened.id, 400n)
    while (refunds.find(refundId).transaction === null) await settleTurns()
    const hash = refunds.find(refundId).transaction ?? '0x'
    await chain.node.waitForTransactionReceipt({ hash })
    await follower.tick()
    assert.deepEqual(amounts(), { balance: 1_000n, available: 600n, held: 400n })
    await mineOtherwise(chain, 1)
    await follower.tick()
    assert.equal(refunds.find(refundId).state, 'done')
    assert.deepEqual(amounts(), { balance: 600n, available: 600n, held: 0n })
    await Promise.all(working)

    await chain.node.revert({ id: snapshot })
    await mineOtherwise(chain, 3)
    await follower.tick()
    assert.equal(refunds.find(refundId).state, 'sending')
    assert.deepEqual(amounts(), { balance: 1_000n, available: 600n, held: 400n })

    await chain.node.waitForTransactionReceipt({ hash })
    await mineOtherwise(chain, 1)
    await follower.tick()
    await Promise.all(working)
    assert.equal(refunds.find(refundId).state, 'done')
    assert.deepEqual(amounts(), { balance: 600n, available: 600n, held: 0n })
    assert.equal((await reserves.check()).verdict, 'equal')
  })
})
