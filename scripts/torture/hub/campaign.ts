// The hub under torture: random histories against the model, crashes, a disk that fails, damaged data. Every part says what it did and how many faults it injected.

import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { withSources } from '../planted-sources.ts'
import type { DamageEffort } from './damage.ts'
import type { DiskEffort } from './disk.ts'
import { playCrashes, playDiskFaults } from './disk.ts'
import type { HistoryEffort } from './history.ts'
import { playHistory } from './history.ts'
import type { PartName } from './plants.ts'
import { hubPlants } from './plants.ts'
import type { Done } from './scene.ts'
import { Fault } from './scene.ts'
import type { Stage } from './stage.ts'
import { openStage, ownSources } from './stage.ts'

/** What a part did, and what it found. */
export type Found = { operations: number; faults: number; failures: string[] }

type Totals = Found & { isIdle: boolean }

/** What a part works on: a chain, sources of the hub, and a seed of its own. */
export type Ground = { stage: Stage; sources: string; seed: number }

const parts: Readonly<Record<string, (ground: Ground, isShort: boolean) => Promise<Found>>> = {
  histories: (ground, isShort) =>
    played((done) =>
      playHistory(ground.stage, { ...ground, done, effort: isShort ? shortHistory : longHistory }),
    ),
  crashes: (ground, isShort) =>
    played((done) =>
      playCrashes(ground.stage, { ...ground, done, effort: isShort ? shortCrashes : longCrashes }),
    ),
  disk: (ground, isShort) =>
    played((done) =>
      playDiskFaults(ground.stage, { ...ground, done, effort: isShort ? shortDisk : longDisk }),
    ),
  damage: (ground, isShort) => damage(ground, isShort ? shortDamage : longDamage),
}

const shortHistory: HistoryEffort = { parts: 6, requests: 30, channels: 6 }
const longHistory: HistoryEffort = { parts: 30, requests: 60, channels: 20 }
const shortCrashes: DiskEffort = { rounds: 4, requests: 30, channels: 6 }
const longCrashes: DiskEffort = { rounds: 20, requests: 60, channels: 12 }
const shortDisk: DiskEffort = { rounds: 1, requests: 30, channels: 6 }
const longDisk: DiskEffort = { rounds: 4, requests: 60, channels: 12 }
const shortDamage: DamageEffort = { cuts: 100, flips: 40 }
/** Every byte of the last 4 KiB; ten seeds flip more than 10,000 bits. */
const longDamage: DamageEffort = { cuts: 4_096, flips: 600 }
/** So many seeds may pass before a planted bug must be found. */
const seedsForPlants = 4

/** Runs every part with each of `seeds` seeds. */
export async function tortureHub({
  seed,
  seeds,
  isShort = false,
}: {
  seed: number
  seeds: number
  isShort?: boolean
}): Promise<Totals> {
  return onStage(async (stage) => {
    const found: Found = { operations: 0, faults: 0, failures: [] }
    for (let index = 0; index < seeds; index += 1) {
      const ground = { stage, sources: ownSources, seed: seed + index }
      for (const name of partNames) add(found, await runPart(name, ground, isShort))
    }
    return total(found)
  })
}

/** Runs the part that must find a planted bug, until it does. */
export async function torturePlantedHub(name: string, seed: number): Promise<Totals> {
  const plant = hubPlants[name]
  if (!plant) {
    throw new Error(`no bug is named ${name}; there are ${Object.keys(hubPlants).join(', ')}`)
  }
  return onStage((stage) =>
    withSources(plant, async (sources) => {
      const found: Found = { operations: 0, faults: 0, failures: [] }
      for (let index = 0; index < seedsForPlants && found.failures.length === 0; index += 1) {
        add(found, await runPart(plant.part, { stage, sources, seed: seed + index }, true))
      }
      return total(found)
    }),
  )
}

const partNames = Object.keys(parts) as PartName[]

function partOf(name: PartName) {
  const part = parts[name]
  if (!part) throw new Error(`there is no part named ${name}`)
  return part
}

async function runPart(name: PartName, ground: Ground, isShort: boolean): Promise<Found> {
  const { stage, seed } = ground
  const id = await stage.chain.snapshot()
  try {
    const found = await partOf(name)(ground, isShort)
    console.log(
      `  ${name}, seed ${seed}: ${found.operations} operations, ${found.faults} faults${found.failures.length > 0 ? ', FAILED' : ''}`,
    )
    const isIdle = found.operations === 0 || found.faults === 0
    if (isIdle && found.failures.length === 0) found.failures.push(`${name} did nothing`)
    return { ...found, failures: found.failures.map((text) => `${name}, seed ${seed}: ${text}`) }
  } finally {
    await stage.chain.revert({ id })
  }
}

/** A part that plays on a hub: what it did until it ended or a fault ended it. */
async function played(play: (done: Done) => Promise<void>): Promise<Found> {
  const done: Done = { operations: 0, kills: 0, answers: new Map() }
  const failures = await play(done).then(
    () => [],
    (cause: unknown) => [cause instanceof Fault ? cause.message : String(cause)],
  )
  return { operations: done.operations, faults: done.kills, failures }
}

/** Runs the damage inside of the sources that are tested, because it opens the data directory itself. */
async function damage({ sources, seed }: Ground, effort: DamageEffort): Promise<Found> {
  const script = join(sources, 'scripts/torture/hub/damage.ts')
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [script, JSON.stringify({ seed, ...effort })],
    { maxBuffer: 64 * 1024 * 1024 },
  )
  return JSON.parse(stdout) as Found
}

async function onStage<T>(work: (stage: Stage) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'jandon-torture-'))
  try {
    const stage = await openStage(folder)
    try {
      return await work(stage)
    } finally {
      await stage.close()
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** A campaign that did nothing, or injected nothing, proves nothing. */
function total(found: Found): Totals {
  const isIdle = found.failures.length === 0 && (found.operations === 0 || found.faults === 0)
  console.log(`  ${found.faults.toLocaleString('en')} faults injected`)
  return { ...found, isIdle }
}

function add(sum: Found, { operations, faults, failures }: Found) {
  sum.operations += operations
  sum.faults += faults
  sum.failures.push(...failures)
}
