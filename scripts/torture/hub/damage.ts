// Damage to the data directory of a hub that is not running: its log cut at every byte of the end, bits flipped in the log, bits
// flipped in rows. A start must be refused with the group's name, or find everything that was acknowledged before the damage.
// This runs as a process of its own, in the folder of the sources that it tests: `node damage.ts '{"seed":1,"flips":100}'`.

import { randomBytes } from 'node:crypto'
import {
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Hex } from 'viem'
import { bytesToHex } from 'viem'
import { packTips } from '#protocol/packed-tips.ts'
import { hubDomainSeparator } from '#protocol/receipt.ts'
import { basketId } from '#protocol/tip.ts'
import { createDigestSigner } from '#server/channels/signature-backend.ts'
import { move } from '#server/ledger/entry.ts'
import { openDatabase } from '#server/store/database.ts'
import { createGroupLog } from '#server/store/group-log.ts'
import { groups, groupTips, ledgerEntries, readTips } from '#server/store/group-rows.ts'
import { createLateRows } from '#server/store/late-rows.ts'
import { lateGroups, loadBalances, walkGroups } from '#server/store/start-up.ts'
import type { Database } from '#server/store/table.ts'
import { sortable, table } from '#server/store/table.ts'
import { loadTipIndex } from '#server/store/tip-index.ts'
import type { Random } from '../random.ts'
import { createRandom } from '../random.ts'
import type { Found } from './campaign.ts'

/** How much: `cuts` at the end of the log, byte by byte, and flips of one bit in the log and in rows. */
export type DamageEffort = { cuts: number; flips: number }

/** A data directory, and how long its log was when each group was acknowledged; the first is before any. */
type Sample = { directory: string; log: string; lengths: number[] }

const identity = { chainId: 1, hubAccount: `0x${'c1'.repeat(20)}` as Hex }
const owner = {
  ...identity,
  channels: `0x${'c2'.repeat(20)}` as Hex,
  operator: `0x${'c3'.repeat(20)}` as Hex,
  receiptSigner: `0x${'c4'.repeat(20)}` as Hex,
}
const groupCount = 60
const notes = table<bigint>('note')

const job = JSON.parse(process.argv[2] ?? '') as DamageEffort & { seed: number }
const folder = mkdtempSync(join(tmpdir(), 'jandon-damage-'))
try {
  process.stdout.write(JSON.stringify(await damage(job)))
} finally {
  rmSync(folder, { recursive: true })
}

async function damage({ seed, cuts, flips }: DamageEffort & { seed: number }): Promise<Found> {
  const random = createRandom(seed)
  const sample = await writeSample(random)
  const found: Found = { operations: groupCount, faults: 0, failures: [] }
  const size = statSync(join(sample.directory, sample.log)).size
  for (let cut = 1; cut <= cuts && cut < size; cut += 1) {
    await tryOut(found, `the log cut at ${size - cut} of ${size}`, () => cutAt(sample, size - cut))
  }
  for (let flip = 0; flip < flips; flip += 1) {
    const [at, bit] = [random.below(size), random.below(8)]
    await tryOut(found, `bit ${bit} of byte ${at} of the log`, () => flipAt(sample, at, bit))
    await tryOut(found, `a bit of a row`, () => flipRow(sample, random))
  }
  return found
}

async function tryOut(found: Found, what: string, attempt: () => Promise<string | undefined>) {
  const fault = await attempt()
  found.faults += 1
  if (fault) found.failures.push(`${what}: ${fault}`)
}

/** Groups with tips, ledger entries and a row that says which group was last, all in one log. */
async function writeSample(random: Random): Promise<Sample> {
  const directory = join(folder, 'sample')
  const db = await openDatabase(join(folder, 'written'), owner)
  const lateRows = createLateRows(1n)
  const log = createGroupLog({
    db,
    balances: new Map(),
    lateRows,
    tipIndex: await loadTipIndex(db, lateRows),
    last: undefined,
    epoch: randomHash(),
    separator: hubDomainSeparator(identity),
    sign: createDigestSigner(randomHash()),
    now: Date.now,
    randomBytes,
    maxWaiting: 1_000,
    onCommitted: () => undefined,
    onFailure(cause) {
      throw cause
    },
  })
  const level = join(folder, 'written', 'level')
  const name = readdirSync(level).find((one) => one.endsWith('.log')) ?? ''
  const lengths = [statSync(join(level, name)).size]
  for (let group = 1; group <= groupCount; group += 1) {
    const legs = move({ debit: 'a', credit: 'b' }, { currency: 'KRW', amount: 1n })
    const entry = { id: `e${group}`, at: 0, reason: 'x', reference: 'x', legs }
    await log.commit({
      rows: [notes.put('newest', BigInt(group))],
      baskets: Array.from({ length: random.below(12) }, draftBasket),
      entries: random.once(2) ? [entry] : [],
    })
    lengths.push(statSync(join(level, name)).size)
  }
  cpSync(level, directory, { recursive: true })
  await log.close()
  await db.close()
  return { directory, log: name, lengths }
}

