// The bank's memory: a file of lines, each a group of events that happened together. A line is on disk before anybody is
// told, and carries the hash of the line before it, so that no line can change, vanish or be put in between unseen.

import { createHash } from 'node:crypto'
import { type FileHandle, mkdir, open, readFile, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { type BankEvent, eventSchema } from './events.ts'

const lineSchema = z.strictObject({
  number: z.number().int(),
  previous: z.string(),
  events: z.array(z.unknown()),
  hash: z.string(),
})

/** The journal is not what was written: a line was changed, lost or added. Names the file and the line. */
export class JournalError extends Error {
  override readonly name = 'JournalError'
}

/**
 * Opens `journal.jsonl` in a folder, creating both, and hands every event in it to `replay`, oldest first.
 *
 * A last line without its end was being written when the process died, and was never answered: it is cut off. Any other
 * fault throws `JournalError`.
 */
export async function openJournal(dir: string, replay: (event: BankEvent) => void) {
  await mkdir(dir, { recursive: true })
  const path = join(dir, 'journal.jsonl')
  const file = await open(path, 'a')
  await syncFolder(dir)
  let head = await load(path, replay)
  let broken: unknown

  return {
    /**
     * Appends one group of events and syncs it. Groups are written one after the other, so callers take turns.
     *
     * After a failed write nothing is known of the end of the file, and every later append throws as well.
     */
    async append(events: BankEvent[]): Promise<void> {
      if (broken !== undefined) throw new JournalError(`${path} failed earlier`, { cause: broken })
      const number = head.number + 1
      const body = JSON.stringify(events, (_key, value) =>
        typeof value === 'bigint' ? String(value) : value,
      )
      const hash = hashOf({ number, previous: head.hash, body })
      try {
        await writeLine(
          file,
          `{"number":${number},"previous":"${head.hash}","events":${body},"hash":"${hash}"}\n`,
        )
      } catch (error) {
        broken = error
        throw error
      }
      head = { number, hash }
    },
    close: () => file.close(),
  }
}

type Head = { number: number; hash: string }

async function load(path: string, replay: (event: BankEvent) => void): Promise<Head> {
  const content = await readFile(path)
  const end = content.lastIndexOf('\n') + 1
  if (end < content.length) await truncate(path, end)
  let head: Head = { number: 0, hash: '' }
  for (const line of content.toString('utf8', 0, end).split('\n').slice(0, -1)) {
    head = readLine(line, { path, head, replay })
  }
  return head
}

function readLine(
  line: string,
  { path, head, replay }: { path: string; head: Head; replay: (event: BankEvent) => void },
): Head {
  const number = head.number + 1
  try {
    const parsed = lineSchema.parse(JSON.parse(line))
    const body = JSON.stringify(parsed.events)
    const hash = hashOf({ number, previous: head.hash, body })
    if (parsed.number !== number) throw new Error(`it is numbered ${parsed.number}`)
    if (parsed.hash !== hash) throw new Error(`it has the hash ${parsed.hash}, its content ${hash}`)
    for (const event of z.array(eventSchema).parse(parsed.events)) replay(event)
    return { number, hash }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new JournalError(`line ${number} of ${path} is not what was written: ${why}`, {
      cause: error,
    })
  }
}

function hashOf({
  number,
  previous,
  body,
}: {
  number: number
  previous: string
  body: string
}): string {
  return createHash('sha256').update(`${number}\n${previous}\n${body}`).digest('hex')
}

async function writeLine(file: FileHandle, line: string): Promise<void> {
  await file.appendFile(line)
  await file.datasync()
}

/** A new file is only there after a power cut when the folder that names it was synced too. */
async function syncFolder(dir: string): Promise<void> {
  const folder = await open(dir, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
