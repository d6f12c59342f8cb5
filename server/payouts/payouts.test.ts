import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Address, Hex } from 'viem'
import type { QuoteView } from '#protocol/messages/payouts.ts'
import type { ChainEvent } from '../chain/logs.ts'
import { openDatabase } from '../store/database.ts'
import type { Change } from '../store/group-log.ts'
import { owner } from '../testing/disk.ts'
import { submitting } from './payout.ts'
import { loadPayoutBook } from './payout-book.ts'
import type { PayoutDeps } from './payouts.ts'
import { createPayouts } from './payouts.ts'

const place = (digit: string): Address => `0x${digit.repeat(40)}`
const hash = (byte: string): Hex => `0x${byte.repeat(32)}`
const [account, token, vault, treasury] = [place('1'), place('d'), place('b'), place('7')]

const quote = {
  hash: hash('99'),
  quoteId: hash('98'),
  account,
  token,
  gross: 500n,
  currency: 'KRW',
  net: 900n,
  lines: [{ kind: 'gross', amount: 1_000n }],
  expiresAt: 10n ** 15n,
} as unknown as QuoteView

const paid: ChainEvent & { kind: 'paid' } = {
  kind: 'paid',
  contract: vault,
  block: 7n,
  transaction: hash('77'),
  logIndex: 3,
  token,
  account,
  to: treasury,
  amount: 500n,
  paid: 500n,
  memo: quote.hash,
}

describe('createPayouts', () => {
  let directory: string
  let db: Awaited<ReturnType<typeof openDatabase>>
  const background: string[] = []
  beforeEach(async () => {
    background.length = 0
    directory = await mkdtemp(join(tmpdir(), 'jandon-payouts-'))
    db = await openDatabase(directory, owner)
  })
  afterEach(async () => {
    await db.close()
    await rm(directory, { recursive: true })
  })

  /** What a change does to each account, and under which ids. */
  function sums({ entries = [] }: Change) {
    const amounts: { [account: string]: bigint } = {}
    for (const leg of entries.flatMap(({ legs }) => legs))
      amounts[leg.account] = (amounts[leg.account] ?? 0n) + leg.amount
    return { ids: entries.map(({ id }) => id), amounts }
  }

  async function open() {
    const book = await loadPayoutBook({ db, now: () => 0 })
    const quotes = { byHash: (wanted: Hex) => (wanted === quote.hash ? quote : undefined) }
    const payouts = createPayouts({
      book,
      quotes,
      treasury,
      now: () => 0,
      paidBy: () => 0,
      background: (name: string) => background.push(name),
    } as unknown as PayoutDeps)
    return { book, payouts }
  }

  describe('reversal', () => {
    it('lets a payout that was not handed to the bank wait again, and be funded again (R19, R29)', async () => {
      const { book, payouts } = await open()
      const funded = sums(payouts.consequence(paid, ''))
      assert.equal(book.get(quote.hash).state, 'FUNDED')
      const back = sums(payouts.reversal(paid, ''))
      assert.equal(book.get(quote.hash).state, 'REQUESTED')
      for (const [name, amount] of Object.entries(funded.amounts))
        assert.equal(back.amounts[name], -amount, name)
      assert.deepEqual(background, [`payout ${quote.hash}`])
      const again = sums(payouts.consequence(paid, '~1'))
      assert.deepEqual(again.amounts, funded.amounts)
      assert.equal(new Set([...funded.ids, ...back.ids, ...again.ids]).size, 3)
    })

    it('holds against suspense what was paid for a payout that the bank may have (R17, R29)', async () => {
      const { book, payouts } = await open()
      payouts.consequence(paid, '')
      const file = { endToEndId: 'J1', messageId: 'M1', xml: '<x/>' }
      book.change(submitting(book.get(quote.hash), file), 'test')
      const back = sums(payouts.reversal(paid, ''))
      assert.equal(book.get(quote.hash).state, 'SUBMITTING')
      assert.deepEqual(back.amounts, { treasury: -500n, 'treasury-suspense': 500n })
      const again = sums(payouts.consequence(paid, '~1'))
      assert.deepEqual(again.amounts, { treasury: 500n, 'treasury-suspense': -500n })
    })

    it('takes an unknown payment out of suspense', async () => {
      const { payouts } = await open()
      const stray = { ...paid, memo: hash('55') }
      payouts.consequence(stray, '')
      const back = sums(payouts.reversal(stray, ''))
      assert.deepEqual(back.amounts, { treasury: -500n, 'treasury-suspense': 500n })
    })
  })
})
