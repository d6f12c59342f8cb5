// What an operator does to a hub from a terminal: back it up, restore it, see what is missing, let money leave again, claim, and
// audit.

import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { fromProblem } from '#protocol/errors.ts'
import { auditView, creatorProof } from '#protocol/messages/audits.ts'
import { claimPlan, settleAnswer } from '#protocol/messages/claims.ts'
import { hubInfo } from '#protocol/messages/hub.ts'
import type { MissingReport, RestoreView } from '#protocol/messages/restore.ts'
import { restoreView } from '#protocol/messages/restore.ts'
import { toJson } from '#protocol/messages/wire.ts'
import { auditLines, proofLines } from './audit-report.ts'
import { verifyBackup, writeBackup } from './backup/file.ts'
import { BackupError, encodeBackup } from './backup/format.ts'
import { restoreBackup } from './backup/restore.ts'
import { readDeployment } from './chain/deployment.ts'
import { planLines, settledLines } from './claim-report.ts'
import { readKeySetting } from './keys/key-settings.ts'
import { addressOfKey } from './keys/keystore.ts'
import type { Ownership } from './store/database.ts'
import { levelFolder, openLevel } from './store/database.ts'

const help = `usage: jandon backup --out <file> [--hub <url>]        back a running hub up
       jandon backup --out <file> --data-dir <folder>  back a stopped hub up
       jandon backup verify <file>                     read a backup to its end and check everything in it
       jandon restore <file> --data-dir <folder>       restore into an empty folder
       jandon restore status [--hub <url>]             what is missing, and what keeps money from leaving
       jandon reconcile [--accept <difference>]        let money leave again; a difference is accepted by its name
       jandon claim [--hub <url>]                      claim what is charged and credit what is owed, now
       jandon claim --dry-run [--all]                  what policy would send now, or all that could be, and why
       jandon audit [--out <file>]                     sign what is owed to whom, and compare it with what there is
       jandon audit --proof <handle> [--out <file>]    the proof that the newest audit counts a creator

Every command takes --json. The hub is --hub, JANDON_HUB, or the one that "npm start" runs; its operator token is in
JANDON_OPERATOR_TOKEN. A restore compares the backup with JANDON_DEPLOYMENT, JANDON_OPERATOR_KEY and JANDON_RECEIPT_KEY (or
their keystores) as far as they are set; the hub compares all of them when it starts.

Exit codes: 0 done, 1 refused or unequal, 2 wrong usage, 3 something could not be reached or read.
`

/** What a command has to show: an object for scripts, lines for people. */
type Outcome = { json: object; lines: readonly string[]; exitCode?: 0 | 1 | 3 }

type Options = {
  json: boolean
  out?: string
  hub?: string
  dataDir?: string
  accept?: string
  proof?: string
  dryRun: boolean
  all: boolean
}

class UsageError extends Error {}

/** Whether anything was done is not known. */
class UnreachableError extends Error {}

const progressBytes = 1024 * 1024

run(process.argv.slice(2)).catch((cause: unknown) => {
  const message = cause instanceof Error ? cause.message : String(cause)
  const exitCode = exitCodeOf(cause)
  if (process.argv.includes('--json')) {
    process.stdout.write(`${toJson({ error: { detail: message }, exitCode })}\n`)
  } else process.stderr.write(`${message}\n${cause instanceof UsageError ? help : ''}`)
  process.exitCode = exitCode
})

async function run(args: readonly string[]) {
  if (args.includes('--help')) return void process.stdout.write(help)
  const { words, options } = parse(args)
  const { json, lines, exitCode = 0 } = await carryOut(words, options)
  process.exitCode = exitCode
  process.stdout.write(options.json ? `${toJson(json)}\n` : `${lines.join('\n')}\n`)
}

