// Withdrawal windows: payers tip and then take everything, while the hub is dead for half of the window, the tower is killed,
// and gas costs twenty times as much for hours. Every voucher must be claimed before its withdrawal can be finalised.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Address } from 'viem'
import { formatGwei, parseGwei } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { createJandon, createMemoryStore } from '#client/index.ts'
import { paymentChannelsAbi, testTokenAbi } from '#protocol/abi.ts'
import type { ChainKind } from '../../world/chains.ts'
import type { LocalTower } from '../../world/tower.ts'
import { startTower } from '../../world/tower.ts'
import type { World } from '../../world/world.ts'
import { startWorld } from '../../world/world.ts'
import type { Findings } from '../contracts.ts'
import type { Random } from '../random.ts'
import { createRandom } from '../random.ts'
import type { Payer } from './payers.ts'
import { callChannels, mined, openPayer, tipAs } from './payers.ts'

/** Windows of one seed: 20 seeds are 1,000 of them. */
const windowsPerSeed = 50

/** What a bug that a campaign must find changes. */
type Plant = { tower?: NodeJS.ProcessEnv; untold?: true; forgets?: true }

export const windowPlants: Readonly<Record<string, Plant>> = {
  'the tower begins two minutes before': { tower: { JANDON_TOWER_MARGIN_S: '120' } },
  'the tower never pays more for gas': {
    tower: { JANDON_TOWER_CALM_GWEI: '0.1', JANDON_TOWER_HIGHEST_GWEI: '0.1' },
  },
  'the hub tells the tower nothing': { untold: true },
  'the tower forgets when it is killed': { forgets: true },
}

const delaySeconds = 86_400n

/** How many blocks a delay has. All withdrawals begin in the first half of one. */
const blocksPerDelay = 48

type Window = { payer: Payer; begins: number; partial: bigint; finalizeAfter: bigint | undefined }

type Run = {
  world: World
  tower: LocalTower
  random: Random
  /** How many blocks a delay has. */
  blocks: number
  windows: Window[]
  time: bigint
  /** How many blocks more gas costs twenty times as much. */
  dear: number
  towerAlive: boolean
  figures: Figures
  failures: string[]
}

type Figures = {
  windows: number
  judged: number
  blocks: number
  spikes: number
  hubDeaths: number
  towerDeaths: number
  attempts: number
  dearest: bigint
  late: number
  locked: bigint
}

/** Plays `seeds` worlds of windows, and prints what it came to. */
export async function tortureWindows({
  chainKind,
  seed,
  seeds,
  windows = windowsPerSeed,
  blocks = blocksPerDelay,
  plant,
}: {
  chainKind: ChainKind
  seed: number
  seeds: number
  windows?: number
  blocks?: number
  plant?: string
}): Promise<Findings> {
  const planted = plant === undefined ? {} : windowPlants[plant]
  if (!planted) throw new Error(`there is no bug named ${plant}`)
  const figures: Figures = {
    ...{ windows: 0, judged: 0, blocks: 0, spikes: 0, hubDeaths: 0, towerDeaths: 0, attempts: 0 },
    ...{ dearest: 0n, late: 0, locked: 0n },
  }
  const failures: string[] = []
  for (let offset = 0; offset < seeds; offset += 1)
    await playSeed({ chainKind, seed: seed + offset, windows, blocks, planted, figures, failures })
  const { attempts, spikes, hubDeaths, towerDeaths, late, locked, dearest } = figures
  console.log(
    `  ${figures.windows} windows in ${figures.blocks} blocks, ${spikes} spikes, hub killed ${hubDeaths} times, tower ${towerDeaths}`,
  )
  console.log(
    `  ${attempts} attempts up to ${formatGwei(dearest)} gwei, late claims ${late}, money locked ${locked}`,
  )
  const unjudged = figures.windows - figures.judged
  if (unjudged > 0) failures.push(`${unjudged} withdrawals did not come to their end`)
  const isIdle = [figures.windows, spikes, hubDeaths, towerDeaths].includes(0)
  return { operations: figures.windows, isIdle, failures }
}

