// Since when something waits, across restarts: each thing that waits has a row from the moment it is first seen.

import type { GroupLog } from '../store/group-log.ts'
import type { Database } from '../store/table.ts'
import { table } from '../store/table.ts'

/** `mark` is what was settled of it then: when that changes, it waits anew. */
type Age = { since: number; mark: bigint }

const ageRows = table<Age>('waiting-since')

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
  const scopes = new Map<string, Promise<Map<string, Age>>>()

  return {
    async look(scope, waiting) {
      const reading = scopes.get(scope) ?? read(scope)
      scopes.set(scope, reading)
      const ages = await reading
      const gone = [...ages.keys()].filter((name) => !waiting.has(name))
      for (const name of gone) ages.delete(name)
      const since = now()
      const begun = [...waiting].filter(([name, mark]) => ages.get(name)?.mark !== mark)
      for (const [name, mark] of begun) ages.set(name, { since, mark })
      const rows = [
        ...gone.map((name) => ageRows.remove(`${scope}/${name}`)),
        ...begun.map(([name, mark]) => ageRows.put(`${scope}/${name}`, { since, mark })),
      ]
      if (rows.length > 0) await log.commit({ rows })
      return (name) => ages.get(name)?.since ?? since
    },
  }

  async function read(scope: string) {
    const rows = await ageRows.list(db, { after: `${scope}/`, before: `${scope}0` })
    return new Map(rows.map(({ key, value }) => [key.slice(scope.length + 1), value]))
  }
}
