// Bugs with names, which `npm run torture -- --only hub --plant <name>` puts into a copy of the hub's sources. `part` is the
// part of the campaign that must find it.

import type { Plant } from '../plants.ts'

/** A bug, and where it must be found. */
export type HubPlant = Plant & { part: PartName }

export type PartName = 'histories' | 'crashes' | 'damage' | 'disk'

const channel = 'server/channels/channel.ts'
const log = 'server/store/group-log.ts'

export const hubPlants: Readonly<Record<string, HubPlant>> = {
  'basket-forgotten': {
    part: 'histories',
    file: log,
    find: /if \(rowsAt\) group\.rows\.push\([^\n]*\n/,
    put: '',
  },
  'held-uncounted': {
    part: 'histories',
    file: channel,
    find: /amounts\.charged \+ amounts\.held \+ added/,
    put: 'amounts.charged + added',
  },
  'refund-above-available': {
    part: 'histories',
    file: channel,
    find: /const used = channel\.charged \+ channel\.held/,
    put: 'const used = channel.charged',
  },
  'withdrawal-seen-late': {
    part: 'histories',
    file: channel,
    find: /const leaving = larger\(known, earlyWithdrawal\)/,
    put: 'const leaving = known',
  },
  'withdrawal-uncounted': {
    part: 'histories',
    file: channel,
    find: /const known = pendingWithdrawal\?\.amount \?\? 0n/,
    put: 'const known = 0n && pendingWithdrawal',
  },
  'deposit-seen-early': {
    part: 'histories',
    file: 'server/chain/follower.ts',
    find: /head\.number - BigInt\(confirmations\)/,
    put: 'head.number',
  },
  'ceiling-lowered': {
    part: 'histories',
    file: channel,
    find: /return raised \? \{ \.\.\.channel, proof \} : channel/,
    put: 'return { ...channel, proof: raised || proof ? proof : undefined }',
  },
  'deposit-exceeded-by-one': {
    part: 'histories',
    file: channel,
    find: /needed > amounts\.escrowCap/,
    put: 'needed > amounts.escrowCap + 1n',
  },
  'ceiling-before-deposit': {
    part: 'histories',
    file: channel,
    find: /if \(needed > amounts\.escrowCap\)/,
    put: 'if (needed > amounts.escrowCap && needed <= larger(offered, amounts.ceiling))',
  },
  'receipt-of-another-time': {
    part: 'histories',
    file: log,
    find: /done\(\{ group: closed,/,
    put: 'done({ group: { ...closed, header: { ...header, closedAt: header.closedAt + 1n } },',
  },
  'fee-rounded-up': {
    part: 'histories',
    file: 'server/channels/basket-change.ts',
    find: /rounding: 'down'/,
    put: "rounding: 'up'",
  },
  'balances-not-replayed': {
    part: 'histories',
    file: 'server/store/start-up.ts',
    find: /addLeg\(balances, leg\)\n/,
    put: '\n',
  },
  'tips-not-replayed': {
    part: 'histories',
    file: 'server/channels/registry.ts',
    find: /if \(leaf\.chargedAfter <= channel\.charged\) return/,
    put: 'if (leaf.chargedAfter > 0n) return',
  },
  'hold-unwritten': {
    part: 'histories',
    file: 'server/channels/refunds.ts',
    find: /rows: \[held, refundRows\.put\(refund\.refundId, refund\)\]/,
    put: 'rows: [held, refundRows.put(refund.refundId, refund)].slice(1)',
  },
  'high-s-accepted': {
    part: 'histories',
    file: 'server/channels/signature-worker.ts',
    find: /if \(isKeyKnown\)/,
    put: 'secp256k1.signatureNormalize(signature)\n    if (isKeyKnown)',
  },
  unsynced: {
    part: 'crashes',
    file: 'server/store/database.ts',
    find: /sync: true/,
    put: 'sync: false',
  },
  'answered-before-sync': {
    part: 'disk',
    file: log,
    find: /await writeSynced\(db, \[\n {8}\.\.\.group\.rows/,
    put: 'void writeSynced(db, [\n        ...group.rows',
  },
  'storage-failure-survived': {
    part: 'disk',
    file: 'server/main.ts',
    find: /logFailure\('storage', cause\)\n {6}process\.exit\(1\)/,
    put: "logFailure('storage', cause)",
  },
  'queue-unbounded': {
    part: 'disk',
    file: log,
    find: /if \(open\.waiting\.length < maxWaiting\) return/,
    put: 'if (maxWaiting > 0) return',
  },
  'log-unread': {
    part: 'damage',
    file: 'server/store/database.ts',
    find: /await assertLogIntact\([^\n]*\n/,
    put: '\n',
  },
  'chain-unchecked': {
    part: 'damage',
    file: 'server/store/start-up.ts',
    find: /if \(found !== hash\)/,
    put: 'if (false)',
  },
  'journal-unchecked': {
    part: 'damage',
    file: 'server/store/start-up.ts',
    find: /if \(journalHash\([^\n]*header\.journalHash\)/,
    put: 'if (false)',
  },
}
