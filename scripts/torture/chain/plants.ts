// Bugs with names, which `npm run torture -- --only chain --plant <name>` puts into a copy of the sources. `part` must find it.

import type { Plant } from '../plants.ts'
import type { Play } from './play.ts'

export type TransactionPart = 'sending' | 'poison'

export type TransactionPlant = Plant & { part: TransactionPart }

const transactions = 'server/chain/transactions.ts'
const upkeep = 'server/chain/upkeep.ts'

export const transactionPlants: Readonly<Record<string, TransactionPlant>> = {
  'nonce-of-the-chain': {
    part: 'sending',
    file: transactions,
    find: /const nonce = book\.next\(\) \?\? used/,
    put: 'const nonce = used',
  },
  'sent-before-stored': {
    part: 'sending',
    file: transactions,
    find: /await book\.put\(sent, rowsWith\(attempt\.hash\)\)\n {4}await upkeep\.broadcast\(sent\)/,
    put: 'await upkeep.broadcast(sent)\n    await new Promise((go) => setTimeout(go, 60))\n    await book.put(sent, rowsWith(attempt.hash))',
  },
  'taken-and-forgotten': {
    part: 'sending',
    file: upkeep,
    find: /if \(watchOf\(sent\)\.isTaken\) await lookAtTaken\(sent, at\)/,
    put: 'if (watchOf(sent).isTaken) continue',
  },
  'never-raised': {
    part: 'sending',
    file: upkeep,
    find: /if \(!bid\) return false/,
    put: 'if (!bid || bid) return false',
  },
  'raised-too-little': {
    part: 'sending',
    file: 'server/chain/fees.ts',
    find: /numerator: 9n, denominator: 8n/,
    put: 'numerator: 101n, denominator: 100n',
  },
  'replaced-forgotten': {
    part: 'sending',
    file: upkeep,
    find: /attempts: \[\.\.\.sent\.attempts, attempt\]/,
    put: 'attempts: [attempt]',
  },
  'trial-ignored': {
    part: 'poison',
    file: 'server/chain/trial.ts',
    find: /for \(;;\) \{\n {4}const calls = claimCalls/,
    put: 'for (;;) {\n    if (good.length > 0) return { good, bad, claimed: expected(good) }\n    const calls = claimCalls',
  },
  'bad-taken-for-good': {
    part: 'poison',
    file: 'server/chain/trial.ts',
    find: /good = good\.filter\(\(claim\) => !out\.has\(claim\)\)/,
    put: 'return { good, bad, claimed: expected(good) }',
  },
  'one-for-all': {
    part: 'poison',
    file: 'server/chain/trial.ts',
    find: /const found = await findBad\(deps, good\)/,
    put: "const found = good.map((claim) => ({ claim, reason: 'one of them is bad' }))",
  },
}

export type FollowingPlant = Plant & { part: Play['part'] }

const booked = 'server/chain/booked-chain.ts'
const reversals = 'server/chain/reversals.ts'
const blocks = 'server/chain/blocks.ts'

export const followingPlants: Readonly<Record<string, FollowingPlant>> = {
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