/** A cut log ends like one whose end was never synced: everything complete must be there, and nothing else. */
async function cutAt(sample: Sample, length: number): Promise<string | undefined> {
  const bytes = readFileSync(join(sample.directory, sample.log)).subarray(0, length)
  const complete = sample.lengths.findLastIndex((end) => end <= length)
  return inCopy(sample, bytes, async (directory) => {
    const { newest, refusal } = await start(directory)
    if (refusal !== undefined) return `refused: ${refusal}`
    if (newest !== complete) return `group ${newest} is the newest, ${complete} were complete`
    return undefined
  })
}

async function flipAt(sample: Sample, at: number, bit: number): Promise<string | undefined> {
  const bytes = Uint8Array.from(readFileSync(join(sample.directory, sample.log)))
  bytes[at] = (bytes[at] ?? 0) ^ (1 << bit)
  const group = sample.lengths.findIndex((end) => at < end)
  return inCopy(sample, bytes, async (directory) => {
    const { newest, refusal } = await start(directory)
    if (refusal !== undefined) return nameFault(refusal, group)
    const isEnd = group === groupCount && newest === groupCount - 1
    if (newest === groupCount || isEnd) return undefined
    return `group ${group} was hit, and the hub started with group ${newest} of ${groupCount}`
  })
}

/** One bit in what a group stored for good; LevelDB's own checksums know nothing of it. */
async function flipRow(sample: Sample, random: Random): Promise<string | undefined> {
  const bytes = readFileSync(join(sample.directory, sample.log))
  return inCopy(sample, bytes, async (directory) => {
    const db = await openDatabase(directory, owner)
    const rows = await random.pick([groups, groupTips, ledgerEntries]).rows(db)
    const { key, value } = random.pick(rows)
    const changed = Uint8Array.from(value)
    const at = random.below(changed.length)
    changed[at] = (changed[at] ?? 0) ^ (1 << random.below(8))
    await db.put(key, changed, { sync: true })
    await db.close()
    const { newest, refusal } = await start(directory)
    const group = Number(BigInt(`0x${key.split('/')[1]}`))
    if (refusal !== undefined) return nameFault(refusal, group)
    if (key.startsWith('group/') && !isJournal(value, at)) return undefined
    if (isSameHash(value, changed)) return undefined
    return `byte ${at} of ${key} was changed, and the hub started with group ${newest}`
  })
}

/** A header's row also holds its signature and how many events there were, which the chain of hashes does not cover. */
function isJournal(value: Uint8Array, at: number): boolean {
  const text = Buffer.from(value).toString('latin1')
  return at < text.indexOf('headerSignature')
}

/** Hashes are read without the `0x` before them, and `a` is `A` there. */
function isSameHash(a: Uint8Array, b: Uint8Array): boolean {
  const [first, second] = [a, b].map((bytes) =>
    Buffer.from(bytes)
      .toString('latin1')
      .toLowerCase()
      .replaceAll(/..(?=[0-9a-f]{64})/gs, ''),
  )
  return first === second
}

/** What stands before the first group is named as group 0 or as the first one. */
function nameFault(refusal: string, group: number): string | undefined {
  const [, named] = /damaged: group (\d+),/.exec(refusal) ?? []
  if ([group, Math.max(group, 1)].includes(Number(named))) return undefined
  return `group ${group} was hit, the refusal is "${refusal}"`
}

/** What a hub does first: opens the directory and walks the groups. */
async function start(directory: string): Promise<{ newest: number; refusal?: string }> {
  let db: Database | undefined
  try {
    db = await openDatabase(directory, owner)
    const header = await walkGroups(db)
    await loadBalances(db, createLateRows(lateGroups(db).from))
    return { newest: await wholeGroups(db, Number(header?.number ?? 0n)) }
  } catch (cause) {
    return { newest: 0, refusal: cause instanceof Error ? cause.message : String(cause) }
  } finally {
    await db?.close()
  }
}

/** The newest group, when every one up to it has its rows and the last row tells of it. */
async function wholeGroups(db: Database, newest: number): Promise<number> {
  for (let group = 1; group <= newest; group += 1) {
    const stored = groups.get(db, sortable(group))
    if (readTips(db, BigInt(group)).length !== stored?.header.tipCount) return -group
  }
  return Number(notes.get(db, 'newest') ?? 0n) === newest ? newest : -newest
}

async function inCopy(
  { directory, log }: Sample,
  bytes: Uint8Array,
  work: (directory: string) => Promise<string | undefined>,
): Promise<string | undefined> {
  const copy = join(folder, 'copy')
  cpSync(directory, join(copy, 'level'), { recursive: true })
  writeFileSync(join(copy, 'level', log), bytes)
  try {
    return await work(copy)
  } finally {
    rmSync(copy, { recursive: true })
  }
}

function draftBasket() {
  const amount = 1n
  const [channelId, tipsHash, to] = [randomHash(), randomHash(), randomHash()]
  const message = { text: 'hm', salt: randomHash() }
  return {
    channelId,
    basketId: basketId(channelId, tipsHash),
    voucherSignature: bytesToHex(randomBytes(65)),
    payer: owner.hubAccount,
    token: owner.channels,
    acceptedAt: 1_700_000_000_000,
    tipsHash,
    maxClaimableAmount: amount,
    tips: packTips([{ to, amount, ref: randomHash(), message }]),
    recipients: [to],
    outcomes: [{ fee: 0n, chargedAfter: amount, acceptedAfter: amount }],
  }
}

function randomHash(): Hex {
  return bytesToHex(randomBytes(32))
}
