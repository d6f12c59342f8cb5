// Audits: what is owed to whom is read off memory at the end of one commit group, held against the chain at the block of the
// books, made into a Merkle-sum tree, signed, and kept. Whoever is owed something can prove that it was counted.

import type { Address, Hex } from 'viem'
import { toHex } from 'viem'
import type { LiabilityProof, LiabilityRoot, SignedRoot } from '#protocol/audit.ts'
import { liabilityNode, liabilityRootDigest } from '#protocol/audit.ts'
import { HubError } from '#protocol/errors.ts'
import { readHex } from '#protocol/hex.ts'
import { concatBytes } from '#protocol/keccak.ts'
import type { SumNode, SumTree } from '#protocol/sum-tree.ts'
import { growSumTree } from '#protocol/sum-tree.ts'
import type { Captured, ReserveLine, ReserveReport, Reserves } from '../chain/reserves.ts'
import type { GroupLog } from '../store/group-log.ts'
import type { Database } from '../store/table.ts'
import { sortable, table } from '../store/table.ts'
import { inTurns } from '../turns.ts'
import type { PackedLeaves } from './leaves.ts'
import { leafAt, leafRows, packLeaves, placeOf, rangeOf, rowsOf } from './leaves.ts'
import type { CapturedBooks, Liabilities, LiabilityDeps } from './liabilities.ts'
import { captureBooks, collectLiabilities } from './liabilities.ts'

/**
 * What was published for one token. `reserves` is what channels owe, what is on its way, and what the vault holds; null when the
 * chain could not be asked. `uncovered` of it stands against channels that hold less than they are charged. Base units.
 */
export type AuditedToken = {
  signed: SignedRoot
  reserves: bigint | null
  lost: bigint
  uncovered: bigint
}

export type Audit = {
  group: bigint
  block: bigint
  takenAt: bigint
  verdict: ReserveReport['verdict']
  lines: ReserveLine[]
  tokens: AuditedToken[]
}

/** By group. Secrets, from which salts follow, are by token. */
const auditRows = table<Audit & { secrets: { [token: Address]: Hex } }>('audit')

export type Audits = {
  /** Makes an audit now. Whoever asks while one is being made gets that one. */
  take(): Promise<Audit>
  /** Newest first; `before` continues a list with audits of smaller groups. */
  list(page: { limit: number; before: bigint | undefined }): Promise<Audit[]>
  /**
   * The proofs of an account under the newest audit, one for each token.
   *
   * @throws HubError `not_audited` when there is no audit, or it was made before the account was known
   */
  proofs(account: Address): Promise<LiabilityProof[]>
}

export type AuditDeps = LiabilityDeps & {
  db: Database
  log: GroupLog
  tokens: readonly Address[]
  feeAccount: Address
  reserves: Pick<Reserves, 'capture' | 'compare'>
  hubSeparator: Hex
  sign: (digest: Hex) => Hex
  now: () => number
  randomBytes: (count: number) => Uint8Array
  /** Hears how long work gets on. */
  onProgress?: (progress: string) => void
}

/** What memory held when a group was sealed. */
type Snapshot = { group: bigint; takenAt: bigint; captured: Captured; books: CapturedBooks }

/** A tree with its leaves, ready to prove from. */
type Grown = { tree: SumTree; leaves: PackedLeaves; signed: SignedRoot }

/** Progress is told after so many nodes. */
const nodesPerReport = 50_000

export function createAudits(deps: AuditDeps): Audits {
  const { db, log } = deps
  let taking: Promise<Audit> | undefined
  let newest: Promise<Grown[]> | undefined

  return {
    take() {
      taking ??= takeNow().finally(() => {
        taking = undefined
      })
      return taking
    },
    async list({ limit, before }) {
      const range = {
        limit,
        reverse: true,
        ...(before === undefined ? {} : { before: sortable(before) }),
      }
      return (await auditRows.list(db, range)).map(({ value: { secrets: _, ...audit } }) => audit)
    },
    async proofs(account) {
      newest ??= growNewest(deps).catch((cause: unknown) => {
        newest = undefined
        throw cause
      })
      const grown = await newest
      const found = grown.flatMap((one) => proofIn(one, account))
      const [of] = grown
      if (found.length > 0) return found
      throw of
        ? new HubError(
            'not_audited',
            `${account} was not known at the audit of group ${of.signed.group}`,
          )
        : new HubError('not_audited', 'no audit was made yet')
    },
  }

  async function takeNow(): Promise<Audit> {
    const snapshot = await takeSnapshot(deps)
    const report = await deps.reserves.compare(snapshot.captured)
    const audited: (Grown & { view: AuditedToken })[] = []
    for (const token of deps.tokens) {
      const liabilities = await collectLiabilities(snapshot.books, { ...deps, token })
      audited.push(await auditToken(deps, { snapshot, liabilities, report }))
    }
    const audit = summary(
      snapshot,
      report,
      audited.map(({ view }) => view),
    )
    await keep(audit, audited)
    newest = Promise.resolve(audited)
    return audit
  }

  /** The leaves in writes of their own, so that nobody waits for all of them; an audit exists when its own row does. */
  async function keep(audit: Audit, audited: readonly Grown[]) {
    const { group } = audit
    const stale = (await leafRows.rows(db)).map(({ key }) => ({ key, value: undefined }))
    for (const { leaves, signed } of audited)
      for (const row of rowsOf(leaves, { group, token: signed.token }))
        await log.commit({ rows: [row] })
    const secrets = Object.fromEntries(
      audited.map(({ leaves, signed }) => [signed.token, leaves.secret]),
    )
    await log.commit({ rows: [...stale, auditRows.put(sortable(group), { ...audit, secrets })] })
  }
}

