// Since when something waits, across restarts: what waits for a minute has a row from then on, so that a restart forgets a minute
// at most, and what is settled sooner costs no write.

import type { GroupLog } from '../store/group-log.ts'
import type { Database, Row } from '../store/table.ts'
import { table } from '../store/table.ts'
import { inTurns } from './turns.ts'

/** `mark` is what was settled of it then: when that changes, it waits anew. */
type Age = { since: number; mark: bigint }

type KnownAge = Age & { isWritten: boolean }

const ageRows = table<Age>('waiting-since')

/** Milliseconds. */
const unwritten = 60_000

export type Ages = {
  /**
   * Takes note of all that waits in a scope now, each with what is settled of it so far, and answers since when each does, in Unix
   * milliseconds.
   */
  look(scope: string, waiting: ReadonlyMap<string, bigint>): Promise<(name: string) => number>
}

export function createAges({
  db,
  log,
  now,
}: {
  db: Database
  log: GroupLog
  now: () => number
}): Ages {
  const scopes = new Map<string, Promise<Map<string, KnownAge>>>()

  return {
    async look(scope, waiting) {
      const reading = scopes.get(scope) ?? read(scope)
      scopes.set(scope, reading)
      const ages = await reading
      const time = now()
      const rows: Row[] = []
      await inTurns(ages, ([name, { isWritten }]) => {
        if (waiting.has(name)) return
        ages.delete(name)
        if (isWritten) rows.push(ageRows.remove(`${scope}/${name}`))
      })
      await inTurns(waiting, ([name, mark]) => {
        const { since, isWritten } = waitingSince(ages.get(name), { mark, time })
        const isDue = !isWritten && time - since >= unwritten
        if (isDue) rows.push(ageRows.put(`${scope}/${name}`, { since, mark }))
        ages.set(name, { since, mark, isWritten: isWritten || isDue })
      })
      if (rows.length > 0) await log.commit({ rows })
      return (name) => ages.get(name)?.since ?? time
    },
  }

  async function read(scope: string) {
    const rows = await ageRows.list(db, { after: `${scope}/`, before: `${scope}0` })
    const ages = rows.map(({ key, value }): [string, KnownAge] => [
      key.slice(scope.length + 1),
      { ...value, isWritten: true },
    ])
    return new Map(ages)
  }
}

/** What was settled in part waits anew; its row is overwritten when it has waited long enough again. */
function waitingSince(
  known: KnownAge | undefined,
  { mark, time }: { mark: bigint; time: number },
): Pick<KnownAge, 'since' | 'isWritten'> {
  return known?.mark === mark ? known : { since: time, isWritten: false }
}
