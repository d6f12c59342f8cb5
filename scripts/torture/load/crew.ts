// One who loads or attacks the hub, as a process of its own. The plan comes as an argument; "next" over IPC ends a phase and
// is answered with what was done in it, "stop" ends the process.

import { constants, setPriority } from 'node:os'
import { bodies } from './bodies.ts'
import { flooders } from './flooders.ts'
import { forgers } from './forgers.ts'
import { honest } from './honest.ts'
import { loris } from './loris.ts'
import type { Plan, Report, Role } from './plan.ts'
import { surge } from './surge.ts'
import { viewers } from './viewers.ts'

const plan = JSON.parse(process.argv[2] ?? '{}') as Plan

// The machine of an attacker is not the hub's: its work may not take the hub's time away.
const attackers: readonly Plan['role'][] = ['forgers', 'loris', 'bodies', 'flooders']
if (attackers.includes(plan.role)) setPriority(constants.priority.PRIORITY_LOW)

const role = await start()
process.send?.({ ready: true })
process.on('message', (word) => {
  if (word === 'next') process.send?.({ report: role.next() satisfies Report })
  else process.exit(0)
})
process.on('disconnect', () => process.exit(0))

function start(): Promise<Role> {
  switch (plan.role) {
    case 'honest':
      return honest(plan)
    case 'surge':
      return surge(plan)
    case 'forgers':
      return forgers(plan)
    case 'loris':
      return loris(plan)
    case 'bodies':
      return bodies(plan)
    case 'flooders':
      return flooders(plan)
    case 'viewers':
      return viewers(plan)
  }
}
