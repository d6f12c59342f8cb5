// Bugs with names, which `npm run torture -- --only chain --plant <name>` puts into a copy of the sources. `part` must find it.

import type { Plant } from '../plants.ts'
import type { Play } from './play.ts'

export type ChainPlant = Plant & { part: Play['part'] }

const booked = 'server/chain/booked-chain.ts'
const reversals = 'server/chain/reversals.ts'
const blocks = 'server/chain/blocks.ts'

export const chainPlants: Readonly<Record<string, ChainPlant>> = {
  'one-block-left': {
    part: 'reorgs',
    file: booked,
    find: /recent\.takeBack\(ground\)/,
    put: 'recent.takeBack(ground + 1n)',
  },
  'claim-stays': {
    part: 'reorgs',
    file: reversals,
    find: /if \(seen && channel\) rows\.push/,
    put: "if (seen && channel && event.kind !== 'claimed') rows.push",
  },
  'entries-stay': {
    part: 'reorgs',
    file: reversals,
    find: /entries: entry \? \[entry\] : \[\]/,
    put: 'entries: []',
  },
  'id-given-again': {
    part: 'reorgs',
    file: 'server/chain/bookings.ts',
    find: /times === 0 \? '' : `~\$\{times\}`/,
    put: "''",
  },
  'undone-in-order': {
    part: 'reorgs',
    file: booked,
    find: /\[\.\.\.block\.booked\]\.reverse\(\)/,
    put: '[...block.booked]',
  },
  'tips-charged-again': {
    part: 'reorgs',
    file: booked,
    find: /rowsAt: \(\{ group \}\) => channels\.holdTips\(ids, group\),/,
    put: '',
  },
  'withdrawal-seen-late': {
    part: 'reorgs',
    file: booked,
    find: /channels\.setEarlyWithdrawals\(withdrawalsIn\(events\)\)/,
    put: '',
  },
  'refund-seen-late': {
    part: 'reorgs',
    file: booked,
    find: /\|\| deps\.isHeldFor\(event\)/,
    put: '|| event.amount > 0n',
  },
  'logs-unproved': {
    part: 'faults',
    file: blocks,
    find: /const isWorthProof = told\.length > 0 \|\| isExpected\(bloom\)/,
    put: 'const isWorthProof = !bloom',
  },
  'range-refused-for-good': {
    part: 'faults',
    file: 'server/chain/follower.ts',
    find: /if \(cause instanceof RangeRefused\) return piece\(endpoint, place\)/,
    put: '',
  },
}
