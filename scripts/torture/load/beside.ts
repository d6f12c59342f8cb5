// Honest fans beside an attack: what they get done, and how long they wait, against the same fans alone a moment before.

import type { Arena, Member } from './arena.ts'
import { seconds } from './arena.ts'
import type { LoadEffort, PartFound } from './part.ts'
import { median, print } from './part.ts'
import type { Plan, Report } from './plan.ts'

const honestPerSecond = 300
const forgedPerSecond = 20_000
const calmDownSeconds = 15

/** What is done to the hub, how much of it a report tells of, and what the honest may lose by it. */
export type Attack = {
  name: string
  plan: (arena: Arena, effort: LoadEffort) => Plan
  faultsIn: (report: Report) => number
  limits: { goodput: number; p99?: number }
}

export const attacks: readonly Attack[] = [
  {
    name: 'forgers',
    plan: ({ channels: those, world }) => ({
      role: 'forgers',
      url: world.hub.url,
      channels: those,
      rate: forgedPerSecond,
    }),
    faultsIn: ({ offered = 0, posted = 0 }) => offered + posted,
    limits: { goodput: 0.9 },
  },
  {
    name: 'loris',
    plan: ({ world }, { connections }) => ({ role: 'loris', url: world.hub.url, connections }),
    faultsIn: ({ most = 0 }) => most,
    limits: { goodput: 0.9, p99: 2 },
  },
  {
    name: 'bodies',
    plan: ({ world }) => ({ role: 'bodies', url: world.hub.url, connections: 8 }),
    faultsIn: ({ sent = 0 }) => sent,
    limits: { goodput: 0.9, p99: 2 },
  },
  {
    name: 'flooders',
    plan: ({ world }) => ({ role: 'flooders', url: world.hub.url, connections: 40 }),
    faultsIn: ({ frames = 0 }) => frames,
    limits: { goodput: 0.9, p99: 2 },
  },
]

/** Honest fans alone and beside an attack, in turn. */
export async function beside(arena: Arena, attack: Attack, effort: LoadEffort): Promise<PartFound> {
  const { phaseSeconds, rounds, judge } = effort
  const { name, limits, faultsIn, plan } = attack
  const fans = await arena.send({
    role: 'honest',
    url: arena.world.hub.url,
    channels: arena.channels,
    rate: honestPerSecond,
    seconds: (phaseSeconds * 2 + 20) * rounds + 60,
  })
  const part: PartFound = { operations: 0, faults: 0, failures: [] }
  const ratios = { goodput: [] as number[], p99: [] as number[] }
  await phase(fans, 2)
  for (let round = 0; round < rounds; round += 1) {
    const alone = await phase(fans, phaseSeconds)
    const { beset, done } = await besiege(arena, { fans, plan: plan(arena, effort), phaseSeconds })
    const blocked = await arena.metric('jandon_event_loop_max_seconds')
    print(name, { ...shown('alone', alone), ...shown('beset', beset), ...done, blocked })
    part.operations += (alone['answers'] ?? 0) + (beset['answers'] ?? 0)
    part.faults += faultsIn(done)
    ratios.goodput.push((beset['perSecond'] ?? 0) / (alone['perSecond'] ?? 1))
    ratios.p99.push((beset['p99'] ?? 0) / (alone['p99'] ?? 1))
    await calmDown(fans, alone)
  }
  const [goodput, p99] = [median(ratios.goodput), median(ratios.p99)]
  print(name, { goodputRatio: goodput, p99Ratio: p99 })
  if (judge && goodput < limits.goodput)
    part.failures.push(`${name}: honest goodput is ${goodput.toFixed(2)} of that without`)
  if (judge && limits.p99 !== undefined && p99 > limits.p99)
    part.failures.push(`${name}: honest p99 is ${p99.toFixed(2)} times that without`)
  part.failures.push(...(await faultsAfter(arena, name)))
  return part
}

/** What the attack left behind is not counted to the time after it: waits until the answers come as they did before. */
async function calmDown(fans: Member, before: Report) {
  for (let second = 0; second < calmDownSeconds; second += 1) {
    const { p99 = 0, answers = 0 } = await phase(fans, 1)
    if (answers > 0 && p99 <= 2 * (before['p99'] ?? 0)) return
  }
}

async function besiege(
  arena: Arena,
  { fans, plan, phaseSeconds }: { fans: Member; plan: Plan; phaseSeconds: number },
): Promise<{ beset: Report; done: Report }> {
  const attacker = await arena.send(plan)
  await phase(fans, 1)
  await attacker.next()
  const beset = await phase(fans, phaseSeconds)
  const done = await attacker.next()
  await attacker.stop()
  return { beset, done }
}

/** The hub still answers, has complained of nothing, and has given none of its secrets away. */
async function faultsAfter({ world, client }: Arena, name: string): Promise<string[]> {
  const health = await client.call({ path: '/healthz' })
  const complaints = world.hub.complaints()
  return [
    ...(health?.status === 200 ? [] : [`${name}: the hub is not well afterwards`]),
    ...(complaints === '' ? [] : [`${name}: the hub complained: ${complaints.slice(0, 500)}`]),
  ]
}

async function phase(fans: Member, length: number): Promise<Report> {
  await seconds(length)
  return fans.next()
}

function shown(when: string, { perSecond = 0, p50 = 0, p99 = 0, refused = 0 }: Report): Report {
  return {
    [`${when}/s`]: perSecond,
    [`${when}P50`]: p50,
    [`${when}P99`]: p99,
    [`${when}Refused`]: refused,
  }
}