/** Memory at the end of a group: everything that groups up to it hold, and nothing after it. */
async function takeSnapshot(deps: AuditDeps): Promise<Snapshot> {
  let taken: Snapshot | undefined
  let failure: unknown
  await deps.log.commit({
    sealed(group) {
      try {
        taken = {
          group,
          takenAt: BigInt(deps.now()),
          captured: deps.reserves.capture(),
          books: captureBooks(deps),
        }
      } catch (cause) {
        failure = cause
      }
    },
  })
  if (!taken) throw failure
  return taken
}

async function auditToken(
  deps: AuditDeps,
  {
    snapshot: { group, takenAt, captured },
    liabilities: { token, liabilities, lost },
    report,
  }: { snapshot: Snapshot; liabilities: Liabilities; report: ReserveReport },
): Promise<Grown & { view: AuditedToken }> {
  const secret = toHex(deps.randomBytes(32))
  const leaves = await packLeaves(liabilities, { secret, randomBytes: deps.randomBytes })
  const tree = await growTree(leaves, deps.onProgress)
  const root: LiabilityRoot = {
    token,
    root: readHex(tree.root.hash),
    leaves: tree.count,
    total: tree.root.sum,
    group,
    block: captured.at,
    takenAt,
  }
  const signed = { ...root, signature: deps.sign(liabilityRootDigest(root, deps.hubSeparator)) }
  const uncovered = captured.uncovered.find((one) => one.token === token)?.amount ?? 0n
  const reserves = reservesOf(report, token)
  return { tree, leaves, signed, view: { signed, reserves, lost, uncovered } }
}

/** Everything that there is for a token: not yet claimed, not yet settled, and in the vault, credited or not. */
function reservesOf(report: ReserveReport, token: Address): bigint | null {
  if (report.verdict === 'unknown') return null
  const owed = report.lines.findLast((line) => line.token === token)?.truth ?? 0n
  return owed + (report.credited.find((one) => one.token === token)?.amount ?? 0n)
}

/** Beside the reserve equality, all that is owed is held against all that there is: what the vault owes is in both. */
function summary(
  { group, takenAt, captured }: Snapshot,
  report: ReserveReport,
  tokens: AuditedToken[],
): Audit {
  const about = { group, block: captured.at, takenAt, tokens }
  if (report.verdict === 'unknown') return { ...about, verdict: 'unknown', lines: [] }
  const inAll = tokens.map(({ signed, reserves, lost }) => ({
    token: signed.token,
    line: 'in all',
    where:
      'leaves of the tree, less what the books lost, against channels, channels contract and vault',
    books: signed.total - lost,
    truth: reserves ?? 0n,
  }))
  const lines = [...report.lines, ...inAll]
  const isEqual = lines.every(({ books, truth }) => books === truth)
  return { ...about, verdict: isEqual ? 'equal' : 'unequal', lines }
}

async function growTree(
  leaves: PackedLeaves,
  onProgress: (progress: string) => void = () => undefined,
): Promise<SumTree> {
  const nodes: SumNode[] = []
  await inTurns(placesOf(leaves), (index) => {
    nodes.push(liabilityNode(leafAt(leaves, index)))
    if (nodes.length % nodesPerReport === 0)
      onProgress(`${nodes.length} of ${leaves.count} leaves hashed`)
  })
  const growing = growSumTree(nodes)
  let tree: SumTree | undefined
  await inTurns(
    stepsOf(growing, (grown) => {
      tree = grown
    }),
    () => undefined,
  )
  if (!tree) throw new Error('the tree did not grow')
  return tree
}

function* placesOf({ count }: PackedLeaves): Generator<number> {
  for (let index = 0; index < count; index += 1) yield index
}

/** The steps of a generator without what it returns, which is handed over. */
function* stepsOf<T, R>(steps: Generator<T, R>, onEnd: (end: R) => void): Generator<T> {
  onEnd(yield* steps)
}

/** The trees of the newest audit, from its rows. */
async function growNewest({ db, tokens }: AuditDeps): Promise<Grown[]> {
  const [row] = await auditRows.list(db, { limit: 1, reverse: true })
  if (!row) return []
  const grown: Grown[] = []
  for (const { signed } of row.value.tokens) {
    const { token, group } = signed
    const secret = row.value.secrets[token]
    if (!secret || !tokens.includes(token)) continue
    const rows = await leafRows.list(db, rangeOf({ group, token }))
    const bytes = concatBytes(rows.map(({ value }) => value))
    const leaves = { count: signed.leaves, bytes, secret }
    grown.push({ tree: await growTree(leaves), leaves, signed })
  }
  return grown
}

function proofIn({ tree, leaves, signed }: Grown, account: Address): LiabilityProof[] {
  const index = placeOf(leaves, account)
  if (index === undefined) return []
  const path = tree.path(index).map(({ hash, sum }) => ({ hash: readHex(hash), sum }))
  return [{ root: signed, leaf: leafAt(leaves, index), path }]
}
