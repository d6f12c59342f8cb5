// A hub that is backed up, goes on for 10 s, 1 h or 24 h of the chain's time, is lost, and is restored, again and again. After
// each restore the books must name what is missing to the unit, take everything in that fans hold, lose and double nothing,
// and never give a number twice.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { privateKeyToAccount } from 'viem/accounts'
import type { Jandon, SentBasket } from '#client/index.ts'
import { createJandon, createMemoryStore, HubError } from '#client/index.ts'
import { restoreView } from '#protocol/messages/restore.ts'
import { writeBackup } from '#server/backup/file.ts'
import { restoreBackup } from '#server/backup/restore.ts'
import { levelFolder, openLevel } from '#server/store/database.ts'
import type { Database } from '#server/store/table.ts'
import type { World } from '../world/world.ts'
import { startWorld } from '../world/world.ts'
import type { Findings } from './contracts.ts'
import { createRandom, type Random } from './random.ts'

/** Each round loses the hub three times. */
export const defaultRounds = 30

/** How old a backup is when it is needed, and how much happens in that time. */
const ages = [
  { name: '10 s', seconds: 10, steps: 6 },
  { name: '1 h', seconds: 3_600, steps: 16 },
  { name: '24 h', seconds: 86_400, steps: 40 },
] as const

/** Bugs as they would look on disk after a restore, each of which the campaign must find. */
export const restorePlants: Readonly<Record<string, (db: Database) => Promise<void>>> = {
  'money not locked': (db) => db.del('money-lock/'),
  'numbers given again': (db) => clear(db, 'joint'),
  'chain read once more': (db) => clear(db, 'chain-cursor'),
  'what was lost forgotten': (db) => clear(db, 'lost-channel'),
}

const root = fileURLToPath(new URL('../..', import.meta.url))
const unit = 1_000_000n
const fanNames = ['fan', 'friend', 'neighbour']
const creatorNames = ['ann', 'bob']

/** A fan with everything that was acknowledged, and how much of it a claim has covered. */
type Fan = { jandon: Jandon; sent: SentBasket[]; claimed: number }

/** What is on its way is booked by then, in milliseconds. */
const reconcileMs = 20_000

type Run = {
  world: World
  random: Random
  fans: Fan[]
  numbers: Set<string>
  failures: string[]
  operations: number
  losses: number
}

