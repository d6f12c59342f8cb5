import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Address, Hex } from 'viem'
import { concatHex, encodeAbiParameters, encodeEventTopics, encodePacked } from 'viem'
import { creatorVaultAbi } from '#protocol/abi.ts'
import { loadChannels } from '../channels/registry.ts'
import { loadVaultAccounts } from '../creators/vault-accounts.ts'
import { accounts } from '../ledger/accounts.ts'
import { balanceKey } from '../ledger/entry.ts'
import { openDatabase } from '../store/database.ts'
import { createLateRows } from '../store/late-rows.ts'
import { owner } from '../testing/disk.ts'
import type { Booking } from './bookings.ts'
import { bookEvents } from './bookings.ts'
import type { Deployment } from './deployment.ts'
import type { ChainEvent } from './logs.ts'
import { eventsOf } from './logs.ts'

const hash = (byte: string): Hex => `0x${byte.repeat(32)}`
const place = (digit: string): Address => `0x${digit.repeat(40)}`
const [channels, vault, hubAccount, token] = [place('a'), place('b'), place('c'), place('d')]
const [ana, ben, feeAccount] = [place('1'), place('2'), place('3')]
const deployment: Deployment = {
  chainId: 31_337,
  startBlock: 0,
  channels,
  canonicalChannels: null,
  erc3009Collector: place('e'),
  hubAccount,
  vault,
  tokens: [{ address: token, name: 'Dollar', version: '1', symbol: 'D', decimals: 6 }],
}

let directory: string
let db: Awaited<ReturnType<typeof openDatabase>>
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'jandon-bookings-'))
  db = await openDatabase(directory, {
    ...owner,
    chainId: deployment.chainId,
    hubAccount,
    channels,
  })
})
after(async () => {
  await db.close()
  await rm(directory, { recursive: true })
})

async function books(owed = 1_000n) {
  return {
    channels: await loadChannels(db, createLateRows(1n)),
    vaultAccounts: await loadVaultAccounts(db),
    balances: new Map(
      [accounts.creator(ana), accounts.creator(ben), accounts.fees].map((account) => [
        balanceKey(account, token),
        -owed,
      ]),
    ),
    terms: {
      contract: channels,
      receiver: vault,
      receiverAuthorizer: hubAccount,
      tokens: [token],
      withdrawDelay: { minimum: 900, maximum: 2_592_000 },
    },
    feeAccount,
    now: () => 0,
    consequences: [],
    reversals: [],
    timesUndone: () => 0,
  }
}

/** What a node answers for one `CreditedPacked` log of the vault. */
function credited(...entries: [account: Address, credited: bigint][]): ChainEvent[] {
  const log = {
    address: vault,
    topics: encodeEventTopics({
      abi: creatorVaultAbi,
      eventName: 'CreditedPacked',
      args: { token },
    }) as Hex[],
    data: encodeAbiParameters(
      [{ type: 'bytes' }],
      [concatHex(entries.map((entry) => encodePacked(['address', 'uint128'], entry)))],
    ),
    blockNumber: 7n,
    blockHash: hash('77'),
    transactionHash: hash('99'),
    logIndex: 3,
  }
  return eventsOf([log], deployment)
}

/** What was booked, as [id without the transaction, debited account, amount]. */
function booked({ change: { entries = [] } }: Booking) {
  return entries.map(({ id, legs }) => [id.slice(67), legs[0]?.account, legs[0]?.amount])
}

describe('bookEvents', () => {
  it('books a packed credit once per account, by what the new total exceeds the known one (R11)', async () => {
    const deps = await books()
    const first = bookEvents(deps, credited([ana, 100n], [feeAccount, 5n]))
    assert.deepEqual(booked(first), [
      [`3:${ana}:100`, `creator:${ana}`, 100n],
      [`3:${feeAccount}:5`, 'fees', 5n],
    ])
    const second = bookEvents(deps, credited([ben, 1n], [ana, 130n]))
    assert.deepEqual(booked(second), [
      [`3:${ben}:1`, `creator:${ben}`, 1n],
      [`3:${ana}:130`, `creator:${ana}`, 30n],
    ])
    assert.equal(deps.vaultAccounts.get(token, ana).credited, 130n)
  })

  it('books nothing when the same credit is seen again', async () => {
    const deps = await books()
    bookEvents(deps, credited([ana, 100n]))
    const again = bookEvents(deps, credited([ana, 100n]))
    assert.deepEqual(again, { change: { rows: [], entries: [], events: [] }, booked: [] })
  })

  it('books to suspense what was credited above what the books owe, over a whole range (R24)', async () => {
    const { change } = bookEvents(await books(110n), credited([ana, 100n], [ana, 130n]))
    const [first, second] = change.entries ?? []
    const inToken = { currency: token }
    assert.deepEqual(first?.legs, [
      { account: `creator:${ana}`, ...inToken, amount: 100n },
      { account: 'vault', ...inToken, amount: -100n },
    ])
    assert.deepEqual(second?.legs, [
      { account: `creator:${ana}`, ...inToken, amount: 10n },
      { account: 'vault', ...inToken, amount: -10n },
      { account: `suspense:${ana}`, ...inToken, amount: 20n },
      { account: 'vault', ...inToken, amount: -20n },
    ])
  })

  it('books an account that stands in a batch twice under two ids', async () => {
    const booking = bookEvents(await books(), credited([ana, 100n], [ana, 130n]))
    assert.deepEqual(booked(booking), [
      [`3:${ana}:100`, `creator:${ana}`, 100n],
      [`3:${ana}:130`, `creator:${ana}`, 30n],
    ])
    assert.deepEqual(
      booking.change.events?.map(({ audience, type }) => [audience, type]),
      [
        [[ana], 'credited'],
        [[ana], 'credited'],
      ],
    )
  })
})
