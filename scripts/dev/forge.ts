// Plants one unit in the books of a stopped hub, as somebody with its disk and its receipt key could: a balanced entry in a
// group that chains and is signed like any other. Whoever compares the books with the chain must find it.

import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { Hex } from 'viem'
import { toHex } from 'viem'
import { hubDomainSeparator } from '#protocol/receipt.ts'
import type { Deployment } from '#server/chain/deployment.ts'
import { createDigestSigner } from '#server/channels/signature-backend.ts'
import { accounts } from '#server/ledger/accounts.ts'
import { move } from '#server/ledger/entry.ts'
import { levelFolder, openLevel } from '#server/store/database.ts'
import { createGroupLog } from '#server/store/group-log.ts'
import { createLateRows } from '#server/store/late-rows.ts'
import { lateGroups, loadBalances, walkGroups } from '#server/store/start-up.ts'
import { loadTipIndex } from '#server/store/tip-index.ts'

export async function forgeOneUnit({
  dataDirectory,
  deployment,
  receiptKey,
}: {
  dataDirectory: string
  deployment: Deployment
  receiptKey: Hex
}) {
  const { chainId, hubAccount, tokens } = deployment
  const db = await openLevel(join(dataDirectory, levelFolder))
  const last = await walkGroups(db)
  const lateRows = createLateRows(lateGroups(db).from)
  const log = createGroupLog({
    db,
    balances: await loadBalances(db, lateRows),
    lateRows,
    tipIndex: await loadTipIndex(db, lateRows),
    last,
    epoch: toHex(randomBytes(32)),
    separator: hubDomainSeparator({ chainId, hubAccount }),
    sign: createDigestSigner(receiptKey),
    now: Date.now,
    randomBytes,
    maxWaiting: 1,
    onCommitted: () => undefined,
    onFailure: (cause) => {
      throw cause
    },
  })
  const currency = tokens[0]?.address ?? ''
  const legs = move({ debit: accounts.channels, credit: accounts.fees }, { currency, amount: 1n })
  await log.commit({
    entries: [{ id: 'planted', at: Date.now(), reason: 'planted', reference: 'planted', legs }],
  })
  await log.close()
  await db.close()
}
