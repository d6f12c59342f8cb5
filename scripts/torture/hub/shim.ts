// The disk and clock that fail when they are told to, compiled when a campaign begins, and the orders it takes.

import { spawnSync } from 'node:child_process'
import {
  closeSync,
  openSync,
  readFileSync,
  readSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Random } from '../random.ts'

/** What can go wrong, in the order of `enum fault` in shim.c. */
export const faults = [
  'none',
  'sync fails',
  'no space',
  'short write',
  'slow sync',
  'dies before write',
  'dies in write',
  'dies before sync',
  'dies after sync',
] as const

export type Fault = (typeof faults)[number]

/** The points at which a process can be made to die: between any two steps of a write. */
export const crashPoints = faults.filter((fault) => fault.startsWith('dies'))

const fields = [
  'fault',
  'countdown',
  'injected',
  'writes',
  'syncs',
  'clockOffsetSeconds',
  'shareIn256',
  'clockReads',
] as const

type Field = (typeof fields)[number]

export type Shim = {
  /** What a process must be started with to run under it. */
  environment: NodeJS.ProcessEnv
  /** From the `countdown`th write or sync on, this goes wrong. */
  order(fault: Fault, countdown: number, shareIn256?: number): void
  /** Moves the process's clock. */
  moveClock(seconds: number): void
  read(field: Field): number
  /**
   * What a loss of power does after the process is gone: each file loses what was not synced, or a random part of it. Returns
   * how many bytes were lost.
   */
  losePower(random: Random): number
}

/**
 * Compiles the shim into a folder.
 *
 * @throws Error that says what to install when there is no C compiler.
 */
export function compileShim(folder: string): string {
  const source = fileURLToPath(new URL('shim.c', import.meta.url))
  const library = join(folder, 'shim.so')
  const flags = ['-shared', '-fPIC', '-O1', '-Wall', '-Werror', '-o', library, source, '-ldl']
  const { error, status, stderr } = spawnSync('cc', flags, { encoding: 'utf8' })
  if (error) {
    throw new Error(
      'disk faults need a C compiler: install one (Debian: apt-get install gcc libc6-dev) and run the same again',
      { cause: error },
    )
  }
  if (status !== 0) throw new Error(`${source} does not compile:\n${stderr}`)
  return library
}

/** A shim for one data directory; `library` is what {@link compileShim} made. */
export function createShim(library: string, folder: string): Shim {
  const path = join(folder, 'orders')
  const synced = join(folder, 'synced')
  writeFileSync(path, new Uint8Array(fields.length * 8))
  writeFileSync(synced, '')

  function write(field: Field, value: number) {
    const bytes = Buffer.alloc(8)
    bytes.writeBigInt64LE(BigInt(value))
    const file = openSync(path, 'r+')
    writeSync(file, bytes, 0, 8, fields.indexOf(field) * 8)
    closeSync(file)
  }

  return {
    environment: {
      LD_PRELOAD: library,
      JANDON_SHIM_ORDERS: path,
      JANDON_SHIM_SYNCED: synced,
    },
    order(fault, countdown, shareIn256 = 128) {
      write('fault', 0)
      write('countdown', countdown)
      write('shareIn256', shareIn256)
      write('fault', faults.indexOf(fault))
    },
    moveClock: (seconds) => write('clockOffsetSeconds', seconds),
    read(field) {
      const bytes = Buffer.alloc(8)
      const file = openSync(path, 'r')
      readSync(file, bytes, 0, 8, fields.indexOf(field) * 8)
      closeSync(file)
      return Number(bytes.readBigInt64LE())
    },
    losePower: (random) => cutUnsynced(synced, random),
  }
}

function cutUnsynced(journal: string, random: Random): number {
  const lengths = new Map<string, number>()
  for (const line of readFileSync(journal, 'utf8').split('\n')) {
    const [, length, path] = /^(\d+) (.+)$/.exec(line) ?? []
    if (path !== undefined) lengths.set(path, Number(length))
  }
  let lost = 0
  for (const [path, durable] of lengths) {
    const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0
    if (size <= durable) continue
    const kept = random.once(2) ? durable : durable + random.below(size - durable)
    truncateSync(path, kept)
    lost += size - kept
  }
  return lost
}
