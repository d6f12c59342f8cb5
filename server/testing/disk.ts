// A data directory and a group log for tests: the real database in a folder of its own, with a door at the batch boundary
// where a write can be held, failed or counted.

import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Address, Hex } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { packTips } from '#protocol/packed-tips.ts'
import { hubDomainSeparator } from '#protocol/receipt.ts'
import { lowerCase } from '#protocol/signature.ts'
import { basketId } from '#protocol/tip.ts'
import { firstGroupAfter } from '../backup/restore.ts'
import { createDigestSigner } from '../channels/signature-backend.ts'
import type { Ownership } from '../store/database.ts'
import { openDatabase, writeSynced } from '../store/database.ts'
import type { Published } from '../store/group-log.ts'
import { createGroupLog } from '../store/group-log.ts'
import { joints, newestGroup } from '../store/group-rows.ts'
import { createLateRows } from '../store/late-rows.ts'
import { lateGroups, loadBalances, nextGroup, walkGroups } from '../store/start-up.ts'
import type { Database } from '../store/table.ts'
import { sortable } from '../store/table.ts'
import type { BasketDraft } from '../store/tip-codec.ts'
import { loadTipIndex } from '../store/tip-index.ts'

const draftChannel: Hex = `0x${'11'.repeat(32)}`
const receiptKey: Hex = `0x${'07'.repeat(32)}`

/** Who the hub of these tests is, and the address of its receipt key. */
export const identity: { chainId: number; hubAccount: Address } = {
  chainId: 31_337,
  hubAccount: `0x${'c1'.repeat(20)}`,
}
export const receiptSigner = lowerCase(privateKeyToAccount(receiptKey).address)

export const owner: Omit<Ownership, 'format'> = {
  ...identity,
  channels: `0x${'c2'.repeat(20)}`,
  operator: `0x${'c3'.repeat(20)}`,
  receiptSigner,
}

export type Disk = {
  directory: string
  db: Database
  /** Closes the database and opens it again, as a restart would. */
  reopen(): Promise<Database>
  remove(): Promise<void>
}

export async function openDisk(changes: Partial<typeof owner> = {}): Promise<Disk> {
  const of = { ...owner, ...changes }
  const directory = await mkdtemp(join(tmpdir(), 'jandon-disk-'))
  const disk: Disk = {
    directory,
    db: await openDatabase(directory, of),
    async reopen() {
      await disk.db.close()
      disk.db = await openDatabase(directory, of)
      return disk.db
    },
    async remove() {
      await disk.db.close()
      await rm(directory, { recursive: true, force: true })
    },
  }
  return disk
}

/** Does a batch's write, or fails, or waits. `options` is what the batch is written with. */
export type Door = (write: () => Promise<void>, options: unknown) => Promise<void>

/** The real database, with every batch going through a door. */
export function withDoor(db: Database, door: Door): Database {
  return passing(db, {
    batch: () => {
      const batch = db.batch()
      return passing(batch, {
        write: (options: { sync?: boolean }) => door(() => batch.write(options), options),
      })
    },
  })
}

/** A door that counts, and holds every write until it is let go. */
export function heldDoor() {
  const held: (() => void)[] = []
  const written: unknown[] = []
  let open = false
  return {
    written,
    async door(write: () => Promise<void>, options: unknown) {
      if (!open) await new Promise<void>((resolve) => held.push(resolve))
      written.push(options)
      await write()
    },
    isHolding: () => held.length > 0,
    letGo() {
      open = true
      for (const go of held.splice(0)) go()
    },
  }
}

/** A group log on a database, after what is on it. */
export async function openLog(
  db: Database,
  {
    maxWaiting = 1_000,
    onCommitted = () => undefined,
    onFailure = () => undefined,
  }: {
    maxWaiting?: number
    onCommitted?: (published: Published) => void
    onFailure?: (cause: unknown) => void
  } = {},
) {
  const last = await walkGroups(db)
  const lateRows = createLateRows(lateGroups(db).from)
  const balances = await loadBalances(db, lateRows)
  const tipIndex = await loadTipIndex(db, lateRows)
  const log = createGroupLog({
    db,
    balances,
    lateRows,
    tipIndex,
    last,
    first: await nextGroup(db),
    epoch: randomHash(),
    separator: hubDomainSeparator(identity),
    sign: createDigestSigner(receiptKey),
    now: Date.now,
    randomBytes,
    maxWaiting,
    onCommitted,
    onFailure,
  })
  return { log, balances, lateRows, tipIndex }
}

/** Lets the numbers of groups jump after those on disk, as a restore does, and answers the first that comes. */
export async function jump(db: Database): Promise<bigint> {
  const after = newestGroup.get(db, '')?.number ?? 0n
  const first = firstGroupAfter(after, Date.now())
  await writeSynced(db, [joints.put(sortable(first), { first, after })])
  return first
}

/** Lets everything run that can run without the disk. */
export async function settleTurns(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve))
}

export function randomHash(): Hex {
  return `0x${randomBytes(32).toString('hex')}`
}

/** A basket that nobody checked, its tips all the same but for their refs, for tests of what is below the checks. */
export function draftBasket(
  hashOfTips: Hex,
  {
    amount = 1n,
    message = null,
    count = 1,
  }: { amount?: bigint; message?: string | null; count?: number } = {},
): BasketDraft {
  const to: Hex = `0x${'00'.repeat(12)}${'33'.repeat(20)}`
  const words = message === null ? {} : { message: { text: message, salt: randomHash() } }
  return {
    channelId: draftChannel,
    basketId: basketId(draftChannel, hashOfTips),
    voucherSignature: `0x${'22'.repeat(65)}`,
    payer: `0x${'44'.repeat(20)}`,
    token: `0x${'55'.repeat(20)}`,
    acceptedAt: 1_700_000_000_000,
    tipsHash: hashOfTips,
    maxClaimableAmount: amount,
    tips: packTips(
      Array.from({ length: count }, () => ({ to, amount, ref: randomHash(), ...words })),
    ),
    recipients: Array.from({ length: count }, () => to),
    outcomes: Array.from({ length: count }, () => ({
      fee: 0n,
      chargedAfter: amount,
      acceptedAfter: amount,
    })),
  }
}

/** An object whose named members are replaced and whose other methods run on the object itself. */
function passing<T extends object>(target: T, members: { [name: string]: unknown }): T {
  return new Proxy(target, {
    get(object, name) {
      if (typeof name === 'string' && Object.hasOwn(members, name)) return members[name]
      const value: unknown = Reflect.get(object, name, object)
      return typeof value === 'function' ? value.bind(object) : value
    },
  })
}
