// The poison as a process of its own, so that it runs inside of the sources that are tested. The last line is what it found.

import type { PoisonEffort } from './poison.ts'
import { torturePoison } from './poison.ts'

const found = await torturePoison(JSON.parse(process.argv[2] ?? '{}') as PoisonEffort).catch(
  (cause: unknown) => ({ operations: 1, faults: 1, failures: [String(cause)] }),
)
process.stdout.write(`${JSON.stringify(found)}\n`)
process.exit(0)