function parse(args: readonly string[]): { words: string[]; options: Options } {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        json: { type: 'boolean', default: false },
        out: { type: 'string' },
        hub: { type: 'string' },
        'data-dir': { type: 'string' },
        accept: { type: 'string' },
        proof: { type: 'string' },
        'dry-run': { type: 'boolean', default: false },
        all: { type: 'boolean', default: false },
      },
    })
    const { 'data-dir': dataDir, 'dry-run': dryRun, ...rest } = values
    return { words: positionals, options: { ...rest, dryRun, ...(dataDir ? { dataDir } : {}) } }
  } catch (cause) {
    throw new UsageError(cause instanceof Error ? cause.message : String(cause), { cause })
  }
}

function carryOut([command, word, more]: readonly string[], options: Options): Promise<Outcome> {
  if (word === undefined) return carryOutAlone(command, options)
  if (command === 'backup' && word === 'verify' && more !== undefined) return verify(more)
  if (command === 'restore' && word === 'status' && more === undefined) return status(options)
  if (command === 'restore' && more === undefined) return restore(word, options)
  throw new UsageError('this is not a command')
}

/** Commands of one word. */
function carryOutAlone(command: string | undefined, options: Options): Promise<Outcome> {
  if (command === 'backup') return backup(options)
  if (command === 'reconcile') return reconcile(options)
  if (command === 'claim') return options.dryRun ? planClaims(options) : claim(options)
  if (command === 'audit') return options.proof ? prove(options.proof, options) : audit(options)
  throw new UsageError('this is not a command')
}

async function backup({ out, dataDir, ...options }: Options): Promise<Outcome> {
  if (!out) throw new UsageError('name the file with --out')
  const began = Date.now()
  const take = dataDir === undefined ? backupOnline(options) : backupStopped(dataDir)
  const { header, end, checked, bytes } = await writeBackup(take, out, showProgress())
  clearProgress()
  const seconds = (Date.now() - began) / 1_000
  return {
    json: { file: out, bytes, seconds, header, ...end, checked },
    lines: [
      `Backed up to ${out}: ${sizeText(bytes)}, ${end.rows} rows, in ${seconds.toFixed(1)} s`,
      ...contentLines(header, checked),
    ],
  }
}

async function* backupOnline(options: Pick<Options, 'hub' | 'json'>): AsyncGenerator<Uint8Array> {
  const response = await ask(options, '/v1/backup')
  if (!response.body) throw new Error('the hub answered without a backup')
  yield* response.body
}

async function* backupStopped(dataDir: string): AsyncGenerator<Uint8Array> {
  const folder = join(dataDir, levelFolder)
  if (!existsSync(folder)) throw new BackupError(`${dataDir} is no data directory`)
  const db = await openLevel(folder)
  try {
    yield* encodeBackup(db, Date.now)
  } finally {
    await db.close()
  }
}

async function verify(file: string): Promise<Outcome> {
  const { header, end, checked } = await verifyBackup(file)
  return {
    json: { file, valid: true, header, ...end, checked },
    lines: [`${file} is whole: ${end.rows} rows`, ...contentLines(header, checked)],
  }
}

async function restore(file: string, { dataDir }: Options): Promise<Outcome> {
  if (!dataDir) throw new UsageError('name the empty folder with --data-dir')
  const wanted = await expectedOwner(process.env)
  const restored = await restoreBackup({ file, directory: dataDir, wanted, now: Date.now })
  const { header, checked, firstGroup } = restored
  return {
    json: { dataDir, header, checked, firstGroup },
    lines: [
      `Restored into ${dataDir}`,
      ...contentLines(header, checked),
      `The hub's next group is ${firstGroup}; all sessions are revoked; no money leaves until "jandon reconcile"`,
      'Next: start the hub on it, then see "jandon restore status"',
    ],
  }
}

/** Whose backup is wanted, as far as the environment says. */
async function expectedOwner(env: NodeJS.ProcessEnv): Promise<Partial<Ownership>> {
  const { JANDON_DEPLOYMENT } = env
  const wanted: Partial<Ownership> = {}
  if (JANDON_DEPLOYMENT) {
    const { chainId, hubAccount, channels } = await readDeployment(JANDON_DEPLOYMENT)
    Object.assign(wanted, { chainId, hubAccount, channels })
  }
  const operator = await readKeySetting(env, 'operator')
  if (operator) wanted.operator = addressOfKey(operator)
  const receipt = await readKeySetting(env, 'receipt')
  if (receipt) wanted.receiptSigner = addressOfKey(receipt)
  return wanted
}