async function playSeed({
  chainKind,
  seed,
  windows,
  blocks,
  planted,
  figures,
  failures,
}: {
  chainKind: ChainKind
  seed: number
  windows: number
  blocks: number
  planted: Plant
  figures: Figures
  failures: string[]
}) {
  const folder = await mkdtemp(join(tmpdir(), 'jandon-windows-'))
  const hubSettings = { JANDON_CLAIM_AT_RISK: '1000000' }
  const world = await startWorld({
    folder,
    walletNames: ['creator'],
    withBank: false,
    chainKind,
    hubSettings,
  })
  const tower = await startTower(
    world,
    { JANDON_TOWER_POLL_MS: '20', JANDON_TOWER_PATIENCE_MS: '40', ...planted.tower },
    (line) => noteAttempt(figures, line),
  )
  try {
    const run: Run = {
      ...{ world, tower, figures, blocks, random: createRandom(seed), windows: [], time: 0n },
      ...{ dear: 0, towerAlive: true, failures },
    }
    await openWindows(run, windows, planted)
    await passWindows(run, planted)
    await takeTheRest(run)
  } catch (cause) {
    failures.push(`seed ${seed}: ${cause instanceof Error ? cause.message : String(cause)}`)
  } finally {
    await tower.part.stop()
    await world.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

function noteAttempt(figures: Figures, line: string) {
  if (!line.startsWith('{')) return
  const { sent } = JSON.parse(line) as { sent?: { maxFeePerGas: string } }
  if (!sent) return
  figures.attempts += 1
  const fee = BigInt(sent.maxFeePerGas)
  if (fee > figures.dearest) figures.dearest = fee
}

/** Channels with tips, which the tower is told of before anything happens. */
async function openWindows(run: Run, count: number, planted: Plant) {
  const { world, tower, random } = run
  if (!planted.untold) {
    await world.hub.stop()
    await world.restartHub(tower.hubSettings)
  }
  const creator = await enrol(world)
  for (let index = 0; index < count; index += 1) {
    const payer = await openPayer(world, random.between(1_000n, 10_000_000n))
    const begins = random.below(run.blocks / 2)
    run.windows.push({ payer, begins, partial: 0n, finalizeAfter: undefined })
  }
  const head = await world.chain.getBlockNumber({ cacheTime: 0 })
  await until(async () => BigInt((await healthOf(world)).block) >= head)
  for (const window of run.windows) await someTips(run, window, creator)
  if (!planted.untold) await until(async () => (await metricsOf(world)).includes(untoldNothing))
}

async function someTips({ world, random }: Run, window: Window, to: Address) {
  const { payer } = window
  for (let tips = 1 + random.below(3); tips > 0; tips -= 1) {
    const left = payer.deposited - payer.charged
    if (left === 0n) break
    const amount = random.once(3) ? left : random.between(1n, left)
    await tipAs(world, payer, { to, amount, above: random.between(0n, 1_000n) })
  }
  // Now and then somebody takes less than everything, but more than is theirs.
  const unspent = payer.deposited - payer.charged
  if (random.once(4) && payer.charged > 1n)
    window.partial = random.between(unspent + 1n, payer.deposited - 1n)
}

async function passWindows(run: Run, planted: Plant) {
  const { chain } = run.world
  await chain.setAutomine(false)
  run.time = (await chain.getBlock()).timestamp
  const events = drawEvents(run, planted)
  const last = run.blocks * 1.5 + 1
  for (let step = 0; step <= last; step += 1) {
    await events.get(step)?.()
    await passStep(run, step)
  }
  await chain.setAutomine(true)
}

/**
 * When the hub dies, and in half of the worlds returns after half of a window, and when the tower does. A planted bug is the tower's: the
 * hub dies before it can claim anything itself, and stays away.
 */
function drawEvents(run: Run, planted: Plant): Map<number, () => Promise<void>> {
  const { random, blocks } = run
  const isPlanted = Object.keys(planted).length > 0
  const hubDies = isPlanted ? 0 : random.below(blocks / 2)
  const towerDies = planted.forgets ? hubDies + 1 : hubDies + 1 + random.below(blocks / 2 - 4)
  const events = new Map([
    [hubDies, () => killHub(run)],
    [towerDies, () => killTower(run, planted)],
    [towerDies + 1 + random.below(3), () => reviveTower(run)],
  ])
  if (!isPlanted && random.once(2)) events.set(hubDies + blocks / 2, () => reviveHub(run, planted))
  return events
}

async function passStep(run: Run, step: number) {
  for (const window of run.windows) if (window.begins === step) await begin(run, window)
  if (run.towerAlive) await looked(run)
  await mineStep(run)
  run.figures.blocks += 1
}

async function reviveHub({ world, tower }: Run, { untold }: Plant) {
  await world.restartHub(untold ? {} : tower.hubSettings)
}

async function reviveTower(run: Run) {
  await run.tower.restart()
  run.towerAlive = true
}

async function killHub({ world, figures }: Run) {
  await world.hub.kill()
  figures.hubDeaths += 1
}

async function killTower(run: Run, { forgets }: Plant) {
  const { tower, figures } = run
  run.towerAlive = false
  await tower.part.kill()
  figures.towerDeaths += 1
  if (forgets) await rm(tower.folder, { recursive: true })
}

async function begin({ world, figures }: Run, { payer, partial }: Window) {
  const amount = partial > 0n ? partial : payer.deposited
  await callChannels(world, payer, 'initiateWithdraw', [payer.config, amount])
  figures.windows += 1
}

/** Resolves when the tower has looked at the newest block and acted on it. */
async function looked({ tower }: Run) {
  const { looks } = await tower.health()
  await until(async () => (await tower.health()).looks >= looks + 2)
}

/** One block, at a price that is twenty times as high for hours now and then. Whoever can finalise does so in it. */
async function mineStep(run: Run) {
  const { world, random, figures, windows } = run
  const { chain } = world
  run.time += delaySeconds / BigInt(run.blocks)
  if (run.dear === 0 && random.once(8)) {
    run.dear = 1 + random.below(8)
    figures.spikes += 1
  }
  const calm = parseGwei('1') + random.between(0n, parseGwei('2'))
  const baseFeePerGas = run.dear > 0 ? calm * 20n : calm
  if (run.dear > 0) run.dear -= 1
  for (const window of windows) {
    if (window.finalizeAfter === undefined || window.finalizeAfter > run.time) continue
    await judge(run, window)
    window.finalizeAfter = undefined
    await callChannels(world, window.payer, 'finalizeWithdraw', [window.payer.config])
  }
  await chain.setNextBlockBaseFeePerGas({ baseFeePerGas })
  await chain.setNextBlockTimestamp({ timestamp: run.time })
  await chain.mine({ blocks: 1 })
  for (const window of windows) await noteBegun(run, window)
}

async function noteBegun({ world, time }: Run, window: Window) {
  const { payer, begins } = window
  if (begins < 0) return
  const [, initiatedAt] = await world.chain.readContract({
    address: world.deployment.channels,
    abi: paymentChannelsAbi,
    functionName: 'pendingWithdrawals',
    args: [payer.id],
  })
  if (BigInt(initiatedAt) !== time) return
  window.finalizeAfter = time + delaySeconds
  window.begins = -1
}

/** In the block before a withdrawal can be finalised, exactly what was charged must be claimed. */
async function judge({ world, figures, failures }: Run, { payer }: Window) {
  const { balance, claimed } = await amountsOf(world, payer)
  figures.judged += 1
  if (claimed === payer.charged) return
  figures.late += 1
  failures.push(
    `channel ${payer.id}: ${claimed} of ${payer.charged} claimed of ${balance} when it could be withdrawn`,
  )
}

/** When all is settled and every payer has taken the rest, nothing may stay in the contract. */
async function takeTheRest({ world, windows, figures, failures }: Run) {
  const { chain, deployment, token } = world
  const [first] = windows
  if (first) {
    const args = [deployment.vault, token.address]
    await mined(world, await callChannels(world, first.payer, 'settle', args))
  }
  const left = await Promise.all(windows.map(({ payer }) => leftOf(world, payer)))
  for (const { payer, rest } of left) {
    if (rest > 0n)
      await mined(world, await callChannels(world, payer, 'initiateWithdraw', [payer.config, rest]))
  }
  await chain.increaseTime({ seconds: Number(delaySeconds) })
  for (const { payer, rest } of left) {
    if (rest > 0n)
      await mined(world, await callChannels(world, payer, 'finalizeWithdraw', [payer.config]))
  }
  const locked = await chain.readContract({
    address: token.address,
    abi: testTokenAbi,
    functionName: 'balanceOf',
    args: [deployment.channels],
  })
  figures.locked += locked
  if (locked > 0n) failures.push(`${locked} base units stay in the channels contract`)
}

async function leftOf(world: World, payer: Payer) {
  const { balance, claimed } = await amountsOf(world, payer)
  return { payer, rest: balance - claimed }
}

async function amountsOf({ chain, deployment }: World, { id }: Payer) {
  const [balance, claimed] = await chain.readContract({
    address: deployment.channels,
    abi: paymentChannelsAbi,
    functionName: 'channels',
    args: [id],
  })
  return { balance, claimed }
}

async function enrol({ wallets, hub }: World): Promise<Address> {
  const wallet = wallets['creator']
  if (!wallet) throw new Error('the world has no creator')
  const account = privateKeyToAccount(wallet.privateKey)
  const jandon = createJandon({ hubUrl: hub.url, account, store: createMemoryStore() })
  await jandon.register({ handle: 'creator', displayName: 'creator' })
  return wallet.address
}

const untoldNothing = 'jandon_tower_lag_seconds 0\n'

async function metricsOf({ hub }: World): Promise<string> {
  return (await fetch(new URL('/metrics', hub.url))).text()
}

async function healthOf({ hub }: World): Promise<{ block: string }> {
  return (await fetch(new URL('/healthz', hub.url))).json() as Promise<{ block: string }>
}

/** Asks again until it is so; fails after half a minute. */
async function until(isSo: () => Promise<boolean>) {
  const deadline = Date.now() + 30_000
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error('a part of the world hangs')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
