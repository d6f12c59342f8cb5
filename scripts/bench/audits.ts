// What an audit of very many creators costs: time, the longest that everybody else waits meanwhile, and memory. Over a real
// disk and the hub's own code, in a process of its own; the chain is not asked.

import { randomBytes } from 'node:crypto'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { Address } from 'viem'
import { createAudits } from '#server/audits/audits.ts'
import { createDigestSigner } from '#server/channels/signature-backend.ts'
import { accounts } from '#server/ledger/accounts.ts'
import { balanceKey } from '#server/ledger/entry.ts'
import { openDisk, openLog, randomHash } from '#server/testing/disk.ts'

export type MeasuredAudits = {
  creators: number
  milliseconds: number
  longestWaitMs: number
  /** What the process has more at the end of a first audit, in bytes. */
  memory: number
  proofMs: number
}

const token: Address = `0x${'70'.repeat(20)}`
const mebi = 1024 * 1024

/** The median of some audits of as many creators, each owed something and with something in the vault. */
export async function measureAudits(creators: number, runs: number): Promise<MeasuredAudits> {
  const disk = await openDisk()
  try {
    const { log, balances } = await openLog(disk.db)
    const people = Array.from({ length: creators }, () => addressOf(randomBytes(20)))
    for (const account of people)
      balances.set(balanceKey(accounts.creator(account), token), -5_000n)
    const audits = createAudits({
      ...{ db: disk.db, log, balances, randomBytes, now: Date.now, tokens: [token] },
      creators: { all: () => people.map((account) => ({ account, handle: '', displayName: '' })) },
      vaultAccounts: {
        all: () => people.map((account) => [`${token}/${account}`, { credited: 10n, paid: 3n }]),
      },
      feeAccount: `0x${'fe'.repeat(20)}`,
      reserves: {
        capture: () => ({ at: 1n, books: [], unclaimed: new Map(), uncovered: [] }),
        compare: () => Promise.resolve({ verdict: 'unknown', reason: 'not asked' }),
      },
      hubSeparator: randomHash(),
      sign: createDigestSigner(randomHash()),
    })
    const before = process.memoryUsage().rss
    await audits.take()
    const memory = process.memoryUsage().rss - before
    const times: number[] = []
    const waits: number[] = []
    for (let run = 0; run < runs; run += 1) {
      const delay = monitorEventLoopDelay({ resolution: 1 })
      delay.enable()
      times.push(await timeOf(() => audits.take()))
      delay.disable()
      waits.push(delay.max / 1e6)
    }
    const [someone] = people
    const proofMs = someone ? await timeOf(() => audits.proofs(someone)) : 0
    const milliseconds = Math.round(median(times))
    const longestWaitMs = Math.round(median(waits))
    return { creators, milliseconds, longestWaitMs, memory, proofMs: Math.round(proofMs) }
  } finally {
    await disk.remove()
  }
}

/** The figures as a line to read. */
export function auditsText({
  creators,
  milliseconds,
  longestWaitMs,
  memory,
  proofMs,
}: MeasuredAudits) {
  return `${milliseconds} ms for ${creators} creators, others wait ${longestWaitMs} ms at most, ${Math.round(memory / mebi)} MiB at first, a proof ${proofMs} ms`
}

async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now()
  await work()
  return performance.now() - began
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0
}

function addressOf(bytes: Buffer): Address {
  return `0x${bytes.toString('hex')}`
}