async function status(options: Options): Promise<Outcome> {
  const view = restoreView.parse(await (await ask(options, '/v1/restore')).json())
  return { json: view, lines: statusLines(view) }
}

async function reconcile(options: Options): Promise<Outcome> {
  const { accept } = options
  const response = await ask(
    options,
    '/v1/restore/reconcile',
    accept === undefined ? {} : { accept },
  )
  const view = restoreView.parse(await response.json())
  return {
    json: view,
    lines: ['The books are reconciled; money leaves again', ...statusLines(view)],
  }
}

async function planClaims(options: Options): Promise<Outcome> {
  const path = `/v1/claims/plan?of=${options.all ? 'all' : 'due'}`
  const plan = claimPlan.parse(await (await ask(options, path)).json())
  return { json: plan, lines: planLines(plan, await listedTokens(options)) }
}

async function claim(options: Options): Promise<Outcome> {
  const answer = settleAnswer.parse(await (await ask(options, '/v1/claims', {})).json())
  return { json: answer, lines: settledLines(answer, await listedTokens(options)) }
}

/** The verdict is the exit code: 0 equal, 1 unequal, 3 not known. */
async function audit(options: Options): Promise<Outcome> {
  const showing = showAuditing()
  const view = await ask(options, '/v1/audits', {})
    .then(async (response) => auditView.parse(await response.json()))
    .finally(showing.end)
  if (options.out) await writeFile(options.out, `${toJson(view)}\n`)
  const exitCode = { equal: 0, unequal: 1, unknown: 3 } as const
  return {
    json: { audit: view },
    lines: auditLines(view, await listedTokens(options)),
    exitCode: exitCode[view.verdict],
  }
}

async function prove(handle: string, options: Options): Promise<Outcome> {
  const path = `/v1/creators/${encodeURIComponent(handle.replace(/^@/, ''))}/proof`
  const proof = creatorProof.parse(await (await ask(options, path)).json())
  if (options.out) await writeFile(options.out, `${toJson(proof)}\n`, { mode: 0o600 })
  return { json: proof, lines: proofLines(proof, await listedTokens(options)) }
}

async function listedTokens(options: Options) {
  return hubInfo.parse(await (await ask(options, '/.well-known/jandon')).json()).tokens
}

function statusLines({ restored, locked, waitingFor, missing }: RestoreView): string[] {
  const lines: string[] = []
  if (restored) {
    lines.push(
      `Restored ${timeOf(restored.at)} from a backup of ${timeOf(restored.backupOf)}, group ${restored.newestGroup}`,
    )
  } else lines.push('This hub was not restored')
  lines.push(
    locked
      ? `Money does not leave, since ${timeOf(locked.since)}: ${locked.reason}${locked.transaction ? ` by ${locked.transaction}` : ''}`
      : 'Money leaves',
  )
  for (const reason of waitingFor) lines.push(`  waits for: ${reason}`)
  return [...lines, ...missingLines(missing)]
}

function missingLines(missing: MissingReport): string[] {
  const { groups, tips, channels, recipients, payments, bookings, totals, difference } = missing
  const seen = `${groups.seen} groups of the lost time were presented, ${tips.presented} of their ${tips.inSeenGroups} tips`
  return [
    groups.highest === null
      ? 'No receipt of the lost time was presented'
      : `${seen}; the highest is ${groups.highest}, and ${groups.absent} before it were not`,
    ...channels.map(
      ({ channelId, missing: amount, claimedAbove, presented }) =>
        `  channel ${channelId}: ${amount} missing, ${claimedAbove} claimed above the books, ${presented} presented`,
    ),
    ...recipients.map(
      ({ account, creditedAbove, token }) =>
        `  ${account}: ${creditedAbove} of ${token} credited above the books`,
    ),
    ...payments.map(
      ({ entry, amount, token }) =>
        `  treasury: ${amount} of ${token} came in without a quote (${entry})`,
    ),
    ...bookings.map(
      ({ reference, says, amount, currency, endToEndId }) =>
        `  bank: ${endToEndId} ${says}, ${amount} ${currency} minor units (${reference})`,
    ),
    ...totals.map(
      ({ token, missing: amount, presented }) =>
        `Of ${token}: ${amount} missing, ${presented} presented`,
    ),
    difference === null ? 'Nothing is known to be missing' : `Difference: ${difference}`,
  ]
}

