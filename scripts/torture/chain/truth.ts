// What the chain itself says, asked past every proxy and read without the follower's code: which events the books must hold, what
// each channel and account is. Missed and doubled are counted against it.

import type { Address, Hex, Log } from 'viem'
import { createPublicClient, http, parseEventLogs } from 'viem'
import { creatorVaultAbi, paymentChannelsAbi, testTokenAbi } from '#protocol/abi.ts'
import { ledgerEntries } from '#server/store/group-rows.ts'
import type { Database } from '#server/store/table.ts'
import type { Books } from '#server/testing/books.ts'
import type { ChainFixture } from '#server/testing/chain.ts'

/** Reads of the chain that go together. */
type Reader = ReturnType<typeof readerOf>

export function readerOf(rpcUrl: string) {
  return createPublicClient({ transport: http(rpcUrl, { batch: true }) })
}

/** What a campaign has counted so far. */
export type Tally = {
  operations: number
  faults: number
  missed: number
  doubled: number
  failures: string[]
}

export function newTally(): Tally {
  return { operations: 0, faults: 0, missed: 0, doubled: 0, failures: [] }
}

/** Compares books with the chain at their cursor. `tipped` is what was acknowledged, by channel. */
export async function compareWithChain(
  {
    chain,
    books,
    db,
    tipped,
    accounts,
  }: {
    chain: ChainFixture
    books: Books
    db: Database
    tipped: ReadonlyMap<Hex, bigint>
    accounts: readonly Address[]
  },
  tally: Tally,
) {
  const at = books.follower.cursor()
  const reader = readerOf(chain.rpcUrl)
  const found = [
    ...(await compareEntries(chain, { reader, db, at }, tally)),
    ...(await compareChannels(reader, { books, at, tipped })),
    ...(await compareAccounts(chain, { reader, books, at, accounts })),
  ]
  const report = await books.reserves.check()
  if (report.verdict !== 'equal') found.push(`reserves: ${show(report)}`)
  tally.failures.push(...found.map((text) => `at block ${at}: ${text}`))
}

/** The events that move money between accounts, by place, against the entries that were not taken back. */
async function compareEntries(
  chain: ChainFixture,
  { reader, db, at }: { reader: Reader; db: Database; at: bigint },
  tally: Tally,
): Promise<string[]> {
  const expected = await placesOnChain(chain, { reader, at })
  const entries = (await ledgerEntries.list(db)).map(({ value }) => value)
  const ids = entries.map(({ id }) => id)
  const found = new Set(ids).size === ids.length ? [] : ['an entry has an id that another has']
  const undone = new Set(ids.filter((id) => id.startsWith('undo:')).map((id) => id.slice(5)))
  const live = ids.filter((id) => /^0x[\da-f]{64}:\d/.test(id) && !undone.has(id))
  const causes = live.map((id) => id.replace(/~\d+$/, ''))
  const places = new Set(causes.map((cause) => cause.split(':').slice(0, 2).join(':')))
  const missed = [...expected].filter((place) => !places.has(place))
  const extra = [...places].filter((place) => !expected.has(place))
  tally.missed += missed.length
  tally.doubled += extra.length + causes.length - new Set(causes).size
  if (missed.length > 0) found.push(`missed ${missed.join(', ')}`)
  if (extra.length > 0) found.push(`booked without an event ${extra.join(', ')}`)
  if (new Set(causes).size < causes.length) found.push('an event is booked twice')
  return found
}

/** `transaction:logIndex` of every event that must have an entry. */
async function placesOnChain(
  { deployment, token }: ChainFixture,
  { reader, at }: { reader: Reader; at: bigint },
): Promise<Set<string>> {
  const range = { fromBlock: BigInt(deployment.startBlock), toBlock: at }
  const { channels, vault } = deployment
  const logs = await reader.getLogs({ ...range, address: [channels, vault, token] })
  const of = (log: Log) => `${log.transactionHash}:${log.logIndex}`
  const same = (a: string, b: string) => a.toLowerCase() === b.toLowerCase()
  const onChannels = parseEventLogs({ abi: paymentChannelsAbi, logs }).flatMap((log) => {
    if (log.eventName === 'Settled') return same(log.args.receiver, vault) ? [of(log)] : []
    return log.eventName === 'Claimed' || log.eventName === 'ClaimedPacked' ? [of(log)] : []
  })
  const onVault = parseEventLogs({ abi: creatorVaultAbi, logs }).flatMap((log) =>
    log.eventName === 'CreditedPacked' ? [of(log)] : [],
  )
  const gifts = parseEventLogs({ abi: testTokenAbi, logs }).flatMap((log) => {
    if (log.eventName !== 'Transfer') return []
    const { from, to } = log.args as { from: Address; to: Address }
    return same(to, vault) && !same(from, channels) ? [of(log)] : []
  })
  return new Set([...onChannels, ...onVault, ...gifts])
}

async function compareChannels(
  reader: Reader,
  { books, at, tipped }: { books: Books; at: bigint; tipped: ReadonlyMap<Hex, bigint> },
): Promise<string[]> {
  const compared = [...books.channels.all()].map(async (channel) => {
    const { id, contract: address, balance, totalClaimed, refundNonce, pendingWithdrawal } = channel
    const call = { address, abi: paymentChannelsAbi, args: [id], blockNumber: at } as const
    const [[deposited, claimed], [amount, initiatedAt], nonce] = await Promise.all([
      reader.readContract({ ...call, functionName: 'channels' }),
      reader.readContract({ ...call, functionName: 'pendingWithdrawals' }),
      reader.readContract({ ...call, functionName: 'refundNonce' }),
    ])
    const finalizeAfter = BigInt(initiatedAt + channel.config.withdrawDelay)
    const pending = initiatedAt > 0 ? { amount, finalizeAfter } : undefined
    const truth = show([deposited, claimed, nonce, pending, tipped.get(id) ?? 0n])
    const tips = channel.charged - channel.unexplained
    const known = show([balance, totalClaimed, refundNonce, pendingWithdrawal, tips])
    return known === truth ? [] : [`channel ${id} is ${known} and should be ${truth}`]
  })
  return (await Promise.all(compared)).flat()
}

async function compareAccounts(
  { deployment, token }: ChainFixture,
  {
    reader,
    books,
    at,
    accounts,
  }: {
    reader: Reader
    books: Books
    at: bigint
    accounts: readonly Address[]
  },
): Promise<string[]> {
  const compared = accounts.map(async (account) => {
    const [credited, paid] = await reader.readContract({
      address: deployment.vault,
      abi: creatorVaultAbi,
      functionName: 'accounts',
      args: [token, account],
      blockNumber: at,
    })
    const known = books.vaultAccounts.get(token, account)
    return known.credited === credited && known.paid === paid
      ? []
      : [`account ${account} is ${show(known)} and should be ${show({ credited, paid })}`]
  })
  return (await Promise.all(compared)).flat()
}

function show(value: unknown): string {
  return JSON.stringify(value, (_, inner) => (typeof inner === 'bigint' ? String(inner) : inner))
}