/** Loses and restores a hub at every age, `runs` times over. */
export async function tortureRestores({
  seed,
  runs,
  plant,
}: {
  seed: number
  runs: number
  plant?: string
}): Promise<Findings> {
  const folder = await mkdtemp(join(tmpdir(), 'jandon-torture-'))
  const world = await startWorld({
    folder,
    walletNames: [...fanNames, ...creatorNames],
    withBank: false,
  })
  try {
    const run: Run = {
      world,
      random: createRandom(seed),
      fans: [],
      numbers: new Set(),
      failures: [],
      operations: 0,
      losses: 0,
    }
    await enrol(run)
    await someRounds(run, { runs, plant })
    const { operations, losses, failures } = run
    return { operations, isIdle: operations === 0 || losses === 0, failures }
  } finally {
    await world.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

/** A planted bug is looked for at one age; a refusal where there must be none is a failure, and ends the campaign. */
async function someRounds(run: Run, { runs, plant }: { runs: number; plant: string | undefined }) {
  const chosen = plant === undefined ? ages : ages.slice(1, 2)
  try {
    for (let round = 0; round < runs; round += 1) {
      for (const age of chosen) await loseOnce(run, { age, plant })
    }
  } catch (cause) {
    if (!(cause instanceof HubError)) throw cause
    run.failures.push(`${cause.code}: ${cause.message}`)
  }
}

async function enrol(run: Run) {
  for (const name of creatorNames)
    await walletOf(run, name).register({ handle: name, displayName: name })
  for (const name of fanNames) {
    await run.world.mint(run.world.wallets[name]?.address ?? '0x', 500n * unit)
    const jandon = walletOf(run, name)
    await jandon.openChannel({ deposit: 400n * unit })
    run.fans.push({ jandon, sent: await jandon.history({ limit: 1 }), claimed: 0 })
  }
}

async function loseOnce(
  run: Run,
  { age, plant }: { age: (typeof ages)[number]; plant: string | undefined },
) {
  const { world, fans } = run
  await someSteps(run, 4)
  await settle(run)
  const file = join(world.folder, `${run.losses}.backup`)
  await writeBackup(await backupOf(world), file)
  const kept = fans.map(({ sent }) => sent.length)
  await someSteps(run, age.steps)
  await world.chain.increaseTime({ seconds: age.seconds })
  await world.chain.mine({ blocks: 1 })
  for (const { sent } of fans) for (const { receipt } of sent) keepNumber(run, receipt, 'lost')
  await world.hub.kill()
  run.losses += 1
  const directory = join(world.folder, `restored-${run.losses}`)
  await restoreBackup({ file, directory, wanted: {}, now: Date.now })
  if (plant !== undefined) await plantBug(directory, plant)
  await world.restartHub({ JANDON_DATA_DIR: directory })
  await checkMissing(run, kept)
  await checkLock(run)
  await checkPresented(run)
  await checkUnlocked(run)
  await checkConserved(run, age.name)
}

/** Tips and settlements at random, all acknowledged. */
async function someSteps(run: Run, steps: number) {
  for (let step = 0; step < steps; step += 1) {
    run.operations += 1
    const fan = run.random.pick(run.fans)
    if (run.random.below(5) === 0) {
      await settle(run)
      continue
    }
    const to = `@${run.random.pick(creatorNames)}`
    fan.sent.push(await fan.jandon.tip({ to, amount: run.random.between(1n, unit) }))
  }
}

async function settle({ world, fans }: Run) {
  await operator(world, '/v1/claims', {})
  for (const fan of fans) fan.claimed = fan.sent.length
}

/** What was claimed after the backup is named per channel, to the unit; nothing else can be known yet. */
async function checkMissing(run: Run, kept: readonly number[]) {
  const { missing } = await status(run.world)
  for (const [index, { sent, claimed }] of run.fans.entries()) {
    const lost = totalOf(sent.slice(kept[index], Math.max(claimed, kept[index] ?? 0)))
    const id = sent[0]?.channelId
    const line = missing.channels.find(({ channelId }) => channelId === id)
    expect(run, `missing on ${id}`, line?.missing ?? 0n, lost)
  }
}

async function checkLock(run: Run) {
  const [first] = run.fans
  if (!first) return
  const outcome = await first.jandon.refund({ amount: 1n }).then(
    () => 'refunded',
    (cause: unknown) => (cause instanceof HubError ? cause.code : String(cause)),
  )
  expect(run, 'a refund before the reconciliation', outcome, 'money_out_locked')
}

/** All present everything, twice: it is taken in once, and the books are what they were. */
async function checkPresented(run: Run) {
  for (const { jandon, sent } of run.fans) {
    run.operations += 1
    const { refused } = await jandon.sync()
    expect(run, 'refused receipts', refused.length, 0)
    const again = await jandon.sync()
    expect(run, 'taken in twice', again.takenIn.length, 0)
    expect(run, 'known after presenting', again.known, sent.length)
  }
  const { missing } = await status(run.world)
  expect(run, 'still missing', missing.difference, null)
  const lines = await exported(run.world)
  for (const { sent } of run.fans) {
    const charged = lines.find(
      ({ kind, channelId }) => kind === 'channel' && channelId === sent[0]?.channelId,
    )
    expect(run, 'charged after presenting', String(charged?.['charged']), String(totalOf(sent)))
  }
  for (const line of lines.filter(({ kind }) => kind === 'tip')) {
    const { epoch, group, index } = line
    if (Number(index) === 0) keepNumber(run, { header: { epoch, number: group } }, 'given')
  }
}

async function checkUnlocked(run: Run) {
  await reconcile(run.world)
  const { locked } = await status(run.world)
  expect(run, 'locked after the reconciliation', locked, null)
}

/** A settlement may be on its way just then: whoever asks does so again when it is booked. */
async function reconcile(world: World) {
  const until = Date.now() + reconcileMs
  for (;;) {
    const { status: code } = await operator(world, '/v1/restore/reconcile', {})
    if (code !== 409 || Date.now() > until) return
    await sleep(100)
  }
}

/** Books against chain, by a process that shares nothing with the hub. */
async function checkConserved(run: Run, age: string) {
  const { world } = run
  const args = [
    join(root, 'scripts/conserve.ts'),
    ...['--rpc', world.rpcUrl, '--deployment', join(world.folder, 'deployment.json')],
    ...['--hub', world.hub.url],
    ...['--treasury', world.hubEnvironment['JANDON_TREASURY'] ?? ''],
  ]
  const env = { ...process.env, JANDON_OPERATOR_TOKEN: world.operatorToken }
  const child = spawn(process.execPath, args, { env, stdio: 'ignore' })
  const [code] = await once(child, 'close')
  expect(run, `conserve after a backup of ${age}`, code, 0)
}

/** A number that was given belongs to one epoch for good. */
function keepNumber(
  run: Run,
  { header: { epoch, number } }: { header: { epoch: unknown; number: unknown } },
  what: string,
) {
  const given = [...run.numbers].find((known) => known.startsWith(`${number}/`))
  const name = `${number}/${epoch}`
  if (given !== undefined) expect(run, `number of a ${what} group`, name, given)
  run.numbers.add(name)
}

function expect(run: Run, what: string, found: unknown, wanted: unknown) {
  if (found !== wanted) run.failures.push(`${what}: ${String(found)} instead of ${String(wanted)}`)
}

async function plantBug(directory: string, name: string) {
  const plant = restorePlants[name]
  if (!plant) throw new Error(`there is no planted bug named ${name}`)
  const db = await openLevel(join(directory, levelFolder))
  await plant(db)
  await db.close()
}

function clear(db: Database, table: string): Promise<void> {
  return db.clear({ gt: `${table}/`, lt: `${table}0` })
}

function walletOf({ world }: Run, name: string): Jandon {
  const wallet = world.wallets[name]
  if (!wallet) throw new Error(`there is no wallet named ${name}`)
  const account = privateKeyToAccount(wallet.privateKey)
  return createJandon({ hubUrl: world.hub.url, account, store: createMemoryStore() })
}

async function operator(world: World, path: string, body?: object): Promise<Response> {
  const response = await fetch(new URL(path, world.hub.url), {
    method: body ? 'POST' : 'GET',
    headers: {
      authorization: `Bearer ${world.operatorToken}`,
      ...(body ? { 'content-type': 'application/json' } : {}),
    },
    ...(body ? { body: JSON.stringify(body) } : {}),
  })
  return response
}

async function backupOf(world: World): Promise<AsyncIterable<Uint8Array>> {
  const { body } = await operator(world, '/v1/backup')
  if (!body) throw new Error('the hub gave no backup')
  return body
}

async function status(world: World) {
  return restoreView.parse(await (await operator(world, '/v1/restore')).json())
}

async function exported(world: World): Promise<{ [name: string]: unknown }[]> {
  const text = await (await operator(world, '/v1/export')).text()
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as { [name: string]: unknown })
}

function totalOf(sent: readonly SentBasket[]): bigint {
  return sent.reduce((sum, { total }) => sum + total, 0n)
}
