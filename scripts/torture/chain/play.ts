// Plays a part of the campaign in a process of its own, inside of the sources that are tested, and prints what it came to.

import { openChain } from '#server/testing/chain.ts'
import type { ChainKind } from '../../world/chains.ts'
import { playFaults } from './faults.ts'
import { playReorgs } from './reorgs.ts'
import { newTally } from './truth.ts'

/** What to play: a part, its seed and how much of it, on which chain. */
export type Play = { chainKind: ChainKind; seed: number } & (
  | { part: 'reorgs'; first: number; reorgs: number }
  | { part: 'faults'; blocks: number; events: number }
)

const [, , text = '{}'] = process.argv
const play = JSON.parse(text) as Play
const tally = newTally()
const chain = await openChain(play.chainKind)
try {
  if (play.part === 'reorgs') await playReorgs(chain, { ...play, tally })
  else await playFaults(chain, { ...play, tally })
} catch (cause) {
  tally.failures.push(cause instanceof Error ? (cause.stack ?? cause.message) : String(cause))
} finally {
  await chain.stop()
}
process.stdout.write(`${JSON.stringify(tally)}\n`)
process.exit(0)