function contentLines(
  { owner, newestGroup, createdAt }: Awaited<ReturnType<typeof verifyBackup>>['header'],
  { groups, tips, entries, channels }: Awaited<ReturnType<typeof verifyBackup>>['checked'],
): string[] {
  return [
    `  chain ${owner.chainId}, hub account ${owner.hubAccount}, ${timeOf(createdAt)}`,
    `  group ${newestGroup.number}; checked ${groups} groups, ${tips} tips, ${entries} entries, ${channels} channels`,
  ]
}

/** A request as the operator; a body makes it a POST. Refusals of the hub become errors. */
async function ask(options: Pick<Options, 'hub'>, path: string, body?: object): Promise<Response> {
  const { url, token } = await findHub(options)
  const response = await fetch(new URL(path, url), {
    method: body ? 'POST' : 'GET',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body ? { body: toJson(body) } : {}),
  }).catch((cause: unknown) => {
    throw new UnreachableError(`nobody answers at ${url}`, { cause })
  })
  if (response.ok) return response
  const refusal = fromProblem(await response.json().catch(() => undefined))
  if (!refusal) throw new UnreachableError(`the hub answered ${response.status}`)
  const { difference } = refusal.values
  const named = difference ? `\nDifference: ${difference}` : ''
  throw new BackupError(`${refusal.code}: ${refusal.message}${named}`, { cause: refusal })
}

async function findHub({ hub }: Pick<Options, 'hub'>): Promise<{ url: string; token: string }> {
  const current = await readCurrent()
  const url = hub ?? process.env['JANDON_HUB'] ?? current?.hubUrl
  if (!url || !URL.canParse(url))
    throw new UsageError('name the hub with --hub <url> or JANDON_HUB')
  const local = current?.hubUrl === url ? current.operatorToken : undefined
  const token = process.env['JANDON_OPERATOR_TOKEN'] ?? local
  if (!token) throw new UsageError('the operator token is expected in JANDON_OPERATOR_TOKEN')
  return { url, token }
}

/** The hub that "npm start" runs here, if one does. */
async function readCurrent(): Promise<{ hubUrl: string; operatorToken: string } | undefined> {
  const path = join('.jandon', 'dev', 'current')
  if (!existsSync(path)) return undefined
  return JSON.parse(await readFile(path, 'utf8')) as { hubUrl: string; operatorToken: string }
}

function showProgress(): (bytes: number) => void {
  let shown = 0
  return (bytes) => {
    if (!process.stderr.isTTY || bytes - shown < progressBytes) return
    shown = bytes
    process.stderr.write(`\r\u001b[K${sizeText(bytes)} …`)
  }
}

/** On a terminal, how long an audit has been going on. */
function showAuditing() {
  const began = Date.now()
  const timer = setInterval(() => {
    const seconds = Math.round((Date.now() - began) / 1_000)
    if (process.stderr.isTTY) process.stderr.write(`\r\u001b[Kauditing, ${seconds} s …`)
  }, 1_000)
  return {
    end() {
      clearInterval(timer)
      clearProgress()
    },
  }
}

function clearProgress() {
  if (process.stderr.isTTY) process.stderr.write('\r\u001b[K')
}

function sizeText(bytes: number): string {
  return bytes < progressBytes ? `${bytes} bytes` : `${(bytes / progressBytes).toFixed(1)} MiB`
}

function timeOf(milliseconds: bigint): string {
  return new Date(Number(milliseconds)).toISOString()
}

function exitCodeOf(cause: unknown): 1 | 2 | 3 {
  if (cause instanceof UsageError) return 2
  return cause instanceof UnreachableError ? 3 : 1
}
