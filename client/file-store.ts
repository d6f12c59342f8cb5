// A store of JSON files, one per record, for programs on Node. A file is either the old text or the new one: it is written
// beside its place, synced, and renamed.

import { randomUUID } from 'node:crypto'
import { link, mkdir, open, readdir, readFile, rename, rm, stat, utimes } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { ClientError } from './errors.ts'
import type { Store } from './store.ts'

const keyPattern = /^[a-z0-9_-]+(?:\/[a-z0-9_-]+)*$/
const suffix = '.json'

/** How long a lock may go without a sign of life, how often one is given, and how long others wait. */
const lockTimes = { stale: 20_000, beat: 4_000, poll: 50, patience: 120_000 }

/** Opens the store in `directory`, which is made when it is not there. Readable by its owner only. */
export function createFileStore(directory: string): Store {
  const pathOf = (key: string) => {
    if (!keyPattern.test(key)) throw new TypeError(`"${key}" cannot be the key of a record`)
    return join(directory, `${key}${suffix}`)
  }
  return {
    get: (key) => readIfThere(pathOf(key)),
    put: (key, text) => writeDurably(pathOf(key), text),
    remove: async (key) => {
      const path = pathOf(key)
      await rm(path, { force: true })
      await syncFolder(dirname(path))
    },
    keys: async (prefix) => {
      const names = await namesBelow(directory)
      return names
        .filter((name) => name.endsWith(suffix))
        .map((name) => name.slice(0, -suffix.length).replaceAll('\\', '/'))
        .filter((key) => keyPattern.test(key) && key.startsWith(prefix))
        .sort()
    },
    exclusive: async (work) => {
      const release = await takeLock(directory)
      try {
        return await work()
      } finally {
        await release()
      }
    },
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    if (isSystemError(cause, 'ENOENT')) return undefined
    throw cause
  }
}

async function writeDurably(path: string, text: string): Promise<void> {
  const folder = dirname(path)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const draft = `${path}.${randomUUID()}.draft`
  const file = await open(draft, 'wx', 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(draft, path)
  await syncFolder(folder)
}

/** Without this, the new name may be lost with the power although the contents are on disk. Windows cannot do it. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return
  const handle = await open(folder, 'r').catch((cause: unknown) => {
    if (isSystemError(cause, 'ENOENT')) return undefined
    throw cause
  })
  try {
    await handle?.sync()
  } finally {
    await handle?.close()
  }
}

async function namesBelow(directory: string): Promise<string[]> {
  try {
    return await readdir(directory, { recursive: true })
  } catch (cause) {
    if (isSystemError(cause, 'ENOENT')) return []
    throw cause
  }
}

/** Takes the lock file, waiting for a living holder and clearing away a dead one. Resolves to its release. */
async function takeLock(directory: string): Promise<() => Promise<void>> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const path = join(directory, 'lock')
  const mine = `${process.pid} ${randomUUID()}`
  const deadline = Date.now() + lockTimes.patience
  while (!(await createLock(path, mine))) {
    if (Date.now() > deadline) {
      throw new ClientError('store_locked', `another program holds ${path}`)
    }
    if (!(await clearDeadLock(path))) {
      await new Promise((resolve) => setTimeout(resolve, lockTimes.poll))
    }
  }
  const beat = setInterval(() => {
    const now = new Date()
    // A beat that fails costs nothing but patience: a lock without beats is taken over in the end.
    utimes(path, now, now).catch(() => undefined)
  }, lockTimes.beat)
  beat.unref()
  return async () => {
    clearInterval(beat)
    if ((await readIfThere(path)) === mine) await rm(path, { force: true })
  }
}

/** The lock appears with its contents: it is written beside and linked into place, which fails when one is there. */
async function createLock(path: string, text: string): Promise<boolean> {
  const draft = `${path}.${randomUUID()}.draft`
  const file = await open(draft, 'wx', 0o600)
  try {
    await file.writeFile(text)
    await link(draft, path)
    return true
  } catch (cause) {
    if (isSystemError(cause, 'EEXIST')) return false
    throw cause
  } finally {
    await file.close()
    await rm(draft, { force: true })
  }
}

/** Removes the lock of a holder that is gone. Moving it aside first makes one winner among those who try. */
async function clearDeadLock(path: string): Promise<boolean> {
  const seen = await readIfThere(path)
  if (seen === undefined) return true
  const age = await ageOf(path)
  if (age === undefined) return true
  if (age < lockTimes.stale && isAlive(Number(seen.split(' ')[0]))) return false
  const aside = `${path}.${randomUUID()}.draft`
  try {
    await rename(path, aside)
  } catch (cause) {
    if (isSystemError(cause, 'ENOENT')) return true
    throw cause
  }
  const isTheDeadOne = (await readIfThere(aside)) === seen
  // Moved aside was a lock that had just been taken: it goes back, unless somebody has taken the place meanwhile.
  if (!isTheDeadOne) await link(aside, path).catch(() => undefined)
  await rm(aside, { force: true })
  return isTheDeadOne
}

async function ageOf(path: string): Promise<number | undefined> {
  try {
    return Date.now() - (await stat(path)).mtimeMs
  } catch (cause) {
    if (isSystemError(cause, 'ENOENT')) return undefined
    throw cause
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (cause) {
    return !isSystemError(cause, 'ESRCH')
  }
}

function isSystemError(cause: unknown, code: string): boolean {
  return cause instanceof Error && 'code' in cause && cause.code === code
}
