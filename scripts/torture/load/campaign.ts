// The hub under load and attack. Every part measures the honest alone and beside the attack in turn, within one run, and takes
// the median of the ratios, because machines and days do not compare.

import type { Findings } from '../contracts.ts'
import type { Random } from '../random.ts'
import { createRandom } from '../random.ts'
import { inArena } from './arena.ts'
import { attacks, beside } from './beside.ts'
import { tellCrowd } from './crowd.ts'
import { oneAgainstMany } from './one-creator.ts'
import { overload } from './overload.ts'
import type { LoadEffort, PartFound } from './part.ts'
import { revoke } from './revoked.ts'

type Part = { name: string; play: (effort: LoadEffort, random: Random) => Promise<PartFound> }

const parts: readonly Part[] = [
  ...attacks.map((attack) => ({
    name: attack.name,
    play: (effort: LoadEffort) =>
      inArena({ channels: effort.channels, creators: 1 }, (arena) => beside(arena, attack, effort)),
  })),
  {
    name: 'overload',
    play: (effort) =>
      inArena({ channels: effort.channels, creators: 1 }, (arena) => overload(arena, effort)),
  },
  { name: 'one', play: oneAgainstMany },
  {
    name: 'crowd',
    play: (effort) => inArena({ channels: 1, creators: 1 }, (arena) => tellCrowd(arena, effort)),
  },
  {
    name: 'revoked',
    play: (_effort, random) =>
      inArena({ channels: 1, creators: 4 }, (arena) => revoke(arena, random)),
  },
]

/** Runs all parts, or one. Figures are printed; they are judged only when asked for. */
export async function tortureLoad(effort: LoadEffort): Promise<Findings & { faults: number }> {
  const random = createRandom(effort.seed)
  const found: PartFound[] = []
  for (const { name, play } of parts) {
    if (effort.only !== undefined && effort.only !== name) continue
    found.push(await play(effort, random))
  }
  const faults = found.reduce((sum, part) => sum + part.faults, 0)
  console.log(`  ${faults.toLocaleString('en')} faults injected`)
  return {
    operations: found.reduce((sum, part) => sum + part.operations, 0),
    faults,
    isIdle: found.length === 0 || found.some((part) => part.operations === 0 || part.faults === 0),
    failures: found.flatMap(({ failures }) => failures),
  }
}
